//! The loops over rows.

use super::super::LANES;
use super::super::activation::{Activation, derivative, value};
use super::super::padded;
use super::super::simd::{Simd, simd};
use super::{Fused, SUMS, Weights};

/// What the row loops read beside z.
#[derive(Clone, Copy)]
pub struct View {
    pub stride: usize,
    /// See [`Fused::tabulate`].
    tables: *const f32,
    normed: bool,
    activation: Activation,
    /// Null without a blend.
    skip: *const f32,
    /// Null without a gate.
    gate: *const f32,
    body_weight: *const f32,
    skip_weight: *const f32,
    pub plane: usize,
}
// SAFETY: everything behind the pointers is only read while threads share a view.
unsafe impl Sync for View {}

impl View {
    pub fn new(fused: &Fused, tables: &[f32]) -> View {
        let stride = padded(fused.channels);
        let mut view = View {
            stride,
            tables: tables.as_ptr(),
            normed: fused.norm.is_some(),
            activation: fused.activation,
            skip: std::ptr::null(),
            gate: std::ptr::null(),
            // Ones in the channels and zeros past them, which keeps padding zero.
            body_weight: tables[4 * stride..].as_ptr(),
            skip_weight: tables[4 * stride..].as_ptr(),
            plane: 1,
        };
        if let Some(blend) = &fused.blend {
            view.skip = blend.skip.as_ptr();
            match blend.weights {
                Weights::Fixed { body, skip, plane } => {
                    view.body_weight = body.as_ptr();
                    view.skip_weight = skip.as_ptr();
                    view.plane = plane;
                }
                Weights::Gate(gate) => view.gate = gate.as_ptr(),
            }
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
            (
                n,
                S::fma(n, self.table::<S>(2, line), self.table::<S>(3, line)),
            )
        }
    }

    /// a and b of a row's channels from `line` on.
    #[inline(always)]
    unsafe fn weights<S: Simd>(&self, row: usize, line: usize) -> (S::V, S::V) {
        // SAFETY: within the weights, the gate and the tables.
        unsafe {
            if !self.gate.is_null() {
                // Both 0 in the padding, as fixed weights are.
                let one = self.table::<S>(4, line);
                let gate = S::load(self.gate.add(row * self.stride + line));
                let a = S::mul(one, value::<S>(Activation::Sigmoid, gate));
                return (a, S::sub(one, a));
            }
            let position = if self.plane == 1 { 0 } else { row % self.plane };
            let at = position * self.stride + line;
            (
                S::load(self.body_weight.add(at)),
                S::load(self.skip_weight.add(at)),
            )
        }
    }
}

simd! {
    /// `out` of a part's rows.
    ///
    /// # Safety
    /// The view's operands, `z` and `out` have the rows.
    pub fn forward_rows(view: &View, z: *const f32, out: *mut f32, first: usize, count: usize)
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
                let (a, b) = view.weights::<S>(row, line);
                let mut sum = S::mul(a, value::<S>(view.activation, u));
                if !view.skip.is_null() {
                    sum = S::fma(b, S::load(view.skip.add(at)), sum);
                }
                S::store(out.add(at), sum);
            }
        }
    }
}

simd! {
    /// Sums of [`SUMS`] over rows `first, first + step, …`, `count` of them, each sum to
    /// its place unless that is null.
    ///
    /// # Safety
    /// The view's operands, `z` and `d` have the rows, the places `stride` floats.
    pub fn sum_rows(
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
                let (a, _) = view.weights::<S>(row, line);
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
    /// ∂C/∂z, ∂C/∂s and ∂C/∂g of a part's rows, each unless its place is null, and
    /// added where its flag says so.
    ///
    /// # Safety
    /// The view's operands and the others have the rows.
    pub fn backward_rows(
        view: &View,
        z: *const f32,
        d: *const f32,
        to: [(*mut f32, bool); 3],
        first: usize,
        count: usize,
    ) = backward_rows_generic
}

#[inline(always)]
unsafe fn backward_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    d: *const f32,
    [dz, ds, dg]: [(*mut f32, bool); 3],
    first: usize,
    count: usize,
) {
    let view = *view;
    for row in first..first + count {
        for line in (0..view.stride).step_by(LANES) {
            // SAFETY: within the caller's rows.
            unsafe {
                let at = row * view.stride + line;
                let (a, b) = view.weights::<S>(row, line);
                let (n, u) = view.normal::<S>(S::load(z.add(at)), line);
                let d = S::load(d.add(at));
                let mut du = derivative::<S>(view.activation, u, S::mul(a, d));
                if view.normed {
                    let along = S::mul(n, view.table::<S>(6, line));
                    let scale = S::mul(view.table::<S>(1, line), view.table::<S>(2, line));
                    let rest = S::sub(S::sub(du, view.table::<S>(5, line)), along);
                    du = S::mul(scale, rest);
                }
                if !dz.0.is_null() {
                    put::<S>(dz, at, du);
                }
                if !ds.0.is_null() {
                    put::<S>(ds, at, S::mul(b, d));
                }
                if !dg.0.is_null() {
                    let apart = S::sub(value::<S>(view.activation, u), S::load(view.skip.add(at)));
                    put::<S>(dg, at, S::mul(S::mul(d, apart), S::mul(a, b)));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn put<S: Simd>((to, add): (*mut f32, bool), at: usize, mut value: S::V) {
    // SAFETY: passed on to the caller.
    unsafe {
        let to = to.add(at);
        if add {
            value = S::add(S::load(to), value);
        }
        S::store(to, value);
    }
}
