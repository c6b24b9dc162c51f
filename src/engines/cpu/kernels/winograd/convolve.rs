//! The Winograd pass from input to output, of a convolution and of its input gradient.

use super::super::LANES;
use super::super::gemm::{Left, Onto, Out, Right, product};
use super::super::moments::{Moments, merge, partial_len};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::Isa;
use super::super::weights::WeightShape;
use super::filter::{SPARE_LEN, Values, transform_block};
use super::tiles::{Tiles, finish_tiles, transform_tiles};
use super::tiling::{Direction, Tiling, plane_len};
use super::transform::Phase;

/// Largest chunk of tiles in a pass with many channels ([`ConvolvePass::wide`]).
const SHARED_TILES: usize = 128;
/// Tiles that one part transforms in such a pass.
const TRANSFORMED: usize = 4;
/// Outputs, in lines of sixteen, that one part of such a pass computes. With [`IN_PIECE`], 36
/// × 32 × 64 floats of filters are 295 kB. (Sums of twice as many inputs at once would gain 2
/// % of the time and lose a third of the precision.)
const OUT_PIECE: usize = 2;
/// Inputs, in lines of sixteen, of a piece of filters in such a pass.
const IN_PIECE: usize = 4;

/// A pass over tiles and its division into parts.
pub struct Convolution {
    tiling: Tiling,
    /// Tiles of a part (few channels) or of a chunk (many channels).
    block: usize,
    with_moments: bool,
}

impl Convolution {
    pub fn new(tiling: Tiling, with_moments: bool) -> Self {
        let even = |most: usize| tiling.total.div_ceil(tiling.total.div_ceil(most).max(1));
        let mut convolution = Convolution {
            tiling,
            block: 0,
            with_moments,
        };
        let block = if tiling.is_narrow() {
            // Tiles and products of a block in half of a 1 MB second-level cache, and
            // enough blocks to keep many threads busy. The numbers are those that measured
            // best at 16, 64 and 128 channels.
            let lines = convolution.ins() + convolution.outs();
            let most = match lines {
                0..=2 => 42,
                3..=8 => 14,
                _ => 22,
            };
            even(most.min(tiling.total.div_ceil(16).max(4)))
        } else {
            even(SHARED_TILES)
        };
        convolution.block = block.max(1);
        convolution
    }

    /// Lines of channels in a plane of input, over all phases.
    fn ins(&self) -> usize {
        self.tiling.in_phases().len() * self.tiling.in_lines()
    }

    /// Lines of channels in a plane of output, over all phases.
    fn outs(&self) -> usize {
        self.tiling.out_phases().len() * self.tiling.out_lines()
    }

    fn blocks(&self) -> usize {
        self.tiling.total.div_ceil(self.block)
    }

    /// Floats of shared scratch: transformed filters, transformed tiles, and the sums for
    /// moments.
    fn shared_lens(&self) -> [usize; 3] {
        let points = self.tiling.points();
        let moments = if self.with_moments {
            self.blocks() * partial_len(self.tiling.out_channels)
        } else {
            0
        };
        if self.tiling.is_narrow() {
            let filters = points * plane_len(self.outs(), self.ins() * LANES);
            [filters, 0, moments]
        } else {
            [0, points * plane_len(self.ins(), self.block), moments]
        }
    }

