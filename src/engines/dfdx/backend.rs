//! The devices that the engine runs on, and their tensors.

use crate::error::Error;
use dfdx::dtypes::Dtype;
use dfdx::tensor::{Cache, NoneTape};
use dfdx::tensor_ops::Device;
use std::fmt::Display;

/// Device of dfdx that can run a network in the number type E.
pub trait Backend<E: Dtype>: Device<E> + Cache {}

impl<E: Dtype, D: Device<E> + Cache> Backend<E> for D {}

/// Activations, or a tensor of the network: see [`super::ops`] and [`super::parameters`].
pub(super) type Matrix<E, D, T = NoneTape> = dfdx::tensor::Tensor<(usize, usize), E, D, T>;

/// A loss, one number.
pub(super) type Scalar<E, D, T> = dfdx::tensor::Tensor<(), E, D, T>;

/// Converts `x` to the device's number type.
pub(super) fn number<E: Dtype>(x: f64) -> E {
    E::from_f64(x).unwrap_or_default()
}

/// Makes the error for a dfdx operation that failed, which on the CPU means that memory
/// ran out.
pub(super) fn device_failed<X: Display>(error: X) -> Error {
    Error::new(format!("an operation on the dfdx device failed: {error}"))
        .help("if its memory ran out, choose a smaller --batch")
}
