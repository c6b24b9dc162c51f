//! Pass over memory after a convolution: batch norm, activation, and the weighted sum
//! with a skip connection; and its gradient in two.
//!
//! With z the input of a channel c and position, and s the skipped activation:
//!
//! ```text
//! n = (z − μ_c)/√(σ²_c + eps)    u = γ_c·n + β_c    h = activation(u)    out = a·h + b·s
//! ```
//!
//! a and b are one of a channel, or one of a channel and position of the image
//! ([`Weights::Fixed`]), or a = T and b = 1 − T for T = sigmoid(g) of each element
//! ([`Weights::Gate`]). Norm and blend may each be missing: u = z, out = h. That makes
//! plain (no blend), resnet (a = b = scale), the additive variable skip (a = 1,
//! b = 1 − α), the convex one (a = α, b = 1 − α), and highway (the gate).
//!
//! Backward, with d = ∂C/∂out and M rows: `du = a·d·activation′(u)`, `dβ = Σ du`,
//! `dγ = Σ du·n`, `dz = γ/√(σ² + eps)·(du − dβ/M − n·dγ/M)`, `ds = b·d`, `da = Σ d·h`,
//! `db = Σ d·s`, `dg = d·(h − s)·T·(1 − T)`. Nothing of the forward pass but z and s need be kept.

mod operands;
mod rows;

pub use operands::{Blend, Fused, GradientSlice, Gradients, Norm, Weights};

use super::pool::Pool;
use super::shared::Shared;
use super::{LANES, padded};
use operands::SUMS;
use rows::{View, backward_rows, forward_rows, sum_rows};

/// Number of floats of a part's rows.
const PART: usize = 16 * 1024;
/// Number of tables beside z, see [`Fused::tabulate`].
const TABLES: usize = 7;

/// Number of parts that even a small pass is cut into, so that every thread meets again
/// the rows that [`super::dense`] left in its cache.
const PARTS: usize = 4;

/// Counts the rows of a part.
pub fn part_rows(rows: usize, stride: usize) -> usize {
    let most = (PART / stride.max(1)).clamp(8, 256);
    most.min(rows.div_ceil(PARTS)).max(8)
}

/// Counts the floats of scratch of [`forward`].
pub fn forward_scratch_len(channels: usize) -> usize {
    TABLES * padded(channels)
}

/// Counts the floats of scratch of [`backward`].
pub fn backward_scratch_len(rows: usize, channels: usize) -> usize {
    let stride = padded(channels);
    (TABLES + SUMS * (1 + rows.div_ceil(part_rows(rows, stride)))) * stride
}

/// Computes `out` of the module's equations.
pub fn forward(pool: &Pool, fused: &Fused, z: &[f32], out: &mut [f32], scratch: &mut [f32]) {
    fused.check(&[z.len(), out.len()]);
    let stride = padded(fused.channels);
    let tables = &mut scratch[..TABLES * stride];
    fused.tabulate(tables);
    let view = View::new(fused, tables);
    let view = &view;
    let (isa, out) = (pool.isa(), Shared::new(out));
    let rows = part_rows(fused.rows, stride);
    pool.parts(fused.rows.div_ceil(rows), |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        // SAFETY: every part writes its own rows.
        unsafe { forward_rows(isa, view, z.as_ptr(), out.start(), first, count) };
    });
}

/// Computes the gradients of the module's equations, from `d = ∂C/∂out`.
pub fn backward(
    pool: &Pool,
    fused: &Fused,
    z: &[f32],
    d: &[f32],
    gradients: Gradients,
    scratch: &mut [f32],
) {
    let stride = padded(fused.channels);
    let (tables, rest) = scratch.split_at_mut(TABLES * stride);
    let (totals, partials) = rest.split_at_mut(SUMS * stride);
    fused.check(&[z.len(), d.len()]);
    fused.tabulate(tables);
    let view = View::new(fused, tables);
    let plane = view.plane;
    if fused.norm.is_some() || (gradients.weights.is_some() && plane == 1) {
        sum_by_channel(pool, fused, view, z, d, totals, partials);
    }
    if let Some((weight, bias)) = gradients.norm {
        norm_gradients(totals, weight, bias);
    }
    if let Some((da, db)) = gradients.weights {
        assert!(
            da.len() >= plane * stride && db.len() >= plane * stride,
            "weights too short"
        );
        if plane == 1 {
            da[..stride].copy_from_slice(&totals[2 * stride..3 * stride]);
            db[..stride].copy_from_slice(&totals[3 * stride..4 * stride]);
        } else {
            sum_by_unit(pool, fused, view, z, d, da, db);
        }
    }
    let targets = [gradients.input, gradients.skip, gradients.gate];
    apply(pool, fused, (totals, fused.rows), z, d, targets, tables);
}

/// Computes ∂C/∂γ and ∂C/∂β from the totals of [`sum`].
pub fn norm_gradients(totals: &[f32], weight: &mut [f32], bias: &mut [f32]) {
    let stride = padded(bias.len());
    bias.copy_from_slice(&totals[..bias.len()]);
    weight.copy_from_slice(&totals[stride..][..weight.len()]);
}

/// Counts the floats of the sums of some rows: `[Σ du
/// Σ du·n
/// Σ d·h
/// Σ d·s]`, a channel each.
pub fn sums_len(channels: usize) -> usize {
    SUMS * padded(channels)
}

