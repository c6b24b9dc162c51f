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
#[cfg(test)]
mod tests;

pub use build::{Builder, Output, Value};

use super::normalise::{merge, part_rows};
use super::pool::Pool;
use super::shared::Shared;
use super::{LANES, padded};
use crate::ir::expr::{Binary, Compare, Unary};
use execute::{Rows, Sums, run};

/// Floats of a block, and of a slot: with some ten slots, what the first cache holds.
const BLOCK: usize = 512;

/// Tables that programs read, one behind the other.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Number of channels C.
    pub channels: usize,
    /// Positions with entries of their own of each table: 1, or those of an image.
    pub planes: Vec<usize>,
    /// Rows that programs run over at most.
    pub rows: usize,
}

/// Instructions over rows of channels.
#[derive(Clone, Debug)]
pub struct Program {
    channels: usize,
    instructions: Vec<Instruction>,
    constants: Vec<[f32; LANES]>,
    slots: usize,
    sums: usize,
}

/// Step of a program.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    operation: Operation,
    /// Places of the operands; past their number, any.
    from: [Place; 4],
    /// Slot of the result, if there is one.
    to: usize,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Unary(Unary),
    Binary(Binary),
    /// Choice by a comparison of four operands: left, right, then, otherwise.
    Select(Compare),
    Store {
        array: usize,
        add: bool,
    },
    /// Addition to the sum with this index.
    Sum(usize),
}

/// Place of an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Slot(usize),
    Constant(usize),
    Array(usize),
    Table { offset: usize, plane: usize },
}

/// Memory that a program runs on.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Starts of arrays, `[rows][padded(C)]` those that the program names.
    pub arrays: &'a [*mut f32],
    /// Floats of each array before the first row.
    pub offset: usize,
    /// Tables that [`Layout::fill`] filled.
    pub tables: &'a [f32],
    /// Number of rows.
    pub rows: usize,
}

// SAFETY: the threads of a run write different rows of the arrays (see the functions).
unsafe impl Sync for Frame<'_> {}

/// Counts the rows of a block.
fn block_rows(stride: usize) -> usize {
    (BLOCK / stride.max(1)).max(1)
}

impl Layout {
    /// Counts the rows of a table: so many that those of any block are adjacent.
    fn table_rows(&self, table: usize) -> usize {
        let block = block_rows(padded(self.channels)).min(self.rows.max(1));
        self.planes[table] + block - 1
    }

    /// Counts the floats before a table; of the one past the last, those of all.
    fn offset(&self, table: usize) -> usize {
        let rows: usize = (0..table).map(|before| self.table_rows(before)).sum();
        rows * padded(self.channels)
    }

    /// Counts the floats of all tables.
    pub fn floats(&self) -> usize {
        self.offset(self.planes.len())
    }

    /// Fills a table among `tables`; `fill` writes the entries of a position's channels.
    pub fn fill(&self, tables: &mut [f32], table: usize, fill: impl Fn(usize, &mut [f32])) {
        let (stride, plane) = (padded(self.channels), self.planes[table]);
        let start = self.offset(table);
        let table = &mut tables[start..start + self.table_rows(table) * stride];
        let (first, again) = table.split_at_mut(plane * stride);
        for (position, row) in first.chunks_exact_mut(stride).enumerate() {
            let (channels, padding) = row.split_at_mut(self.channels);
            fill(position, channels);
            padding.fill(0.0);
        }
        for (row, to) in again.chunks_exact_mut(stride).enumerate() {
            let from = row % plane * stride;
            to.copy_from_slice(&first[from..from + stride]);
        }
    }
}

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
