//! Images and their classes.

use super::statistics::statistics;
use crate::error::{Error, Result};
use crate::ir::Shape;

/// Split of a dataset: images as bytes, each channels × height × width, and their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// `labels.len()` images, row-major.
    pub pixels: Vec<u8>,
    /// Class index of each image, below the number of classes.
    pub labels: Vec<u32>,
}

impl Split {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// A dataset, whole in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Name for the log: `synthetic`, `cifar10 in /data/cifar-10-batches-bin`.
    pub name: String,
    /// Shape of every image.
    pub shape: Shape,
    /// Class names, by class index.
    pub classes: Vec<String>,
    /// Split to train on.
    pub train: Split,
    /// Split to test on.
    pub test: Split,
    /// Mean of each channel of the training split's pixels, scaled to [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel of the same pixels; 1 if they are all equal.
    pub std: Vec<f32>,
    /// Files that were passed over or are missing, if there are any, in one line.
    pub left_out: Option<String>,
}

impl Dataset {
    /// Makes a dataset with the statistics of its training split. An empty split is an error.
    pub(super) fn new(
        name: String,
        shape: Shape,
        classes: Vec<String>,
        train: Split,
        test: Split,
    ) -> Result<Dataset> {
        for (split, images) in [("training", &train), ("test", &test)] {
            if images.is_empty() {
                return Err(
                    Error::new(format!("the {split} split of {name} holds no image"))
                        .help("each split needs at least one image"),
                );
            }
        }
        let (mean, std) = statistics(&train.pixels, shape);
        Ok(Dataset {
            name,
            shape,
            classes,
            train,
            test,
            mean,
            std,
            left_out: None,
        })
    }
}
