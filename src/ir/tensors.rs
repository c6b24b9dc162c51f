//! The tensors a network owns, by the names they have everywhere.

use super::layers::Layer;
use super::model::Model;
use super::role::{Role, Start};
use serde::Serialize;

/// Name, shape and role of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSpec {
    /// Path in the network.
    pub name: String,
    /// Extent of each dimension, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Purpose of the tensor.
    pub role: Role,
    /// Content before training.
    #[serde(skip)]
    pub start: Start,
}

impl Model {
    /// Lists every tensor of the network in forward order; in a `skip`, those of the body, then
    /// the projection, the gate, α and λ.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut out = Vec::new();
        collect(&self.layers, &mut out);
        out
    }
}

impl Layer {
    /// Lists the tensors of this layer, without those of its body.
    pub fn own_tensors(&self) -> Vec<TensorSpec> {
        let operation = self.op.operation();
        let own = operation.tensors(self.input, self.output).into_iter();
        own.map(|tensor| TensorSpec {
            name: format!("{}.{}", self.path, tensor.name),
            shape: tensor.shape,
            role: tensor.role,
            start: tensor.start,
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
