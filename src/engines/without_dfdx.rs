//! Stand-in for the reference engine in a build without the feature `dfdx`.

use super::Engine;
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::tensor::Tensor;

/// Tells whether this build has the engine.
///
/// # Errors
/// Always: it has not.
pub fn check_built() -> Result<()> {
    Err(Error::unbuilt("--engine dfdx", "dfdx"))
}

/// Starts the engine, which is not there.
///
/// # Errors
/// Always.
pub fn cpu(_model: &Model, _tensors: &[Tensor]) -> Result<Box<dyn Engine>> {
    Err(Error::unbuilt("--engine dfdx", "dfdx"))
}

/// Counts the bytes that steps take: nothing runs.
pub fn memory(_model: &Model, _images: usize) -> f64 {
    0.0
}
