//! Datasets in memory, and the batches made of them.
//!
//! [`load`] reads or draws a dataset whole; pixels stay bytes. [`Sampler`] gives each
//! epoch its order, and [`Epoch::batch`] any of its batches, varied and standardised.
//! All randomness is derived from (seed, epoch, image), so that nothing has to be
//! remembered for training to go on where it stopped.

mod augment;
mod cifar;
mod dataset;
mod folder;
mod idx;
mod inventory;
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
pub use inventory::{Inventory, inventory};
pub use locate::folder;
pub use request::Request;
pub use sampler::{Epoch, Sampler};

use crate::error::Result;
use crate::ir::DatasetKind;

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