    /// Floats of a thread's scratch: tiles or filters, products, and spare blocks.
    fn thread_lens(&self) -> [usize; 3] {
        let points = self.tiling.points();
        if self.tiling.is_narrow() {
            let tiles = points * plane_len(self.ins(), self.block);
            [
                tiles,
                points * plane_len(self.outs(), self.block),
                SPARE_LEN,
            ]
        } else {
            let filters = points * plane_len(OUT_PIECE, IN_PIECE * LANES);
            [
                filters,
                points * plane_len(OUT_PIECE, self.block),
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
        let thread_len: usize = self.thread_lens().iter().sum();
        assert!(
            threads.len() >= thread_len * pool.threads(),
            "too little scratch"
        );
        let pass = ConvolvePass {
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

/// A pass with its operands and scratch.
struct ConvolvePass<'a> {
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

impl ConvolvePass<'_> {
    /// Scratch of one thread: tiles or filters, products, and spare blocks.
    ///
    /// # Safety
    /// Only that thread uses the result.
    unsafe fn thread_scratch(&self, thread: usize) -> [*mut f32; 3] {
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
        let (out_channels, in_channels) = match t.direction {
            Direction::Forward => (t.out_channels, t.in_channels),
            Direction::Backward => (t.in_channels, t.out_channels),
        };
        WeightShape {
            out_channels,
            in_channels,
            taps: 9,
        }
    }

    /// Runs a pass with few channels: filters are transformed once, and each part takes a
    /// block of tiles through the whole pass.
    fn narrow(&self, pool: &Pool) {
        self.narrow_filters(pool);
        let t = &self.plan.tiling;
        let (ins, outs) = (self.plan.ins(), self.plan.outs());
        pool.parts(self.plan.blocks(), |thread, part| {
            let first = part * self.plan.block;
            let count = self.plan.block.min(t.total - first);
            // SAFETY: own scratch; tiles of output are written by one part each.
            unsafe {
                let [start, sums, _] = self.thread_scratch(thread);
                let mut tiles = Tiles {
                    first,
                    count,
                    start,
                    places: count,
                    plane: plane_len(ins, count),
                };
                for &phase in t.in_phases() {
                    transform_tiles(self.isa, *t, phase, self.x.as_ptr(), tiles);
                    tiles.start = tiles.start.add(t.in_lines() * count * LANES);
                }
                let mut products = Tiles {
                    start: sums,
                    plane: plane_len(outs, count),
                    ..tiles
                };
                self.narrow_products(start, tiles.plane, products);
                for &phase in t.out_phases() {
                    self.finish(phase, products, part, 0, t.out_lines());
                    products.start = products.start.add(t.out_lines() * count * LANES);
                }
            }
        });
    }

    /// Transforms all filters into shared scratch.
    fn narrow_filters(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let depth = self.plan.ins() * LANES;
        let plane = plane_len(self.plan.outs(), depth);
        let phase = match t.direction {
            Direction::Forward => t.in_lines() * LANES * LANES,
            Direction::Backward => t.out_lines() * depth * LANES,
        };
        pool.parts(t.in_lines() * t.out_lines(), |thread, part| {
            let (column, row) = (part / t.in_lines(), part % t.in_lines());
            // SAFETY: every part writes its own rows of its own column block.
            unsafe {
                let offset = (column * depth + row * LANES) * LANES;
                let to = Values {
                    start: self.filters.start().add(offset),
                    phase,
                    plane,
                };
                let [_, _, spare] = self.thread_scratch(thread);
                let (isa, w, shape) = (self.isa, self.w.as_ptr(), self.weight_shape());
                let block = (row, column);
                transform_block(isa, w, shape, t.direction, block, t.phases(), to, spare);
            }
        });
    }

    /// Multiplies a block of transformed tiles, whose planes are `in_plane` apart, by the
    /// filters.
    ///
    /// # Safety
    /// `tiles` and `products` are one thread's, and the filters have been transformed.
    unsafe fn narrow_products(&self, tiles: *const f32, in_plane: usize, products: Tiles) {
        let t = &self.plan.tiling;
        let depth = self.plan.ins() * LANES;
        let filter_plane = plane_len(self.plan.outs(), depth);
        let line = products.count * LANES;
        for point in 0..t.points() {
            let [ins, outs] = t.phases_at(point);
            let (row, column) = (ins.start * t.in_lines(), outs.start * t.out_lines());
            // SAFETY: the caller's tiles and products, and the filters.
            unsafe {
                let left = Left {
                    start: tiles.add(point * in_plane + row * line),
                    row: LANES,
                    line,
                    rows: products.count,
                    depth: ins.len() * t.in_lines() * LANES,
                };
                let offset = point * filter_plane + (column * depth + row * LANES) * LANES;
                let right = Right {
                    start: self.filters.start().add(offset),
                    block: depth * LANES,
                    blocks: outs.len() * t.out_lines(),
                };
                let out = Out {
                    start: products.start.add(point * products.plane + column * line),
                    row: LANES,
                    block: line,
                };
                product(self.isa, left, right, out, Onto::Nothing);
            }
        }
    }

    /// Runs a pass with many channels: each chunk of tiles is transformed for all threads;
    /// then each part takes 32 outputs of a phase, and transforms their filters piece by
    /// piece, to use them at once.
    fn wide(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let pieces = t.out_lines().div_ceil(OUT_PIECE);
        for chunk in 0..self.plan.blocks() {
            let first = chunk * self.plan.block;
            let count = self.plan.block.min(t.total - first);
            let tiles = || Tiles {
                first,
                count,
                start: self.tiles.start(),
                places: count,
                plane: plane_len(self.plan.ins(), count),
            };
            pool.parts(count.div_ceil(TRANSFORMED), |_, part| {
                let skip = part * TRANSFORMED;
                let mut piece = tiles();
                piece.first += skip;
                piece.count = TRANSFORMED.min(count - skip);
                // SAFETY: every part writes its own tiles.
                unsafe {
                    piece.start = piece.start.add(skip * LANES);
                    for &phase in t.in_phases() {
                        transform_tiles(self.isa, *t, phase, self.x.as_ptr(), piece);
                        piece.start = piece.start.add(t.in_lines() * count * LANES);
                    }
                }
            });
            pool.parts(pieces * t.out_phases().len(), |thread, part| {
                let (out, phase) = (part % pieces * OUT_PIECE, part / pieces);
                let width = OUT_PIECE.min(t.out_lines() - out);
                // SAFETY: own scratch; positions of output are written by one part each.
                unsafe {
                    let [filters, start, spare] = self.thread_scratch(thread);
                    let products = Tiles {
                        start,
                        plane: plane_len(OUT_PIECE, count),
                        ..tiles()
                    };
                    let out_phase = t.out_phases()[phase];
                    self.wide_products((filters, spare), tiles(), products, phase, out, width);
                    self.finish(out_phase, products, chunk, out, width);
                }
            });
        }
    }

    /// Multiplies tiles by the filters of one phase, for `width` blocks of outputs from block
    /// `out` on.
    ///
    /// # Safety
    /// `filters`, `spare` and `products` are one thread's, and no thread writes `tiles`.
    unsafe fn wide_products(
        &self,
        (filters, spare): (*mut f32, *mut f32),
        tiles: Tiles,
        products: Tiles,
        out_phase: usize,
        out: usize,
        width: usize,
    ) {
        let t = &self.plan.tiling;
        let filter_plane = plane_len(OUT_PIECE, IN_PIECE * LANES);
        let line_len = tiles.places * LANES;
        for in_phase in 0..t.in_phases().len() {
            for piece in (0..t.in_lines()).step_by(IN_PIECE) {
                let lines = IN_PIECE.min(t.in_lines() - piece);
                // One of the two is the only one.
                let phase = &t.phases()[in_phase + out_phase..][..1];
                // SAFETY: the thread's own scratch, and tiles that nobody writes now.
                unsafe {
                    for column in 0..width {
                        for row in 0..lines {
                            let offset = (column * IN_PIECE + row) * LANES * LANES;
                            let to = Values {
                                start: filters.add(offset),
                                phase: 0,
                                plane: filter_plane,
                            };
                            let block = (piece + row, out + column);
                            let (isa, w, shape) = (self.isa, self.w.as_ptr(), self.weight_shape());
                            transform_block(isa, w, shape, t.direction, block, phase, to, spare);
                        }
                    }
                    for point in 0..t.points() {
                        let [ins, outs] = t.phases_at(point);
                        if !ins.contains(&in_phase) || !outs.contains(&out_phase) {
                            continue;
                        }
                        let line = in_phase * t.in_lines() + piece;
                        let left = Left {
                            start: tiles.start.add(point * tiles.plane + line * line_len),
                            row: LANES,
                            line: line_len,
                            rows: tiles.count,
                            depth: lines * LANES,
                        };
                        let right = Right {
                            start: filters.add(point * filter_plane),
                            block: IN_PIECE * LANES * LANES,
                            blocks: width,
                        };
                        let to = Out {
                            start: products.start.add(point * products.plane),
                            row: LANES,
                            block: line_len,
                        };
                        let accumulate = piece > 0 || in_phase > ins.start;
                        product(self.isa, left, right, to, accumulate.into());
                    }
                }
            }
        }
    }

    /// Transforms products to outputs of one phase, and sums them for the moments.
    ///
    /// # Safety
    /// `products` are one thread's, and no other thread touches these positions and channels of
    /// the output.
    unsafe fn finish(&self, phase: Phase, products: Tiles, block: usize, out: usize, width: usize) {
        let t = &self.plan.tiling;
        let partials = if self.plan.with_moments {
            let offset = block * partial_len(t.out_channels) + out * LANES;
            // SAFETY: within the sums.
            unsafe { self.partials.start().add(offset) }
        } else {
            std::ptr::null_mut()
        };
        // SAFETY: passed on to the caller.
        unsafe {
            let to = self.y.start().add(out * LANES);
            let (isa, accumulate) = (self.isa, self.accumulate);
            finish_tiles(isa, *t, phase, products, width, to, accumulate, partials);
        }
    }
}
