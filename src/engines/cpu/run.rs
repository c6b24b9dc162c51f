//! Runs the steps of a plan: each action with the kernel that computes it.

use super::memory::{Lent, Memory};
use super::simple::{convolution, dirac, loss, parallel, pointwise, pooling, reshape, sgd};
use crate::engines::{StepContext, batch, dropout};
use crate::ir::{Model, Sgd, Shape};
use crate::plan::{Action, Convolve, Id, Kind, Plan, PointwiseGradients, Sink, Step};
use crate::plan::{Norm, Pointwise, Statistics};
use crate::tensor::Batch;

/// What a step is given.
pub(super) struct Inputs<'a> {
    batch: &'a Batch,
    at: StepContext,
    sgd: Sgd,
    classes: usize,
}

impl<'a> Inputs<'a> {
    pub fn new(model: &Model, batch: &'a Batch, at: StepContext) -> Self {
        Inputs {
            batch,
            at,
            sgd: model.train.optimizer,
            classes: model.output.elements(),
        }
    }
}

/// What the loss found.
#[derive(Default)]
pub(super) struct Found {
    /// Mean loss.
    pub loss: f64,
    /// Images with the largest logit at their label.
    pub correct: usize,
}

/// Floats of scratch memory for an action.
pub(super) fn workspace(plan: &Plan, action: &Action) -> usize {
    let weights = |x: Id, y: Id, area: usize| {
        let sides = plan.padded(plan.shape(x).channels()) * plan.padded(plan.shape(y).channels());
        sides * area
    };
    match action {
        Action::Convolve(c) => weights(c.x, c.y, c.window.area()),
        Action::ConvolveInput { dy, dx, window, .. } => weights(*dy, dx.to, window.area()),
        Action::ConvolveWeight { x, dy, window, .. } => weights(*x, *dy, window.area()),
        Action::PointwiseGradient(gradients) => {
            plan.padded(plan.shape(gradients.dy).channels()) / 16
        }
        Action::Dirac { .. }
        | Action::DiracGradient { .. }
        | Action::Statistics { .. }
        | Action::Pointwise(_)
        | Action::Crelu { .. }
        | Action::CreluGradient { .. }
        | Action::Concat { .. }
        | Action::ConcatGradient { .. }
        | Action::MaxPool { .. }
        | Action::MaxPoolGradient { .. }
        | Action::AvgPool { .. }
        | Action::AvgPoolGradient { .. }
        | Action::Subsample { .. }
        | Action::SubsampleGradient { .. }
        | Action::Flatten { .. }
        | Action::FlattenGradient { .. }
        | Action::Mask { .. }
        | Action::Multiply { .. }
        | Action::Add { .. }
        | Action::Loss { .. }
        | Action::Descend { .. }
        | Action::MoveStatistics { .. } => 0,
    }
}

/// Puts the batch's images where the plan wants them.
pub(super) fn images(plan: &Plan, memory: &mut Memory, inputs: &Inputs) {
    // SAFETY: the only buffer in use.
    let x = unsafe { memory.lend(plan).write(plan.input) };
    reshape::images_to_rows(&inputs.batch.images, map(plan, plan.input), x);
}

/// What a buffer of activations holds.
pub(super) fn activations<'a>(plan: &'a Plan, memory: &'a mut Memory, id: Id) -> &'a [f32] {
    // SAFETY: the only buffer in use.
    unsafe { memory.lend(plan).read(id) }
}

/// Activations as the kernels see them: images × positions × padded channels.
#[derive(Clone, Copy)]
pub(super) struct Map {
    pub images: usize,
    pub positions: usize,
    /// Columns of positions.
    pub width: usize,
    pub channels: usize,
    /// Channels with the padding.
    pub stride: usize,
}

impl Map {
    /// Rows of channels.
    pub fn rows(self) -> usize {
        self.images * self.positions
    }
}

fn map(plan: &Plan, id: Id) -> Map {
    let shape = plan.shape(id);
    Map {
        images: plan.batch,
        positions: shape.positions(),
        width: match shape {
            Shape::Image { width, .. } => width,
            Shape::Flat(_) => 1,
        },
        channels: shape.channels(),
        stride: plan.padded(shape.channels()),
    }
}

