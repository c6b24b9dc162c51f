//! The images that are predicted, in batches.

use crate::cli::trained::Trained;
use crate::data::Dataset;
use crate::data::pictures::{self, Found, Pictures};
use crate::error::{Error, Result};
use crate::flags::{Resize, Split};
use crate::tensor::Batch;
use crate::train::progress::Progress;
use std::path::{Path, PathBuf};

/// Images to be predicted.
pub(super) enum Images {
    /// Image files, which are decoded batch by batch.
    Files { found: Found, pictures: Pictures },
    /// Images of a dataset, called by their index: those in the place of its test split.
    Dataset(Dataset),
}

/// A batch, the names of its images, and the failures of those that are not in it.
pub(super) struct Named {
    pub names: Vec<String>,
    pub batch: Batch,
    pub failures: Vec<Error>,
}

impl Images {
    /// Looks for the image files of `inputs`, for the network.
    pub fn find(inputs: &[PathBuf], trained: &Trained, fit: Option<Resize>) -> Result<Images> {
        let data = &trained.checkpoint.meta.data;
        let pictures = Pictures::new(trained.model.input, fit, &data.mean, &data.std)?;
        let found = pictures::find(inputs);
        Ok(Images::Files { found, pictures })
    }

    /// Loads the images of a dataset: see [`Trained::dataset`].
    pub fn load(
        trained: &Trained,
        dir: Option<&Path>,
        other: bool,
        split: Split,
    ) -> Result<(Images, Option<String>)> {
        let mut progress = Progress::new(false);
        let loader = progress.loader(trained.model.train.data.kind.keyword());
        let (dataset, warning) = trained.dataset(dir, other, split, &loader)?;
        progress.clear();
        Ok((Images::Dataset(dataset), warning))
    }

    /// Returns the number of images, readable or not.
    pub fn len(&self) -> usize {
        match self {
            Images::Files { found, .. } => found.files.len(),
            Images::Dataset(dataset) => dataset.test.len(),
        }
    }

    /// Returns the word for what a name is the name of.
    pub fn noun(&self) -> &'static str {
        match self {
            Images::Files { .. } => "file",
            Images::Dataset(_) => "image",
        }
    }

    /// Lists all names.
    pub fn names(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self {
            Images::Files { found, .. } => Box::new(found.files.iter().map(|file| name(file))),
            Images::Dataset(dataset) => Box::new((0..dataset.test.len()).map(|i| i.to_string())),
        }
    }

    /// Makes the batch of `size` images from `start` on, or of those that there are.
    pub fn batch(&self, start: usize, size: usize) -> Named {
        let end = start.saturating_add(size).min(self.len());
        match self {
            Images::Dataset(dataset) => Named {
                names: (start..end).map(|i| i.to_string()).collect(),
                batch: dataset.test_batch(start, size),
                failures: Vec::new(),
            },
            Images::Files { found, pictures } => {
                let files = &found.files[start..end];
                let (batch, read) = pictures.read(files);
                let (mut names, mut failures) = (Vec::new(), Vec::new());
                for (file, read) in files.iter().zip(read) {
                    match read {
                        Ok(()) => names.push(name(file)),
                        Err(error) => failures.push(error),
                    }
                }
                Named {
                    names,
                    batch,
                    failures,
                }
            }
        }
    }
}

fn name(file: &Path) -> String {
    file.display().to_string()
}
