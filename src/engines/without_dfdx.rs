//! What stands for the reference engine in a build without the feature `dfdx`.

use super::Engine;
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::tensor::Tensor;

/// Whether this build has the engine.
///
/// # Errors
///
/// Always: it has not.
pub fn check_built() -> Result<()> {
    Err(Error::unbuilt("--engine dfdx", "dfdx"))
}

/// The engine that is not there.
///
/// # Errors
///
/// Always.
pub fn cpu(_model: &Model, _tensors: &[Tensor]) -> Result<Box<dyn Engine>> {
    Err(Error::unbuilt("--engine dfdx", "dfdx"))
}

/// Bytes that steps take: nothing runs.
pub fn memory(_model: &Model, _images: usize) -> f64 {
    0.0
}
