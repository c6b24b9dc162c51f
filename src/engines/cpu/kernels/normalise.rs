//! What follows a convolution, in one pass over memory: batch norm, activation, and the
//! weighted sum with a skip connection; and its gradient in two.
//!
//! With z the input of a channel c and position, and s the skipped activation:
//!
//! ```text
//! n = (z − μ_c)/√(σ²_c + eps)    u = γ_c·n + β_c    h = activation(u)    out = a·h + b·s
//! ```
//!
//! a and b are one of a channel, or one of a channel and position of the image
//! ([`Blend::plane`]). Norm and blend may each be missing: u = z, out = h. That makes
//! plain (no blend), resnet (a = b = scale), the additive variable skip (a = 1,
//! b = 1 − α) and the convex one (a = α, b = 1 − α).
//!
//! Backward, with d = ∂C/∂out and M rows: `du = a·d·activation′(u)`, `dβ = Σ du`,
//! `dγ = Σ du·n`, `dz = γ/√(σ² + eps)·(du − dβ/M − n·dγ/M)`, `ds = b·d`, `da = Σ d·h`,
//! `db = Σ d·s`. Nothing of the forward pass but z and s need be kept.

use super::activation::{Activation, derivative, value};
use super::pool::Pool;
use super::shared::Shared;
use super::simd::{Simd, simd};
use super::{LANES, padded};

/// Batch norm's operands, `[C]` each.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// μ: of the batch in training, running in evaluation.
    pub mean: &'a [f32],
    /// σ², likewise.
    pub variance: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// γ.
    pub weight: &'a [f32],
    /// β.
    pub bias: &'a [f32],
}

/// A weighted sum with a skip connection.
#[derive(Clone, Copy)]
pub struct Blend<'a> {
    /// s, `[rows][padded(C)]`.
    pub skip: &'a [f32],
    /// a, `[plane][padded(C)]`, zero past C.
    pub body_weight: &'a [f32],
    /// b, likewise.
    pub skip_weight: &'a [f32],
    /// Positions with weights of their own: 1, or H·W.
    pub plane: usize,
}

/// What is computed of z, `[rows][padded(C)]`.
#[derive(Clone, Copy)]
pub struct Fused<'a> {
    /// N·H·W, or N for vectors.
    pub rows: usize,
    /// C.
    pub channels: usize,
    /// Batch norm, if any.
    pub norm: Option<Norm<'a>>,
    /// Activation after it.
    pub activation: Activation,
    /// Sum with a skip connection, if any.
    pub blend: Option<Blend<'a>>,
}

/// Where gradients go; all overwritten but `skip` with `accumulate`.
pub struct Gradients<'a> {
    /// ∂C/∂z, `[rows][padded(C)]`.
    pub input: &'a mut [f32],
    /// ∂C/∂γ and ∂C/∂β, `[C]`.
    pub norm: Option<(&'a mut [f32], &'a mut [f32])>,
    /// ∂C/∂s, `[rows][padded(C)]`.
    pub skip: Option<&'a mut [f32]>,
    /// Whether ∂C/∂s is added to what `skip` holds.
    pub accumulate: bool,
    /// ∂C/∂a and ∂C/∂b, `[plane][padded(C)]`.
    pub weights: Option<(&'a mut [f32], &'a mut [f32])>,
}

/// Floats of a part's rows.
const PART: usize = 16 * 1024;
/// Tables beside z, see [`Fused::tabulate`].
const TABLES: usize = 7;
/// Sums of the backward pass: du, du·n, d·h, d·s.
const SUMS: usize = 4;

/// Rows of a part.
fn part_rows(stride: usize) -> usize {
    (PART / stride.max(1)).clamp(8, 256)
}

/// Scratch of [`forward`].
pub fn forward_scratch_len(channels: usize) -> usize {
    TABLES * padded(channels)
}

/// Scratch of [`backward`].
pub fn backward_scratch_len(rows: usize, channels: usize) -> usize {
    let stride = padded(channels);
    (TABLES + SUMS * (1 + rows.div_ceil(part_rows(stride)))) * stride
}

