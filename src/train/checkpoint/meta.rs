//! Metadata of a checkpoint.

use super::super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::flags::Overrides;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Metadata of a checkpoint: all that it says beside the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// [`FORMAT`](super::FORMAT).
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Name after `model`.
    pub model: String,
    /// The `.van` text.
    pub source: String,
    /// Overrides from flags. With `source` they make the model.
    pub overrides: Overrides,
    /// The images it was trained on.
    pub data: DataMeta,
    /// Seed of every random stream; their positions are [`Meta::progress`]'s.
    pub seed: u64,
    /// Progress of the run.
    #[serde(rename = "position")]
    pub progress: RunProgress,
}

/// The images that a network was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataMeta {
    /// Name of the data, for the log: `synthetic`.
    pub name: String,
    /// Folder that `--data-dir` named.
    pub dir: Option<PathBuf>,
    /// Channels, height and width of an image.
    pub shape: Vec<usize>,
    /// Class names, by class index.
    pub classes: Vec<String>,
    /// Images in the training split.
    pub train_images: usize,
    /// Images in the test split.
    pub test_images: usize,
    /// Mean of each channel, which is subtracted.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, which is divided by.
    pub std: Vec<f32>,
}

impl DataMeta {
    /// Describes `dataset`, found with `--data-dir dir`.
    pub fn new(dataset: &Dataset, dir: Option<&Path>) -> Self {
        DataMeta {
            name: dataset.name.clone(),
            dir: dir.map(Path::to_owned),
            shape: dataset.shape.dims(),
            classes: dataset.classes.clone(),
            train_images: dataset.train.labels.len(),
            test_images: dataset.test.labels.len(),
            mean: dataset.mean.clone(),
            std: dataset.std.clone(),
        }
    }

    /// Checks that `dataset` is, to all appearance, the same images: as many, in the same
    /// classes, with the same mean and deviation to the last bit.
    ///
    /// # Errors
    /// The first difference, where the images are others.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let now = DataMeta::new(dataset, self.dir.as_deref());
        let differs = if now.shape != self.shape {
            Some(format!(
                "its images are {:?}, there they are {:?}",
                now.shape, self.shape
            ))
        } else if (now.train_images, now.test_images) != (self.train_images, self.test_images) {
            Some(format!(
                "it has {} training and {} test images, there they are {} and {}",
                now.train_images, now.test_images, self.train_images, self.test_images
            ))
        } else if now.classes != self.classes {
            Some("its classes have other names".into())
        } else if (&now.mean, &now.std) != (&self.mean, &self.std) {
            Some("its pixels have another mean or deviation".into())
        } else {
            None
        };
        match differs {
            None => Ok(()),
            Some(what) => Err(Error::new(format!(
                "{} is not the data that the run began with ({}): {what}",
                dataset.name, self.name
            ))
            .help("give the folder of that data with --data-dir")),
        }
    }
}
