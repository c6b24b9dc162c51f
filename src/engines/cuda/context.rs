//! A plan on a card.

use super::exchange::Part;
use super::gpu::{Gpu, Grid};
use super::memory::Memory;
use super::pass::PassKernels;
use super::products::Bench;
use crate::plan::{Id, Plan, Step};

/// Counts the rows that a block sums over, and how many blocks it takes for all of them,
/// where a block has 32 channels. The same on every card, so that the bits are.
pub fn chunks(rows: usize, channels: usize) -> (usize, usize) {
    let wanted = (1024 / channels.div_ceil(32).max(1)).max(1);
    let chunk = rows.div_ceil(wanted).max(32);
    (chunk, rows.div_ceil(chunk))
}

/// Makes a grid of blocks of 32 × 8 threads, so many for the channels and for the chunks
/// of rows.
pub fn columns(channels: usize, chunks: usize) -> Grid {
    Grid {
        blocks: [channels.div_ceil(32), chunks, 1],
        threads: [32, 8, 1],
    }
}

/// Plan on a card.
pub struct Run<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Memory of the card.
    pub memory: &'a Memory,
    /// The plan.
    pub plan: &'a Plan,
    /// Images that the plan is for.
    pub part: Part,
    /// Kernels of passes.
    pub passes: &'a PassKernels,
    /// Surroundings of convolutions and dense layers.
    pub bench: Bench<'a>,
}

impl Run<'_> {
    pub(super) fn address(&self, id: Id) -> u64 {
        self.memory.address(self.plan, id)
    }

    pub(super) fn channels(&self, id: Id) -> usize {
        self.plan.shape(id).channels()
    }

    pub(super) fn positions(&self, id: Id) -> usize {
        self.plan.shape(id).positions()
    }

    pub(super) fn rows(&self, id: Id) -> usize {
        self.plan.batch * self.positions(id)
    }

    pub(super) fn count(&self, id: Id) -> usize {
        self.rows(id) * self.channels(id)
    }

    pub(super) fn scratch(&self, step: &Step) -> u64 {
        step.workspace.map_or(0, |id| self.address(id))
    }
}
