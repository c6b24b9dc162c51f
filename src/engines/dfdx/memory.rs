//! Memory that a step takes.

use crate::ir::Model;

/// Bytes of an f32.
const NUMBER: f64 = 4.0;

/// Copies of each weight: its value, velocity and gradient, and the copy it starts from.
const COPIES_OF_A_WEIGHT: f64 = 4.0;

/// Values at the peak for each that the forward pass kept, with what the backward pass
/// holds beside them. Measured peaks over networks of all kinds were 1.25 to 1.8 times
/// those values.
const WITH_GRADIENTS: f64 = 1.5;

/// Estimates how many bytes training `model` with batches of `images` takes at its peak;
/// of evaluation it is a bound. dfdx allocates as it goes, so this is an estimate, made
/// before anything is allocated.
pub fn memory(model: &Model, images: usize) -> f64 {
    let weights = model.tensors().into_iter().map(|spec| product(&spec.shape));
    let mut kept = 0.0;
    model.walk(&mut |layer| kept += layer.op.operation().kept(layer.input, layer.output));
    NUMBER * (COPIES_OF_A_WEIGHT * weights.sum::<f64>() + WITH_GRADIENTS * kept * images as f64)
}

fn product(extents: &[usize]) -> f64 {
    extents.iter().map(|&n| n as f64).product()
}