impl Fused<'_> {
    fn check(&self, lens: &[usize]) {
        let len = self.rows * padded(self.channels);
        assert!(lens.iter().all(|l| *l >= len), "operands too short");
        if let Some(norm) = &self.norm {
            let vectors = [norm.mean, norm.variance, norm.weight, norm.bias];
            assert!(vectors.iter().all(|v| v.len() >= self.channels), "norm too short");
        }
        if let Some(blend) = &self.blend {
            let weights = blend.plane * padded(self.channels);
            assert!(blend.skip.len() >= len && blend.plane > 0, "skip too short");
            assert!(
                blend.body_weight.len() >= weights && blend.skip_weight.len() >= weights,
                "weights too short"
            );
        }
    }

    /// Fills the tables `[μ | 1/√(σ² + eps) | γ | β | 1 where a channel | 0 | 0]`; the
    /// last are for dβ/M and dγ/M.
    fn tabulate(&self, tables: &mut [f32]) {
        let stride = padded(self.channels);
        tables.fill(0.0);
        for c in 0..self.channels {
            let [mean, inverse, weight, bias] = match &self.norm {
                Some(norm) => [
                    norm.mean[c],
                    1.0 / (norm.variance[c] + norm.eps).sqrt(),
                    norm.weight[c],
                    norm.bias[c],
                ],
                None => [0.0, 1.0, 1.0, 0.0],
            };
            for (place, value) in [mean, inverse, weight, bias, 1.0].into_iter().enumerate() {
                tables[place * stride + c] = value;
            }
        }
    }
}

/// What the row loops read beside z.
#[derive(Clone, Copy)]
struct View {
    stride: usize,
    /// See [`Fused::tabulate`].
    tables: *const f32,
    normed: bool,
    activation: Activation,
    /// Null without a blend.
    skip: *const f32,
    body_weight: *const f32,
    skip_weight: *const f32,
    plane: usize,
}
// SAFETY: everything behind the pointers is only read while threads share a view.
unsafe impl Sync for View {}

impl View {
    fn new(fused: &Fused, tables: &[f32]) -> View {
        let stride = padded(fused.channels);
        let mut view = View {
            stride,
            tables: tables.as_ptr(),
            normed: fused.norm.is_some(),
            activation: fused.activation,
            skip: std::ptr::null(),
            // Ones in the channels and zeros past them, which keeps padding zero.
            body_weight: tables[4 * stride..].as_ptr(),
            skip_weight: tables[4 * stride..].as_ptr(),
            plane: 1,
        };
        if let Some(blend) = &fused.blend {
            view.skip = blend.skip.as_ptr();
            view.body_weight = blend.body_weight.as_ptr();
            view.skip_weight = blend.skip_weight.as_ptr();
            view.plane = blend.plane;
        }
        view
    }

    #[inline(always)]
    unsafe fn table<S: Simd>(&self, place: usize, line: usize) -> S::V {
        // SAFETY: within the tables.
        unsafe { S::load(self.tables.add(place * self.stride + line)) }
    }

    /// n and u.
    #[inline(always)]
    unsafe fn normal<S: Simd>(&self, z: S::V, line: usize) -> (S::V, S::V) {
        if !self.normed {
            return (z, z);
        }
        // SAFETY: within the tables.
        unsafe {
            let centred = S::sub(z, self.table::<S>(0, line));
            let n = S::mul(centred, self.table::<S>(1, line));
            (n, S::fma(n, self.table::<S>(2, line), self.table::<S>(3, line)))
        }
    }

    /// Where the weights of a row's channels from `line` on are.
    #[inline(always)]
    fn weight_at(&self, row: usize, line: usize) -> usize {
        if self.plane == 1 { line } else { row % self.plane * self.stride + line }
    }
}

/// `out` of the module's equations.
pub fn forward(pool: &Pool, fused: &Fused, z: &[f32], out: &mut [f32], scratch: &mut [f32]) {
    fused.check(&[z.len(), out.len()]);
    let stride = padded(fused.channels);
    let tables = &mut scratch[..TABLES * stride];
    fused.tabulate(tables);
    let view = View::new(fused, tables);
    let view = &view;
    let (isa, out) = (pool.isa(), Shared::new(out));
    let rows = part_rows(stride);
    pool.parts(fused.rows.div_ceil(rows), |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        // SAFETY: every part writes its own rows.
        unsafe { forward_rows(isa, view, z.as_ptr(), out.start(), first, count) };
    });
}

simd! {
    /// # Safety
    /// The view's operands, `z` and `out` have the rows.
    fn forward_rows(view: &View, z: *const f32, out: *mut f32, first: usize, count: usize)
        = forward_rows_generic
}

