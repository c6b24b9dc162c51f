//! The layers of a model, one step an operation.

use super::buffers::{Id, Kind, Storage};
use super::step::Form;
use super::step::{
    Action, Activation, Convolve, GradientTarget, Join, Norm, Pointwise, Statistics, Step, Window,
};
use super::{Cost, Plan, Purpose};
use crate::ir::expr::{JoinForm, KnownActivation};
use crate::ir::{Gate, Layer, Model, Op, PoolKind, Role, Shape, Shortcut, Skip};
use std::collections::HashMap;

/// The forward steps of `model`, nothing fused or placed yet.
pub(super) fn lay_out(model: &Model, batch: usize, purpose: Purpose, lanes: usize) -> Plan {
    let mut plan = Plan {
        batch,
        purpose,
        lanes,
        buffers: Vec::new(),
        forward: Vec::new(),
        backward: Vec::new(),
        update: Vec::new(),
        input: Id(0),
        logits: Id(0),
        scratch: None,
        arena: 0,
    };
    let mut tensors = HashMap::new();
    for (index, spec) in model.tensors().into_iter().enumerate() {
        let id = plan.add_kept(&spec.name, &spec.shape, Storage::Tensor(index));
        tensors.insert(spec.name, (id, spec.role));
    }
    // Images come in C, H, W order, which is that of a vector already.
    let first = model.layers.first().map(|layer| &layer.op);
    let input = match matches!(first, Some(Op::Linear(_) | Op::Flatten)) {
        true => Shape::Flat(model.input.elements()),
        false => model.input,
    };
    plan.input = plan.add_buffer("images", Kind::Map(input));
    let input = plan.input;
    let mut layout = Layout { plan, tensors };
    let y = layout.layers(&model.layers, input);
    let logits = layout.flat(&model.name, y);
    let mut plan = layout.plan;
    plan.logits = logits;
    plan
}

struct Layout {
    plan: Plan,
    /// The network's tensors by name.
    tensors: HashMap<String, (Id, Role)>,
}

impl Layout {
    fn layers(&mut self, layers: &[Layer], mut x: Id) -> Id {
        for layer in layers {
            x = self.layer(layer, x);
        }
        x
    }

