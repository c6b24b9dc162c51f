//! The gradient of the weight: `dw = Gᵀ [Σ over tiles of (A dy Aᵀ) ⊙ (Bᵀ x B)] G`.

use super::super::gemm::{Left, Out, Right, outer_product};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::Isa;
use super::super::weights::WeightShape;
use super::super::{ConvGeometry, LANES};
use super::filter::{SPARE_LEN, Values, gradient_block};
use super::tiles::{Tiles, transform_gradients, transform_tiles};
use super::transform::Phase;
use super::{Tiling, plane_len};

/// Tiles transformed by one part.
const TRANSFORMED: usize = 4;
/// Tiles of a chunk where channels are few: what of it one point needs stays in cache.
const NARROW_CHUNK: usize = 128;
/// Tiles of a chunk where they are many.
const WIDE_CHUNK: usize = 512;
/// Outputs, by sixteen, and lines of inputs of a part that takes all points: 295 kB of
/// sums.
const OUT_PIECE: usize = 2;
const LINES: usize = 4;

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

    /// Lines of a plane of inputs.
    fn ins(&self) -> usize {
        self.tiling.phases().len() * self.tiling.in_lines()
    }

    /// Inputs, by sixteen, of a part that takes all points.
    fn in_piece(&self) -> usize {
        LINES / self.tiling.phases().len()
    }

    /// Tiles of inputs, of output gradients, and shared sums.
    fn shared_lens(&self) -> [usize; 3] {
        let t = &self.tiling;
        let sums = t.points() * plane_len(t.out_lines(), self.ins() * LANES);
        [
            t.points() * plane_len(self.ins(), self.chunk),
            t.points() * plane_len(t.out_lines(), self.chunk),
            if self.by_channels { 0 } else { sums },
        ]
    }

    /// A thread's sums and spare blocks.
    fn thread_lens(&self) -> [usize; 2] {
        let sums = self.tiling.points() * plane_len(OUT_PIECE, LINES * LANES);
        [if self.by_channels { sums } else { 0 }, SPARE_LEN]
    }
}

/// Scratch of [`weight_gradient`].
pub fn weight_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let plan = Plan::new(g);
    plan.shared_lens().iter().sum::<usize>() + threads * plan.thread_lens().iter().sum::<usize>()
}

