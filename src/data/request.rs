//! A wish for a dataset.

use super::faults::LINE;
use crate::error::{Error, Result};
use crate::ir::{DatasetKind, Shape};
use std::path::Path;

/// A dataset to load, and the images and classes that the model takes.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Dataset to load.
    pub kind: DatasetKind,
    /// Folder given by `--data-dir`.
    pub dir: Option<&'a Path>,
    /// Shape of the images that the model takes.
    pub input: Shape,
    /// Number of logits that the model makes.
    pub classes: usize,
    /// Class names by class index of a model that is trained already, so that only the data
    /// can change. The images are labelled by them.
    pub trained: Option<&'a [String]>,
}

impl Request<'_> {
    /// Refuses images or classes that the model cannot take. Readers call it as soon as they
    /// know both, before they read the pixels.
    pub(super) fn accept(&self, name: &str, shape: Shape, classes: usize) -> Result<()> {
        if shape != self.input {
            let dims: Vec<String> = shape.dims().iter().map(usize::to_string).collect();
            return Err(Error::new(format!(
                "the images of {name} are {shape}, but the model takes {}",
                self.input
            ))
            .help(match self.trained {
                Some(_) => self.other_data(),
                None => format!(
                    "write `input image({})` in the model, or choose other data",
                    dims.join(", ")
                ),
            }));
        }
        if classes != self.classes {
            return Err(Error::new(format!(
                "{name} has {classes} classes, but the model makes {} logits",
                self.classes
            ))
            .help(match self.trained {
                Some(_) => self.other_data(),
                None => format!("make the last layer `linear({classes})`, or choose other data"),
            }));
        }
        Ok(())
    }

    /// The advice for a network that is trained already.
    pub(super) fn other_data(&self) -> String {
        format!(
            "the network was trained on {} classes of {} images;{LINE}\
             give such data with --data and --data-dir",
            self.classes, self.input
        )
    }
}
