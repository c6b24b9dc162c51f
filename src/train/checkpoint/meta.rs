//! Metadata of a checkpoint.

use super::super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::flags::Overrides;
use crate::text::{counted, listed_names};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Class names of a kind that an error lists before it only counts.
const NAMED: usize = 10;

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
    /// Every difference, the classes first, where the images are others.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let now = DataMeta::new(dataset, self.dir.as_deref());
        let mut differences = Vec::new();
        differences.extend(self.other_classes(&now.classes));
        if now.shape != self.shape {
            differences.push(format!(
                "its images are {:?}, there they are {:?}",
                now.shape, self.shape
            ));
        }
        let counts = [
            ("training", now.train_images, self.train_images),
            ("test", now.test_images, self.test_images),
        ];
        for (split, images, there) in counts {
            if images != there {
                differences.push(format!(
                    "it has {}, there were {there}",
                    counted(images, &format!("{split} image"))
                ));
            }
        }
        if (&now.mean, &now.std) != (&self.mean, &self.std) {
            differences.push("its pixels have another mean or deviation".into());
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "{} is not the data that the run began with ({}): {}",
            dataset.name,
            self.name,
            differences.join("; ")
        ))
        .help("give the folder of that data with --data-dir"))
    }

    /// Says how the class names `now` differ from those that the network was trained on.
    pub fn other_classes(&self, now: &[String]) -> Option<String> {
        if now == self.classes {
            return None;
        }
        let lacking = |names: &[String], others: &[String]| {
            let others: HashSet<&String> = others.iter().collect();
            let names = names.iter().filter(|name| !others.contains(name));
            let names: Vec<&str> = names.map(String::as_str).collect();
            (!names.is_empty()).then(|| listed_names(&names, NAMED))
        };
        Some(
            match (lacking(now, &self.classes), lacking(&self.classes, now)) {
                (None, None) => "its classes are in another order".into(),
                (Some(new), None) => format!("it has the further classes {new}"),
                (None, Some(missing)) => format!("it lacks the classes {missing}"),
                (Some(new), Some(missing)) => {
                    format!("it has the classes {new}, there they were {missing}")
                }
            },
        )
    }
}
