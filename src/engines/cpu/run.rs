//! Runs the steps of a plan: each action with the kernel that computes it.

use super::clock::Clock;
use super::kernels::normalise::{self, Norm};
use super::kernels::{Pool, pointwise};
use super::map::Map;
use super::memory::Lent;
use super::{Cpu, convolution, dirac, loss, pass, pooling, reshape};
use crate::engines::{StepContext, batch, dropout};
use crate::ir::{Model, Sgd};
use crate::plan::{Action, Convolve, Id, Plan, Pointwise, PointwiseGradients, Sink};
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

    pub fn sgd(&self) -> pointwise::Sgd {
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

/// Floats of scratch memory for an action.
pub(super) fn workspace(plan: &Plan, action: &Action, target: Cpu) -> usize {
    let map = |id| Map::of(plan, id);
    let alphas = |pass: &Pointwise| {
        let extra = pass.join.and_then(|join| join.extra());
        extra.map_or(0, |id| plan.buffer(id).elements)
    };
    match action {
        Action::Convolve(c) => convolution::forward_scratch(map(c.x), map(c.y), c.window, target),
        Action::ConvolveInput { dy, dx, window, .. } => {
            convolution::input_gradient_scratch(map(dx.to), map(*dy), *window, target)
        }
        Action::ConvolveWeight { x, dy, window, .. } => {
            convolution::weight_gradient_scratch(map(*x), map(*dy), *window, target)
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
pub(super) fn images(pool: &Pool, lent: &Lent, inputs: &Inputs) {
    let (input, images) = (lent.plan.input, lent.images());
    let map = lent.map(input);
    if map.is_given() {
        return;
    }
    let elements = map.positions * map.channels;
    let images = &inputs.batch.images[images.start * elements..images.end * elements];
    // SAFETY: the only buffer in use.
    reshape::images_to_rows(pool, images, map, unsafe { lent.write(input) });
}

/// Runs the steps of a plan: forward, and where the loss is finite backward, and if
/// `moves` those that move tensors. Adds the seconds that each takes to `times`.
pub(super) fn all(
    pool: &Pool,
    lent: Lent,
    inputs: &Inputs,
    moves: bool,
    times: Option<&mut Vec<f64>>,
) -> Found {
    let plan = lent.plan;
    let (mut found, mut clock) = (Found::default(), Clock::new(times));
    images(pool, &lent, inputs);
    let mut index = 0;
    for steps in [
        Some(&plan.forward),
        Some(&plan.backward),
        moves.then_some(&plan.update),
    ] {
        for step in steps.into_iter().flatten() {
            self::step(pool, step, &lent, inputs, &mut found);
            clock.tick(index);
            index += 1;
        }
        if !found.loss.is_finite() {
            break;
        }
    }
    found
}

/// Runs one step, in its own workspace.
pub(super) fn step(pool: &Pool, step: &Step, lent: &Lent, inputs: &Inputs, found: &mut Found) {
    // SAFETY: as below.
    let scratch = step
        .workspace
        .map_or(&mut [][..], |id| unsafe { lent.write(id) });
    step_in(pool, step, lent, scratch, inputs, found);
}

/// Runs one step, of the images that are lent.
///
/// The plan's promise makes the borrows below sound: a step writes no buffer twice and
/// none that it reads, and buffers that are in use in the same step do not overlap
/// (`plan::buffers` tests both).
pub(super) fn step_in(
    pool: &Pool,
    step: &Step,
    lent: &Lent,
    scratch: &mut [f32],
    inputs: &Inputs,
    found: &mut Found,
) {
    let plan = lent.plan;
    // SAFETY: see above; only this step's buffers are borrowed, each by its own role.
    unsafe {
        match &step.action {
            Action::Convolve(c) => convolve(pool, lent, c, scratch),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => {
                let (from, to) = (lent.map(*dy), lent.map(dx.to));
                let (dy, weight) = (lent.read(*dy), lent.read(*weight));
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
                let (from, to) = (lent.map(*x), lent.map(*dy));
                let (x, dy) = (lent.read(*x), lent.read(*dy));
                let out = (lent.write(*dweight), dbias.map(|dbias| lent.write(dbias)));
                convolution::weight_gradient(pool, (x, from), (dy, to), out, *window, scratch);
            }
            Action::Statistics { x, y } => {
                let from = lent.map(*x);
                pass::statistics(pool, lent.read(*x), from, lent.write(*y), scratch);
            }
            Action::Pointwise(pointwise) => {
                let operands = operands(lent, pointwise);
                pass::forward(pool, &operands, lent.write(pointwise.y), scratch);
            }
            Action::PointwiseGradient(gradients) => {
                pointwise_gradient(pool, lent, gradients, scratch)
            }
            Action::MaxPool { x, y, window } => {
                let from = lent.map(*x);
                pooling::max(pool, lent.read(*x), from, lent.write(*y), *window);
            }
            Action::MaxPoolGradient { x, dy, dx, window } => {
                let operands = (lent.read(*x), lent.read(*dy));
                let to = (lent.write(dx.to), lent.map(dx.to), dx.add);
                pooling::max_gradient(pool, operands, to, *window);
            }
            Action::AvgPool { x, y, window } => {
                let from = lent.map(*x);
                pooling::mean(pool, lent.read(*x), from, lent.write(*y), *window);
            }
            Action::AvgPoolGradient { dy, dx, window } => {
                let to = (lent.write(dx.to), lent.map(dx.to), dx.add);
                pooling::mean_gradient(pool, lent.read(*dy), to, *window);
            }
            Action::Crelu { x, y } => {
                let (from, to) = (lent.map(*x), lent.map(*y));
                reshape::crelu(lent.read(*x), from, lent.write(*y), to);
            }
            Action::CreluGradient { x, dy, dx } => {
                let (from, to) = (lent.map(*dy), lent.map(dx.to));
                let operands = (lent.read(*x), lent.read(*dy));
                reshape::crelu_gradient(operands, from, sink(lent, *dx), to);
            }
            Action::Concat { a, b, y } => {
                let maps = (lent.map(*a), lent.map(*b), lent.map(*y));
                let operands = (lent.read(*a), lent.read(*b));
                reshape::concat(operands, lent.write(*y), maps);
            }
            Action::ConcatGradient { dy, from, dx } => {
                let (whole, part) = (lent.map(*dy), lent.map(dx.to));
                let dy = lent.read(*dy);
                reshape::channels((dy, whole), *from, sink(lent, *dx), part);
            }
            Action::Subsample { x, y, stride } => {
                let (from, to) = (lent.map(*x), lent.map(*y));
                reshape::subsample((lent.read(*x), from), (lent.write(*y), to), *stride);
            }
            Action::SubsampleGradient { dy, dx, stride } => {
                let (from, to) = (lent.map(*dy), lent.map(dx.to));
                let dy = (lent.read(*dy), from);
                reshape::subsample_gradient(dy, (sink(lent, *dx), to), *stride);
            }
            Action::Flatten { x, y } => {
                let (from, to) = (lent.map(*x), lent.map(*y));
                reshape::flatten((lent.read(*x), from), (lent.write(*y), to));
            }
            Action::FlattenGradient { dy, dx } => {
                let (from, to) = (lent.map(*dy), lent.map(dx.to));
                let dy = (lent.read(*dy), from);
                reshape::unflatten(dy, (sink(lent, *dx), to));
            }
            Action::Mask { y, p } => {
                let at = inputs.at;
                let factors = dropout::factors(*p, at.seed, at.step, &step.path);
                reshape::scatter(factors, lent.map(*y), lent.write(*y));
            }
            Action::Multiply { x, m, y } => {
                let (x, m) = (lent.read(*x), lent.read(*m));
                pointwise::multiply(pool, x, m, lent.write(y.to), y.add);
            }
            Action::Add { x, y } => pointwise::add(pool, lent.read(*x), lent.write(*y)),
            Action::Dirac { weight, a, b, y } => {
                let kernel = plan.filters(*weight);
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
                let kernel = plan.filters(*weight);
                let operands = (lent.read(*weight), lent.read(*b), lent.read(*dy));
                let (da, db) = (lent.write(*da), lent.write(*db));
                dirac::gradient(operands, (lent.write(*dweight), da, db), kernel);
            }
            Action::Loss { logits, gradient } => {
                let stride = plan.padded(inputs.classes);
                let logits = lent.read(*logits);
                let gradient = lent.write(*gradient);
                let labels = &inputs.batch.labels[lent.images()];
                let sizes = (stride, inputs.classes, plan.batch);
                found.loss = loss::cross_entropy(logits, gradient, sizes, labels);
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

/// A gradient's buffer to add to, zeroed first where nothing is there yet.
unsafe fn sink<'a>(lent: &Lent<'a>, sink: Sink) -> &'a mut [f32] {
    // SAFETY: the caller's promise.
    let to = unsafe { lent.write(sink.to) };
    if !sink.add {
        to.fill(0.0);
    }
    to
}

pub(super) unsafe fn convolve(pool: &Pool, lent: &Lent, c: &Convolve, scratch: &mut [f32]) {
    let (from, to) = (lent.map(c.x), lent.map(c.y));
    // SAFETY: the caller's promise.
    unsafe {
        let (x, weight) = (lent.read(c.x), lent.read(c.weight));
        let bias = c.bias.map(|bias| lent.read(bias));
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

pub(super) unsafe fn operands<'a>(lent: &Lent<'a>, p: &Pointwise) -> pass::Operands<'a> {
    let at = lent.map(p.x);
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

/// Where a pass sends its gradients: of x, s and the gate.
pub(super) unsafe fn sinks<'a>(
    lent: &Lent<'a>,
    g: &PointwiseGradients,
) -> [Option<normalise::Sink<'a>>; 3] {
    [g.dx, g.ds, g.dgate].map(|sink| {
        sink.map(|sink| normalise::Sink {
            // SAFETY: the caller's promise.
            to: unsafe { lent.write(sink.to) },
            add: sink.add,
        })
    })
}

unsafe fn pointwise_gradient(
    pool: &Pool,
    lent: &Lent,
    g: &PointwiseGradients,
    scratch: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let operands = operands(lent, &g.pass);
        let dy = lent.read(g.dy);
        let [dx, ds, dgate] = sinks(lent, g);
        let tensor = |id: Option<Id>| id.map(|id| lent.write(id));
        let gradients = pass::Gradients {
            dx,
            ds,
            dgate,
            dalpha: tensor(g.dalpha),
            norm: tensor(g.dweight).zip(tensor(g.dbias)),
        };
        pass::backward(pool, &operands, dy, gradients, scratch);
    }
}