/// Runs one step.
///
/// The plan's promise makes the borrows below sound: a step writes no buffer twice and
/// none that it reads, and buffers that are in use in the same step do not overlap
/// (`plan::buffers` tests both).
pub(super) fn step(
    plan: &Plan,
    step: &Step,
    memory: &mut Memory,
    inputs: &Inputs,
    found: &mut Found,
) {
    let mut lent = memory.lend(plan);
    // SAFETY: see above; only this step's buffers are borrowed, each by its own role.
    unsafe {
        match &step.action {
            Action::Convolve(c) => convolve(plan, &mut lent, c, step.workspace),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => {
                let (from, to) = (map(plan, *dy), map(plan, dx.to));
                let (dy, weight) = (lent.read(*dy), lent.read(*weight));
                let scratch = scratch(&mut lent, step.workspace);
                let out = (lent.write(dx.to), dx.add);
                convolution::input_gradient((dy, from), weight, out, to, *window, scratch);
            }
            Action::ConvolveWeight {
                x,
                dy,
                dweight,
                dbias,
                window,
            } => {
                let (from, to) = (map(plan, *x), map(plan, *dy));
                let (x, dy) = (lent.read(*x), lent.read(*dy));
                let scratch = scratch(&mut lent, step.workspace);
                let dweight = lent.write(*dweight);
                convolution::weight_gradient((x, from), (dy, to), dweight, *window, scratch);
                if let Some(dbias) = dbias {
                    convolution::bias_gradient(dy, to, lent.write(*dbias));
                }
            }
            Action::Statistics { x, y } => {
                let from = map(plan, *x);
                pointwise::statistics(lent.read(*x), from, lent.write(*y));
            }
            Action::Pointwise(pass) => {
                let operands = operands(plan, &lent, pass);
                pointwise::forward(&operands, lent.write(pass.y));
            }
            Action::PointwiseGradient(gradients) => {
                pointwise_gradient(plan, &mut lent, gradients, step.workspace)
            }
            Action::MaxPool { x, y, window } => {
                let from = map(plan, *x);
                pooling::max(lent.read(*x), from, lent.write(*y), *window);
            }
            Action::MaxPoolGradient { x, dy, dx, window } => {
                let from = map(plan, *x);
                let operands = (lent.read(*x), lent.read(*dy));
                pooling::max_gradient(operands, from, sink(&mut lent, *dx), *window);
            }
            Action::AvgPool { x, y, window } => {
                let from = map(plan, *x);
                pooling::mean(lent.read(*x), from, lent.write(*y), *window);
            }
            Action::AvgPoolGradient { dy, dx, window } => {
                let to = map(plan, dx.to);
                pooling::mean_gradient(lent.read(*dy), sink(&mut lent, *dx), to, *window);
            }
            Action::Crelu { x, y } => {
                let (from, to) = (map(plan, *x), map(plan, *y));
                reshape::crelu(lent.read(*x), from, lent.write(*y), to);
            }
            Action::CreluGradient { x, dy, dx } => {
                let (from, to) = (map(plan, *dy), map(plan, dx.to));
                let operands = (lent.read(*x), lent.read(*dy));
                reshape::crelu_gradient(operands, from, sink(&mut lent, *dx), to);
            }
            Action::Concat { a, b, y } => {
                let maps = (map(plan, *a), map(plan, *b), map(plan, *y));
                let operands = (lent.read(*a), lent.read(*b));
                reshape::concat(operands, lent.write(*y), maps);
            }
            Action::ConcatGradient { dy, from, dx } => {
                let (whole, part) = (map(plan, *dy), map(plan, dx.to));
                let dy = lent.read(*dy);
                reshape::channels((dy, whole), *from, sink(&mut lent, *dx), part);
            }
            Action::Subsample { x, y, stride } => {
                let (from, to) = (map(plan, *x), map(plan, *y));
                reshape::subsample((lent.read(*x), from), (lent.write(*y), to), *stride);
            }
            Action::SubsampleGradient { dy, dx, stride } => {
                let (from, to) = (map(plan, *dy), map(plan, dx.to));
                let dy = (lent.read(*dy), from);
                reshape::subsample_gradient(dy, (sink(&mut lent, *dx), to), *stride);
            }
            Action::Flatten { x, y } => {
                let (from, to) = (map(plan, *x), map(plan, *y));
                reshape::flatten((lent.read(*x), from), (lent.write(*y), to));
            }
            Action::FlattenGradient { dy, dx } => {
                let (from, to) = (map(plan, *dy), map(plan, dx.to));
                let dy = (lent.read(*dy), from);
                reshape::unflatten(dy, (sink(&mut lent, *dx), to));
            }
            Action::Mask { y, p } => {
                let at = inputs.at;
                let factors = dropout::factors(*p, at.seed, at.step, &step.path);
                reshape::scatter(factors, map(plan, *y), lent.write(*y));
            }
            Action::Multiply { x, m, y } => {
                let (x, m) = (lent.read(*x), lent.read(*m));
                let add = y.add;
                parallel::zip(lent.write(y.to), (x, m), |y, x, m| {
                    *y = if add { *y + x * m } else { x * m };
                });
            }
            Action::Add { x, y } => {
                let x = lent.read(*x);
                parallel::zip(lent.write(*y), (x, x), |y, x, _| *y += x);
            }
            Action::Dirac { weight, a, b, y } => {
                let kernel = kernel(plan, *weight);
                let operands = (lent.read(*weight), lent.read(*a), lent.read(*b));
                dirac::forward(operands, lent.write(*y), kernel);
            }
            Action::DiracGradient {
                weight,
                b,
                dy,
                dweight,
                da,
                db,
            } => {
                let kernel = kernel(plan, *weight);
                let operands = (lent.read(*weight), lent.read(*b), lent.read(*dy));
                let (da, db) = (lent.write(*da), lent.write(*db));
                dirac::gradient(operands, (lent.write(*dweight), da, db), kernel);
            }
            Action::Loss { logits, gradient } => {
                let stride = plan.padded(inputs.classes);
                let logits = lent.read(*logits);
                let gradient = lent.write(*gradient);
                let labels = &inputs.batch.labels;
                found.loss = loss::cross_entropy(logits, gradient, stride, inputs.classes, labels);
                let rows = logits.chunks_exact(stride).zip(labels);
                let is_correct = |(row, label): &(&[f32], &u32)| {
                    batch::is_correct(&row[..inputs.classes], **label)
                };
                found.correct = rows.filter(is_correct).count();
            }
            Action::Descend {
                weight,
                gradient,
                velocity,
            } => {
                let g = lent.read(*gradient);
                let v = velocity.map(|velocity| lent.write(velocity));
                sgd::descend(&inputs.sgd, inputs.at.rate, lent.write(*weight), v, g);
            }
            Action::MoveStatistics {
                found,
                count,
                mean,
                variance,
                momentum,
            } => {
                let found = lent.read(*found);
                let (mean, variance) = (lent.write(*mean), lent.write(*variance));
                pointwise::move_statistics(found, *count, (mean, variance), *momentum);
            }
        }
    }
}

