//! Mean and variance of every channel, for batch norm.

use super::pool::Pool;
use super::shared::Shared;
use super::simd::{Simd, simd};
use super::{LANES, padded};

/// Results: the statistics of a batch, one float a channel.
pub struct Moments<'a> {
    /// Mean μ.
    pub mean: &'a mut [f32],
    /// Variance σ², biased (divided by the count).
    pub variance: &'a mut [f32],
}

/// Length in floats of a part's sums, `[pivots | sums | sums of squares | counts]`, each of
/// padded(C) floats.
///
/// The sums are of the differences from a pivot, a value of the part: squares of the values
/// themselves would drown a small variance about a large mean.
pub fn partial_len(channels: usize) -> usize {
    4 * padded(channels)
}

/// Running sums of sixteen channels in a part.
#[derive(Clone, Copy)]
pub struct Sums<S: Simd> {
    pivot: S::V,
    sum: S::V,
    squares: S::V,
}

impl<S: Simd> Sums<S> {
    /// Starts with no values, and a `pivot` near those to come.
    ///
    /// # Safety
    /// S is present.
    #[inline(always)]
    pub unsafe fn about(pivot: S::V) -> Self {
        // SAFETY: S is present.
        let zero = unsafe { S::splat(0.0) };
        Sums {
            pivot,
            sum: zero,
            squares: zero,
        }
    }

    /// Adds a value.
    ///
    /// # Safety
    /// S is present.
    #[inline(always)]
    pub unsafe fn add(&mut self, value: S::V) {
        // SAFETY: S is present.
        unsafe {
            let difference = S::sub(value, self.pivot);
            self.sum = S::add(self.sum, difference);
            self.squares = S::fma(difference, difference, self.squares);
        }
    }

    /// Writes the sums of `count` values as four vectors `stride` apart.
    ///
    /// # Safety
    /// The four places are writable, and S is present.
    #[inline(always)]
    pub unsafe fn store(self, to: *mut f32, stride: usize, count: usize) {
        // SAFETY: the caller's places, and S is present.
        unsafe {
            S::store(to, self.pivot);
            S::store(to.add(stride), self.sum);
            S::store(to.add(2 * stride), self.squares);
            S::store(to.add(3 * stride), S::splat(count as f32));
        }
    }
}

/// Merges the sums of parts (none of 2²⁴ values or more) to mean and variance, in their order
/// and in double precision: Chan, Golub & LeVeque 1979.
pub fn merge(partials: &[f32], moments: Moments) {
    let channels = moments.mean.len();
    let stride = padded(channels);
    for from in (0..channels).step_by(LANES) {
        // Sixteen channels in step: every part counts the same for all of them.
        let (mut mean, mut spread) = ([0.0f64; LANES], [0.0f64; LANES]);
        let mut count = 0.0f64;
        for part in partials.chunks_exact(4 * stride) {
            let [pivot, sum, squares, counts] =
                [0, 1, 2, 3].map(|place| &part[place * stride + from..][..LANES]);
            let n = f64::from(counts[0]);
            let total = count + n;
            let (share, weight) = (n / total, count * n / total);
            for c in 0..LANES {
                let [pivot, sum, squares] = [pivot[c], sum[c], squares[c]].map(f64::from);
                let offset = sum / n;
                let shift = pivot + offset - mean[c];
                spread[c] += squares - sum * offset + shift * shift * weight;
                mean[c] += shift * share;
            }
            count = total;
        }
        for c in from..channels.min(from + LANES) {
            moments.mean[c] = mean[c - from] as f32;
            moments.variance[c] = (spread[c - from] / count).max(0.0) as f32;
        }
    }
}

/// Rows of a part of [`moments`].
const ROWS: usize = 256;

/// Floats of scratch that [`moments`] needs.
pub fn scratch_len(rows: usize, channels: usize) -> usize {
    rows.div_ceil(ROWS) * partial_len(channels)
}

/// Sums `rows` rows of `stride` channels, to be [`merge`]d with other parts.
pub fn sum(pool: &Pool, x: &[f32], rows: usize, stride: usize, sums: &mut [f32]) {
    assert!(x.len() >= rows * stride && sums.len() >= 4 * stride);
    let (x, to) = (x.as_ptr(), sums.as_mut_ptr());
    // SAFETY: within both by the assertion.
    unsafe { sum_rows(pool.isa(), x, rows, stride, stride, to) };
}

/// Computes the statistics of `x`, `[rows][padded(C)]`, for an operand that no kernel of ours
/// wrote.
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
            let sums = shared.range(part * 4 * stride, 4 * stride).as_mut_ptr();
            sum_rows(
                isa,
                x.as_ptr().add(first * stride),
                count,
                stride,
                stride,
                sums,
            );
        }
    });
    merge(partials, moments);
}

simd! {
    /// Sums one part: the first `width` columns of `[rows][stride]`. The four kinds of sums
    /// are also `stride` apart.
    ///
    /// # Safety
    /// `x` holds the rows, `sums` the sums; `width` is a multiple of sixteen.
    pub fn sum_rows(x: *const f32, rows: usize, stride: usize, width: usize, sums: *mut f32)
        = sum_rows_generic
}

/// Body of [`sum_rows`].
///
/// # Safety
/// As for [`sum_rows`], and S is present.
#[inline(always)]
unsafe fn sum_rows_generic<S: Simd>(
    x: *const f32,
    rows: usize,
    stride: usize,
    width: usize,
    sums: *mut f32,
) {
    for line in (0..width).step_by(LANES) {
        // SAFETY: within the caller's rows.
        unsafe {
            let mut sums_of_line = Sums::<S>::about(S::load(x.add(line)));
            for row in 0..rows {
                sums_of_line.add(S::load(x.add(row * stride + line)));
            }
            sums_of_line.store(sums.add(line), stride, rows);
        }
    }
}
