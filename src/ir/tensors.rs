//! The tensors a network owns, by the names they have everywhere.

use super::{Layer, Model};
use serde::Serialize;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Weight of a convolution, linear layer, projection, gate or batch norm.
    Weight,
    /// Bias of the same.
    Bias,
    /// α of a variable skip.
    Alpha,
    /// λ of a variable skip: moved by the constraint, not by the optimizer.
    Multiplier,
    /// a of a Dirac weight.
    DiracA,
    /// b of a Dirac weight.
    DiracB,
    /// Running mean of a batch norm.
    RunningMean,
    /// Running variance of a batch norm.
    RunningVar,
}

impl Role {
    /// Whether SGD moves the tensor by its gradient.
    pub fn is_optimized(self) -> bool {
        match self {
            Role::Weight | Role::Bias | Role::DiracA | Role::DiracB => true,
            Role::Alpha | Role::Multiplier | Role::RunningMean | Role::RunningVar => false,
        }
    }

    /// Whether the tensor counts as a parameter: all that training moves by a
    /// gradient, which leaves out λ and the running statistics.
    pub fn is_parameter(self) -> bool {
        self.is_optimized() || self == Role::Alpha
    }
}

/// Name, shape and role of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSpec {
    /// Path in the network.
    pub name: String,
    /// Extent of each dimension, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl Model {
    /// Every tensor of the network in forward order; in a `skip`, those of the body,
    /// then the projection, the gate, α and λ.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut out = Vec::new();
        collect(&self.layers, &mut out);
        out
    }
}

impl Layer {
    /// The tensors of this layer, without those of its body.
    pub fn own_tensors(&self) -> Vec<TensorSpec> {
        let operation = self.op.operation();
        let own = operation.tensors(self.input, self.output).into_iter();
        own.map(|tensor| TensorSpec {
            name: format!("{}.{}", self.path, tensor.name),
            shape: tensor.shape,
            role: tensor.role,
        })
        .collect()
    }
}

fn collect(layers: &[Layer], out: &mut Vec<TensorSpec>) {
    for layer in layers {
        collect(layer.op.body(), out);
        out.extend(layer.own_tensors());
    }
}

/// A tensor of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnTensor {
    /// Name below the layer's path.
    pub name: &'static str,
    /// Extent of each dimension, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl OwnTensor {
    /// A tensor called `name` below the layer's path.
    pub fn new(name: &'static str, shape: Vec<usize>, role: Role) -> Self {
        OwnTensor { name, shape, role }
    }

    /// A weight of `shape`, outputs first, with the scales of a Dirac weight and a bias.
    pub(super) fn weighted(shape: Vec<usize>, bias: bool, dirac: bool) -> Vec<OwnTensor> {
        let out = shape.first().copied().unwrap_or(1);
        let mut own = vec![OwnTensor::new("weight", shape, Role::Weight)];
        if dirac {
            own.push(OwnTensor::new("dirac_a", vec![out], Role::DiracA));
            own.push(OwnTensor::new("dirac_b", vec![out], Role::DiracB));
        }
        if bias {
            own.push(OwnTensor::new("bias", vec![out], Role::Bias));
        }
        own
    }
}
