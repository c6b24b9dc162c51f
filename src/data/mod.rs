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
mod random;
mod sampler;
mod shapes;
mod standardize;
mod synthetic;

pub use inventory::Inventory;
pub use locate::folder;
pub use sampler::{Epoch, Sampler};

use crate::error::{Error, Result};
use crate::ir::{DatasetKind, Shape, Synthetic};
use cifar::Cifar;
use idx::Idx;
use locate::Source;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One split: images as bytes, each channels × height × width, and their classes.
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
    /// Per channel: standard deviation of the same; 1 where every pixel is equal.
    pub std: Vec<f32>,
}

/// What is asked for, and what the model can take.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which dataset.
    pub kind: DatasetKind,
    /// The folder given by `--data-dir`.
    pub dir: Option<&'a Path>,
    /// Image that the model takes.
    pub input: Shape,
    /// Logits that the model makes.
    pub classes: usize,
}

impl Request<'_> {
    /// Refuses images or classes that the model cannot take. Readers ask as soon as
    /// they know both, before they read the pixels.
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

/// Called with (pieces done, pieces in all), where a piece is an image, or a file that
/// holds many.
type Report<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Reads or draws the dataset of `request`. Files are looked for in
/// [`Request::dir`], else in [`folder`].
///
/// `progress(done, total)` may be called from several threads, and so out of order.
///
/// # Errors
///
/// Where a file is missing or is not what it should be, where a split is empty, and
/// where the model takes other images or makes another number of logits.
pub fn load(request: &Request, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Dataset> {
    let (report, root) = (progress, folder());
    let root = root.as_deref();
    match Reader::of_kind(request.kind) {
        Reader::Drawn(settings) => synthetic::load(settings, request, report),
        Reader::Idx(idx) => idx::load(idx, request, root, report),
        Reader::Cifar(cifar) => cifar::load(cifar, request, root, report),
        Reader::Folder => folder::load(request, report),
    }
}

/// The way to the images of a dataset.
enum Reader {
    /// They are drawn.
    Drawn(Synthetic),
    /// Files of MNIST's form.
    Idx(&'static Idx),
    /// Files of CIFAR's form.
    Cifar(&'static Cifar),
    /// Image files in the folder that is given.
    Folder,
}

impl Reader {
    fn of_kind(kind: DatasetKind) -> Reader {
        match kind {
            DatasetKind::Synthetic(settings) => Reader::Drawn(settings),
            DatasetKind::Mnist => Reader::Idx(&idx::MNIST),
            DatasetKind::FashionMnist => Reader::Idx(&idx::FASHION_MNIST),
            DatasetKind::Cifar10 => Reader::Cifar(&cifar::CIFAR10),
            DatasetKind::Cifar100 => Reader::Cifar(&cifar::CIFAR100),
            DatasetKind::Folder => Reader::Folder,
        }
    }

    /// The files of a dataset whose files have names of their own.
    fn source(&self) -> Option<&'static Source> {
        match self {
            Reader::Idx(idx) => Some(&idx.source),
            Reader::Cifar(cifar) => Some(&cifar.source),
            Reader::Drawn(_) | Reader::Folder => None,
        }
    }
}

/// Looks for the dataset `kind` where [`load`] does: below `dir`, what `--data-dir` names,
/// else below [`folder`]. Nothing for a kind whose files have no names of their own.
pub fn inventory(kind: DatasetKind, dir: Option<&Path>) -> Option<Inventory> {
    let source = Reader::of_kind(kind).source()?;
    Some(inventory::take(
        source,
        &source.places(dir, folder().as_deref()),
    ))
}

impl Dataset {
    /// A dataset with the statistics of its training split. An empty split is an error.
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

/// Counts pieces done on any thread and reports each.
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
