//! Runs the steps of a plan: each action with the kernel that computes it.

use super::clock::Clock;
use super::kernels::normalise::{self, Norm};
use super::kernels::{Pool, pointwise};
use super::map::Map;
use super::memory::BufferViews;
use super::{Cpu, convolution, dirac, loss, pass, pooling, reshape};
use crate::engines::{StepContext, batch, dropout};
use crate::ir::{Model, Sgd};
use crate::plan::{Action, Convolve, GradientTarget, Id, Plan, Pointwise, PointwiseGradients};
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
    let map = |id| Map::of_buffer(plan, id);
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
        | Action::Sgd { .. }
        | Action::MoveStatistics { .. } => 0,
    }
}

/// Puts the batch's images where the plan wants them.
pub(super) fn images(pool: &Pool, views: &BufferViews, inputs: &Inputs) {
    let (input, images) = (views.plan.input, views.images());
    let map = views.map(input);
    if map.is_given() {
        return;
    }
    let elements = map.positions * map.channels;
    let images = &inputs.batch.images[images.start * elements..images.end * elements];
    // SAFETY: the only buffer in use.
    reshape::images_to_rows(pool, images, map, unsafe { views.write(input) });
}

/// Runs the steps of a plan: forward, and where the loss is finite backward, and if
/// `moves` those that move tensors. Adds the seconds that each takes to `times`.
pub(super) fn all(
    pool: &Pool,
    views: BufferViews,
    inputs: &Inputs,
    moves: bool,
    times: Option<&mut Vec<f64>>,
) -> Found {
    let plan = views.plan;
    let (mut found, mut clock) = (Found::default(), Clock::new(times));
    images(pool, &views, inputs);
    let mut index = 0;
    for steps in [
        Some(&plan.forward),
        Some(&plan.backward),
        moves.then_some(&plan.update),
    ] {
        for step in steps.into_iter().flatten() {
            self::step(pool, step, &views, inputs, &mut found);
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
pub(super) fn step(
    pool: &Pool,
    step: &Step,
    views: &BufferViews,
    inputs: &Inputs,
    found: &mut Found,
) {
    // SAFETY: as below.
    let scratch = step
        .workspace
        .map_or(&mut [][..], |id| unsafe { views.write(id) });
    step_in(pool, step, views, scratch, inputs, found);
}

/// Runs one step, of the images that are viewed.
///
/// The plan's promise makes the borrows below sound: a step writes no buffer twice and
/// none that it reads, and buffers that are in use in the same step do not overlap
/// (`plan::buffers` tests both).
pub(super) fn step_in(
    pool: &Pool,
    step: &Step,
    views: &BufferViews,
    scratch: &mut [f32],
    inputs: &Inputs,
    found: &mut Found,
) {
    let plan = views.plan;
    // SAFETY: see above; only this step's buffers are borrowed, each by its own role.
    unsafe {
        match &step.action {
            Action::Convolve(c) => convolve(pool, views, c, scratch),
            Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            } => {
                let (from, to) = (views.map(*dy), views.map(dx.to));
                let (dy, weight) = (views.read(*dy), views.read(*weight));
                let out = (views.write(dx.to), to, dx.add);
                convolution::input_gradient(pool, (dy, from), weight, out, *window, scratch);
            }
            Action::ConvolveWeight {
                x,
                dy,
                dweight,
                dbias,
                window,
            } => {
                let (from, to) = (views.map(*x), views.map(*dy));
                let (x, dy) = (views.read(*x), views.read(*dy));
                let out = (views.write(*dweight), dbias.map(|dbias| views.write(dbias)));
                convolution::weight_gradient(pool, (x, from), (dy, to), out, *window, scratch);
            }
            Action::Statistics { x, y } => {
                let from = views.map(*x);
                pass::statistics(pool, views.read(*x), from, views.write(*y), scratch);
            }
            Action::Pointwise(pointwise) => {
                let operands = operands(views, pointwise);
                pass::forward(pool, &operands, views.write(pointwise.y), scratch);
            }
            Action::PointwiseGradient(gradients) => {
                pointwise_gradient(pool, views, gradients, scratch)
            }
            Action::MaxPool { x, y, window } => {
                let from = views.map(*x);
                pooling::max(pool, views.read(*x), from, views.write(*y), *window);
            }
            Action::MaxPoolGradient { x, dy, dx, window } => {
                let operands = (views.read(*x), views.read(*dy));
                let to = (views.write(dx.to), views.map(dx.to), dx.add);
                pooling::max_gradient(pool, operands, to, *window);
            }
            Action::AvgPool { x, y, window } => {
                let from = views.map(*x);
                pooling::mean(pool, views.read(*x), from, views.write(*y), *window);
            }
            Action::AvgPoolGradient { dy, dx, window } => {
                let to = (views.write(dx.to), views.map(dx.to), dx.add);
                pooling::mean_gradient(pool, views.read(*dy), to, *window);
            }
            Action::Crelu { x, y } => {
                let (from, to) = (views.map(*x), views.map(*y));
                reshape::crelu(views.read(*x), from, views.write(*y), to);
            }
            Action::CreluGradient { x, dy, dx } => {
                let (from, to) = (views.map(*dy), views.map(dx.to));
                let operands = (views.read(*x), views.read(*dy));
                reshape::crelu_gradient(operands, from, gradient_slice(views, *dx), to);
            }
            Action::Concat { a, b, y } => {
                let maps = (views.map(*a), views.map(*b), views.map(*y));
                let operands = (views.read(*a), views.read(*b));
                reshape::concat(operands, views.write(*y), maps);
            }
            Action::ConcatGradient { dy, from, dx } => {
                let (whole, part) = (views.map(*dy), views.map(dx.to));
                let dy = views.read(*dy);
                reshape::channels((dy, whole), *from, gradient_slice(views, *dx), part);
            }
            Action::Subsample { x, y, stride } => {
                let (from, to) = (views.map(*x), views.map(*y));
                reshape::subsample((views.read(*x), from), (views.write(*y), to), *stride);
            }
            Action::SubsampleGradient { dy, dx, stride } => {
                let (from, to) = (views.map(*dy), views.map(dx.to));
                let dy = (views.read(*dy), from);
                reshape::subsample_gradient(dy, (gradient_slice(views, *dx), to), *stride);
            }
            Action::Flatten { x, y } => {
                let (from, to) = (views.map(*x), views.map(*y));
                reshape::flatten((views.read(*x), from), (views.write(*y), to));
            }
            Action::FlattenGradient { dy, dx } => {
                let (from, to) = (views.map(*dy), views.map(dx.to));
                let dy = (views.read(*dy), from);
                reshape::unflatten(dy, (gradient_slice(views, *dx), to));
            }
            Action::Mask { y, p } => {
                let at = inputs.at;
                let factors = dropout::factors(*p, at.seed, at.step, &step.path);
                reshape::scatter(factors, views.map(*y), views.write(*y));
            }
            Action::Multiply { x, m, y } => {
                let (x, m) = (views.read(*x), views.read(*m));
                pointwise::multiply(pool, x, m, views.write(y.to), y.add);
            }
            Action::Add { x, y } => pointwise::add(pool, views.read(*x), views.write(*y)),
            Action::Dirac { weight, a, b, y } => {
                let kernel = plan.filters(*weight);
                let operands = (views.read(*weight), views.read(*a), views.read(*b));
                dirac::forward(operands, views.write(*y), kernel);
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
                let operands = (views.read(*weight), views.read(*b), views.read(*dy));
                let (da, db) = (views.write(*da), views.write(*db));
                dirac::gradient(operands, (views.write(*dweight), da, db), kernel);
            }
            Action::Loss { logits, gradient } => {
                let stride = plan.padded(inputs.classes);
                let logits = views.read(*logits);
                let gradient = views.write(*gradient);
                let labels = &inputs.batch.labels[views.images()];
                let sizes = (stride, inputs.classes, plan.batch);
                found.loss = loss::cross_entropy(logits, gradient, sizes, labels);
                let rows = logits.chunks_exact(stride).zip(labels);
                let is_correct = |(row, label): &(&[f32], &u32)| {
                    batch::is_correct(&row[..inputs.classes], **label)
                };
                found.correct = rows.filter(is_correct).count();
            }
            Action::Sgd {
                weight,
                gradient,
                velocity,
            } => {
                let g = views.read(*gradient);
                let v = velocity.map(|velocity| views.write(velocity));
                pointwise::sgd(pool, inputs.sgd(), views.write(*weight), g, v);
            }
            Action::MoveStatistics {
                found,
                count,
                mean,
                variance,
                momentum,
            } => {
                let found = views.read(*found);
                let (mean, variance) = (views.write(*mean), views.write(*variance));
                pass::move_statistics(found, *count, (mean, variance), *momentum);
            }
        }
    }
}

/// A gradient's buffer to add to, zeroed first where nothing is there yet.
unsafe fn gradient_slice<'a>(views: &BufferViews<'a>, target: GradientTarget) -> &'a mut [f32] {
    // SAFETY: the caller's promise.
    let to = unsafe { views.write(target.to) };
    if !target.add {
        to.fill(0.0);
    }
    to
}