#[inline(always)]
unsafe fn forward_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    out: *mut f32,
    first: usize,
    count: usize,
) {
    let view = *view;
    for row in first..first + count {
        for line in (0..view.stride).step_by(LANES) {
            // SAFETY: within the caller's rows.
            unsafe {
                let at = row * view.stride + line;
                let (_, u) = view.normal::<S>(S::load(z.add(at)), line);
                let weight = view.weight_at(row, line);
                let h = value::<S>(view.activation, u);
                let mut sum = S::mul(S::load(view.body_weight.add(weight)), h);
                if !view.skip.is_null() {
                    let b = S::load(view.skip_weight.add(weight));
                    sum = S::fma(b, S::load(view.skip.add(at)), sum);
                }
                S::store(out.add(at), sum);
            }
        }
    }
}

/// Gradients of the module's equations, from `d = ∂C/∂out`.
pub fn backward(
    pool: &Pool,
    fused: &Fused,
    z: &[f32],
    d: &[f32],
    gradients: Gradients,
    scratch: &mut [f32],
) {
    let skip_len = gradients.skip.as_ref().map_or(usize::MAX, |skip| skip.len());
    fused.check(&[z.len(), d.len(), gradients.input.len(), skip_len]);
    let stride = padded(fused.channels);
    let (tables, rest) = scratch.split_at_mut(TABLES * stride);
    let (totals, partials) = rest.split_at_mut(SUMS * stride);
    fused.tabulate(tables);
    let view = View::new(fused, tables);
    let plane = view.plane;
    if fused.norm.is_some() || (gradients.weights.is_some() && plane == 1) {
        sum_by_channel(pool, fused, view, z, d, totals, partials);
    }
    if fused.norm.is_some() {
        let count = fused.rows as f32;
        for c in 0..2 * stride {
            tables[5 * stride + c] = totals[c] / count;
        }
    }
    if let Some((weight, bias)) = gradients.norm {
        bias.copy_from_slice(&totals[..bias.len()]);
        weight.copy_from_slice(&totals[stride..][..weight.len()]);
    }
    if let Some((da, db)) = gradients.weights {
        assert!(da.len() >= plane * stride && db.len() >= plane * stride, "weights too short");
        if plane == 1 {
            da[..stride].copy_from_slice(&totals[2 * stride..3 * stride]);
            db[..stride].copy_from_slice(&totals[3 * stride..4 * stride]);
        } else {
            sum_by_unit(pool, fused, view, z, d, da, db);
        }
    }
    // The tables were written since the first view of them was made.
    let view = View::new(fused, tables);
    let view = &view;
    let isa = pool.isa();
    let accumulate = gradients.accumulate;
    let dz = Shared::new(gradients.input);
    let ds = gradients.skip.map(Shared::new);
    let rows = part_rows(stride);
    pool.parts(fused.rows.div_ceil(rows), |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        let ds = ds.map_or(std::ptr::null_mut(), |ds| ds.start());
        let (z, d, dz) = (z.as_ptr(), d.as_ptr(), dz.start());
        // SAFETY: every part writes its own rows.
        unsafe { backward_rows(isa, view, z, d, dz, ds, accumulate, first, count) };
    });
}

/// The sums over all rows, `[4][padded(C)]`.
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
    let rows = part_rows(stride);
    let parts = fused.rows.div_ceil(rows);
    let isa = pool.isa();
    let view = &view;
    let shared = Shared::new(&mut partials[..parts * SUMS * stride]);
    pool.parts(parts, |_, part| {
        let first = part * rows;
        let count = rows.min(fused.rows - first);
        // SAFETY: every part has its own sums.
        unsafe {
            let to = shared.range(part * SUMS * stride, SUMS * stride).as_mut_ptr();
            let to = [0, 1, 2, 3].map(|sum| to.add(sum * stride));
            sum_rows(isa, view, z.as_ptr(), d.as_ptr(), (first, 1, count), to);
        }
    });
    let totals = Shared::new(totals);
    let partials = &*partials;
    pool.parts(stride / LANES, |_, line| {
        for sum in 0..SUMS {
            let at = sum * stride + line * LANES;
            let mut exact = [0.0f64; LANES];
            for part in 0..parts {
                let values = &partials[part * SUMS * stride + at..][..LANES];
                exact.iter_mut().zip(values).for_each(|(s, v)| *s += f64::from(*v));
            }
            // SAFETY: every part writes its own channels.
            let to = unsafe { totals.range(at, LANES) };
            to.iter_mut().zip(exact).for_each(|(to, s)| *to = s as f32);
        }
    });
}

