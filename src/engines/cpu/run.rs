//! Runs the steps of a plan: each action with the kernel that computes it.

use super::clock::Clock;
use super::convolution::Kernel;
use super::kernels::normalise::{self, Norm};
use super::kernels::{Pool, pointwise};
use super::map::Map;
use super::memory::BufferViews;
use super::{convolution, dirac, loss, map_step, pass, reshape};
use crate::engines::{StepContext, batch, forms};
use crate::ir::{Model, Sgd};
use crate::plan::{
    Action, ConvPass, Convolution, Id, Plan, Pointwise, PointwiseGradients, Statistics, Step,
};
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

/// Floats of scratch memory for a step.
pub(super) fn workspace(plan: &Plan, step: &Step, threads: usize) -> usize {
    let map = |id| Map::of_buffer(plan, id);
    let alphas = |pass: &Pointwise| {
        let extra = pass
            .join
            .as_ref()
            .and_then(|join| forms::join(join).extra());
        extra.map_or(0, |id| plan.buffer(id).elements)
    };
    match &step.action {
        Action::Convolve(c) => convolution::scratch(plan, c, threads),
        Action::Statistics { x, .. } => pass::statistics_scratch(map(*x)),
        Action::Pointwise(p) => {
            pass::forward_scratch(map(p.x), p.join.as_ref().map(forms::join), alphas(p))
        }
        Action::PointwiseGradient(g) => pass::backward_scratch(
            map(g.pass.x),
            g.pass.join.as_ref().map(forms::join),
            alphas(&g.pass),
        ),
        Action::Map(_)
        | Action::Dirac { .. }
        | Action::DiracGradient { .. }
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
            Action::Map(map) => map_step::run(pool, views, &step.path, map, inputs.at),
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

/// Runs one product of a convolution, of the images that are viewed.
///
/// # Safety
/// As of [`BufferViews::read`] and [`BufferViews::write`], for what the step reads and
/// writes.
pub(super) unsafe fn convolve(
    pool: &Pool,
    views: &BufferViews,
    c: &Convolution,
    scratch: &mut [f32],
) {
    let kernel = Kernel::new(c, views.map(c.x), views.map(c.y));
    // SAFETY: the caller's promise.
    unsafe {
        match c.pass {
            ConvPass::Forward { bias, statistics } => {
                let weights = (views.read(c.weight), bias.map(|bias| views.read(bias)));
                let y = (views.write(c.y), views.map(c.y));
                let statistics = statistics.map(|statistics| views.write(statistics));
                let x = views.read(c.x);
                convolution::forward(pool, kernel, x, weights, y, statistics, scratch);
            }
            ConvPass::Input { add } => {
                let from = (views.read(c.y), views.read(c.weight));
                let dx = (views.write(c.x), add);
                convolution::input_gradient(pool, kernel, from, dx, scratch);
            }
            ConvPass::Weight { bias } => {
                let from = (views.read(c.x), views.read(c.y));
                let to = (views.write(c.weight), bias.map(|bias| views.write(bias)));
                convolution::weight_gradient(pool, kernel, from, to, scratch);
            }
        }
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
        let join = p.join.as_ref().map(forms::join);
        let extra = join.and_then(|join| join.extra());
        pass::Operands {
            map: at,
            x: views.read(p.x),
            norm,
            activation: p.activation.as_ref().map(forms::activation),
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
    [g.dx, g.ds, g.dgates.first().copied().flatten()].map(|target| {
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
            dalpha: tensor(g.dtrained.first().copied()),
            norm: tensor(g.dweight).zip(tensor(g.dbias)),
        };
        pass::backward(pool, &operands, dy, gradients, scratch);
    }
}
