//! The gradient of the weight: `dw = Gᵀ [Σ over tiles of (A dy Aᵀ) ⊙ (Bᵀ x B)] G`.

use super::super::gemm::{Left, Out, Right, outer_product};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::Isa;
use super::super::weights::WeightShape;
use super::super::{ConvGeometry, LANES, padded};
use super::filter::{SPARE_LEN, gradient_block};
use super::tiles::{transform_gradients, transform_tiles};
use super::transform::POINTS;
use super::{Tiling, plane_len};

/// Tiles transformed by one part.
const TRANSFORMED: usize = 4;
/// Tiles of a chunk where channels are few: what of it one point needs stays in cache.
const NARROW_CHUNK: usize = 128;
/// Tiles of a chunk where they are many.
const WIDE_CHUNK: usize = 512;
/// Outputs and inputs, by sixteen, of a part that takes all 36 points: 295 kB of sums.
const OUT_PIECE: usize = 2;
const IN_PIECE: usize = 4;

/// How the work is cut up.
struct Plan {
    tiling: Tiling,
    /// Tiles of a chunk.
    chunk: usize,
    /// Whether a part sums all points for some channels (many channels, one chunk);
    /// otherwise it sums one point for all channels, chunk by chunk.
    by_channels: bool,
}

impl Plan {
    fn new(g: &ConvGeometry) -> Plan {
        let tiling = Tiling::forward(g);
        let most = if tiling.is_narrow() {
            NARROW_CHUNK
        } else {
            WIDE_CHUNK
        };
        let chunks = tiling.total.div_ceil(most).max(1);
        Plan {
            tiling,
            chunk: tiling.total.div_ceil(chunks).max(1),
            by_channels: !tiling.is_narrow() && chunks == 1,
        }
    }

    /// Tiles of inputs, of output gradients, and shared sums.
    fn shared_lens(&self) -> [usize; 3] {
        let t = &self.tiling;
        let sums = POINTS * plane_len(t.out_lines(), padded(t.in_channels));
        [
            POINTS * plane_len(t.in_lines(), self.chunk),
            POINTS * plane_len(t.out_lines(), self.chunk),
            if self.by_channels { 0 } else { sums },
        ]
    }

    /// A thread's sums and spare blocks.
    fn thread_lens(&self) -> [usize; 2] {
        let sums = POINTS * plane_len(OUT_PIECE, IN_PIECE * LANES);
        [if self.by_channels { sums } else { 0 }, SPARE_LEN]
    }
}

/// Scratch of [`weight_gradient`].
pub fn weight_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let plan = Plan::new(g);
    plan.shared_lens().iter().sum::<usize>() + threads * plan.thread_lens().iter().sum::<usize>()
}

/// `∂C/∂w` (`O×I×3×3`, overwritten) from `x` `[N][H][W][I]` and `dy = ∂C/∂y`
/// `[N][H'][W'][O]`: `dw[t] = Σ x[i + t − p]·dy[i]`.
pub fn weight_gradient(
    pool: &Pool,
    g: &ConvGeometry,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(x.len() >= g.input_len() && dw.len() >= g.weight_len() && dy.len() >= g.output_len());
    let plan = Plan::new(g);
    let [inputs, gradients, sums] = plan.shared_lens();
    let (inputs, rest) = scratch.split_at_mut(inputs);
    let (gradients, rest) = rest.split_at_mut(gradients);
    let (sums, threads) = rest.split_at_mut(sums);
    let own: usize = plan.thread_lens().iter().sum();
    assert!(threads.len() >= own * pool.threads(), "too little scratch");
    let pass = Pass {
        plan: &plan,
        isa: pool.isa(),
        x,
        dy,
        dw: Shared::new(dw),
        inputs: Shared::new(inputs),
        gradients: Shared::new(gradients),
        sums: Shared::new(sums),
        threads: Shared::new(threads),
    };
    for first in (0..plan.tiling.total).step_by(plan.chunk) {
        let count = plan.chunk.min(plan.tiling.total - first);
        pass.transform(pool, first, count);
        if plan.by_channels {
            pass.all_points(pool, count);
        } else {
            pass.one_point(pool, count, first > 0);
        }
    }
    if !plan.by_channels {
        pass.finish(pool);
    }
}

struct Pass<'a> {
    plan: &'a Plan,
    isa: Isa,
    x: &'a [f32],
    dy: &'a [f32],
    dw: Shared<'a>,
    inputs: Shared<'a>,
    gradients: Shared<'a>,
    sums: Shared<'a>,
    threads: Shared<'a>,
}