    fn layer(&mut self, layer: &Layer, x: Id) -> Id {
        match &layer.op {
            Op::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                let window = window(layer.input, layer.output, kernel, stride, padding);
                let weight = self.weight(layer, conv.dirac);
                let bias = self.optional(&layer.path, "bias");
                self.convolve(&layer.path, layer.output, (x, weight, bias), window)
            }
            Op::Linear(linear) => {
                let x = self.flat(&layer.path, x);
                let weight = self.weight(layer, linear.dirac);
                let bias = self.optional(&layer.path, "bias");
                self.convolve(&layer.path, layer.output, (x, weight, bias), Window::POINT)
            }
            Op::BatchNorm(norm) => self.batch_norm(layer, x, norm.momentum, norm.eps),
            Op::Activation(activation) => match KnownActivation::recognise(&activation.equation) {
                Some(KnownActivation::Relu) => self.activation(layer, x, Activation::Relu),
                Some(KnownActivation::Elu(a)) => {
                    self.activation(layer, x, Activation::Elu(a as f32))
                }
                Some(KnownActivation::LeakyRelu(a)) => {
                    self.activation(layer, x, Activation::LeakyRelu(a as f32))
                }
                Some(KnownActivation::Tanh) => self.activation(layer, x, Activation::Tanh),
                Some(KnownActivation::Sigmoid) => self.activation(layer, x, Activation::Sigmoid),
                None => unimplemented!(),
            },
            Op::Crelu => self.map(layer, |y| Action::Crelu { x, y }),
            Op::Pool(pool) => {
                let window = window(layer.input, layer.output, pool.kernel, pool.stride, 0);
                self.map(layer, |y| match pool.kind {
                    PoolKind::Max => Action::MaxPool { x, y, window },
                    PoolKind::Mean => Action::AvgPool { x, y, window },
                })
            }
            Op::GlobalAvgPool => {
                let input = layer.input.extent();
                let window = Window {
                    input,
                    kernel: input,
                    ..Window::POINT
                };
                self.map(layer, |y| Action::AvgPool { x, y, window })
            }
            Op::Flatten => self.flat(&layer.path, x),
            Op::Dropout(dropout) => self.dropout(layer, x, dropout.p),
            Op::Concat(concat) => {
                let b = self.layers(&concat.body, x);
                self.map(layer, |y| Action::Concat { a: x, b, y })
            }
            Op::Skip(skip) => self.skip(layer, skip, x),
        }
    }

    fn push(&mut self, path: &str, action: Action) {
        self.plan.forward.push(Step {
            path: path.to_string(),
            cost: Cost::of_action(&self.plan, &action),
            action,
            workspace: None,
        });
    }

    /// A step that makes new activations in the shape of the layer's output.
    fn map(&mut self, layer: &Layer, action: impl FnOnce(Id) -> Action) -> Id {
        let y = self.plan.add_buffer(&layer.path, Kind::Map(layer.output));
        self.push(&layer.path, action(y));
        y
    }

    /// The tensor of the layer at `path` called `name`, if it has one.
    fn optional(&self, path: &str, name: &str) -> Option<Id> {
        let found = self.tensors.get(&format!("{path}.{name}"));
        found.map(|&(id, _)| id)
    }

    /// A tensor that the layer must have: the same rules make the tensors and the steps.
    fn tensor(&self, path: &str, name: &str) -> Id {
        let found = self.optional(path, name);
        debug_assert!(found.is_some(), "the network has no tensor {path}.{name}");
        found.unwrap_or(Id(0))
    }

    /// The weight that a layer is run with.
    fn weight(&mut self, layer: &Layer, is_dirac: bool) -> Id {
        let path = &layer.path;
        let weight = self.tensor(path, "weight");
        if !is_dirac {
            return weight;
        }
        let (a, b) = (self.tensor(path, "dirac_a"), self.tensor(path, "dirac_b"));
        let kind = self.plan.buffer(weight).kind.clone();
        let y = self
            .plan
            .add_buffer(&format!("{path}.weight (dirac)"), kind);
        self.push(path, Action::Dirac { weight, a, b, y });
        y
    }

    /// `x ⋆ weight + bias` in the shape `output`.
    fn convolve(
        &mut self,
        path: &str,
        output: Shape,
        (x, weight, bias): (Id, Id, Option<Id>),
        window: Window,
    ) -> Id {
        let y = self.plan.add_buffer(path, Kind::Map(output));
        let convolve = Convolve {
            x,
            weight,
            bias,
            y,
            window,
            statistics: None,
        };
        self.push(path, Action::Convolve(convolve));
        y
    }

    fn pointwise(
        &mut self,
        layer: &Layer,
        x: Id,
        parts: (Option<Norm>, Option<Activation>, Option<Join>),
    ) -> Id {
        let (norm, activation, join) = parts;
        self.map(layer, |y| {
            Action::Pointwise(Pointwise {
                x,
                norm,
                activation,
                join,
                y,
            })
        })
    }

    fn activation(&mut self, layer: &Layer, x: Id, activation: Activation) -> Id {
        self.pointwise(layer, x, (None, Some(activation), None))
    }

    fn batch_norm(&mut self, layer: &Layer, x: Id, momentum: f64, eps: f64) -> Id {
        let path = &layer.path;
        let (mean, variance) = (
            self.tensor(path, "running_mean"),
            self.tensor(path, "running_var"),
        );
        let statistics = match self.plan.purpose {
            Purpose::Training | Purpose::Inspection => {
                let rows = Kind::Rows(2, layer.input.channels());
                let found = self.plan.add_buffer(&format!("{path} (statistics)"), rows);
                self.push(path, Action::Statistics { x, y: found });
                let move_statistics = Action::MoveStatistics {
                    found,
                    count: self.plan.batch.saturating_mul(layer.input.positions()),
                    mean,
                    variance,
                    momentum,
                };
                self.plan.update.push(Step {
                    path: path.clone(),
                    cost: Cost::of_action(&self.plan, &move_statistics),
                    action: move_statistics,
                    workspace: None,
                });
                Statistics::Batch(found)
            }
            Purpose::Evaluation => Statistics::Running { mean, variance },
        };
        let norm = Norm {
            statistics,
            weight: self.tensor(path, "weight"),
            bias: self.tensor(path, "bias"),
            eps,
        };
        self.pointwise(layer, x, (Some(norm), None, None))
    }

    /// A vector a sample in C, H, W order.
    fn flat(&mut self, path: &str, x: Id) -> Id {
        let shape = self.plan.shape(x);
        match shape {
            // One position: the layouts are the same.
            Shape::Image { .. } if shape.positions() > 1 => {
                let y = Kind::Map(Shape::Flat(shape.elements()));
                let y = self.plan.add_buffer(&format!("{path} (flat)"), y);
                self.push(path, Action::Flatten { x, y });
                y
            }
            Shape::Image { .. } | Shape::Flat(_) => x,
        }
    }

    fn dropout(&mut self, layer: &Layer, x: Id, p: f64) -> Id {
        match self.plan.purpose {
            Purpose::Evaluation => x,
            Purpose::Training | Purpose::Inspection => {
                let mask = format!("{} (mask)", layer.path);
                let m = self.plan.add_buffer(&mask, Kind::Map(layer.input));
                self.push(&layer.path, Action::Mask { y: m, p });
                self.map(layer, |y| Action::Multiply {
                    x,
                    m,
                    y: GradientTarget { to: y, add: false },
                })
            }
        }
    }

    fn skip(&mut self, layer: &Layer, skip: &Skip, x: Id) -> Id {
        let f = self.layers(&skip.body, x);
        if !skip.policy.has_shortcut() {
            return f;
        }
        let join = match JoinForm::recognise(&skip.policy.out) {
            JoinForm::SigmoidGate { .. } => {
                let gate = self.gate(layer, &skip.gates[0], x);
                let s = self.shortcut(layer, skip, x);
                Join::Gated { s, gate }
            }
            JoinForm::Affine { body, .. } if skip.policy.trained.is_empty() => Join::Residual {
                s: self.shortcut(layer, skip, x),
                scale: body.number().unwrap_or(1.0) as f32,
            },
            JoinForm::Affine { body, .. } => Join::Fading {
                s: self.shortcut(layer, skip, x),
                alpha: self.tensor(&layer.path, "alpha"),
                form: if body.number().is_some() {
                    Form::Additive
                } else {
                    Form::Convex
                },
            },
            JoinForm::General => unimplemented!(),
        };
        self.pointwise(layer, f, (None, None, Some(join)))
    }

    /// s(x).
    fn shortcut(&mut self, layer: &Layer, skip: &Skip, x: Id) -> Id {
        match skip.shortcut {
            Shortcut::Identity => x,
            Shortcut::Conv1x1 { stride } => {
                let path = format!("{}.project", layer.path);
                let weight = self.tensor(&path, "weight");
                let window = window(layer.input, layer.output, 1, stride, 0);
                self.convolve(&path, layer.output, (x, weight, None), window)
            }
            Shortcut::Pad { stride } => {
                let name = format!("{} (shortcut)", layer.path);
                let y = self.plan.add_buffer(&name, Kind::Map(layer.output));
                self.push(&layer.path, Action::Subsample { x, y, stride });
                y
            }
        }
    }

    /// What the gate T(x) is the sigmoid of.
    fn gate(&mut self, layer: &Layer, gate: &Gate, x: Id) -> Id {
        let path = format!("{}.gate", layer.path);
        let window = match gate {
            Gate::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                window(layer.input, layer.output, kernel, stride, padding)
            }
            Gate::Linear => Window::POINT,
        };
        let (weight, bias) = (self.tensor(&path, "weight"), self.tensor(&path, "bias"));
        self.convolve(&path, layer.output, (x, weight, Some(bias)), window)
    }
}

fn window(input: Shape, output: Shape, kernel: usize, stride: usize, padding: usize) -> Window {
    Window {
        input: input.extent(),
        output: output.extent(),
        kernel: (kernel, kernel),
        stride,
        padding,
    }
}