pub(super) unsafe fn convolve(pool: &Pool, views: &BufferViews, c: &Convolve, scratch: &mut [f32]) {
    let (from, to) = (views.map(c.x), views.map(c.y));
    // SAFETY: the caller's promise.
    unsafe {
        let (x, weight) = (views.read(c.x), views.read(c.weight));
        let bias = c.bias.map(|bias| views.read(bias));
        let y = views.write(c.y);
        let statistics = c.statistics.map(|statistics| views.write(statistics));
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

pub(super) unsafe fn operands<'a>(views: &BufferViews<'a>, p: &Pointwise) -> pass::Operands<'a> {
    let at = views.map(p.x);
    // SAFETY: the caller's promise.
    unsafe {
        let norm = p.norm.map(|norm| {
            let (mean, variance) = match norm.statistics {
                Statistics::Batch(id) => views.read(id).split_at(at.stride),
                Statistics::Running { mean, variance } => (views.read(mean), views.read(variance)),
            };
            Norm {
                mean,
                variance,
                weight: views.read(norm.weight),
                bias: views.read(norm.bias),
                eps: norm.eps as f32,
            }
        });
        let join = p.join;
        let extra = join.and_then(|join| join.extra());
        pass::Operands {
            map: at,
            x: views.read(p.x),
            norm,
            activation: p.activation,
            join,
            s: join.map_or(&[], |join| views.read(join.shortcut())),
            extra: extra.map_or(&[], |id| views.read(id)),
        }
    }
}

/// Where a pass sends its gradients: of x, s and the gate.
pub(super) unsafe fn gradient_slices<'a>(
    views: &BufferViews<'a>,
    g: &PointwiseGradients,
) -> [Option<normalise::GradientSlice<'a>>; 3] {
    [g.dx, g.ds, g.dgate].map(|target| {
        target.map(|target| normalise::GradientSlice {
            // SAFETY: the caller's promise.
            to: unsafe { views.write(target.to) },
            add: target.add,
        })
    })
}

unsafe fn pointwise_gradient(
    pool: &Pool,
    views: &BufferViews,
    g: &PointwiseGradients,
    scratch: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let operands = operands(views, &g.pass);
        let dy = views.read(g.dy);
        let [dx, ds, dgate] = gradient_slices(views, g);
        let tensor = |id: Option<Id>| id.map(|id| views.write(id));
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
