//! Runs of compiled passes on the buffers of a plan.

use super::super::kernels::Pool;
use super::super::kernels::normalise::{GradientSlice, Norm};
use super::super::memory::BufferViews;
use super::coefficients::Trained;
use super::compile::Pass;
use super::fused::{self, Gradients};
use super::general::{self, TensorGradients};
use crate::plan::{GradientTarget, Id, Pointwise, PointwiseGradients, Statistics};

/// Writes y of the images that are viewed.
///
/// # Safety
/// As of [`BufferViews::read`] and [`BufferViews::write`], for what the step reads and
/// writes.
pub unsafe fn forward(
    pool: &Pool,
    pass: &Pass,
    views: &BufferViews,
    p: &Pointwise,
    scratch: &mut [f32],
) {
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
    unsafe {
        let trained = |index: usize| views.read(coefficients(p)[index]);
        match pass {
            Pass::Fused(fused) => {
                let operands = fused_operands(views, p, &trained);
                fused.forward(pool, &operands, views.write(p.y), scratch);
            }
            Pass::General(general) => {
                let operands = general_operands(views, p, &trained);
                general.run(pool, &operands, scratch);
            }
        }
    }
}

/// Writes all gradients.
///
/// # Safety
/// As of [`forward`].
pub unsafe fn backward(
    pool: &Pool,
    pass: &Pass,
    views: &BufferViews,
    g: &PointwiseGradients,
    scratch: &mut [f32],
) {
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
    unsafe {
        let trained = |index: usize| views.read(coefficients(&g.pass)[index]);
        match pass {
            Pass::Fused(fused) => {
                let operands = fused_operands(views, &g.pass, &trained);
                let gradients = Gradients {
                    arrays: gradient_slices(views, g),
                    norm: norm_gradients(views, g),
                    trained: trained_gradients(views, g),
                };
                fused.backward(pool, &operands, views.read(g.dy), gradients, scratch);
            }
            Pass::General(general) => {
                let operands = general_operands(views, &g.pass, &trained);
                let tensors = TensorGradients {
                    norm: norm_gradients(views, g),
                    trained: trained_gradients(views, g),
                };
                general.differentiate(pool, &operands, tensors, scratch);
            }
        }
    }
}

/// Writes the sums over the images that are viewed, which may be a part of the batch.
///
/// # Safety
/// As of [`forward`].
pub unsafe fn sum(
    pool: &Pool,
    pass: &Pass,
    views: &BufferViews,
    g: &PointwiseGradients,
    sums: &mut [f32],
    scratch: &mut [f32],
) {
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
    unsafe {
        let trained = |index: usize| views.read(coefficients(&g.pass)[index]);
        match pass {
            Pass::Fused(fused) => {
                let operands = fused_operands(views, &g.pass, &trained);
                fused.sum(pool, &operands, views.read(g.dy), sums, scratch);
            }
            Pass::General(general) => {
                let operands = general_operands(views, &g.pass, &trained);
                general.sum(pool, &operands, sums, scratch);
            }
        }
    }
}

/// Writes the gradients of tensors, and the totals, from the sums of all parts of a batch
/// of vectors.
///
/// # Safety
/// As of [`forward`].
pub unsafe fn merge(
    pool: &Pool,
    pass: &Pass,
    views: &BufferViews,
    g: &PointwiseGradients,
    (partials, totals): (&[f32], &mut [f32]),
    scratch: &mut [f32],
) {
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
    unsafe {
        let tensors = TensorGradients {
            norm: norm_gradients(views, g),
            trained: trained_gradients(views, g),
        };
        match pass {
            Pass::Fused(fused) => {
                let trained = |index: usize| views.read(coefficients(&g.pass)[index]);
                let sums = (partials, totals);
                fused.merge(pool, views.map(g.dy), &trained, sums, tensors, scratch);
            }
            Pass::General(general) => general.merge(partials, totals, tensors),
        }
    }
}

