//! Stand-in for the engine on GPUs in a build without the feature `cuda`: no GPU is
//! found, and the names that the command line and the protocol of several processes take
//! are known.

pub use crate::flags::Precision;

use super::Engine;
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::plan::Purpose;
use crate::tensor::Tensor;
use std::convert::Infallible;

/// GPU that the engine runs on: in this build there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Number of the card among those that the driver shows.
    pub ordinal: usize,
    /// Bytes of the card's memory.
    pub memory: usize,
    never: Infallible,
}

/// Reason why there is no card to run on.
#[derive(Debug)]
pub enum Missing {
    /// Missing hardware: this build looks for none.
    Hardware(Error),
    /// Card that is there and cannot be used.
    Unusable(Error),
}

/// NVIDIA's libraries.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// Sums over GPUs.
    Nccl,
}

/// Name of a group, which rank 0 makes and every process of the group is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupId(pub [u8; 128]);

/// Place of a process in a group that trains one network, a GPU each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name of the group.
    pub id: GroupId,
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        match missing {
            Missing::Hardware(error) | Missing::Unusable(error) => error,
        }
    }
}

impl Library {
    /// Fails, as [`usable`] does.
    ///
    /// # Errors
    /// Always.
    pub fn load(self) -> Result<()> {
        Err(unbuilt())
    }
}

impl GroupId {
    /// Fails, as [`usable`] does.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> Result<GroupId> {
        Err(unbuilt())
    }
}

/// Counts the GPUs.
///
/// # Errors
/// Always: this build looks for none.
pub fn count() -> Result<usize, Missing> {
    Err(Missing::Hardware(unbuilt()))
}

/// Finds the GPU number `ordinal`, or the first.
///
/// # Errors
/// Always: this build looks for none.
pub fn usable(_ordinal: Option<usize>) -> Result<Card, Missing> {
    Err(Missing::Hardware(unbuilt()))
}

/// Starts `model` on `card`, which is not there.
///
/// # Errors
/// None.
pub fn engine(
    card: &Card,
    _precision: Precision,
    _model: &Model,
    _tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    match card.never {}
}

/// Starts `model` on `card` for evaluation.
///
/// # Errors
/// None.
pub fn to_evaluate(
    card: &Card,
    precision: Precision,
    model: &Model,
    tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    engine(card, precision, model, tensors)
}

/// Starts `model` on `card` in one process of a group.
///
/// # Errors
/// None.
pub fn engine_in(
    _group: &Group,
    card: &Card,
    precision: Precision,
    model: &Model,
    tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    engine(card, precision, model, tensors)
}

/// Counts the bytes of a card that steps take: nothing runs on one.
///
/// # Errors
/// None.
pub fn memory(
    _model: &Model,
    _images: usize,
    _purpose: Purpose,
    _precision: Precision,
) -> Result<f64> {
    Ok(0.0)
}

fn unbuilt() -> Error {
    Error::unbuilt("the engine on GPUs", "cuda")
}
