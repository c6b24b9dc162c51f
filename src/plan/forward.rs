//! The layers of a model, one step an operation.

use super::buffer::{Buffer, Id, Kind, Storage};
use super::convolution::{ConvPass, Convolution, Window, window};
use super::map::{MapKind, MapStep};
use super::step::{Action, Activation, Join, Norm, Pointwise, Statistics, Step};
use super::{Plan, Purpose, Target};
use crate::error::{Error, Result};
use crate::ir::expr::{JoinForm, Variable};
use crate::ir::{Expr, Gate, Layer, Model, Op, Shape, Shortcut, Skip, TensorSpec};
use std::collections::HashMap;

/// Lays out the forward steps of `model`, nothing fused or placed yet.
pub(super) fn lay_out(
    model: &Model,
    batch: usize,
    purpose: Purpose,
    target: &dyn Target,
) -> Result<Plan> {
    let specs = model.tensors();
    let kept = |(index, spec): (usize, &TensorSpec)| {
        Buffer::kept(&spec.name, &spec.shape, Storage::Tensor(index))
    };
    // The images come next: an index that the plan can be made with.
    let images = Id(specs.len());
    let mut plan = Plan {
        batch,
        purpose,
        lanes: target.lanes(),
        buffers: specs.iter().enumerate().map(kept).collect(),
        forward: Vec::new(),
        backward: Vec::new(),
        update: Vec::new(),
        slots: model.train.optimizer.slots(),
        image: model.input,
        input: images,
        logits: images,
        scratch: None,
        arena: 0,
    };
    // A network of vectors has its images taken apart where they are put in their place.
    let first = model.layers.first().map(|layer| &layer.op);
    let input = match matches!(first, Some(Op::Linear(_) | Op::Flatten)) {
        true => Shape::Flat(model.input.elements()),
        false => model.input,
    };
    plan.input = plan.add_buffer("images", Kind::Map(input));
    let input = plan.input;
    let names = specs.into_iter().map(|spec| spec.name);
    let mut layout = Layout {
        plan,
        tensors: names.zip((0..).map(Id)).collect(),
        target,
    };
    let y = layout.layers(&model.layers, input)?;
    let logits = layout.flat(&model.name, y);
    let mut plan = layout.plan;
    plan.logits = logits;
    Ok(plan)
}

struct Layout<'a> {
    plan: Plan,
    /// The network's tensors by name.
    tensors: HashMap<String, Id>,
    target: &'a dyn Target,
}

