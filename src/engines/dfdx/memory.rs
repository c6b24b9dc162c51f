//! How much memory a step takes.

use crate::ir::expr::{KnownActivation, Node, Program};
use crate::ir::{Expr, Gate, Layer, Model, Op};

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
        Op::Activation(activation) => match KnownActivation::recognise(&activation.equation) {
            Some(
                KnownActivation::Relu | KnownActivation::Elu(_) | KnownActivation::LeakyRelu(_),
            ) => 2.0 * out,
            Some(KnownActivation::Tanh | KnownActivation::Sigmoid) | None => {
                out * operations(&activation.equation)
            }
        },
        Op::Crelu => 2.0 * out,
        Op::Skip(skip) => {
            let gates = skip.gates.iter().map(|gate| match gate {
                Gate::Conv(gate) => out + patches(gate.kernel),
                Gate::Linear => out,
            });
            let shortcut = if skip.policy.has_shortcut() { out } else { 0.0 };
            gates.sum::<f64>() + shortcut + out * operations(&skip.policy.out)
        }
        Op::Pool(_)
        | Op::Linear(_)
        | Op::GlobalAvgPool
        | Op::Flatten
        | Op::Dropout(_)
        | Op::Concat(_) => out,
    }
}

/// The operations of an equation, each of which makes a value of the whole shape.
fn operations(equation: &Expr) -> f64 {
    let program = Program::new([equation]);
    let operands = program.inputs().count();
    let numbers = |node: &&Node| matches!(node, Node::Number(_));
    (program.nodes.len() - operands - program.nodes.iter().filter(numbers).count()) as f64
}
