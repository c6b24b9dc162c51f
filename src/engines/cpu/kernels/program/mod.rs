//! Equations of any kind as vector programs.
//!
//! A [`Builder`] collects values, each computed once: elements of arrays
//! `[rows][padded(C)]`, entries of tables (of a channel, or of a channel and position),
//! constants, and operations on them. A [`Program`] is its list of instructions. Every
//! instruction runs over a block of rows that stays in the first cache before the next
//! one does, on buffers ("slots") that values take in turn; so what an instruction costs
//! beside its arithmetic is paid once in some hundred elements.
//!
//! Outputs go to arrays, or are added up over rows. Sums over all rows are cut into
//! parts by the problem alone and merged in order.

mod allocate;
mod build;
mod execute;
mod instructions;
#[cfg(test)]
mod tests;
mod value;

pub use build::Builder;
pub use instructions::{Frame, Layout, Program};
pub use value::{Output, Value};

use super::normalise::{merge, part_rows};
use super::padded;
use super::pool::Pool;
use super::shared::Shared;
use execute::{Rows, Sums, run};
use instructions::{BLOCK, block_rows};

impl Program {
    /// Counts the floats of scratch that a thread needs.
    pub fn scratch(&self) -> usize {
        self.slots * BLOCK
    }

    /// Counts the sums that the program makes.
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// Makes the outputs of all rows; one that is a sum is not made. Scratch is that of
    /// every thread.
    ///
    /// # Safety
    /// The arrays that the program names have the rows, those that it writes are apart
    /// from all others, and nothing else uses them meanwhile. The tables are as the
    /// program's layout says.
    pub unsafe fn store(&self, pool: &Pool, frame: &Frame, scratch: &mut [f32]) {
        assert_eq!(self.sums, 0, "sums have no place here");
        let (isa, slots) = (pool.isa(), Shared::new(scratch));
        let rows = part_rows(frame.rows, padded(self.channels));
        pool.parts(frame.rows.div_ceil(rows), |thread, part| {
            let first = part * rows;
            let count = rows.min(frame.rows - first);
            // SAFETY: a thread's own slots, and every part its own rows.
            unsafe {
                let slots = slots.range(thread * self.scratch(), self.scratch());
                let rows = Rows::adjacent(first, count);
                run(isa, self, frame, rows, slots.as_mut_ptr(), Sums::NONE);
            }
        });
    }

    /// Adds the outputs up over the rows of the frame, which may be a part of the batch:
    /// `[sums][padded(C)]`. Scratch is that of a thread.
    ///
    /// # Safety
    /// As of [`Self::store`].
    pub unsafe fn sum(&self, pool: &Pool, frame: &Frame, sums: &mut [f32], scratch: &mut [f32]) {
        let stride = padded(self.channels);
        let sums = &mut sums[..self.sums * stride];
        let slots = &mut scratch[..self.scratch()];
        sums.fill(0.0);
        let to = Sums {
            to: sums.as_mut_ptr(),
            apart: stride,
            plane: 1,
        };
        let rows = Rows::adjacent(0, frame.rows);
        // SAFETY: sums and slots have their lengths, the rest is the caller's promise.
        unsafe { run(pool.isa(), self, frame, rows, slots.as_mut_ptr(), to) };
    }

    /// Counts the floats of partial sums for [`Self::sum_by_channel`].
    pub fn partials(&self, rows: usize) -> usize {
        let stride = padded(self.channels);
        self.sums * stride * rows.div_ceil(part_rows(rows, stride))
    }

    /// Adds the outputs up over all rows: `[sums][padded(C)]`. Scratch is
    /// [`Self::partials`] and that of every thread.
    ///
    /// # Safety
    /// As of [`Self::store`].
    pub unsafe fn sum_by_channel(
        &self,
        pool: &Pool,
        frame: &Frame,
        sums: &mut [f32],
        scratch: &mut [f32],
    ) {
        let stride = padded(self.channels);
        let (isa, len) = (pool.isa(), self.sums * stride);
        let rows = part_rows(frame.rows, stride);
        let (partials, scratch) = scratch.split_at_mut(self.partials(frame.rows));
        let (shared, slots) = (Shared::new(partials), Shared::new(scratch));
        pool.parts(frame.rows.div_ceil(rows), |thread, part| {
            let first = part * rows;
            let count = rows.min(frame.rows - first);
            // SAFETY: a thread's own slots, and every part its own sums.
            unsafe {
                let sums = shared.range(part * len, len);
                sums.fill(0.0);
                let to = Sums {
                    to: sums.as_mut_ptr(),
                    apart: stride,
                    plane: 1,
                };
                let slots = slots.range(thread * self.scratch(), self.scratch());
                let rows = Rows::adjacent(first, count);
                run(isa, self, frame, rows, slots.as_mut_ptr(), to);
            }
        });
        merge(partials, &mut sums[..len]);
    }

    /// Adds the outputs up over images of `plane` positions: `[sums][plane][padded(C)]`.
    /// Scratch is that of every thread.
    ///
    /// # Safety
    /// As of [`Self::store`].
    pub unsafe fn sum_by_unit(
        &self,
        pool: &Pool,
        frame: &Frame,
        plane: usize,
        sums: &mut [f32],
        scratch: &mut [f32],
    ) {
        let stride = padded(self.channels);
        let sums = &mut sums[..self.sums * plane * stride];
        sums.fill(0.0);
        let (sums, slots) = (Shared::new(sums), Shared::new(scratch));
        let isa = pool.isa();
        let positions = block_rows(stride);
        pool.parts(plane.div_ceil(positions), |thread, part| {
            let first = part * positions;
            let rows = Rows {
                first,
                count: positions.min(plane - first),
                step: plane,
                repeats: frame.rows / plane,
            };
            // SAFETY: a thread's own slots, and every part its own positions.
            unsafe {
                let to = Sums {
                    to: sums.start(),
                    apart: plane * stride,
                    plane,
                };
                let slots = slots.range(thread * self.scratch(), self.scratch());
                run(isa, self, frame, rows, slots.as_mut_ptr(), to);
            }
        });
    }
}