impl Layout<'_> {
    fn layers(&mut self, layers: &[Layer], mut x: Id) -> Result<Id> {
        for layer in layers {
            x = self.layer(layer, x)?;
        }
        Ok(x)
    }

    fn layer(&mut self, layer: &Layer, x: Id) -> Result<Id> {
        match &layer.op {
            Op::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                let window = window(layer.input, layer.output, kernel, stride, padding);
                let weight = self.weight(layer, conv.dirac)?;
                let bias = self.optional(&layer.path, "bias");
                Ok(self.convolve(&layer.path, layer.output, (x, weight, bias), window))
            }
            Op::Linear(linear) => {
                let x = self.flat(&layer.path, x);
                let weight = self.weight(layer, linear.dirac)?;
                let bias = self.optional(&layer.path, "bias");
                Ok(self.convolve(&layer.path, layer.output, (x, weight, bias), Window::POINT))
            }
            Op::BatchNorm(norm) => self.batch_norm(layer, x, norm.momentum, norm.eps),
            Op::Activation(activation) => {
                let activation = Activation::new(&activation.equation);
                Ok(self.pointwise(layer, x, (None, Some(activation), None)))
            }
            Op::Map(map) => {
                let kind = MapKind::of_layer(map, layer.input, layer.output);
                Ok(self.map(layer, kind, &[x]))
            }
            Op::Flatten => Ok(self.flat(&layer.path, x)),
            Op::Dropout(dropout) => Ok(self.dropout(layer, x, dropout.p)),
            Op::Concat(concat) => {
                let y = self.layers(&concat.body, x)?;
                let first = layer.input.channels();
                Ok(self.map(layer, MapKind::Concat { first }, &[x, y]))
            }
            Op::Skip(skip) => self.skip(layer, skip, x),
        }
    }

    fn push(&mut self, step: Step) {
        self.plan.forward.push(step);
    }

    /// Adds a buffer for activations in the shape of the layer's output.
    fn output(&mut self, layer: &Layer) -> Id {
        self.plan.add_buffer(&layer.path, Kind::Map(layer.output))
    }

    fn map(&mut self, layer: &Layer, kind: MapKind, inputs: &[Id]) -> Id {
        let y = self.output(layer);
        self.push(MapStep::new(kind, inputs, y).step(&layer.path));
        y
    }

    /// Returns the tensor of the layer at `path` called `name`, if it has one.
    fn optional(&self, path: &str, name: &str) -> Option<Id> {
        self.tensors.get(&format!("{path}.{name}")).copied()
    }

    /// Returns the tensor of the layer at `path` called `name`, which it must have.
    fn tensor(&self, path: &str, name: &str) -> Result<Id> {
        self.optional(path, name).ok_or_else(|| {
            Error::new(format!("the network has no tensor {path}.{name}"))
                .help("the layer's steps need it: ir::Layer::own_tensors must list it")
        })
    }

    /// Returns the weight that a layer is run with; adds the step that makes a Dirac weight.
    fn weight(&mut self, layer: &Layer, is_dirac: bool) -> Result<Id> {
        let path = &layer.path;
        let weight = self.tensor(path, "weight")?;
        if !is_dirac {
            return Ok(weight);
        }
        let (a, b) = (self.tensor(path, "dirac_a")?, self.tensor(path, "dirac_b")?);
        let kind = self.plan.buffer(weight).kind.clone();
        let y = self
            .plan
            .add_buffer(&format!("{path}.weight (dirac)"), kind);
        let action = Action::Dirac { weight, a, b, y };
        self.push(Step::new(path, action, vec![weight, a, b], vec![y]));
        Ok(y)
    }

    /// Adds the step of `x ⋆ weight + bias` in the shape `output`.
    fn convolve(
        &mut self,
        path: &str,
        output: Shape,
        (x, weight, bias): (Id, Id, Option<Id>),
        window: Window,
    ) -> Id {
        let y = self.plan.add_buffer(path, Kind::Map(output));
        let channels = self.plan.shape(x).channels();
        let statistics = None;
        let convolution = Convolution {
            pass: ConvPass::Forward { bias, statistics },
            x,
            weight,
            y,
            window,
            method: self.target.method(channels, window),
        };
        self.push(convolution.step(path));
        y
    }

    fn pointwise(
        &mut self,
        layer: &Layer,
        x: Id,
        parts: (Option<Norm>, Option<Activation>, Option<Join>),
    ) -> Id {
        let (norm, activation, join) = parts;
        let y = self.output(layer);
        let pass = Pointwise {
            x,
            norm,
            activation,
            join,
            y,
        };
        self.push(pass.step(&layer.path));
        y
    }

    fn batch_norm(&mut self, layer: &Layer, x: Id, momentum: f64, eps: f64) -> Result<Id> {
        let path = &layer.path;
        let mean = self.tensor(path, "running_mean")?;
        let variance = self.tensor(path, "running_var")?;
        let statistics = match self.plan.purpose {
            Purpose::Training | Purpose::Inspection => {
                let rows = Kind::Rows(2, layer.input.channels());
                let found = self.plan.add_buffer(&format!("{path} (statistics)"), rows);
                let action = Action::Statistics { x, y: found };
                self.push(Step::new(path, action, vec![x], vec![found]));
                let action = Action::MoveStatistics {
                    found,
                    count: self.plan.batch.saturating_mul(layer.input.positions()),
                    mean,
                    variance,
                    momentum,
                };
                let step = Step::new(path, action, vec![found], vec![mean, variance]);
                self.plan.update.push(step);
                Statistics::Batch(found)
            }
            Purpose::Evaluation => Statistics::Running { mean, variance },
        };
        let norm = Norm {
            statistics,
            weight: self.tensor(path, "weight")?,
            bias: self.tensor(path, "bias")?,
            eps,
        };
        Ok(self.pointwise(layer, x, (Some(norm), None, None)))
    }

    /// Adds a step that makes a vector a sample of x, in C, H, W order, where x is none yet.
    fn flat(&mut self, path: &str, x: Id) -> Id {
        let shape = self.plan.shape(x);
        match shape {
            // One position: the layouts are the same.
            Shape::Image { .. } if shape.positions() > 1 => {
                let y = Kind::Map(Shape::Flat(shape.elements()));
                let y = self.plan.add_buffer(&format!("{path} (flat)"), y);
                self.push(MapStep::new(MapKind::Flatten, &[x], y).step(path));
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
                self.push(MapStep::new(MapKind::Mask { p }, &[], m).step(&layer.path));
                self.map(layer, MapKind::Multiply, &[x, m])
            }
        }
    }

    fn skip(&mut self, layer: &Layer, skip: &Skip, x: Id) -> Result<Id> {
        let f = self.layers(&skip.body, x)?;
        let policy = &skip.policy;
        if *policy.out == Expr::Variable(Variable::Body) {
            return Ok(f);
        }
        let gates = policy.gates.iter().zip(&skip.gates);
        let gates = gates.map(|(spec, gate)| self.gate(layer, (&spec.name, gate), x));
        let gates = gates.collect::<Result<_>>()?;
        let shortcut = match policy.has_shortcut() {
            true => Some(self.shortcut(layer, skip, x)?),
            false => None,
        };
        let trained = policy.trained.iter();
        let trained = trained.map(|coefficient| self.tensor(&layer.path, &coefficient.name));
        let join = Join {
            out: policy.out.clone(),
            form: JoinForm::recognise(&policy.out),
            shortcut,
            gates,
            trained: trained.collect::<Result<_>>()?,
        };
        Ok(self.pointwise(layer, f, (None, None, Some(join))))
    }

    /// Adds the steps of the shortcut s(x).
    fn shortcut(&mut self, layer: &Layer, skip: &Skip, x: Id) -> Result<Id> {
        match skip.shortcut {
            Shortcut::Identity => Ok(x),
            Shortcut::Conv1x1 { stride } => {
                let path = format!("{}.project", layer.path);
                let weight = self.tensor(&path, "weight")?;
                let window = window(layer.input, layer.output, 1, stride, 0);
                Ok(self.convolve(&path, layer.output, (x, weight, None), window))
            }
            Shortcut::Pad { stride } => {
                let name = format!("{} (shortcut)", layer.path);
                let y = self.plan.add_buffer(&name, Kind::Map(layer.output));
                let map = MapStep::new(MapKind::Subsample { stride }, &[x], y);
                self.push(map.step(&layer.path));
                Ok(y)
            }
        }
    }

    /// Adds the step of the gate called `name`, before any function.
    fn gate(&mut self, layer: &Layer, (name, gate): (&str, &Gate), x: Id) -> Result<Id> {
        let path = format!("{}.{name}", layer.path);
        let window = match gate {
            Gate::Conv(conv) => {
                let (kernel, stride, padding) = (conv.kernel, conv.stride, conv.padding);
                window(layer.input, layer.output, kernel, stride, padding)
            }
            Gate::Linear => Window::POINT,
        };
        let (weight, bias) = (self.tensor(&path, "weight")?, self.tensor(&path, "bias")?);
        Ok(self.convolve(&path, layer.output, (x, weight, Some(bias)), window))
    }
}
