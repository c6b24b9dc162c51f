//! The order of the training images, and the batches of an epoch.

use super::random::{Purpose, stream};
use super::{Dataset, augment};
use crate::ir::Augment;
use crate::tensor::Batch;
use rand::seq::SliceRandom;
use std::borrow::Cow;

/// Settings that turn the training split into epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Seed of the orders and the augmentation.
    pub seed: u64,
    /// Images in a step.
    pub batch: usize,
    /// Whether each epoch is shuffled anew; otherwise all have the order of the split.
    pub shuffle: bool,
    /// Random changes of each image, applied in this order.
    pub augment: Vec<Augment>,
}

/// Pass over the training split.
#[derive(Clone, Debug)]
pub struct Epoch {
    sampler: Sampler,
    epoch: u64,
    order: Vec<usize>,
}

impl Sampler {
    /// Returns the number of steps in an epoch over `images` images; the last batch may be
    /// smaller.
    pub fn steps(&self, images: usize) -> usize {
        images.div_ceil(self.batch.max(1))
    }

    /// Makes epoch number `epoch`, counted from 0, over a training split of `images` images.
    /// It depends on nothing but the sampler and these two.
    pub fn epoch(&self, images: usize, epoch: u64) -> Epoch {
        let mut order: Vec<usize> = (0..images).collect();
        if self.shuffle {
            order.shuffle(&mut stream(Purpose::Shuffle, self.seed, epoch, 0));
        }
        Epoch {
            sampler: self.clone(),
            epoch,
            order,
        }
    }
}

impl Epoch {
    /// Returns the number of batches.
    pub fn steps(&self) -> usize {
        self.sampler.steps(self.order.len())
    }

    /// Returns the number of images in batch `index`.
    pub fn images(&self, index: usize) -> usize {
        let batch = self.sampler.batch.max(1);
        let first = index.saturating_mul(batch);
        self.order.len().saturating_sub(first).min(batch)
    }

    /// Returns the indices of the images in the order of the epoch.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Returns the numbers of the random changes, for engines that apply them on the device: for
    /// each image in the order of the split and each change of the sampler, (down, right) from
    /// the image's corner to the crop's, or (0, 1) for a mirror image and (0, 0) for none.
    pub fn changes(&self) -> Vec<(i32, i32)> {
        let Sampler { seed, augment, .. } = &self.sampler;
        let images = 0..self.order.len() as u64;
        let each = |image| {
            let mut rng = stream(Purpose::Augment, *seed, self.epoch, image);
            let drawn = augment::draw(augment, &mut rng);
            drawn.map(augment::Change::numbers).collect::<Vec<_>>()
        };
        match augment.is_empty() {
            true => Vec::new(),
            false => images.flat_map(each).collect(),
        }
    }

    /// Makes batch `index` of the epoch, augmented and standardised; empty from [`Epoch::steps`]
    /// on.
    ///
    /// Batches may be asked for in any order: each image has a random stream of its own.
    /// `dataset` holds at least as many training images as the epoch was made for.
    pub fn batch(&self, dataset: &Dataset, index: usize) -> Batch {
        let Sampler {
            seed,
            batch,
            augment: changes,
            ..
        } = &self.sampler;
        let indices = self.order.chunks((*batch).max(1)).nth(index);
        dataset.batch(
            &dataset.train,
            indices.unwrap_or_default(),
            |image, pixels| {
                if changes.is_empty() {
                    return Cow::Borrowed(pixels);
                }
                let mut rng = stream(Purpose::Augment, *seed, self.epoch, image as u64);
                augment::vary(changes, pixels, dataset.shape, &mut rng)
            },
        )
    }
}
