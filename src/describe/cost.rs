//! Parameters, multiply-adds and depth.

use crate::ir::{Gate, Layer, Model, Op, Policy, Shape, Shortcut, Skip, TensorSpec};

/// What one layer costs by itself, its body not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Elements of the tensors that training moves by a gradient: weights, biases,
    /// Dirac scales and α; neither λ nor running statistics.
    pub parameters: u128,
    /// Multiplications with a weight in one sample's forward pass: those of
    /// convolutions and linear layers, projections and gates included.
    pub multiply_adds: u128,
}

/// What a whole network costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Weighted layers (convolutions and linear layers) on the main path, which leaves
    /// out projections and gates.
    pub depth: usize,
    /// As in [`Cost::parameters`].
    pub parameters: u128,
    /// As in [`Cost::multiply_adds`].
    pub multiply_adds: u128,
}

/// The cost of a layer without its body.
pub fn own_cost(layer: &Layer) -> Cost {
    Cost {
        parameters: own_tensors(layer).iter().map(elements).sum(),
        multiply_adds: own_multiply_adds(layer),
    }
}

/// The tensors of a layer without those of its body.
fn own_tensors(layer: &Layer) -> Vec<TensorSpec> {
    let mut tensors = layer.own_tensors();
    tensors.retain(|tensor| tensor.role.is_parameter());
    tensors
}

fn elements(tensor: &TensorSpec) -> u128 {
    tensor.shape.iter().map(|&n| n as u128).product()
}

fn own_multiply_adds(layer: &Layer) -> u128 {
    let channels = layer.input.channels() as u128;
    let out = layer.output.elements() as u128;
    match &layer.op {
        Op::Conv(conv) => out * channels * (conv.kernel as u128).pow(2),
        Op::Linear(_) => out * layer.input.elements() as u128,
        Op::Skip(Skip {
            policy, shortcut, ..
        }) => {
            let project = match shortcut {
                Shortcut::Conv1x1 { .. } => out * channels,
                Shortcut::Identity | Shortcut::Pad { .. } => 0,
            };
            let gate = match policy {
                Policy::Highway {
                    gate: Gate::Conv(gate),
                    ..
                } => out * channels * (gate.kernel as u128).pow(2),
                Policy::Highway {
                    gate: Gate::Linear, ..
                } => out * channels,
                Policy::Plain | Policy::Resnet { .. } | Policy::Dirac | Policy::Variable { .. } => {
                    0
                }
            };
            project + gate
        }
        Op::BatchNorm { .. }
        | Op::Relu
        | Op::Elu { .. }
        | Op::LeakyRelu { .. }
        | Op::Crelu
        | Op::Tanh
        | Op::Sigmoid
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::GlobalAvgPool
        | Op::Flatten
        | Op::Dropout { .. }
        | Op::Concat { .. } => 0,
    }
}

/// The cost of the whole network.
pub fn totals(model: &Model) -> Totals {
    let mut totals = Totals {
        depth: 0,
        parameters: 0,
        multiply_adds: 0,
    };
    model.walk(&mut |layer| {
        let cost = own_cost(layer);
        totals.parameters += cost.parameters;
        totals.multiply_adds += cost.multiply_adds;
        totals.depth += usize::from(matches!(layer.op, Op::Conv(_) | Op::Linear(_)));
    });
    totals
}

/// The shape of a sample and where it is: `3×32×32 image`, `10 features`.
pub(super) fn shape_words(shape: Shape) -> String {
    match shape {
        Shape::Image { .. } => format!("{shape} image"),
        Shape::Flat(_) => format!("{shape} features"),
    }
}
