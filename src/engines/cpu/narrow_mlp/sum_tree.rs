//! Sums over the parts of the batch, as a tree whose order does not depend on threads.

use super::super::kernels::WeightSums;
use super::Worker;
use super::schedule::middle;
use std::ops::Range;

impl Worker<'_> {
    /// Adds up what of the tree of sums over `parts` this thread has all of, each sum to
    /// the place of its first part.
    ///
    /// # Safety
    /// No other thread uses the sums of this thread's parts.
    pub(super) unsafe fn sum_tree(&self, at: usize, len: usize, parts: Range<usize>) {
        if parts.len() < 2 || parts.end <= self.parts.start || self.parts.end <= parts.start {
            return;
        }
        let middle = middle(&parts);
        // SAFETY: the sums of this thread's parts.
        unsafe {
            self.sum_tree(at, len, parts.start..middle);
            self.sum_tree(at, len, middle..parts.end);
            if self.parts.start <= parts.start && parts.end <= self.parts.end {
                let first = self.sums.range(at + parts.start * len, len);
                let second = &*self.sums.range(at + middle * len, len);
                first.iter_mut().zip(second).for_each(|(sum, x)| *sum += x);
            }
        }
    }

    /// Writes these rows of ∂C/∂W to `dw`.
    pub(super) fn weight_lines(
        &self,
        layout: &WeightSums,
        sums: &[f32],
        rows: Range<usize>,
        dw: &mut [f32],
    ) {
        let (len, body) = (layout.floats(), layout.body());
        let width = dw.len() / rows.len().max(1);
        for (row, to) in rows.clone().zip(dw.chunks_exact_mut(width.max(1))) {
            self.add_up(sums, len, layout.row(row).start, &mut to[..body]);
        }
        for input in body..width {
            let mut column = [0.0; CHUNK];
            for first in rows.clone().step_by(CHUNK) {
                let some = first..rows.end.min(first + CHUNK);
                let column = &mut column[..some.len()];
                self.add_up(sums, len, layout.column(input, some).start, column);
                let weights = dw[(first - rows.start) * width + input..].iter_mut();
                let weights = weights.step_by(width);
                weights.zip(column).for_each(|(weight, x)| *weight = *x);
            }
        }
    }

    /// Writes to `to` the sum over all parts, each of `len` floats, of what they have
    /// from `from` on, from what [`Self::sum_tree`] left.
    pub(super) fn add_up(&self, sums: &[f32], len: usize, from: usize, to: &mut [f32]) {
        for (chunk, to) in to.chunks_mut(CHUNK).enumerate() {
            self.tree(
                sums,
                len,
                from + chunk * CHUNK,
                0..self.narrow_mlp.found.len(),
                to,
            );
        }
    }

    /// Writes to `to` the sum over some parts of what they have from `from` on.
    fn tree(&self, sums: &[f32], len: usize, from: usize, parts: Range<usize>, to: &mut [f32]) {
        let count = to.len();
        let there = |parts: &Range<usize>| {
            let [first, last] = [parts.start, parts.end - 1]
                .map(|part| owner(part, self.narrow_mlp.found.len(), self.threads));
            (first == last).then(|| &sums[parts.start * len + from..][..count])
        };
        if let Some(there) = there(&parts) {
            return to.copy_from_slice(there);
        }
        let middle = middle(&parts);
        let (first, second) = (parts.start..middle, middle..parts.end);
        self.tree(sums, len, from, first, to);
        let mut other = [0.0; CHUNK];
        let other = there(&second).unwrap_or_else(|| {
            self.tree(sums, len, from, second, &mut other[..count]);
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
