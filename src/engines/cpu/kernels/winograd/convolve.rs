//! The pass from input to output, of the convolution and of its input gradient.

use super::super::gemm::{Left, Out, Right, product};
use super::super::moments::{Moments, merge, partial_len};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::Isa;
use super::super::weights::WeightShape;
use super::super::{LANES, padded};
use super::filter::{SPARE_LEN, transform_block};
use super::tiles::{finish_tiles, transform_tiles};
use super::transform::POINTS;
use super::{Tiling, plane_len};

/// Which way the weights are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From outputs to inputs, taps in reverse.
    Backward,
}

/// Tiles whose transforms many channels share ([`Convolution::wide`]).
const SHARED_TILES: usize = 128;
/// Tiles transformed by one part there.
const TRANSFORMED: usize = 4;
/// Outputs, by sixteen, of a part there, and inputs, by sixteen, of a piece of filters:
/// 36 × 32 × 64 floats are 295 kB.
const OUT_PIECE: usize = 2;
const IN_PIECE: usize = 4;

/// A pass and how it is cut up.
pub struct Convolution {
    tiling: Tiling,
    direction: Direction,
    /// Tiles of a part (narrow) or of a chunk (wide).
    block: usize,
    with_moments: bool,
}

impl Convolution {
    pub fn new(tiling: Tiling, direction: Direction, with_moments: bool) -> Self {
        let even = |most: usize| tiling.total.div_ceil(tiling.total.div_ceil(most).max(1));
        let block = if tiling.is_narrow() {
            // Tiles and products of a block in half of a 1 MB second-level cache, and
            // enough blocks to keep many threads busy. The numbers are those that measured
            // best at 16, 64 and 128 channels.
            let lines = tiling.in_lines() + tiling.out_lines();
            let most = match lines {
                0..=2 => 42,
                3..=8 => 14,
                _ => 22,
            };
            even(most.min(tiling.total.div_ceil(16).max(4)))
        } else {
            even(SHARED_TILES)
        };
        Convolution {
            tiling,
            direction,
            block: block.max(1),
            with_moments,
        }
    }

    fn blocks(&self) -> usize {
        self.tiling.total.div_ceil(self.block)
    }

    /// Transformed filters, transformed tiles, and the sums for moments.
    fn shared_lens(&self) -> [usize; 3] {
        let t = &self.tiling;
        let moments = if self.with_moments {
            self.blocks() * partial_len(t.out_channels)
        } else {
            0
        };
        if t.is_narrow() {
            let filters = POINTS * plane_len(t.out_lines(), padded(t.in_channels));
            [filters, 0, moments]
        } else {
            [0, POINTS * plane_len(t.in_lines(), self.block), moments]
        }
    }

    /// A thread's tiles or filters, its products, and its spare blocks.
    fn thread_lens(&self) -> [usize; 3] {
        let t = &self.tiling;
        if t.is_narrow() {
            let tiles = POINTS * plane_len(t.in_lines(), self.block);
            [
                tiles,
                POINTS * plane_len(t.out_lines(), self.block),
                SPARE_LEN,
            ]
        } else {
            let filters = POINTS * plane_len(OUT_PIECE, IN_PIECE * LANES);
            [
                filters,
                POINTS * plane_len(OUT_PIECE, self.block),
                SPARE_LEN,
            ]
        }
    }

    pub fn scratch_len(&self, threads: usize) -> usize {
        self.shared_lens().iter().sum::<usize>()
            + threads * self.thread_lens().iter().sum::<usize>()
    }

    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        pool: &Pool,
        x: &[f32],
        w: &[f32],
        y: &mut [f32],
        accumulate: bool,
        moments: Option<Moments>,
        scratch: &mut [f32],
    ) {
        let [filters, tiles, partials] = self.shared_lens();
        let (filters, rest) = scratch.split_at_mut(filters);
        let (tiles, rest) = rest.split_at_mut(tiles);
        let (partials, threads) = rest.split_at_mut(partials);
        let own: usize = self.thread_lens().iter().sum();
        assert!(threads.len() >= own * pool.threads(), "too little scratch");
        let pass = Pass {
            plan: self,
            isa: pool.isa(),
            x,
            w,
            y: Shared::new(y),
            accumulate,
            filters: Shared::new(filters),
            tiles: Shared::new(tiles),
            partials: Shared::new(partials),
            threads: Shared::new(threads),
        };
        if self.tiling.is_narrow() {
            pass.narrow(pool);
        } else {
            pass.wide(pool);
        }
        if let Some(moments) = moments {
            merge(partials, moments);
        }
    }
}

