//! Sums over the parts of the batch, as a tree whose order does not depend on threads.

use super::super::kernels::{Shared, WeightSums};
use super::schedule::middle;
use std::ops::Range;

/// Adds up what of the tree of sums over `parts` a thread has all of, each sum of `len`
/// floats to the place of its first part among those at `at`; `own` are the thread's
/// parts.
///
/// # Safety
/// No other thread uses the sums of the thread's parts.
pub unsafe fn fold(sums: &Shared, own: &Range<usize>, at: usize, len: usize, parts: Range<usize>) {
    if parts.len() < 2 || parts.end <= own.start || own.end <= parts.start {
        return;
    }
    let middle = middle(&parts);
    // SAFETY: the caller promises that the sums of these parts are the thread's alone.
    unsafe {
        fold(sums, own, at, len, parts.start..middle);
        fold(sums, own, at, len, middle..parts.end);
        if own.start <= parts.start && parts.end <= own.end {
            let first = sums.range(at + parts.start * len, len);
            let second = &*sums.range(at + middle * len, len);
            first.iter_mut().zip(second).for_each(|(sum, x)| *sum += x);
        }
    }
}

/// Sums of all parts, as the threads left them with [`fold`].
#[derive(Clone, Copy)]
pub struct SumTree<'a> {
    /// Floats of the sums of all parts.
    pub sums: &'a [f32],
    /// Number of floats of a part's sums.
    pub len: usize,
    /// Number of parts.
    pub parts: usize,
    /// Number of threads.
    pub threads: usize,
}

impl SumTree<'_> {
    /// Writes these rows of ∂C/∂W to `dw`.
    pub fn weight_lines(&self, layout: &WeightSums, rows: Range<usize>, dw: &mut [f32]) {
        let body = layout.body();
        let width = dw.len() / rows.len().max(1);
        for (row, to) in rows.clone().zip(dw.chunks_exact_mut(width.max(1))) {
            self.add_up(layout.row(row).start, &mut to[..body]);
        }
        for input in body..width {
            let mut column = [0.0; CHUNK];
            for first in rows.clone().step_by(CHUNK) {
                let some = first..rows.end.min(first + CHUNK);
                let column = &mut column[..some.len()];
                self.add_up(layout.column(input, some).start, column);
                let weights = dw[(first - rows.start) * width + input..].iter_mut();
                let weights = weights.step_by(width);
                weights.zip(column).for_each(|(weight, x)| *weight = *x);
            }
        }
    }

    /// Writes to `to` the sum over all parts of what they have from `from` on.
    pub fn add_up(&self, from: usize, to: &mut [f32]) {
        for (chunk, to) in to.chunks_mut(CHUNK).enumerate() {
            self.add_up_parts(from + chunk * CHUNK, 0..self.parts, to);
        }
    }

    /// Writes to `to`, of [`CHUNK`] floats at most, the sum over some parts of what they
    /// have from `from` on.
    fn add_up_parts(&self, from: usize, parts: Range<usize>, to: &mut [f32]) {
        let count = to.len();
        let there = |parts: &Range<usize>| {
            let [first, last] =
                [parts.start, parts.end - 1].map(|part| owner(part, self.parts, self.threads));
            (first == last).then(|| &self.sums[parts.start * self.len + from..][..count])
        };
        if let Some(there) = there(&parts) {
            return to.copy_from_slice(there);
        }
        let middle = middle(&parts);
        let (first, second) = (parts.start..middle, middle..parts.end);
        self.add_up_parts(from, first, to);
        let mut other = [0.0; CHUNK];
        let other = there(&second).unwrap_or_else(|| {
            self.add_up_parts(from, second, &mut other[..count]);
            &other[..count]
        });
        to.iter_mut().zip(other).for_each(|(sum, x)| *sum += x);
    }
}

/// Number of floats that are added up at once.
const CHUNK: usize = 256;

/// Returns the thread that has this part of the batch.
fn owner(part: usize, parts: usize, threads: usize) -> usize {
    ((part + 1) * threads - 1) / parts
}
