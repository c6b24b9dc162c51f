//! Steps that move, choose or weigh activations: each kind with the kernel that computes it.

use super::kernels::{Pool, pointwise};
use super::map::Map;
use super::memory::BufferViews;
use super::{pooling, reshape};
use crate::engines::{StepContext, dropout};
use crate::plan::{MapKind, MapStep};

/// Runs a map of the layer at `path`, of the images that are viewed.
///
/// # Safety
/// As of [`BufferViews::read`] and [`BufferViews::write`], for what the step reads and
/// writes.
pub(super) unsafe fn run(
    pool: &Pool,
    views: &BufferViews,
    path: &str,
    step: &MapStep,
    at: StepContext,
) {
    let input = |index: usize| -> (&[f32], Map) {
        let id = step.inputs[index];
        // SAFETY: the caller promises that nothing writes what the step reads.
        (unsafe { views.read(id) }, views.map(id))
    };
    let (to, add) = (views.map(step.y.to), step.y.add);
    // SAFETY: the caller promises that nothing else uses what the step writes.
    let y = unsafe { views.write(step.y.to) };
    // Zeros to add to, where nothing is there yet.
    let zeroed = |y: &mut [f32]| {
        if !add {
            y.fill(0.0);
        }
    };
    match step.kind {
        MapKind::Crelu => {
            let (x, from) = input(0);
            reshape::crelu(x, from, y, to);
        }
        MapKind::CreluGradient => {
            let ((x, _), (dy, from)) = (input(0), input(1));
            zeroed(y);
            reshape::crelu_gradient((x, dy), from, y, to);
        }
        MapKind::Concat { .. } => {
            let ((a, first), (b, second)) = (input(0), input(1));
            reshape::concat((a, b), y, (first, second, to));
        }
        MapKind::ConcatGradient { from } => {
            zeroed(y);
            reshape::channels(input(0), from, y, to);
        }
        MapKind::MaxPool(window) => {
            let (x, from) = input(0);
            pooling::max(pool, x, from, y, window);
        }
        MapKind::MaxPoolGradient(window) => {
            let ((x, _), (dy, _)) = (input(0), input(1));
            pooling::max_gradient(pool, (x, dy), (y, to, add), window);
        }
        MapKind::AvgPool(window) => {
            let (x, from) = input(0);
            pooling::mean(pool, x, from, y, window);
        }
        MapKind::AvgPoolGradient(window) => {
            let (dy, _) = input(0);
            pooling::mean_gradient(pool, dy, (y, to, add), window);
        }
        MapKind::Subsample { stride } => reshape::subsample(input(0), (y, to), stride),
        MapKind::SubsampleGradient { stride } => {
            zeroed(y);
            reshape::subsample_gradient(input(0), (y, to), stride);
        }
        MapKind::Flatten => reshape::flatten(input(0), (y, to)),
        MapKind::FlattenGradient => {
            zeroed(y);
            reshape::unflatten(input(0), (y, to));
        }
        MapKind::Mask { p } => {
            let factors = dropout::factors(p, at.seed, at.step, path);
            reshape::scatter(factors, to, y);
        }
        MapKind::Multiply => {
            let ((x, _), (m, _)) = (input(0), input(1));
            pointwise::multiply(pool, x, m, y, add);
        }
        MapKind::Add => pointwise::add(pool, input(0).0, y),
    }
}
