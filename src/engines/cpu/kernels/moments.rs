//! Mean and variance of every channel, for batch norm.

use super::pool::Pool;
use super::shared::Shared;
use super::simd::{Simd, simd};
use super::{LANES, padded};

/// Where the statistics of a batch go, one float a channel.
pub struct Moments<'a> {
    /// μ.
    pub mean: &'a mut [f32],
    /// σ², biased (divided by the count).
    pub variance: &'a mut [f32],
}

/// Sums of a part: `[sums | sums of squares]`, each of padded(C) floats.
pub fn partial_len(channels: usize) -> usize {
    2 * padded(channels)
}

/// Merges the sums of parts, in their order and in double precision, over `count`
/// positions a channel.
///
/// A part's sums are single, so the variance is good to about 1e-7·(μ² + σ²).
pub fn merge(partials: &[f32], count: usize, moments: Moments) {
    let channels = moments.mean.len();
    let (stride, half) = (partial_len(channels), padded(channels));
    for c in 0..channels {
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for part in partials.chunks_exact(stride) {
            sum += f64::from(part[c]);
            squares += f64::from(part[half + c]);
        }
        let mean = sum / count as f64;
        moments.mean[c] = mean as f32;
        moments.variance[c] = (squares / count as f64 - mean * mean).max(0.0) as f32;
    }
}

/// Rows of a part in [`moments`].
const ROWS: usize = 256;

/// Scratch of [`moments`].
pub fn scratch_len(rows: usize, channels: usize) -> usize {
    rows.div_ceil(ROWS) * partial_len(channels)
}

/// Statistics of `x`, `[rows][padded(C)]`, of an operand that no kernel here made.
pub fn moments(pool: &Pool, x: &[f32], rows: usize, moments: Moments, scratch: &mut [f32]) {
    let channels = moments.mean.len();
    let stride = padded(channels);
    assert!(x.len() >= rows * stride && moments.variance.len() == channels);
    let parts = rows.div_ceil(ROWS);
    let partials = &mut scratch[..parts * partial_len(channels)];
    let shared = Shared::new(partials);
    let isa = pool.isa();
    pool.parts(parts, |_, part| {
        let first = part * ROWS;
        let count = ROWS.min(rows - first);
        // SAFETY: a part's own sums; rows within x.
        unsafe {
            let sums = shared.range(part * 2 * stride, 2 * stride).as_mut_ptr();
            sum_rows(isa, x.as_ptr().add(first * stride), count, stride, sums);
        }
    });
    merge(partials, rows, moments);
}

simd! {
    /// Sums and sums of squares of the columns of `[rows][stride]`, one part's.
    ///
    /// # Safety
    /// `x` holds the rows, `sums` twice `stride` floats, a multiple of sixteen.
    pub fn sum_rows(x: *const f32, rows: usize, stride: usize, sums: *mut f32) = sum_rows_generic
}

#[inline(always)]
unsafe fn sum_rows_generic<S: Simd>(x: *const f32, rows: usize, stride: usize, sums: *mut f32) {
    for line in (0..stride).step_by(LANES) {
        // SAFETY: within the caller's rows.
        unsafe {
            let (mut sum, mut squares) = (S::splat(0.0), S::splat(0.0));
            for row in 0..rows {
                let v = S::load(x.add(row * stride + line));
                sum = S::add(sum, v);
                squares = S::fma(v, v, squares);
            }
            S::store(sums.add(line), sum);
            S::store(sums.add(stride + line), squares);
        }
    }
}
