//! Parameters, multiply-adds and depth.

use crate::ir::{Layer, Model, Shape, TensorSpec};

/// Cost of one layer by itself, its body not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Elements of the tensors that training moves by a gradient: weights, biases,
    /// Dirac scales and α; neither λ nor running statistics.
    pub parameters: u128,
    /// Multiplications with a weight in one sample's forward pass: those of
    /// convolutions and linear layers, projections and gates included.
    pub multiply_adds: u128,
}

/// Cost of a whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Weighted layers (convolutions and linear layers) on the main path, which leaves
    /// out projections and gates.
    pub depth: usize,
    /// Elements of trained tensors, summed over the layers; see [`Cost::parameters`].
    pub parameters: u128,
    /// Multiply-adds of one sample's forward pass; see [`Cost::multiply_adds`].
    pub multiply_adds: u128,
}

/// Computes the cost of a layer without its body.
pub fn own_cost(layer: &Layer) -> Cost {
    let tensors = layer.own_tensors().into_iter();
    let parameters = tensors.filter(|tensor| tensor.role.is_parameter());
    let operation = layer.op.operation();
    Cost {
        parameters: parameters.map(|tensor| elements(&tensor)).sum(),
        multiply_adds: operation.multiply_adds(layer.input, layer.output),
    }
}

fn elements(tensor: &TensorSpec) -> u128 {
    tensor.shape.iter().map(|&n| n as u128).product()
}

/// Computes the cost of the whole network.
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
        totals.depth += usize::from(layer.op.operation().is_weighted());
    });
    totals
}

/// Writes the shape of a sample and where it is: `3×32×32 image`, `10 features`.
pub(super) fn shape_words(shape: Shape) -> String {
    match shape {
        Shape::Image { .. } => format!("{shape} image"),
        Shape::Flat(_) => format!("{shape} features"),
    }
}
