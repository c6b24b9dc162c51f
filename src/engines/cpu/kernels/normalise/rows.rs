//! Loops over rows.

use super::super::LANES;
use super::super::activation::{Activation, derivative, value};
use super::super::padded;
use super::super::simd::{Simd, simd};
use super::operands::{Fused, SUMS, Weights};

/// Kinds of views that have loops of their own, in which nothing is decided a row,
/// because most networks are made of them: batch norm and ReLU, and sums with a skip
/// connection by weights of channels or by a gate.
const NORMED: u8 = 1;
const JOINED: u8 = 2;
const GATED: u8 = 3;
/// Kind of all other views.
const ANY: u8 = 0;

/// View of what the row loops read beside z.
#[derive(Clone, Copy)]
pub struct View {
    pub stride: usize,
    /// Tables of [`Fused::tabulate`].
    tables: *const f32,
    normed: bool,
    activation: Activation,
    /// Activation s; null without a blend.
    skip: *const f32,
    gated: bool,
    /// Gate g, where there is one.
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
            gated: false,
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
                Weights::Gate(gate) => {
                    view.gated = true;
                    view.gate = gate.as_ptr();
                }
            }
        }
        view
    }

    /// Finds the kind whose loops are for the view.
    fn usual(&self) -> u8 {
        match (self.normed, self.activation, self.gated, self.plane) {
            (true, Activation::Relu, false, 1) => NORMED,
            (false, Activation::Identity, false, 1) => JOINED,
            (false, Activation::Identity, true, _) => GATED,
            _ => ANY,
        }
    }

    /// Returns the view as the compiler is to know it.
    #[inline(always)]
    fn known<const USUAL: u8>(&self) -> View {
        let (normed, activation, gated) = match USUAL {
            NORMED => (true, Activation::Relu, false),
            JOINED => (false, Activation::Identity, false),
            GATED => (false, Activation::Identity, true),
            _ => return *self,
        };
        View {
            normed,
            activation,
            gated,
            plane: 1,
            ..*self
        }
    }

    /// Loads what the channels from `line` on have in common.
    ///
    /// # Safety
    /// S is present, and the view has the line.
    #[inline(always)]
    unsafe fn channels<S: Simd>(&self, line: usize) -> Channels<S> {
        // SAFETY: within the tables and the weights.
        unsafe {
            let table = |place: usize| S::load(self.tables.add(place * self.stride + line));
            Channels {
                normed: self.normed,
                mean: table(0),
                inverse: table(1),
                weight: table(2),
                bias: table(3),
                shift: table(5),
                along: table(6),
                weights: (
                    S::load(self.body_weight.add(line)),
                    S::load(self.skip_weight.add(line)),
                ),
            }
        }
    }

    /// Loads a and b of a row's channels from `line` on.
    ///
    /// # Safety
    /// S is present, and the view has the row and the line.
    #[inline(always)]
    unsafe fn weights<S: Simd>(
        &self,
        channels: &Channels<S>,
        row: usize,
        line: usize,
    ) -> (S::V, S::V) {
        if !self.gated && self.plane == 1 {
            return channels.weights;
        }
        // SAFETY: within the weights, the gate and the tables.
        unsafe {
            if !self.gated {
                let at = row % self.plane * self.stride + line;
                let [a, b] = [self.body_weight, self.skip_weight].map(|from| from.add(at));
                return (S::load(a), S::load(b));
            }
            // Both 0 in the padding, as fixed weights are.
            let one = S::load(self.tables.add(4 * self.stride + line));
            let gate = S::load(self.gate.add(row * self.stride + line));
            let a = S::mul(one, value::<S>(Activation::Sigmoid, gate));
            (a, S::sub(one, a))
        }
    }
}

/// Tables and weights of sixteen channels, in registers while rows pass by.
#[derive(Clone, Copy)]
struct Channels<S: Simd> {
    normed: bool,
    /// Mean μ, 1/√(σ² + eps), γ, β.
    mean: S::V,
    inverse: S::V,
    weight: S::V,
    bias: S::V,
    /// Shares dβ/M and dγ/M.
    shift: S::V,
    along: S::V,
    /// Weights a and b, where every row has the same.
    weights: (S::V, S::V),
}

impl<S: Simd> Channels<S> {
    /// Computes n and u.
    ///
    /// # Safety
    /// S is present.
    #[inline(always)]
    unsafe fn normal(&self, z: S::V) -> (S::V, S::V) {
        if !self.normed {
            return (z, z);
        }
        // SAFETY: S is present.
        unsafe {
            let n = S::mul(S::sub(z, self.mean), self.inverse);
            (n, S::fma(n, self.weight, self.bias))
        }
    }
}

/// Runs `$lines::<S, L, USUAL>(view, …, line)` for groups of L lines, then of one.
macro_rules! by_lines {
    ($most:literal, $lines:ident :: <$S:ident>($view:expr, $($arg:expr),*)) => {
        let mut line = 0;
        let usual = $view.usual();
        while line < $view.stride {
            let whole = $view.stride - line >= $most * LANES;
            macro_rules! lines_of {
                ($usual:ident) => {
                    match whole {
                        true => $lines::<$S, $most, $usual>($view, $($arg),*, line),
                        false => $lines::<$S, 1, $usual>($view, $($arg),*, line),
                    }
                };
            }
            match usual {
                NORMED => lines_of!(NORMED),
                JOINED => lines_of!(JOINED),
                GATED => lines_of!(GATED),
                _ => lines_of!(ANY),
            }
            line += if whole { $most * LANES } else { LANES };
        }
    };
}

