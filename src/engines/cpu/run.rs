//! Steps of a plan on the CPU: each action with the kernel that computes it.

use super::clock::Clock;
use super::convolution::Kernel;
use super::kernels::Pool;
use super::map::Map;
use super::memory::BufferViews;
use super::pass::{self, Pass, Passes};
use super::{convolution, dirac, loss, map_step, reshape, update};
use crate::engines::{StepContext, batch};
use crate::ir::Model;
use crate::plan::{Action, ConvPass, Convolution, Plan, Step};
use crate::tensor::Batch;

/// Inputs of a step.
pub(super) struct Inputs<'a> {
    batch: &'a Batch,
    pub at: StepContext,
    classes: usize,
    /// Compiled passes of the plan.
    pub passes: &'a Passes,
}

impl<'a> Inputs<'a> {
    pub fn new(model: &Model, batch: &'a Batch, at: StepContext, passes: &'a Passes) -> Self {
        Inputs {
            batch,
            at,
            classes: model.output.elements(),
            passes,
        }
    }
}

/// Findings of the loss.
#[derive(Default)]
pub(super) struct Found {
    /// Mean loss over the batch.
    pub loss: f64,
    /// Images with the largest logit at their label.
    pub correct: usize,
}

/// Counts the floats of scratch memory for a step.
pub(super) fn workspace(plan: &Plan, step: &Step, threads: usize) -> usize {
    match &step.action {
        Action::Convolve(c) => convolution::scratch(plan, c, threads),
        Action::Statistics { x, .. } => pass::statistics_scratch(Map::of_buffer(plan, *x)),
        Action::Pointwise(p) => Pass::forward_scratch(plan, p, threads),
        Action::PointwiseGradient(g) => Pass::backward_scratch(plan, g, threads),
        Action::Map(_)
        | Action::Dirac { .. }
        | Action::DiracGradient { .. }
        | Action::Loss { .. }
        | Action::Update { .. }
        | Action::MoveStatistics { .. } => 0,
    }
}

/// Puts the batch's images where the plan wants them.
///
/// # Safety
/// Nothing else uses the plan's input of the images that are viewed.
pub(super) unsafe fn images(pool: &Pool, views: &BufferViews, inputs: &Inputs) {
    let (input, images) = (views.plan.input, views.images());
    let (map, given) = (views.map(input), Map::of_images(views.plan));
    if map.is_given(given) {
        return;
    }
    let each = given.image();
    let images = &inputs.batch.images[images.start * each..images.end * each];
    // SAFETY: the caller promises that nothing else uses the plan's input.
    let rows = unsafe { views.write(input) };
    reshape::images_to_rows(pool, (images, given), (rows, map));
}

/// Runs the steps of a plan: forward, and where the loss is finite backward, and if
/// `moves` those that move tensors. Adds the seconds that each takes to `times`.
///
/// # Safety
/// Nothing else uses the buffers that are viewed.
pub(super) unsafe fn all(
    pool: &Pool,
    views: BufferViews,
    inputs: &Inputs,
    moves: bool,
    times: Option<&mut Vec<f64>>,
) -> Found {
    let plan = views.plan;
    let (mut found, mut clock) = (Found::default(), Clock::new(times));
    // SAFETY: the caller promises that nothing else uses the plan's buffers.
    unsafe { images(pool, &views, inputs) };
    let mut index = 0;
    for steps in [
        Some(&plan.forward),
        Some(&plan.backward),
        moves.then_some(&plan.update),
    ] {
        for step in steps.into_iter().flatten() {
            // SAFETY: one step of the plan at a time, on buffers that nothing else uses.
            unsafe { self::step(pool, step, &views, inputs, &mut found) };
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
///
/// # Safety
/// As of [`step_in`].
pub(super) unsafe fn step(
    pool: &Pool,
    step: &Step,
    views: &BufferViews,
    inputs: &Inputs,
    found: &mut Found,
) {
    // SAFETY: passed on to the caller; the workspace is the step's alone.
    unsafe {
        let scratch = step.workspace.map_or(&mut [][..], |id| views.write(id));
        step_in(pool, step, views, scratch, inputs, found);
    }
}

/// Runs one step, of the images that are viewed.
///
/// # Safety
/// The step is one of the plan that is viewed, the scratch is not among its buffers, and
/// while it runs nothing else writes what it reads, or uses what it writes. Its own
/// borrows are sound by the plan's promise: a step writes no buffer twice and none that it
/// reads, and buffers that are in use in the same step do not overlap (`plan::place` tests
/// both).
pub(super) unsafe fn step_in(
    pool: &Pool,
    step: &Step,
    views: &BufferViews,
    scratch: &mut [f32],
    inputs: &Inputs,
    found: &mut Found,
) {
    let plan = views.plan;
    // SAFETY: the caller's promise; only this step's buffers are borrowed, each by its own
    // role.
    unsafe {
        match &step.action {
            Action::Convolve(c) => convolve(pool, views, c, scratch),
            Action::Statistics { x, y } => {
                let from = views.map(*x);
                pass::statistics(pool, views.read(*x), from, views.write(*y), scratch);
            }
            Action::Pointwise(pointwise) => {
                let pass = inputs.passes.of_forward(pointwise);
                pass::forward(pool, pass, views, pointwise, scratch);
            }
            Action::PointwiseGradient(gradients) => {
                let pass = inputs.passes.of_backward(gradients);
                pass::backward(pool, pass, views, gradients, scratch);
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
            Action::Update {
                optimizer,
                range,
                weight,
                gradient,
                slots,
            } => {
                let (w, g) = (views.write(*weight), views.read(*gradient));
                let slots = slots.iter().map(|slot| views.write(*slot));
                update::update(pool, (optimizer, *range), inputs.at, (w, g), slots);
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
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
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
