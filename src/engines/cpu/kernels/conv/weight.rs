//! Gradient of a convolution's weight: `dw[t] = Σ x[i·s + t − p]·dy[i]`.

use super::super::gemm::{Left, Out, Right, outer_product};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::{Isa, Simd, simd};
use super::super::weights::{WeightShape, write_block};
use super::super::{ConvGeometry, LANES, padded};
use super::forward::SendPatches;
use super::patches::{Axis, Patches, line_len, pack, pack_compact};
use super::shapes::{Depth, check};

/// Number of rows packed at once.
const ROWS: usize = 128;
/// Lines of K in a part; they share the packed gradients and the search for their patches.
const GROUP: usize = 2;
/// Least number of parts, as far as there are rows.
const PARTS: usize = 16;

/// Number of pieces that the rows are cut into, each with sums of its own, if lines of K
/// alone make too few parts.
fn pieces(g: &ConvGeometry) -> usize {
    let rows = g.output_len() / padded(g.out_channels);
    PARTS
        .div_ceil(Depth::new(g).lines.div_ceil(GROUP))
        .clamp(1, rows.div_ceil(ROWS).max(1))
}

/// Floats of scratch: the sums, and for each thread its patches with output gradients, or a
/// spare block.
fn lens(g: &ConvGeometry) -> [usize; 2] {
    let depth = Depth::new(g);
    let out = padded(g.out_channels);
    let packed = (ROWS + 1) * (depth.taps * GROUP * LANES + out);
    [
        pieces(g) * depth.len() * out,
        packed.max(depth.weight_shape(g).block_len()),
    ]
}

/// Floats of scratch that [`weight_gradient`] needs.
pub fn weight_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let [sums, own] = lens(g);
    sums + threads * own
}

/// Computes `dw = ∂C/∂w` (`O×I×k×k`) from `x` and `dy = ∂C/∂y`; shapes are those of
/// [`super::forward()`].
pub fn weight_gradient(
    pool: &Pool,
    g: &ConvGeometry,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    scratch: &mut [f32],
) {
    check(g, x.len(), dw.len(), dy.len());
    assert!(
        scratch.len() >= weight_gradient_scratch_len(g, pool.threads()),
        "too little scratch"
    );
    let [sums, own] = lens(g);
    let (sums, threads) = scratch.split_at_mut(sums);
    let threads = Shared::new(threads);
    let sums = Shared::new(sums);
    let depth = Depth::new(g);
    let isa = pool.isa();
    let out_lines = g.out_channels.div_ceil(LANES);
    let rows = g.output_len() / padded(g.out_channels);
    let pieces = pieces(g);
    // `[piece][line of K][O/16][taps·16][16]`.
    let piece_len = depth.len() * padded(g.out_channels);
    let line_len = piece_len / depth.lines;
    let pass = WeightPass {
        depth,
        inputs: SendPatches(Patches::forward(g, x)),
        gradients: SendPatches(rows_themselves(g, dy)),
        out_lines,
        sums_of_line: line_len,
    };
    pool.parts(depth.lines.div_ceil(GROUP) * pieces, |thread, part| {
        let (piece, first) = (part % pieces, part / pieces * GROUP);
        let lines = (first, depth.lines.min(first + GROUP));
        // SAFETY: own scratch; every part has its own sums.
        unsafe {
            let packed = threads.range(thread * own, own).as_mut_ptr();
            let to = sums.start().add(piece * piece_len + first * line_len);
            let range = piece * rows / pieces..(piece + 1) * rows / pieces;
            pass.sum(isa, range, lines, packed, to);
        }
    });
    let shape = depth.weight_shape(g);
    let dw = Shared::new(dw);
    pool.parts(depth.lines * out_lines, |thread, part| {
        let (o, line) = (part / depth.lines, part % depth.lines);
        // SAFETY: own scratch; every part writes its own block of the weight.
        unsafe {
            let spare = threads.range(thread * own, own).as_mut_ptr();
            let from = line * line_len + o * depth.taps * LANES * LANES;
            let from = sums.start().cast_const().add(from);
            merge_block(
                isa,
                from,
                (piece_len, pieces),
                dw.start(),
                shape,
                (o, line),
                spare,
            );
        }
    });
}

