//! The tail: the few channels past the last full sixteen.
//!
//! Fifty channels taken as sixty-four would be a quarter more work, so a product computes
//! the last two one by one, as sums over rows.

use super::LANES;
use super::gemm::Onto;
use super::simd::{Simd, simd};

/// Largest tail; more channels are treated as a full sixteen.
const MOST: usize = 4;

/// Number of rows that share each load of the right matrix.
const TOGETHER: usize = 4;

/// Number of the `channels` that are a tail.
pub fn tail(channels: usize) -> usize {
    match channels % LANES {
        past @ 0..=MOST => past,
        _ => 0,
    }
}

/// A matrix of rows of floats, zero past its columns.
#[derive(Clone, Copy)]
pub struct Rows {
    pub start: *const f32,
    /// Distance from one row to the next.
    pub row: usize,
    pub count: usize,
}

simd! {
    /// Computes `out[r][c] = Σ_k left[r][k]·right[c][k]`, added to `onto`, for the rows c of
    /// a tail and `lines`·16 columns k. The other lanes of the sixteen from `out` on get the
    /// sum 0. The rows of `out` are `out_row` apart.
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
        onto: Onto,
    ) = dots_generic
}

/// Body of [`dots`].
///
/// # Safety
/// As for [`dots`], and S is present.
#[inline(always)]
unsafe fn dots_generic<S: Simd>(
    left: Rows,
    right: Rows,
    lines: usize,
    out: *mut f32,
    out_row: usize,
    onto: Onto,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match right.count {
            1 => dots_of::<S, 1>(left, right, lines, out, out_row, onto),
            2 => dots_of::<S, 2>(left, right, lines, out, out_row, onto),
            3 => dots_of::<S, 3>(left, right, lines, out, out_row, onto),
            MOST => dots_of::<S, MOST>(left, right, lines, out, out_row, onto),
            _ => debug_assert!(right.count == 0),
        }
    }
}

/// Computes [`dots`] for a tail of T rows.
///
/// # Safety
/// As for [`dots_generic`], and `right` has T rows.
#[inline(always)]
unsafe fn dots_of<S: Simd, const T: usize>(
    left: Rows,
    right: Rows,
    lines: usize,
    out: *mut f32,
    out_row: usize,
    onto: Onto,
) {
    let mut sums = [[0.0f32; LANES]; T];
    for first in (0..left.count).step_by(LANES) {
        let count = LANES.min(left.count - first);
        // SAFETY: within the caller's matrices.
        unsafe {
            let mut lanes = [[S::splat(0.0); LANES]; T];
            for r in (0..count).step_by(TOGETHER) {
                // The last ones may come twice.
                let rows: [usize; TOGETHER] = std::array::from_fn(|i| (r + i).min(count - 1));
                let mut sums = [[S::splat(0.0); T]; TOGETHER];
                for k in (0..lines * LANES).step_by(LANES) {
                    let right: [S::V; T] =
                        std::array::from_fn(|c| S::load(right.start.add(c * right.row + k)));
                    for (row, sums) in rows.iter().zip(&mut sums) {
                        let x = S::load(left.start.add((first + row) * left.row + k));
                        for (sum, w) in sums.iter_mut().zip(right) {
                            *sum = S::fma(x, w, *sum);
                        }
                    }
                }
                for (row, sums) in rows.into_iter().zip(sums) {
                    lanes
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(lanes, sum)| lanes[row] = sum);
                }
            }
            for (lanes, sums) in lanes.into_iter().zip(&mut sums) {
                S::store(sums.as_mut_ptr(), S::sums(lanes));
            }
            for r in 0..count {
                let to = out.add((first + r) * out_row);
                match onto {
                    Onto::Nothing => S::store(to, S::splat(0.0)),
                    Onto::Itself => {}
                    Onto::Row(row) => S::store(to, S::load(row)),
                }
                for (c, sums) in sums.iter().enumerate() {
                    *to.add(c) += sums[r];
                }
            }
        }
    }
}
