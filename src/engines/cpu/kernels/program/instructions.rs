//! Instructions, and the memory that they run on.

use super::super::{LANES, padded};
use crate::ir::expr::{Binary, Compare, Unary};

/// Floats of a block, and of a slot: with some ten slots, what the first cache holds.
pub(super) const BLOCK: usize = 512;

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
    pub(super) channels: usize,
    pub(super) instructions: Vec<Instruction>,
    pub(super) constants: Vec<[f32; LANES]>,
    pub(super) slots: usize,
    pub(super) sums: usize,
}

/// Step of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub(super) operation: Operation,
    /// Places of the operands; past their number, any.
    pub(super) from: [Place; 4],
    /// Slot of the result, if there is one.
    pub(super) to: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
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
pub(super) enum Place {
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
pub(super) fn block_rows(stride: usize) -> usize {
    (BLOCK / stride.max(1)).max(1)
}

impl Layout {
    /// Counts the rows of a table: so many that those of any block are adjacent.
    pub(super) fn table_rows(&self, table: usize) -> usize {
        let block = block_rows(padded(self.channels)).min(self.rows.max(1));
        self.planes[table] + block - 1
    }

    /// Counts the floats before a table; of the one past the last, those of all.
    pub(super) fn offset(&self, table: usize) -> usize {
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
