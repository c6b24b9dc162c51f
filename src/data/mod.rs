//! Datasets in memory, and the batches made of them.
//!
//! [`load`] reads or draws a dataset whole; pixels stay bytes. [`Sampler`] gives each
//! epoch its order, and [`Epoch::batch`] any of its batches, varied and standardised.
//! All randomness is derived from (seed, epoch, image), so that nothing has to be
//! remembered for training to go on where it stopped.

mod augment;
mod cifar;
mod classes;
mod dataset;
mod faults;
mod folder;
mod idx;
mod inventory;
mod jpeg;
mod left_out;
mod listing;
mod locate;
mod picture;
mod progress;
mod random;
mod request;
mod sampler;
mod shapes;
mod standardize;
mod statistics;
mod synthetic;

pub use dataset::{Dataset, Split};
pub use inventory::Inventory;
pub use locate::folder;
pub use request::Request;
pub use sampler::{Epoch, Sampler};

use crate::error::Result;
use crate::ir::{DatasetKind, Synthetic};
use cifar::Cifar;
use idx::Idx;
use locate::Source;
use std::path::Path;

/// Loads the dataset of `request` from its files, or draws it. Files are looked for in
/// [`Request::dir`], else in [`folder()`].
///
/// `progress(done, total)` may be called from several threads, and so out of order.
///
/// # Errors
///
/// When a file is missing or damaged, when a split is empty, when the model takes other
/// images or makes another number of logits, and when it is trained and does not know a class.
pub fn load(request: &Request, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Dataset> {
    let (report, root) = (progress, folder());
    let root = root.as_deref();
    let dataset = match Reader::of_kind(request.kind) {
        Reader::Drawn(settings) => synthetic::load(settings, request, report),
        Reader::Idx(idx) => idx::load(idx, request, root, report),
        Reader::Cifar(cifar) => cifar::load(cifar, request, root, report),
        Reader::Folder => folder::load(request, report),
    }?;
    match request.trained {
        Some(classes) => dataset.labelled_by(classes),
        None => Ok(dataset),
    }
}

/// The way to the images of a dataset.
enum Reader {
    /// Images drawn from a seed, without files.
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

    /// Returns the files of a dataset whose files have names of their own.
    fn source(&self) -> Option<&'static Source> {
        match self {
            Reader::Idx(idx) => Some(&idx.source),
            Reader::Cifar(cifar) => Some(&cifar.source),
            Reader::Drawn(_) | Reader::Folder => None,
        }
    }
}

/// Looks for the dataset `kind` where [`load`] does: below `dir`, what `--data-dir` names,
/// else below [`folder()`]. Nothing for a kind whose files have no names of their own.
pub fn inventory(kind: DatasetKind, dir: Option<&Path>) -> Option<Inventory> {
    let source = Reader::of_kind(kind).source()?;
    Some(inventory::take(
        source,
        &source.places(dir, folder().as_deref()),
    ))
}