/// A pass with its operands.
struct Pass<'a> {
    plan: &'a Convolution,
    isa: Isa,
    x: &'a [f32],
    w: &'a [f32],
    y: Shared<'a>,
    accumulate: bool,
    filters: Shared<'a>,
    tiles: Shared<'a>,
    partials: Shared<'a>,
    threads: Shared<'a>,
}

impl Pass<'_> {
    /// A thread's scratch as its three parts.
    ///
    /// # Safety
    /// Only that thread calls this.
    unsafe fn own(&self, thread: usize) -> [*mut f32; 3] {
        let lens = self.plan.thread_lens();
        let total: usize = lens.iter().sum();
        // SAFETY: a thread's own range.
        unsafe {
            let start = self.threads.range(thread * total, total).as_mut_ptr();
            [start, start.add(lens[0]), start.add(lens[0] + lens[1])]
        }
    }

    fn weight_shape(&self) -> WeightShape {
        let t = &self.plan.tiling;
        let (out_channels, in_channels) = match self.plan.direction {
            Direction::Forward => (t.out_channels, t.in_channels),
            Direction::Backward => (t.in_channels, t.out_channels),
        };
        WeightShape {
            out_channels,
            in_channels,
            taps: 9,
        }
    }

    /// Few channels: filters are transformed once, and a part takes a block of tiles all
    /// the way.
    fn narrow(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let (ins, outs) = (t.in_lines(), t.out_lines());
        let depth = padded(t.in_channels);
        let filter_plane = plane_len(outs, depth);
        pool.parts(ins * outs, |thread, part| {
            let (column, row) = (part / ins, part % ins);
            let at = (column * depth + row * LANES) * LANES;
            // SAFETY: every part writes its own rows of its own column block.
            unsafe {
                let to = self.filters.start().add(at);
                let [_, _, spare] = self.own(thread);
                let shape = self.weight_shape();
                let (w, way) = (self.w.as_ptr(), self.plan.direction);
                transform_block(
                    self.isa,
                    w,
                    shape,
                    way,
                    row,
                    column,
                    to,
                    filter_plane,
                    spare,
                );
            }
        });
        pool.parts(self.plan.blocks(), |thread, part| {
            let first = part * self.plan.block;
            let count = self.plan.block.min(t.total - first);
            let (in_plane, out_plane) = (plane_len(ins, count), plane_len(outs, count));
            // SAFETY: own scratch; tiles of output are written by one part each.
            unsafe {
                let [tiles, sums, _] = self.own(thread);
                transform_tiles(
                    self.isa,
                    *t,
                    self.x.as_ptr(),
                    first,
                    count,
                    tiles,
                    count,
                    in_plane,
                );
                for point in 0..POINTS {
                    let left = Left {
                        start: tiles.add(point * in_plane),
                        row: LANES,
                        line: count * LANES,
                        rows: count,
                        depth,
                    };
                    let right = Right {
                        start: self.filters.start().add(point * filter_plane),
                        block: depth * LANES,
                        blocks: outs,
                    };
                    let out = Out {
                        start: sums.add(point * out_plane),
                        row: LANES,
                        block: count * LANES,
                    };
                    product(self.isa, left, right, out, false);
                }
                self.finish(sums, out_plane, part, first, count, 0, outs);
            }
        });
    }

    /// Many channels: a chunk of tiles is transformed for all, then a part takes 32
    /// outputs, and transforms their filters a piece at a time, to use them at once.
    fn wide(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let (ins, outs) = (t.in_lines(), t.out_lines());
        for chunk in 0..self.plan.blocks() {
            let first = chunk * self.plan.block;
            let count = self.plan.block.min(t.total - first);
            let plane = plane_len(ins, count);
            pool.parts(count.div_ceil(TRANSFORMED), |_, part| {
                let skip = part * TRANSFORMED;
                let some = TRANSFORMED.min(count - skip);
                // SAFETY: every part writes its own tiles.
                unsafe {
                    let to = self.tiles.start().add(skip * LANES);
                    let x = self.x.as_ptr();
                    transform_tiles(self.isa, *t, x, first + skip, some, to, count, plane);
                }
            });
            pool.parts(outs.div_ceil(OUT_PIECE), |thread, part| {
                let out = part * OUT_PIECE;
                let width = OUT_PIECE.min(outs - out);
                // SAFETY: own scratch; channels of output are written by one part each.
                unsafe {
                    let own = self.own(thread);
                    self.wide_products(own, count, plane, out, width);
                    let out_plane = plane_len(OUT_PIECE, count);
                    self.finish(own[1], out_plane, chunk, first, count, out, width);
                }
            });
        }
    }

    /// The products of `count` tiles for `width` blocks of outputs from block `out`.
    unsafe fn wide_products(
        &self,
        [filters, sums, spare]: [*mut f32; 3],
        count: usize,
        plane: usize,
        out: usize,
        width: usize,
    ) {
        let ins = self.plan.tiling.in_lines();
        let filter_plane = plane_len(OUT_PIECE, IN_PIECE * LANES);
        let out_plane = plane_len(OUT_PIECE, count);
        for piece in (0..ins).step_by(IN_PIECE) {
            let lines = IN_PIECE.min(ins - piece);
            // SAFETY: the thread's own scratch, and tiles that nobody writes now.
            unsafe {
                for column in 0..width {
                    for row in 0..lines {
                        let at = (column * IN_PIECE + row) * LANES * LANES;
                        let (row, column) = (piece + row, out + column);
                        let (w, way) = (self.w.as_ptr(), self.plan.direction);
                        let (shape, to) = (self.weight_shape(), filters.add(at));
                        transform_block(
                            self.isa,
                            w,
                            shape,
                            way,
                            row,
                            column,
                            to,
                            filter_plane,
                            spare,
                        );
                    }
                }
                for point in 0..POINTS {
                    let tiles = self.tiles.start().cast_const();
                    let left = Left {
                        start: tiles.add(point * plane + piece * count * LANES),
                        row: LANES,
                        line: count * LANES,
                        rows: count,
                        depth: lines * LANES,
                    };
                    let right = Right {
                        start: filters.add(point * filter_plane),
                        block: IN_PIECE * LANES * LANES,
                        blocks: width,
                    };
                    let out = Out {
                        start: sums.add(point * out_plane),
                        row: LANES,
                        block: count * LANES,
                    };
                    product(self.isa, left, right, out, piece > 0);
                }
            }
        }
    }

    /// Products to output, with the sums for moments.
    #[allow(clippy::too_many_arguments)]
    unsafe fn finish(
        &self,
        sums: *const f32,
        plane: usize,
        block: usize,
        first: usize,
        count: usize,
        out: usize,
        width: usize,
    ) {
        let t = &self.plan.tiling;
        let partials = if self.plan.with_moments {
            let at = block * partial_len(t.out_channels) + out * LANES;
            // SAFETY: within the sums.
            unsafe { self.partials.start().add(at) }
        } else {
            std::ptr::null_mut()
        };
        // SAFETY: passed on to the caller.
        unsafe {
            let to = self.y.start().add(out * LANES);
            let (isa, tiles) = (self.isa, (first, count));
            finish_tiles(
                isa,
                *t,
                sums,
                plane,
                tiles,
                width,
                to,
                self.accumulate,
                partials,
            );
        }
    }
}
