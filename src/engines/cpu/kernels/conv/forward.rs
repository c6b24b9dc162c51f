//! Forward pass of a convolution.

use super::super::gemm::{Left, Onto, Out, Right, product};
use super::super::moments::{Moments, merge, partial_len, sum_rows};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::{Simd, simd};
use super::super::weights::{WeightShape, read_block};
use super::super::{ConvGeometry, LANES, padded};
use super::patches::{Patches, line_len, pack, pack_compact};
use super::shapes::{Depth, check, rows_of_part};

/// Floats of scratch: the blocked weights, the sums for moments, and for each thread its
/// patches or a spare block.
fn lens(g: &ConvGeometry) -> [usize; 3] {
    let depth = Depth::new(g);
    let rows = g.output_len() / padded(g.out_channels);
    let part = rows_of_part(rows, depth.len());
    let spare = depth.weight_shape(g).block_len();
    [
        depth.len() * padded(g.out_channels),
        rows.div_ceil(part) * partial_len(g.out_channels),
        (line_len(part) / LANES * depth.len()).max(spare),
    ]
}

/// Floats of scratch that [`forward`] needs.
pub fn forward_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let [weights, partials, own] = lens(g);
    weights + partials + threads * own
}

/// Computes `y = x ⋆ w`: `x` `[N][H][W][I]`, `w` `O×I×k×k`, `y` `[N][H'][W'][O]`, the
/// channels of both images padded. With `moments`, also the statistics of `y`.
pub fn forward(
    pool: &Pool,
    g: &ConvGeometry,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    moments: Option<Moments>,
    scratch: &mut [f32],
) {
    check(g, x.len(), w.len(), y.len());
    assert!(
        scratch.len() >= forward_scratch_len(g, pool.threads()),
        "too little scratch"
    );
    let [weights, partials, own] = lens(g);
    let (weights, rest) = scratch.split_at_mut(weights);
    let (partials, threads) = rest.split_at_mut(partials);
    let threads = Shared::new(threads);
    let depth = Depth::new(g);
    block_weights(pool, depth, depth.weight_shape(g), w, weights, threads, own);

    let isa = pool.isa();
    let stride = padded(g.out_channels);
    let rows = g.output_len() / stride;
    let part_rows = rows_of_part(rows, depth.len());
    let patches = SendPatches(Patches::forward(g, x));
    let (out, sums) = (Shared::new(y), Shared::new(&mut *partials));
    let weights = &*weights;
    let with_moments = moments.is_some();
    pool.parts(rows.div_ceil(part_rows), |thread, part| {
        let first = part * part_rows;
        let count = part_rows.min(rows - first);
        // SAFETY: own scratch; every part writes its own rows and sums.
        unsafe {
            let packed = threads.range(thread * own, own).as_mut_ptr();
            let lines = (0, depth.lines);
            if depth.compact {
                pack_compact(patches.get(), first, count, lines, packed);
            } else {
                pack(isa, patches.get(), first, count, lines, packed);
            }
            let left = Left {
                start: packed,
                row: LANES,
                line: line_len(count),
                rows: count,
                depth: depth.len(),
            };
            let right = Right {
                start: weights.as_ptr(),
                block: depth.len() * LANES,
                blocks: stride / LANES,
            };
            let to = out.start().add(first * stride);
            product(
                isa,
                left,
                right,
                Out {
                    start: to,
                    row: stride,
                    block: LANES,
                },
                Onto::Nothing,
            );
            if with_moments {
                let sums = sums.start().add(part * partial_len(g.out_channels));
                sum_rows(isa, to, count, stride, stride, sums);
            }
        }
    });
    if let Some(moments) = moments {
        merge(partials, moments);
    }
}

/// Patches that several threads may read at once.
pub struct SendPatches(pub Patches);
// SAFETY: the source is a shared slice that outlives the run.
unsafe impl Sync for SendPatches {}

impl SendPatches {
    pub fn get(&self) -> Patches {
        self.0
    }
}

/// Lays out the weight as `[O/16][K][16]`.
fn block_weights(
    pool: &Pool,
    depth: Depth,
    shape: WeightShape,
    w: &[f32],
    weights: &mut [f32],
    threads: Shared,
    own: usize,
) {
    let to = Shared::new(weights);
    let isa = pool.isa();
    pool.parts(
        shape.out_channels.div_ceil(LANES) * depth.lines,
        |thread, part| {
            let (o, i) = (part / depth.lines, part % depth.lines);
            // SAFETY: own scratch; every part writes its own block of columns and rows.
            unsafe {
                let spare = threads.range(thread * own, own).as_mut_ptr();
                let to = to.start().add(o * depth.len() * LANES);
                block_columns(isa, w.as_ptr(), shape, (o, i), depth.lines, to, spare);
            }
        },
    );
}

simd! {
    /// Copies a block of the weight into its rows of one block of columns.
    ///
    /// # Safety
    /// The operands have the shape's sizes, `spare` holds a block.
    fn block_columns(
        w: *const f32,
        shape: WeightShape,
        block: (usize, usize),
        lines: usize,
        to: *mut f32,
        spare: *mut f32,
    ) = block_columns_generic
}

/// Body of [`block_columns`].
///
/// # Safety
/// As for [`block_columns`], and S is present.
#[inline(always)]
unsafe fn block_columns_generic<S: Simd>(
    w: *const f32,
    shape: WeightShape,
    (o, i): (usize, usize),
    lines: usize,
    to: *mut f32,
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        read_block::<S>(w, shape, (o, i), spare);
        for tap in 0..shape.taps {
            for input in 0..LANES {
                let row = S::load(spare.add((input * shape.taps + tap) * LANES));
                S::store(to.add(((tap * lines + i) * LANES + input) * LANES), row);
            }
        }
    }
}