/// ∂C/∂a and ∂C/∂b where each position of the image has its own.
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
            sum_rows(isa, view, z.as_ptr(), d.as_ptr(), (position, plane, images), to);
        }
    });
}

simd! {
    /// Sums of [`SUMS`] over rows `first, first + step, …`, `count` of them, each sum to
    /// its place unless that is null.
    ///
    /// # Safety
    /// The view's operands, `z` and `d` have the rows, the places `stride` floats.
    fn sum_rows(
        view: &View,
        z: *const f32,
        d: *const f32,
        rows: (usize, usize, usize),
        to: [*mut f32; SUMS],
    ) = sum_rows_generic
}

#[inline(always)]
unsafe fn sum_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    d: *const f32,
    rows: (usize, usize, usize),
    to: [*mut f32; SUMS],
) {
    // Four lines at a time where there are: whole rows of 64 channels, in order.
    let mut line = 0;
    while line < view.stride {
        // SAFETY: passed on to the caller.
        unsafe {
            if view.stride - line >= 4 * LANES {
                sum_lines::<S, 4>(view, z, d, rows, to, line);
                line += 4 * LANES;
            } else {
                sum_lines::<S, 1>(view, z, d, rows, to, line);
                line += LANES;
            }
        }
    }
}

#[inline(always)]
unsafe fn sum_lines<S: Simd, const L: usize>(
    view: &View,
    z: *const f32,
    d: *const f32,
    (first, step, count): (usize, usize, usize),
    to: [*mut f32; SUMS],
    line: usize,
) {
    let view = *view;
    // SAFETY: within the caller's rows and sums.
    unsafe {
        let mut sums = [[S::splat(0.0); SUMS]; L];
        for index in 0..count {
            let row = first + index * step;
            for (l, sums) in sums.iter_mut().enumerate() {
                let line = line + l * LANES;
                let at = row * view.stride + line;
                let (n, u) = view.normal::<S>(S::load(z.add(at)), line);
                let d = S::load(d.add(at));
                let a = S::load(view.body_weight.add(view.weight_at(row, line)));
                let du = derivative::<S>(view.activation, u, S::mul(a, d));
                sums[0] = S::add(sums[0], du);
                sums[1] = S::fma(du, n, sums[1]);
                if !view.skip.is_null() {
                    sums[2] = S::fma(d, value::<S>(view.activation, u), sums[2]);
                    sums[3] = S::fma(d, S::load(view.skip.add(at)), sums[3]);
                }
            }
        }
        for (l, sums) in sums.into_iter().enumerate() {
            for (sum, to) in sums.into_iter().zip(to) {
                if !to.is_null() {
                    S::store(to.add(line + l * LANES), sum);
                }
            }
        }
    }
}

simd! {
    /// ∂C/∂z and, unless `ds` is null, ∂C/∂s of a part's rows.
    ///
    /// # Safety
    /// The view's operands and the others have the rows.
    fn backward_rows(
        view: &View,
        z: *const f32,
        d: *const f32,
        dz: *mut f32,
        ds: *mut f32,
        accumulate: bool,
        first: usize,
        count: usize,
    ) = backward_rows_generic
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn backward_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    d: *const f32,
    dz: *mut f32,
    ds: *mut f32,
    accumulate: bool,
    first: usize,
    count: usize,
) {
    let view = *view;
    for row in first..first + count {
        for line in (0..view.stride).step_by(LANES) {
            // SAFETY: within the caller's rows.
            unsafe {
                let at = row * view.stride + line;
                let weight = view.weight_at(row, line);
                let (n, u) = view.normal::<S>(S::load(z.add(at)), line);
                let d = S::load(d.add(at));
                let a = S::load(view.body_weight.add(weight));
                let mut du = derivative::<S>(view.activation, u, S::mul(a, d));
                if view.normed {
                    let along = S::mul(n, view.table::<S>(6, line));
                    let scale = S::mul(view.table::<S>(1, line), view.table::<S>(2, line));
                    let rest = S::sub(S::sub(du, view.table::<S>(5, line)), along);
                    du = S::mul(scale, rest);
                }
                S::store(dz.add(at), du);
                if !ds.is_null() {
                    let mut gradient = S::mul(S::load(view.skip_weight.add(weight)), d);
                    if accumulate {
                        gradient = S::add(S::load(ds.add(at)), gradient);
                    }
                    S::store(ds.add(at), gradient);
                }
            }
        }
    }
}