/// Patches that are the rows of `dy`.
fn rows_themselves(g: &ConvGeometry, dy: &[f32]) -> Patches {
    let axis = |rows| Axis {
        rows,
        taps: 1,
        step: 1,
        first: 0,
        direction: 1,
        source: rows,
    };
    Patches {
        source: dy.as_ptr(),
        channels: g.out_channels,
        y: axis(g.out_height()),
        x: axis(g.out_width()),
    }
}

struct WeightPass {
    depth: Depth,
    inputs: SendPatches,
    gradients: SendPatches,
    out_lines: usize,
    /// Floats of the sums of one line of K.
    sums_of_line: usize,
}

impl WeightPass {
    /// Sums the products of a range of rows for the lines `lines.0..lines.1` of K.
    ///
    /// # Safety
    /// `packed` is a thread's scratch, and `to` holds the sums of these lines, which no other
    /// thread touches.
    unsafe fn sum(
        &self,
        isa: Isa,
        range: std::ops::Range<usize>,
        lines: (usize, usize),
        packed: *mut f32,
        to: *mut f32,
    ) {
        let depth = self.depth;
        let width = lines.1 - lines.0;
        let mut first = range.start;
        while first < range.end || first == range.start {
            let count = ROWS.min(range.end - first);
            // SAFETY: the caller's scratch and sums.
            unsafe {
                if depth.compact {
                    pack_compact(self.inputs.get(), first, count, lines, packed);
                } else {
                    pack(isa, self.inputs.get(), first, count, lines, packed);
                }
                let gradients = packed.add(depth.taps * width * line_len(count));
                pack(
                    isa,
                    self.gradients.get(),
                    first,
                    count,
                    (0, self.out_lines),
                    gradients,
                );
                for index in 0..depth.taps * width {
                    let (tap, line) = (index / width, index % width);
                    let left = Left {
                        start: packed.add(index * line_len(count)),
                        row: LANES,
                        line: 0,
                        rows: LANES,
                        depth: count,
                    };
                    let right = Right {
                        start: gradients,
                        block: line_len(count),
                        blocks: self.out_lines,
                    };
                    let out = Out {
                        start: to.add(line * self.sums_of_line + tap * LANES * LANES),
                        row: LANES,
                        block: depth.taps * LANES * LANES,
                    };
                    outer_product(isa, left, right, LANES, out, first > range.start);
                }
            }
            first += count.max(1);
        }
    }
}

simd! {
    /// Adds up the pieces of a block, in order, and writes the sum to the weight.
    ///
    /// # Safety
    /// The operands have the shape's sizes, `spare` holds a block.
    fn merge_block(
        from: *const f32,
        pieces: (usize, usize),
        dw: *mut f32,
        shape: WeightShape,
        block: (usize, usize),
        spare: *mut f32,
    ) = merge_block_generic
}

/// Body of [`merge_block`].
///
/// # Safety
/// As for [`merge_block`], and S is present.
#[inline(always)]
unsafe fn merge_block_generic<S: Simd>(
    from: *const f32,
    (piece_len, pieces): (usize, usize),
    dw: *mut f32,
    shape: WeightShape,
    block: (usize, usize),
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        for tap in 0..shape.taps {
            for input in 0..LANES {
                let row = from.add((tap * LANES + input) * LANES);
                let mut sum = S::load(row);
                for piece in 1..pieces {
                    sum = S::add(sum, S::load(row.add(piece * piece_len)));
                }
                S::store(spare.add((input * shape.taps + tap) * LANES), sum);
            }
        }
        write_block::<S>(dw, shape, block, spare);
    }
}