impl Pass<'_> {
    /// A thread's sums and spare blocks.
    ///
    /// # Safety
    /// Only that thread calls this.
    unsafe fn own(&self, thread: usize) -> [*mut f32; 2] {
        let [sums, spare] = self.plan.thread_lens();
        // SAFETY: a thread's own range.
        unsafe {
            let start = self
                .threads
                .range(thread * (sums + spare), sums + spare)
                .as_mut_ptr();
            [start, start.add(sums)]
        }
    }

    fn shape(&self) -> WeightShape {
        let t = &self.plan.tiling;
        WeightShape {
            out_channels: t.out_channels,
            in_channels: t.in_channels,
            taps: 9,
        }
    }

    /// Transforms the tiles of a chunk, of both operands.
    fn transform(&self, pool: &Pool, first: usize, count: usize) {
        let t = &self.plan.tiling;
        let in_plane = plane_len(t.in_lines(), count);
        let out_plane = plane_len(t.out_lines(), count);
        pool.parts(count.div_ceil(TRANSFORMED), |_, part| {
            let skip = part * TRANSFORMED;
            let (from, some) = (first + skip, TRANSFORMED.min(count - skip));
            // SAFETY: every part writes its own tiles.
            unsafe {
                let to = self.inputs.start().add(skip * LANES);
                transform_tiles(
                    self.isa,
                    *t,
                    self.x.as_ptr(),
                    from,
                    some,
                    to,
                    count,
                    in_plane,
                );
                let to = self.gradients.start().add(skip * LANES);
                let dy = self.dy.as_ptr();
                transform_gradients(self.isa, *t, dy, from, some, to, count, out_plane);
            }
        });
    }

    /// Products at `point` of input line `i` with `width` blocks of outputs from `o` on.
    #[allow(clippy::too_many_arguments)]
    unsafe fn multiply(
        &self,
        point: usize,
        count: usize,
        i: usize,
        (o, width): (usize, usize),
        out: Out,
        accumulate: bool,
    ) {
        let t = &self.plan.tiling;
        let in_plane = plane_len(t.in_lines(), count);
        let out_plane = plane_len(t.out_lines(), count);
        // SAFETY: tiles that nobody writes now; `out` is the caller's.
        unsafe {
            let left = Left {
                start: self
                    .inputs
                    .start()
                    .add(point * in_plane + i * count * LANES),
                row: LANES,
                line: 0,
                rows: 0,
                depth: count,
            };
            let right = Right {
                start: self
                    .gradients
                    .start()
                    .add(point * out_plane + o * count * LANES),
                block: count * LANES,
                blocks: width,
            };
            outer_product(self.isa, left, right, LANES, out, accumulate);
        }
    }

    /// A part takes one point.
    fn one_point(&self, pool: &Pool, count: usize, accumulate: bool) {
        let t = &self.plan.tiling;
        let rows = padded(t.in_channels);
        let plane = plane_len(t.out_lines(), rows);
        pool.parts(POINTS, |_, point| {
            for i in 0..t.in_lines() {
                // SAFETY: every part writes its own plane.
                unsafe {
                    let out = Out {
                        start: self.sums.start().add(point * plane + i * LANES * LANES),
                        row: LANES,
                        block: rows * LANES,
                    };
                    self.multiply(point, count, i, (0, t.out_lines()), out, accumulate);
                }
            }
        });
    }

    /// From shared sums to the weight.
    fn finish(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let rows = padded(t.in_channels);
        let plane = plane_len(t.out_lines(), rows);
        pool.parts(t.out_lines() * t.in_lines(), |thread, part| {
            let (o, i) = (part / t.in_lines(), part % t.in_lines());
            // SAFETY: every part writes its own block of the weight.
            unsafe {
                let from = self.sums.start().add((o * rows + i * LANES) * LANES);
                let [_, spare] = self.own(thread);
                let dw = self.dw.start();
                gradient_block(self.isa, from, plane, dw, self.shape(), o, i, spare);
            }
        });
    }

    /// A part takes 32 outputs and 64 inputs, through all points to the weight.
    fn all_points(&self, pool: &Pool, count: usize) {
        let t = &self.plan.tiling;
        let out_pieces = t.out_lines().div_ceil(OUT_PIECE);
        let in_pieces = t.in_lines().div_ceil(IN_PIECE);
        let plane = plane_len(OUT_PIECE, IN_PIECE * LANES);
        pool.parts(out_pieces * in_pieces, |thread, part| {
            let (o, i) = (part % out_pieces * OUT_PIECE, part / out_pieces * IN_PIECE);
            let width = OUT_PIECE.min(t.out_lines() - o);
            let lines = IN_PIECE.min(t.in_lines() - i);
            // SAFETY: own scratch; every part writes its own blocks of the weight.
            unsafe {
                let [sums, spare] = self.own(thread);
                for point in 0..POINTS {
                    for line in 0..lines {
                        let out = Out {
                            start: sums.add(point * plane + line * LANES * LANES),
                            row: LANES,
                            block: IN_PIECE * LANES * LANES,
                        };
                        self.multiply(point, count, i + line, (o, width), out, false);
                    }
                }
                for block in 0..width * lines {
                    let (column, line) = (block / lines, block % lines);
                    let from = sums.add((column * IN_PIECE + line) * LANES * LANES);
                    let (dw, at) = (self.dw.start(), (o + column, i + line));
                    gradient_block(self.isa, from, plane, dw, self.shape(), at.0, at.1, spare);
                }
            }
        });
    }
}
