//! Standardising: bytes to the network's input, `(x/255 − mean)/std` per channel.

use super::{Dataset, Split};
use crate::tensor::Batch;
use rayon::prelude::*;
use std::borrow::Cow;

/// The standardised value of each byte, a table a channel.
#[derive(Clone, Debug)]
pub struct Standardization(Vec<[f32; 256]>);

impl Standardization {
    /// Computes the tables of channels with these means and deviations.
    pub fn new(mean: &[f32], std: &[f32]) -> Self {
        let table = |(mean, std): (&f32, &f32)| {
            std::array::from_fn(|pixel| (pixel as f32 / 255.0 - mean) / std)
        };
        Standardization(mean.iter().zip(std).map(table).collect())
    }

    /// Standardises `pixels`, planes of `positions` bytes each, into `image`, channels last.
    pub fn fill(&self, pixels: &[u8], positions: usize, image: &mut [f32]) {
        let Standardization(tables) = self;
        let planes = pixels.chunks_exact(positions).zip(tables);
        for (channel, (plane, table)) in planes.enumerate() {
            let values = image.iter_mut().skip(channel).step_by(tables.len());
            for (value, &pixel) in values.zip(plane) {
                *value = table[usize::from(pixel)];
            }
        }
    }
}

impl Dataset {
    /// Makes a batch of the images `start..start + size` of the test split, standardised; fewer,
    /// or none, past the end of the split.
    pub fn test_batch(&self, start: usize, size: usize) -> Batch {
        let end = start.saturating_add(size).min(self.test.len());
        let indices: Vec<usize> = (start..end).collect();
        self.batch(&self.test, &indices, |_, pixels| Cow::Borrowed(pixels))
    }

    /// Makes a batch of the images of `split` at `indices`, each changed by
    /// `vary(index, pixels)`, then standardised, channels last.
    pub(super) fn batch<'a>(
        &self,
        split: &'a Split,
        indices: &[usize],
        vary: impl Fn(usize, &'a [u8]) -> Cow<'a, [u8]> + Sync,
    ) -> Batch {
        let (elements, positions) = (self.shape.elements(), self.shape.positions());
        let tables = Standardization::new(&self.mean, &self.std);
        let mut images = vec![0.0; indices.len() * elements];
        images
            .par_chunks_mut(elements)
            .zip(indices)
            .for_each(|(image, &index)| {
                let pixels = vary(index, &split.pixels[index * elements..][..elements]);
                tables.fill(&pixels, positions, image);
            });
        Batch {
            images,
            labels: indices.iter().map(|&index| split.labels[index]).collect(),
        }
    }
}