/// Writes the gradients of the images that are viewed, which may be a part of a batch of
/// `count` rows whose totals are given.
///
/// # Safety
/// As of [`forward`].
pub unsafe fn apply(
    pool: &Pool,
    pass: &Pass,
    views: &BufferViews,
    g: &PointwiseGradients,
    totals: (&[f32], usize),
    scratch: &mut [f32],
) {
    // SAFETY: the step's buffers: the caller promises that nothing else writes what it
    // reads, or uses what it writes.
    unsafe {
        let trained = |index: usize| views.read(coefficients(&g.pass)[index]);
        match pass {
            Pass::Fused(fused) => {
                let operands = fused_operands(views, &g.pass, &trained);
                let (dy, arrays) = (views.read(g.dy), gradient_slices(views, g));
                fused.apply(pool, &operands, totals, dy, arrays, scratch);
            }
            Pass::General(general) => {
                let operands = general_operands(views, &g.pass, &trained);
                general.apply(pool, &operands, totals, scratch);
            }
        }
    }
}

/// Lists the trained coefficients of a pass.
fn coefficients(p: &Pointwise) -> &[Id] {
    p.join.as_ref().map_or(&[], |join| &join.trained)
}

/// Views the norm of a pass.
///
/// # Safety
/// As of [`forward`].
unsafe fn norm<'a>(views: &BufferViews<'a>, p: &Pointwise) -> Option<Norm<'a>> {
    p.norm.map(|norm| {
        // SAFETY: the caller promises that nothing writes what the pass reads.
        unsafe {
            let (mean, variance) = match norm.statistics {
                Statistics::Batch(id) => views.read(id).split_at(views.map(p.x).stride),
                Statistics::Running { mean, variance } => (views.read(mean), views.read(variance)),
            };
            Norm {
                mean,
                variance,
                weight: views.read(norm.weight),
                bias: views.read(norm.bias),
                eps: norm.eps as f32,
            }
        }
    })
}

/// Views the operands of the fused kernel.
///
/// # Safety
/// As of [`forward`].
unsafe fn fused_operands<'a, 't>(
    views: &BufferViews<'a>,
    p: &Pointwise,
    trained: Trained<'a, 't>,
) -> fused::Operands<'a, 't> {
    // SAFETY: the caller promises that nothing writes what the pass reads.
    unsafe {
        let read = |id: Option<Id>| id.map_or(&[][..], |id| views.read(id));
        let join = p.join.as_ref();
        fused::Operands {
            map: views.map(p.x),
            x: views.read(p.x),
            norm: norm(views, p),
            s: read(join.and_then(|join| join.shortcut)),
            gate: read(join.and_then(|join| join.gates.first().copied())),
            trained,
        }
    }
}

/// Views the operands of vector programs.
///
/// # Safety
/// As of [`forward`].
unsafe fn general_operands<'a, 't>(
    views: &BufferViews<'a>,
    p: &Pointwise,
    trained: Trained<'a, 't>,
) -> general::Operands<'a, 't> {
    let map = views.map(p.x);
    general::Operands {
        arrays: views.starts(),
        offset: views.images().start * map.image(),
        rows: map.rows(),
        // SAFETY: the caller promises that nothing writes what the pass reads.
        norm: unsafe { norm(views, p) },
        trained,
    }
}

/// Views the gradients of x, s and the first gate.
///
/// # Safety
/// As of [`forward`].
unsafe fn gradient_slices<'a>(
    views: &BufferViews<'a>,
    g: &PointwiseGradients,
) -> [Option<GradientSlice<'a>>; 3] {
    let dgate = g.dgates.first().copied().flatten();
    [g.dx, g.ds, dgate].map(|target| {
        target.map(|GradientTarget { to, add }| GradientSlice {
            // SAFETY: the caller promises that nothing else uses what the step writes.
            to: unsafe { views.write(to) },
            add,
        })
    })
}

/// Views the gradients of γ and β.
///
/// # Safety
/// As of [`forward`].
unsafe fn norm_gradients<'a>(
    views: &BufferViews<'a>,
    g: &PointwiseGradients,
) -> Option<(&'a mut [f32], &'a mut [f32])> {
    // SAFETY: the caller promises that nothing else uses what the step writes.
    let tensor = |id: Option<Id>| id.map(|id| unsafe { views.write(id) });
    tensor(g.dweight).zip(tensor(g.dbias))
}

/// Views the gradients of trained coefficients.
///
/// # Safety
/// As of [`forward`], while the iterator is used.
unsafe fn trained_gradients<'a>(
    views: &BufferViews<'a>,
    g: &PointwiseGradients,
) -> impl Iterator<Item = &'a mut [f32]> {
    // SAFETY: the caller promises that nothing else uses what the step writes.
    g.dtrained.iter().map(|id| unsafe { views.write(*id) })
}