/// `∂C/∂w` (`O×I×3×3`, overwritten) from `x` `[N][H][W][I]` and `dy = ∂C/∂y`
/// `[N][H'][W'][O]`: `dw[t] = Σ x[i·s + t − p]·dy[i]`.
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
        pool.parts(count.div_ceil(TRANSFORMED), |_, part| {
            let skip = part * TRANSFORMED;
            // SAFETY: every part writes its own tiles.
            unsafe {
                let mut inputs = Tiles {
                    first: first + skip,
                    count: TRANSFORMED.min(count - skip),
                    start: self.inputs.start().add(skip * LANES),
                    places: count,
                    plane: plane_len(self.plan.ins(), count),
                };
                let gradients = Tiles {
                    start: self.gradients.start().add(skip * LANES),
                    plane: plane_len(t.out_lines(), count),
                    ..inputs
                };
                for &phase in t.phases() {
                    transform_tiles(self.isa, *t, phase, self.x.as_ptr(), inputs);
                    inputs.start = inputs.start.add(t.in_lines() * count * LANES);
                }
                for &phase in Phase::full(t.stride) {
                    transform_gradients(self.isa, *t, phase, self.dy.as_ptr(), gradients);
                }
            }
        });
    }

    /// Products at `point` of a line of inputs with `width` blocks of outputs from `o` on.
    unsafe fn multiply(
        &self,
        point: usize,
        count: usize,
        line: usize,
        (o, width): (usize, usize),
        out: Out,
        accumulate: bool,
    ) {
        let in_plane = plane_len(self.plan.ins(), count);
        let out_plane = plane_len(self.plan.tiling.out_lines(), count);
        let inputs = point * in_plane + line * count * LANES;
        let gradients = point * out_plane + o * count * LANES;
        // SAFETY: tiles that nobody writes now; `out` is the caller's.
        unsafe {
            let left = Left {
                start: self.inputs.start().add(inputs),
                row: LANES,
                line: 0,
                rows: 0,
                depth: count,
            };
            let right = Right {
                start: self.gradients.start().add(gradients),
                block: count * LANES,
                blocks: width,
            };
            outer_product(self.isa, left, right, LANES, out, accumulate);
        }
    }

    /// A part takes one phase of a point.
    fn one_point(&self, pool: &Pool, count: usize, accumulate: bool) {
        let t = &self.plan.tiling;
        let (lines, phases) = (t.in_lines(), t.phases().len());
        let rows = self.plan.ins() * LANES;
        let plane = plane_len(t.out_lines(), rows);
        pool.parts(t.points() * phases, |_, part| {
            let (point, phase) = (part / phases, part % phases);
            let [some, _] = t.phases_at(point);
            if !some.contains(&phase) {
                return;
            }
            for line in phase * lines..(phase + 1) * lines {
                // SAFETY: every part writes its own lines of its own plane.
                unsafe {
                    let out = Out {
                        start: self.sums.start().add(point * plane + line * LANES * LANES),
                        row: LANES,
                        block: rows * LANES,
                    };
                    self.multiply(point, count, line, (0, t.out_lines()), out, accumulate);
                }
            }
        });
    }

    /// From shared sums to the weight.
    fn finish(&self, pool: &Pool) {
        let t = &self.plan.tiling;
        let rows = self.plan.ins() * LANES;
        pool.parts(t.out_lines() * t.in_lines(), |thread, part| {
            let (o, i) = (part / t.in_lines(), part % t.in_lines());
            // SAFETY: every part writes its own block of the weight.
            unsafe {
                let from = Values {
                    start: self.sums.start().add((o * rows + i * LANES) * LANES),
                    phase: t.in_lines() * LANES * LANES,
                    plane: plane_len(t.out_lines(), rows),
                };
                let [_, spare] = self.own(thread);
                let (dw, shape) = (self.dw.start(), self.shape());
                gradient_block(self.isa, from, t.phases(), dw, shape, (o, i), spare);
            }
        });
    }

    /// A part takes 32 outputs and some inputs, through all points to the weight.
    fn all_points(&self, pool: &Pool, count: usize) {
        let t = &self.plan.tiling;
        let in_piece = self.plan.in_piece();
        let out_pieces = t.out_lines().div_ceil(OUT_PIECE);
        let in_pieces = t.in_lines().div_ceil(in_piece);
        let plane = plane_len(OUT_PIECE, LINES * LANES);
        pool.parts(out_pieces * in_pieces, |thread, part| {
            let (o, i) = (part % out_pieces * OUT_PIECE, part / out_pieces * in_piece);
            let width = OUT_PIECE.min(t.out_lines() - o);
            let lines = in_piece.min(t.in_lines() - i);
            // SAFETY: own scratch; every part writes its own blocks of the weight.
            unsafe {
                let [sums, spare] = self.own(thread);
                for point in 0..t.points() {
                    let [some, _] = t.phases_at(point);
                    for (phase, line) in some.flat_map(|p| (0..lines).map(move |l| (p, l))) {
                        let at = phase * in_piece + line;
                        let out = Out {
                            start: sums.add(point * plane + at * LANES * LANES),
                            row: LANES,
                            block: LINES * LANES * LANES,
                        };
                        let line = phase * t.in_lines() + i + line;
                        self.multiply(point, count, line, (o, width), out, false);
                    }
                }
                for block in 0..width * lines {
                    let (column, line) = (block / lines, block % lines);
                    let from = Values {
                        start: sums.add((column * LINES + line) * LANES * LANES),
                        phase: in_piece * LANES * LANES,
                        plane,
                    };
                    let (dw, shape, at) = (self.dw.start(), self.shape(), (o + column, i + line));
                    gradient_block(self.isa, from, t.phases(), dw, shape, at, spare);
                }
            }
        });
    }
}