/// Computes the sums over the rows of `fused`, which may be a part of the batch. Scratch
/// as of [`forward`].
pub fn sum(
    pool: &Pool,
    fused: &Fused,
    z: &[f32],
    d: &[f32],
    sums: &mut [f32],
    scratch: &mut [f32],
) {
    fused.check(&[z.len(), d.len()]);
    let stride = padded(fused.channels);
    assert!(sums.len() >= SUMS * stride, "sums too short");
    let tables = &mut scratch[..TABLES * stride];
    fused.tabulate(tables);
    let view = View::new(fused, tables);
    let to = sums.as_mut_ptr();
    // SAFETY: the operands have the rows, the sums their four places.
    unsafe {
        let to = [0, 1, 2, 3].map(|sum| to.add(sum * stride));
        let (z, d) = (z.as_ptr(), d.as_ptr());
        sum_rows(pool.isa(), &view, z, d, (0, 1, fused.rows), to);
    }
}

/// Adds up the sums of parts, each as long as `totals`, in their order and in double
/// precision.
pub fn merge(partials: &[f32], totals: &mut [f32]) {
    let len = totals.len();
    for (line, totals) in totals.chunks_exact_mut(LANES).enumerate() {
        let mut exact = [0.0f64; LANES];
        for part in partials.chunks_exact(len) {
            let values = &part[line * LANES..][..LANES];
            exact
                .iter_mut()
                .zip(values)
                .for_each(|(s, v)| *s += f64::from(*v));
        }
        totals
            .iter_mut()
            .zip(exact)
            .for_each(|(to, s)| *to = s as f32);
    }
}

/// Computes the gradients of single rows, given the `totals` of [`sum`] over all `count`
/// rows of the batch: those of the input, the skip and the gate. Scratch as of
/// [`forward`].
pub fn apply(
    pool: &Pool,
    fused: &Fused,
    (totals, count): (&[f32], usize),
    z: &[f32],
    d: &[f32],
    targets: [Option<GradientSlice>; 3],
    scratch: &mut [f32],
) {
    let len = |target: &Option<GradientSlice>| {
        target.as_ref().map_or(usize::MAX, |target| target.to.len())
    };
    let [input, skip, gate] = targets.each_ref().map(len);
    if targets[2].is_some() {
        let gated = fused
            .blend
            .is_some_and(|b| matches!(b.weights, Weights::Gate(_)));
        assert!(gated, "a gradient of a gate that is not there");
    }
    fused.check(&[z.len(), d.len(), input, skip, gate]);
    let stride = padded(fused.channels);
    let tables = &mut scratch[..TABLES * stride];
    fused.tabulate(tables);
    if fused.norm.is_some() {
        for c in 0..2 * stride {
            tables[5 * stride + c] = totals[c] / count as f32;
        }
    }
    let view = View::new(fused, tables);
    let view = &view;
    let isa = pool.isa();
    let targets = targets.map(|target| target.map(|target| (Shared::new(target.to), target.add)));
    let rows = part_rows(fused.rows, stride);
    pool.parts(fused.rows.div_ceil(rows), |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        let to = targets.map(|target| match target {
            Some((to, add)) => (to.start(), add),
            None => (std::ptr::null_mut(), false),
        });
        // SAFETY: every part writes its own rows.
        unsafe { backward_rows(isa, view, z.as_ptr(), d.as_ptr(), to, first, count) };
    });
}

/// Computes the sums over all rows, `[4][padded(C)]`.
fn sum_by_channel(
    pool: &Pool,
    fused: &Fused,
    view: View,
    z: &[f32],
    d: &[f32],
    totals: &mut [f32],
    partials: &mut [f32],
) {
    let stride = view.stride;
    let rows = part_rows(fused.rows, stride);
    let parts = fused.rows.div_ceil(rows);
    let isa = pool.isa();
    let view = &view;
    let shared = Shared::new(&mut partials[..parts * SUMS * stride]);
    pool.parts(parts, |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        // SAFETY: every part has its own sums.
        unsafe {
            let to = shared
                .range(part * SUMS * stride, SUMS * stride)
                .as_mut_ptr();
            let to = [0, 1, 2, 3].map(|sum| to.add(sum * stride));
            sum_rows(isa, view, z.as_ptr(), d.as_ptr(), (first, 1, count), to);
        }
    });
    merge(
        &partials[..parts * SUMS * stride],
        &mut totals[..SUMS * stride],
    );
}

/// Computes ∂C/∂a and ∂C/∂b where each position of the image has its own.
fn sum_by_unit(
    pool: &Pool,
    fused: &Fused,
    view: View,
    z: &[f32],
    d: &[f32],
    da: &mut [f32],
    db: &mut [f32],
) {
    let (stride, plane) = (view.stride, view.plane);
    let images = fused.rows / plane;
    let isa = pool.isa();
    let view = &view;
    let (da, db) = (Shared::new(da), Shared::new(db));
    pool.parts(plane, |_, position| {
        // SAFETY: every part writes its own position.
        unsafe {
            let none = std::ptr::null_mut();
            let [da, db] = [da, db].map(|to| to.start().add(position * stride));
            let to = [none, none, da, db];
            sum_rows(
                isa,
                view,
                z.as_ptr(),
                d.as_ptr(),
                (position, plane, images),
                to,
            );
        }
    });
}
