//! The tensors a network owns, by the names they have everywhere.

use super::{Gate, Layer, Model, Op, Policy, Shape, Shortcut, Skip};
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
    /// Whether the optimizer moves the tensor by its gradient.
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
        let mut out = Vec::new();
        own(self, &mut out);
        out
    }
}

fn collect(layers: &[Layer], out: &mut Vec<TensorSpec>) {
    for layer in layers {
        collect(layer.op.body(), out);
        own(layer, out);
    }
}

fn own(layer: &Layer, out: &mut Vec<TensorSpec>) {
    let mut push = |name: &str, shape: Vec<usize>, role| {
        out.push(TensorSpec {
            name: format!("{}.{name}", layer.path),
            shape,
            role,
        })
    };
    let (cin, cout) = (layer.input.channels(), layer.output.channels());
    match &layer.op {
        Op::Conv(conv) => {
            let shape = vec![cout, cin, conv.kernel, conv.kernel];
            weighted(&mut push, shape, conv.bias, conv.dirac)
        }
        Op::Linear(linear) => {
            let shape = vec![cout, layer.input.elements()];
            weighted(&mut push, shape, linear.bias, linear.dirac)
        }
        Op::BatchNorm { .. } => {
            push("weight", vec![cin], Role::Weight);
            push("bias", vec![cin], Role::Bias);
            push("running_mean", vec![cin], Role::RunningMean);
            push("running_var", vec![cin], Role::RunningVar);
        }
        Op::Skip(skip) => skip_tensors(layer, skip, &mut push),
        Op::Concat { .. }
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
        | Op::Dropout { .. } => {}
    }
}

/// Takes the name under the layer's path, the shape and the role of one tensor.
type Push<'a> = dyn FnMut(&str, Vec<usize>, Role) + 'a;

fn weighted(push: &mut Push, shape: Vec<usize>, bias: bool, dirac: bool) {
    let out = shape[0];
    push("weight", shape, Role::Weight);
    if dirac {
        push("dirac_a", vec![out], Role::DiracA);
        push("dirac_b", vec![out], Role::DiracB);
    }
    if bias {
        push("bias", vec![out], Role::Bias);
    }
}

fn skip_tensors(layer: &Layer, skip: &Skip, push: &mut Push) {
    let (cin, cout) = (layer.input.channels(), layer.output.channels());
    let kernel_shape = |kernel: usize| match layer.input {
        Shape::Image { .. } => vec![cout, cin, kernel, kernel],
        Shape::Flat(_) => vec![cout, cin],
    };
    if let Shortcut::Conv1x1 { .. } = skip.shortcut {
        push("project.weight", kernel_shape(1), Role::Weight);
    }
    match &skip.policy {
        Policy::Highway { gate, .. } => {
            let kernel = match gate {
                Gate::Conv(conv) => conv.kernel,
                Gate::Linear => 1,
            };
            push("gate.weight", kernel_shape(kernel), Role::Weight);
            push("gate.bias", vec![cout], Role::Bias);
        }
        Policy::Variable { alpha, .. } => {
            push("alpha", alpha.clone(), Role::Alpha);
            push("lambda", alpha.clone(), Role::Multiplier);
        }
        Policy::Plain | Policy::Resnet { .. } | Policy::Dirac => {}
    }
}
