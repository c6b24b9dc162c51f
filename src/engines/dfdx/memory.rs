//! How much memory a step takes.

use crate::ir::{Gate, Layer, Model, Op, Policy, Skip};

/// Bytes of an f32.
const NUMBER: f64 = 4.0;

/// Of each weight: its value, velocity and gradient, and the copy it starts from.
const COPIES_OF_A_WEIGHT: f64 = 4.0;

/// What the backward pass holds beside the values that the forward pass kept. Measured
/// peaks over networks of all kinds were 1.25 to 1.8 times those values.
const WITH_GRADIENTS: f64 = 1.5;

/// About how many bytes training `model` with batches of `images` takes at its peak; of
/// evaluation it is a bound. dfdx allocates as it goes, so this is an estimate, made before
/// anything is allocated.
pub fn memory(model: &Model, images: usize) -> f64 {
    let weights = model.tensors().into_iter().map(|spec| product(&spec.shape));
    let mut kept = 0.0;
    model.walk(&mut |layer| kept += values(layer));
    NUMBER * (COPIES_OF_A_WEIGHT * weights.sum::<f64>() + WITH_GRADIENTS * kept * images as f64)
}

fn product(extents: &[usize]) -> f64 {
    extents.iter().map(|&n| n as f64).product()
}

/// The numbers that one sample's forward pass keeps of a layer, without its body.
fn values(layer: &Layer) -> f64 {
    let out = product(&layer.output.dims());
    let patches = |kernel: usize| match kernel {
        1 => 0.0,
        k => layer.output.positions() as f64 * (k * k * layer.input.channels()) as f64,
    };
    match &layer.op {
        Op::Conv(conv) => out + patches(conv.kernel),
        Op::BatchNorm(_) => 4.0 * out,
        Op::Relu | Op::Elu(_) | Op::LeakyRelu(_) | Op::Crelu => 2.0 * out,
        Op::Skip(Skip { policy, .. }) => match policy {
            Policy::Plain | Policy::Dirac => 0.0,
            Policy::Resnet { .. } | Policy::Variable { .. } => 2.0 * out,
            Policy::Highway { gate, .. } => {
                let gate = match gate {
                    Gate::Conv(gate) => patches(gate.kernel),
                    Gate::Linear => 0.0,
                };
                6.0 * out + gate
            }
        },
        Op::Pool(_)
        | Op::Linear(_)
        | Op::Tanh
        | Op::Sigmoid
        | Op::GlobalAvgPool
        | Op::Flatten
        | Op::Dropout(_)
        | Op::Concat(_) => out,
    }
}
