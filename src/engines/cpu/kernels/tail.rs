//! The few channels past the last sixteen.
//!
//! Fifty channels taken as sixty-four would be a quarter more work. So a product makes
//! the last two as what they are, sums over rows.

use super::LANES;
use super::simd::{Simd, simd};

/// Channels past the last sixteen that are a tail; more of them fill sixteen.
const MOST: usize = 4;

/// How many of `channels` are a tail.
pub fn tail(channels: usize) -> usize {
    match channels % LANES {
        past @ 0..=MOST => past,
        _ => 0,
    }
}

/// Rows of floats, zero past those that count.
#[derive(Clone, Copy)]
pub struct Rows {
    pub start: *const f32,
    /// From a row to the next.
    pub row: usize,
    pub count: usize,
}

simd! {
    /// `out[r][c] = Σ_k left[r][k]·right[c][k]`, or `+=`, for the few rows c of a tail
    /// and `lines`·16 columns k; the other lanes of the sixteen from `out` on become 0,
    /// or stay. The rows of `out` are `out_row` apart.
    ///
    /// # Safety
    /// The matrices are readable, `out` writable and apart from them; `right` has no
    /// more rows than a tail.
    pub fn dots(
        left: Rows,
        right: Rows,
        lines: usize,
        out: *mut f32,
        out_row: usize,
        accumulate: bool,
    ) = dots_generic
}

#[inline(always)]
unsafe fn dots_generic<S: Simd>(
    left: Rows,
    right: Rows,
    lines: usize,
    out: *mut f32,
    out_row: usize,
    accumulate: bool,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match right.count {
            1 => dots_of::<S, 1>(left, right, lines, out, out_row, accumulate),
            2 => dots_of::<S, 2>(left, right, lines, out, out_row, accumulate),
            3 => dots_of::<S, 3>(left, right, lines, out, out_row, accumulate),
            MOST => dots_of::<S, MOST>(left, right, lines, out, out_row, accumulate),
            _ => debug_assert!(right.count == 0),
        }
    }
}

#[inline(always)]
unsafe fn dots_of<S: Simd, const T: usize>(
    left: Rows,
    right: Rows,
    lines: usize,
    out: *mut f32,
    out_row: usize,
    accumulate: bool,
) {
    // Sixteen rows at a time: lanes are added up by turning the square of their sums.
    let mut lanes = [[0.0f32; LANES * LANES]; T];
    let mut turned = [0.0f32; LANES * LANES];
    let mut sums = [[0.0f32; LANES]; T];
    for first in (0..left.count).step_by(LANES) {
        let count = LANES.min(left.count - first);
        // SAFETY: within the caller's matrices and the arrays.
        unsafe {
            for r in 0..count {
                let from = left.start.add((first + r) * left.row);
                let mut row = [S::splat(0.0); T];
                for line in 0..lines {
                    let x = S::load(from.add(line * LANES));
                    for (c, sum) in row.iter_mut().enumerate() {
                        let w = right.start.add(c * right.row + line * LANES);
                        *sum = S::fma(x, S::load(w), *sum);
                    }
                }
                for (lanes, sum) in lanes.iter_mut().zip(row) {
                    S::store(lanes.as_mut_ptr().add(r * LANES), sum);
                }
            }
            for (lanes, sums) in lanes.iter().zip(&mut sums) {
                S::transpose(lanes.as_ptr(), LANES, turned.as_mut_ptr(), LANES);
                let lane = |k: usize| S::load(turned.as_ptr().add(k * LANES));
                let mut pairs: [S::V; LANES / 2] = std::array::from_fn(lane);
                for (k, pair) in pairs.iter_mut().enumerate() {
                    *pair = S::add(*pair, lane(k + LANES / 2));
                }
                let [a, b, c, d, e, f, g, h] = pairs;
                let [a, b, c, d] = [S::add(a, b), S::add(c, d), S::add(e, f), S::add(g, h)];
                let sum = S::add(S::add(a, b), S::add(c, d));
                S::store(sums.as_mut_ptr(), sum);
            }
            for r in 0..count {
                let to = out.add((first + r) * out_row);
                if !accumulate {
                    S::store(to, S::splat(0.0));
                }
                for (c, sums) in sums.iter().enumerate() {
                    *to.add(c) += sums[r];
                }
            }
        }
    }
}
