//! Datasets in memory, and the batches made of them.
//!
//! [`load`] reads or draws a dataset whole; pixels stay bytes. [`Sampler`] gives each
//! epoch its order, and [`Epoch::batch`] any of its batches, varied and standardised.
//! All randomness is derived from (seed, epoch, image), so that nothing has to be
//! remembered for training to go on where it stopped.

mod augment;
mod cifar;
mod folder;
mod idx;
mod inventory;
mod locate;
mod picture;
mod random;
mod sampler;
mod shapes;
mod standardize;
mod synthetic;

pub use inventory::{Inventory, inventory};
pub use locate::folder;
pub use sampler::{Epoch, Sampler};

use crate::error::{Error, Result};
use crate::ir::{DatasetKind, Shape};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One split of a dataset: images as bytes, each channels × height × width, and their
/// classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// `labels.len()` images, row-major.
    pub pixels: Vec<u8>,
    /// Class index of each image, below the number of classes.
    pub labels: Vec<u32>,
}

impl Split {
    /// Number of images.
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
}

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
}

impl Request<'_> {
    /// Refuses images or classes that the model cannot take. Readers call it as soon as they
    /// know both, before they read the pixels.
    fn accept(&self, name: &str, shape: Shape, classes: usize) -> Result<()> {
        if shape != self.input {
            let dims: Vec<String> = shape.dims().iter().map(usize::to_string).collect();
            return Err(Error::new(format!(
                "the images of {name} are {shape}, but the model takes {}",
                self.input
            ))
            .help(format!(
                "write `input image({})` in the model, or choose other data",
                dims.join(", ")
            )));
        }
        if classes != self.classes {
            return Err(Error::new(format!(
                "{name} has {classes} classes, but the model makes {} logits",
                self.classes
            ))
            .help(format!(
                "make the last layer `linear({classes})`, or choose other data"
            )));
        }
        Ok(())
    }
}

/// Callback for progress, called with (pieces done, pieces in all); a piece is an image, or a
/// file of many images.
type Report<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Loads the dataset of `request` from its files, or draws it. Files are looked for in
/// [`Request::dir`], else in [`folder()`].
///
/// `progress(done, total)` may be called from several threads, and so out of order.
///
/// # Errors
///
/// When a file is missing or damaged, when a split is empty, and when the model takes
/// other images or makes another number of logits.
pub fn load(request: &Request, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Dataset> {
    let (report, root) = (progress, folder());
    let root = root.as_deref();
    match request.kind {
        DatasetKind::Synthetic(settings) => synthetic::load(settings, request, report),
        DatasetKind::Mnist => idx::load(&idx::MNIST, request, root, report),
        DatasetKind::FashionMnist => idx::load(&idx::FASHION_MNIST, request, root, report),
        DatasetKind::Cifar10 => cifar::load(&cifar::CIFAR10, request, root, report),
        DatasetKind::Cifar100 => cifar::load(&cifar::CIFAR100, request, root, report),
        DatasetKind::Folder => folder::load(request, report),
    }
}

impl Dataset {
    /// Makes a dataset with the statistics of its training split. An empty split is an error.
    fn new(
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
        let (mean, std) = standardize::statistics(&train.pixels, shape);
        Ok(Dataset {
            name,
            shape,
            classes,
            train,
            test,
            mean,
            std,
        })
    }
}

/// Counter of pieces done on any thread; it reports each.
struct Progress<'a> {
    done: AtomicUsize,
    total: usize,
    report: Report<'a>,
}

impl<'a> Progress<'a> {
    fn new(total: usize, report: Report<'a>) -> Self {
        report(0, total);
        Progress {
            done: AtomicUsize::new(0),
            total,
            report,
        }
    }

    fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.report)(done, self.total);
    }
}