unsafe fn scratch<'a>(lent: &mut Lent<'a>, id: Option<Id>) -> &'a mut [f32] {
    // SAFETY: the caller's promise.
    id.map_or(&mut [], |id| unsafe { lent.write(id) })
}

/// A gradient's buffer to add to, zeroed first where nothing is there yet.
unsafe fn sink<'a>(lent: &mut Lent<'a>, sink: Sink) -> &'a mut [f32] {
    // SAFETY: the caller's promise.
    let to = unsafe { lent.write(sink.to) };
    if !sink.add {
        to.fill(0.0);
    }
    to
}

/// Outputs, inputs and positions of a weight.
fn kernel(plan: &Plan, weight: Id) -> (usize, usize, (usize, usize)) {
    match plan.buffer(weight).kind {
        Kind::Tensor(ref shape) => match shape[..] {
            [o, i, h, w] => (o, i, (h, w)),
            [o, i] => (o, i, (1, 1)),
            _ => (1, shape.iter().product(), (1, 1)),
        },
        Kind::Map(_) | Kind::Rows(..) | Kind::Scratch => (0, 0, (1, 1)),
    }
}

unsafe fn convolve(plan: &Plan, lent: &mut Lent, c: &Convolve, workspace: Option<Id>) {
    let (from, to) = (map(plan, c.x), map(plan, c.y));
    // SAFETY: the caller's promise.
    unsafe {
        let (x, weight) = (lent.read(c.x), lent.read(c.weight));
        let bias = c.bias.map(|bias| lent.read(bias));
        let scratch = scratch(lent, workspace);
        let y = lent.write(c.y);
        convolution::forward((x, from), (weight, bias), (y, to), c.window, scratch);
        if let Some(statistics) = c.statistics {
            pointwise::statistics(y, to, lent.write(statistics));
        }
    }
}

unsafe fn operands<'a>(plan: &Plan, lent: &Lent<'a>, pass: &Pointwise) -> pointwise::Operands<'a> {
    let at = map(plan, pass.x);
    // SAFETY: the caller's promise.
    unsafe {
        let norm = pass.norm.map(|norm: Norm| {
            let (mean, variance) = match norm.statistics {
                Statistics::Batch(id) => lent.read(id).split_at(at.stride),
                Statistics::Running { mean, variance } => (lent.read(mean), lent.read(variance)),
            };
            pointwise::Norm {
                mean,
                variance,
                weight: lent.read(norm.weight),
                bias: lent.read(norm.bias),
                eps: norm.eps as f32,
            }
        });
        pointwise::Operands {
            map: at,
            x: lent.read(pass.x),
            norm,
            activation: pass.activation,
            join: pass.join,
            s: pass.join.map_or(&[], |join| lent.read(join.shortcut())),
            extra: pass
                .join
                .and_then(|join| join.extra())
                .map_or(&[], |id| lent.read(id)),
        }
    }
}

unsafe fn pointwise_gradient(
    plan: &Plan,
    lent: &mut Lent,
    g: &PointwiseGradients,
    workspace: Option<Id>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let operands = operands(plan, lent, &g.pass);
        let dy = lent.read(g.dy);
        let mut to = |sink: Option<Sink>| sink.map(|sink| (lent.write(sink.to), sink.add));
        let (dx, ds, dgate) = (to(g.dx), to(g.ds), to(g.dgate));
        let mut tensor = |id: Option<Id>| id.map(|id| lent.write(id));
        let (dalpha, dweight, dbias) = (tensor(g.dalpha), tensor(g.dweight), tensor(g.dbias));
        let gradients = pointwise::Gradients {
            dx,
            ds,
            dgate,
            dalpha,
            dweight,
            dbias,
        };
        pointwise::backward(&operands, dy, gradients, scratch(lent, workspace));
    }
}
