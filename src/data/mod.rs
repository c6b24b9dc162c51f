//! Datasets in memory, and the batches made of them.

use crate::ir::Shape;

/// One split: images as bytes, each channels × height × width, and their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// `labels.len()` images, row-major.
    pub pixels: Vec<u8>,
    /// Class index of each image, below the number of classes.
    pub labels: Vec<u32>,
}

/// A dataset, whole in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// For the log: `synthetic`, `cifar10 in /data/cifar-10-batches-bin`.
    pub name: String,
    /// Shape of every image.
    pub shape: Shape,
    /// Class names, by class index.
    pub classes: Vec<String>,
    /// What is trained on.
    pub train: Split,
    /// What is tested on.
    pub test: Split,
    /// Per channel: mean of the training split's pixels, scaled to [0, 1].
    pub mean: Vec<f32>,
    /// Per channel: standard deviation of the same.
    pub std: Vec<f32>,
}
