//! Runs the steps of a plan: each action with the kernel that computes it.

use super::kernels::normalise::{self, Norm};
use super::kernels::{Pool, pointwise};
use super::map::Map;
use super::memory::{Lent, Memory};
use super::{convolution, dirac, loss, pass, pooling, reshape};
use crate::engines::{StepContext, batch, dropout};
use crate::ir::{Model, Sgd};
use crate::plan::{Action, Convolve, Id, Kind, Plan, Pointwise, PointwiseGradients, Sink};
use crate::plan::{Statistics, Step};
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

    fn sgd(&self) -> pointwise::Sgd {
        pointwise::Sgd {
            rate: self.at.rate as f32,
            momentum: self.sgd.momentum as f32,
            nesterov: self.sgd.nesterov,
            weight_decay: self.sgd.weight_decay as f32,
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

/// Floats of scratch memory for an action on `threads` threads.
pub(super) fn workspace(plan: &Plan, action: &Action, threads: usize) -> usize {
    let map = |id| Map::of(plan, id);
    let alphas = |pass: &Pointwise| {
        let extra = pass.join.and_then(|join| join.extra());
        extra.map_or(0, |id| plan.buffer(id).elements)
    };
    match action {
        Action::Convolve(c) => convolution::forward_scratch(map(c.x), map(c.y), c.window, threads),
        Action::ConvolveInput { dy, dx, window, .. } => {
            convolution::input_gradient_scratch(map(dx.to), map(*dy), *window, threads)
        }
        Action::ConvolveWeight { x, dy, window, .. } => {
            convolution::weight_gradient_scratch(map(*x), map(*dy), *window, threads)
        }
        Action::Statistics { x, .. } => pass::statistics_scratch(map(*x)),
        Action::Pointwise(p) => pass::forward_scratch(map(p.x), p.join, alphas(p)),
        Action::PointwiseGradient(g) => {
            pass::backward_scratch(map(g.pass.x), g.pass.join, alphas(&g.pass))
        }
        Action::Dirac { .. }
        | Action::DiracGradient { .. }
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
pub(super) fn images(pool: &Pool, plan: &Plan, memory: &mut Memory, inputs: &Inputs) {
    // SAFETY: the only buffer in use.
    let x = unsafe { memory.lend(plan).write(plan.input) };
    reshape::images_to_rows(pool, &inputs.batch.images, Map::of(plan, plan.input), x);
}

/// What a buffer of activations holds.
pub(super) fn activations<'a>(plan: &'a Plan, memory: &'a mut Memory, id: Id) -> &'a [f32] {
    // SAFETY: the only buffer in use.
    unsafe { memory.lend(plan).read(id) }
}

/// Runs one step.
///
/// The plan's promise makes the borrows below sound: a step writes no buffer twice and
/// none that it reads, and buffers that are in use in the same step do not overlap
/// (`plan::buffers` tests both).
pub(super) fn step(
    pool: &Pool,
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
            Action::Convolve(c) => convolve(pool, plan, &mut lent, c, step.workspace),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => {
                let (from, to) = (Map::of(plan, *dy), Map::of(plan, dx.to));
                let (dy, weight) = (lent.read(*dy), lent.read(*weight));
                let scratch = scratch(&mut lent, step.workspace);
                let out = (lent.write(dx.to), to, dx.add);
                convolution::input_gradient(pool, (dy, from), weight, out, *window, scratch);
            }
            Action::ConvolveWeight {
                x,
                dy,
                dweight,
                dbias,
                window,
            } => {
                let (from, to) = (Map::of(plan, *x), Map::of(plan, *dy));
                let (x, dy) = (lent.read(*x), lent.read(*dy));
                let scratch = scratch(&mut lent, step.workspace);
                let out = (lent.write(*dweight), dbias.map(|dbias| lent.write(dbias)));
                convolution::weight_gradient(pool, (x, from), (dy, to), out, *window, scratch);
            }
            Action::Statistics { x, y } => {
                let from = Map::of(plan, *x);
                let scratch = scratch(&mut lent, step.workspace);
                pass::statistics(pool, lent.read(*x), from, lent.write(*y), scratch);
            }
            Action::Pointwise(pointwise) => {
                let operands = operands(plan, &lent, pointwise);
                let scratch = scratch(&mut lent, step.workspace);
                pass::forward(pool, &operands, lent.write(pointwise.y), scratch);
            }
            Action::PointwiseGradient(gradients) => {
                pointwise_gradient(pool, plan, &mut lent, gradients, step.workspace)
            }
            Action::MaxPool { x, y, window } => {
                let from = Map::of(plan, *x);
                pooling::max(pool, lent.read(*x), from, lent.write(*y), *window);
            }
            Action::MaxPoolGradient { x, dy, dx, window } => {
                let operands = (lent.read(*x), lent.read(*dy));
                let to = (lent.write(dx.to), Map::of(plan, dx.to), dx.add);
                pooling::max_gradient(pool, operands, to, *window);
            }
            Action::AvgPool { x, y, window } => {
                let from = Map::of(plan, *x);
                pooling::mean(pool, lent.read(*x), from, lent.write(*y), *window);
            }
            Action::AvgPoolGradient { dy, dx, window } => {
                let to = (lent.write(dx.to), Map::of(plan, dx.to), dx.add);
                pooling::mean_gradient(pool, lent.read(*dy), to, *window);
            }
            Action::Crelu { x, y } => {
                let (from, to) = (Map::of(plan, *x), Map::of(plan, *y));
                reshape::crelu(lent.read(*x), from, lent.write(*y), to);
            }
            Action::CreluGradient { x, dy, dx } => {
                let (from, to) = (Map::of(plan, *dy), Map::of(plan, dx.to));
                let operands = (lent.read(*x), lent.read(*dy));
                reshape::crelu_gradient(operands, from, sink(&mut lent, *dx), to);
            }
            Action::Concat { a, b, y } => {
                let maps = (Map::of(plan, *a), Map::of(plan, *b), Map::of(plan, *y));
                let operands = (lent.read(*a), lent.read(*b));
                reshape::concat(operands, lent.write(*y), maps);
            }
            Action::ConcatGradient { dy, from, dx } => {
                let (whole, part) = (Map::of(plan, *dy), Map::of(plan, dx.to));
                let dy = lent.read(*dy);
                reshape::channels((dy, whole), *from, sink(&mut lent, *dx), part);
            }
            Action::Subsample { x, y, stride } => {
                let (from, to) = (Map::of(plan, *x), Map::of(plan, *y));
                reshape::subsample((lent.read(*x), from), (lent.write(*y), to), *stride);
            }
            Action::SubsampleGradient { dy, dx, stride } => {
                let (from, to) = (Map::of(plan, *dy), Map::of(plan, dx.to));
                let dy = (lent.read(*dy), from);
                reshape::subsample_gradient(dy, (sink(&mut lent, *dx), to), *stride);
            }
            Action::Flatten { x, y } => {
                let (from, to) = (Map::of(plan, *x), Map::of(plan, *y));
                reshape::flatten((lent.read(*x), from), (lent.write(*y), to));
            }
            Action::FlattenGradient { dy, dx } => {
                let (from, to) = (Map::of(plan, *dy), Map::of(plan, dx.to));
                let dy = (lent.read(*dy), from);
                reshape::unflatten(dy, (sink(&mut lent, *dx), to));
            }
            Action::Mask { y, p } => {
                let at = inputs.at;
                let factors = dropout::factors(*p, at.seed, at.step, &step.path);
                reshape::scatter(factors, Map::of(plan, *y), lent.write(*y));
            }
            Action::Multiply { x, m, y } => {
                let (x, m) = (lent.read(*x), lent.read(*m));
                pointwise::multiply(pool, x, m, lent.write(y.to), y.add);
            }
            Action::Add { x, y } => pointwise::add(pool, lent.read(*x), lent.write(*y)),
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
                pointwise::sgd(pool, inputs.sgd(), lent.write(*weight), g, v);
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
                pass::move_statistics(found, *count, (mean, variance), *momentum);
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

unsafe fn convolve(pool: &Pool, plan: &Plan, lent: &mut Lent, c: &Convolve, workspace: Option<Id>) {
    let (from, to) = (Map::of(plan, c.x), Map::of(plan, c.y));
    // SAFETY: the caller's promise.
    unsafe {
        let (x, weight) = (lent.read(c.x), lent.read(c.weight));
        let bias = c.bias.map(|bias| lent.read(bias));
        let scratch = scratch(lent, workspace);
        let y = lent.write(c.y);
        let statistics = c.statistics.map(|statistics| lent.write(statistics));
        let weights = (weight, bias);
        convolution::forward(
            pool,
            (x, from),
            weights,
            (y, to),
            c.window,
            statistics,
            scratch,
        );
    }
}

unsafe fn operands<'a>(plan: &Plan, lent: &Lent<'a>, p: &Pointwise) -> pass::Operands<'a> {
    let at = Map::of(plan, p.x);
    // SAFETY: the caller's promise.
    unsafe {
        let norm = p.norm.map(|norm| {
            let (mean, variance) = match norm.statistics {
                Statistics::Batch(id) => lent.read(id).split_at(at.stride),
                Statistics::Running { mean, variance } => (lent.read(mean), lent.read(variance)),
            };
            Norm {
                mean,
                variance,
                weight: lent.read(norm.weight),
                bias: lent.read(norm.bias),
                eps: norm.eps as f32,
            }
        });
        let join = p.join;
        let extra = join.and_then(|join| join.extra());
        pass::Operands {
            map: at,
            x: lent.read(p.x),
            norm,
            activation: p.activation,
            join,
            s: join.map_or(&[], |join| lent.read(join.shortcut())),
            extra: extra.map_or(&[], |id| lent.read(id)),
        }
    }
}

unsafe fn pointwise_gradient(
    pool: &Pool,
    plan: &Plan,
    lent: &mut Lent,
    g: &PointwiseGradients,
    workspace: Option<Id>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let operands = operands(plan, lent, &g.pass);
        let dy = lent.read(g.dy);
        let mut to = |sink: Option<Sink>| {
            sink.map(|sink| normalise::Sink {
                to: lent.write(sink.to),
                add: sink.add,
            })
        };
        let (dx, ds, dgate) = (to(g.dx), to(g.ds), to(g.dgate));
        let mut tensor = |id: Option<Id>| id.map(|id| lent.write(id));
        let gradients = pass::Gradients {
            dx,
            ds,
            dgate,
            dalpha: tensor(g.dalpha),
            norm: tensor(g.dweight).zip(tensor(g.dbias)),
        };
        pass::backward(pool, &operands, dy, gradients, scratch(lent, workspace));
    }
}