simd! {
    /// Computes `out` of a part's rows.
    ///
    /// # Safety
    /// The view's operands, `z` and `out` have the rows.
    pub fn forward_rows(view: &View, z: *const f32, out: *mut f32, first: usize, count: usize)
        = forward_rows_generic
}

/// Body of [`forward_rows`].
///
/// # Safety
/// As for [`forward_rows`], and S is present.
#[inline(always)]
unsafe fn forward_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    out: *mut f32,
    first: usize,
    count: usize,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        by_lines!(4, forward_lines::<S>(view, z, out, first, count));
    }
}

/// Computes `out` of L lines of channels from `line` on.
///
/// # Safety
/// As for [`forward_rows_generic`], and the rows have the lines.
#[inline(always)]
unsafe fn forward_lines<S: Simd, const L: usize, const USUAL: u8>(
    view: &View,
    z: *const f32,
    out: *mut f32,
    first: usize,
    count: usize,
    line: usize,
) {
    let view = view.known::<USUAL>();
    // SAFETY: within the caller's rows.
    unsafe {
        let all: [Channels<S>; L] = std::array::from_fn(|l| view.channels(line + l * LANES));
        for row in first..first + count {
            for (l, channels) in all.iter().enumerate() {
                let line = line + l * LANES;
                let at = row * view.stride + line;
                let (_, u) = channels.normal(S::load(z.add(at)));
                let (a, b) = view.weights(channels, row, line);
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
    /// Adds up the [`SUMS`] sums over rows `first, first + step, …`, `count` of them,
    /// each sum to its place unless that is null.
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

/// Body of [`sum_rows`].
///
/// # Safety
/// As for [`sum_rows`], and S is present.
#[inline(always)]
unsafe fn sum_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    d: *const f32,
    rows: (usize, usize, usize),
    to: [*mut f32; SUMS],
) {
    // SAFETY: passed on to the caller.
    unsafe {
        by_lines!(2, sum_lines::<S>(view, z, d, rows, to));
    }
}

/// Adds up L lines of channels from `line` on.
///
/// # Safety
/// As for [`sum_rows_generic`], and the rows have the lines.
#[inline(always)]
unsafe fn sum_lines<S: Simd, const L: usize, const USUAL: u8>(
    view: &View,
    z: *const f32,
    d: *const f32,
    (first, step, count): (usize, usize, usize),
    to: [*mut f32; SUMS],
    line: usize,
) {
    let view = view.known::<USUAL>();
    // SAFETY: within the caller's rows and sums.
    unsafe {
        let mut sums = [[S::splat(0.0); SUMS]; L];
        let all: [Channels<S>; L] = std::array::from_fn(|l| view.channels(line + l * LANES));
        for index in 0..count {
            let row = first + index * step;
            for (l, (sums, channels)) in sums.iter_mut().zip(&all).enumerate() {
                let line = line + l * LANES;
                let at = row * view.stride + line;
                let (n, u) = channels.normal(S::load(z.add(at)));
                let d = S::load(d.add(at));
                let (a, _) = view.weights(channels, row, line);
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
    /// Computes ∂C/∂z, ∂C/∂s and ∂C/∂g of a part's rows, each unless its place is null,
    /// and added where its flag says so.
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

/// Body of [`backward_rows`].
///
/// # Safety
/// As for [`backward_rows`], and S is present.
#[inline(always)]
unsafe fn backward_rows_generic<S: Simd>(
    view: &View,
    z: *const f32,
    d: *const f32,
    to: [(*mut f32, bool); 3],
    first: usize,
    count: usize,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        by_lines!(2, backward_lines::<S>(view, z, d, to, first, count));
    }
}

/// Computes the gradients of L lines of channels from `line` on.
///
/// # Safety
/// As for [`backward_rows_generic`], and the rows have the lines.
#[inline(always)]
unsafe fn backward_lines<S: Simd, const L: usize, const USUAL: u8>(
    view: &View,
    z: *const f32,
    d: *const f32,
    [dz, ds, dg]: [(*mut f32, bool); 3],
    first: usize,
    count: usize,
    line: usize,
) {
    let view = view.known::<USUAL>();
    // SAFETY: within the caller's rows.
    unsafe {
        let all: [Channels<S>; L] = std::array::from_fn(|l| view.channels(line + l * LANES));
        for row in first..first + count {
            for (l, channels) in all.iter().enumerate() {
                let line = line + l * LANES;
                let at = row * view.stride + line;
                let (a, b) = view.weights(channels, row, line);
                let (n, u) = channels.normal(S::load(z.add(at)));
                let d = S::load(d.add(at));
                let mut du = derivative::<S>(view.activation, u, S::mul(a, d));
                if view.normed {
                    let along = S::mul(n, channels.along);
                    let scale = S::mul(channels.inverse, channels.weight);
                    let rest = S::sub(S::sub(du, channels.shift), along);
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

/// Writes sixteen floats at a place, or adds them.
///
/// # Safety
/// S is present, and the place has sixteen floats.
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
