//! Dense layers, `y = x Wᵀ + b`.
//!
//! Where a layer is narrow its weight fits the first-level cache, and the time goes into
//! starting and joining threads; so the work is cut by rows of the batch, and by outputs
//! as well only where there is enough of it.

use super::gemm::{Left, Onto, Out, Right, outer_product, product};
use super::moments::{Moments, merge, partial_len, sum_rows};
use super::pool::Pool;
use super::shared::Shared;
use super::simd::{Isa, simd};
use super::tail::{Rows, dots, tail};
use super::weights::{WeightShape, read_block};
use super::{LANES, padded};

/// Sizes of a dense layer, `I → O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseGeometry {
    /// N, the number of rows in the batch.
    pub batch: usize,
    /// I, the number of inputs.
    pub inputs: usize,
    /// O, the number of outputs.
    pub outputs: usize,
}

impl DenseGeometry {
    /// Number of multiplications and additions in one direction.
    pub fn flops(&self) -> f64 {
        2.0 * self.batch as f64 * self.inputs as f64 * self.outputs as f64
    }

    fn check(&self, x: usize, w: usize, y: usize) {
        assert!(
            x >= self.batch * padded(self.inputs)
                && w >= self.inputs * self.outputs
                && y >= self.batch * padded(self.outputs),
            "operands too short for {self:?}"
        );
    }
}

/// Rows of the batch in a part.
const ROWS: usize = 32;
/// Least number of parts of a layer that is large enough.
const PARTS: usize = 16;
/// Number of multiplications from which a part is worth cutting.
const WORTH: usize = 1 << 18;

/// Number of parts by rows and by columns of a product.
fn cut(batch: usize, depth: usize, columns: usize) -> (usize, usize) {
    let rows = batch.div_ceil(ROWS);
    let lines = columns.div_ceil(LANES);
    let work = ROWS.min(batch) * depth * columns / WORTH;
    (
        rows,
        PARTS.div_ceil(rows.max(1)).min(work).min(lines / 2).max(1),
    )
}

/// Floats of scratch that [`forward`] needs.
pub fn forward_scratch_len(g: &DenseGeometry) -> usize {
    let weights = padded(g.inputs) * padded(g.outputs);
    let partials = g.batch.div_ceil(ROWS) * partial_len(g.outputs);
    weights + partials + padded(g.outputs)
}

/// Computes `y = x Wᵀ + b`: `x` `[N][I]`, `w` `O×I`, `bias` `[O]`, `y` `[N][O]`, the rows of
/// `x` and `y` padded. With `moments`, also the statistics of `y`.
#[allow(clippy::too_many_arguments)]
pub fn forward(
    pool: &Pool,
    g: &DenseGeometry,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
    moments: Option<Moments>,
    scratch: &mut [f32],
) {
    g.check(x.len(), w.len(), y.len());
    let (ins, outs) = (padded(g.inputs), padded(g.outputs));
    let (weights, rest) = scratch.split_at_mut(ins * outs);
    let (partials, rest) = rest.split_at_mut(g.batch.div_ceil(ROWS) * partial_len(g.outputs));
    let biases = &mut rest[..outs];
    if let Some(bias) = bias {
        biases[..g.outputs].copy_from_slice(bias);
        biases[g.outputs..].fill(0.0);
    }
    block_weights(pool, g, w, weights);

    let (weights, biases) = (&*weights, &*biases);
    let isa = pool.isa();
    let (rows, columns) = cut(g.batch, ins, outs);
    let lines = outs / LANES;
    let tail_len = tail(g.outputs);
    let full = lines - usize::from(tail_len > 0);
    let (out, sums) = (Shared::new(y), Shared::new(&mut *partials));
    let with_moments = moments.is_some();
    pool.parts(rows * columns, |_, part| {
        let (row, column) = (part / columns * ROWS, part % columns);
        let count = ROWS.min(g.batch - row);
        let line = column * lines / columns;
        let blocks = (column + 1) * lines / columns - line;
        let left = Left {
            start: x[row * ins..].as_ptr(),
            row: ins,
            line: LANES,
            rows: count,
            depth: g.inputs,
        };
        let right = Right {
            start: weights[line * ins * LANES..].as_ptr(),
            block: ins * LANES,
            blocks: blocks.min(full - line),
        };
        // SAFETY: every part writes its own rows and columns.
        unsafe {
            let to = out.start().add(row * outs + line * LANES);
            let onto = |line: usize| match bias {
                Some(_) => Onto::Row(biases[line * LANES..].as_ptr()),
                None => Onto::Nothing,
            };
            let out = Out {
                start: to,
                row: outs,
                block: LANES,
            };
            product(isa, left, right, out, onto(line));
            if line + blocks > full {
                let w = &weights[full * ins * LANES..];
                let to = to.add((full - line) * LANES);
                tail_product(isa, left, (w, tail_len), to, outs, onto(full));
            }
            if with_moments {
                let sums = sums.start().add(row / ROWS * 4 * outs + line * LANES);
                sum_rows(isa, to, count, outs, blocks * LANES, sums);
            }
        }
    });
    if let Some(moments) = moments {
        merge(partials, moments);
    }
}

/// Computes the columns of a product that are a tail: `left` times the `few` rows of
/// `weights`, each as long as a row of `left`. The result goes to the sixteen columns from
/// `to` on, in rows `out_row` apart.
///
/// # Safety
/// As for [`dots`].
unsafe fn tail_product(
    isa: Isa,
    left: Left,
    (weights, tail_len): (&[f32], usize),
    to: *mut f32,
    out_row: usize,
    onto: Onto,
) {
    let rows = |start: *const f32, count: usize| Rows {
        start,
        row: left.row,
        count,
    };
    let (left, right) = (
        rows(left.start, left.rows),
        rows(weights.as_ptr(), tail_len),
    );
    // SAFETY: the caller's matrices.
    unsafe { dots(isa, left, right, left.row / LANES, to, out_row, onto) };
}

/// Lays out the weight as `[O/16][I][16]`, and a tail of outputs as `[tail][padded(I)]`.
fn block_weights(pool: &Pool, g: &DenseGeometry, w: &[f32], to: &mut [f32]) {
    let shape = WeightShape {
        out_channels: g.outputs,
        in_channels: g.inputs,
        taps: 1,
    };
    let in_lines = g.inputs.div_ceil(LANES);
    let isa = pool.isa();
    let block = LANES * LANES;
    let full = g.outputs - tail(g.outputs);
    let total = in_lines * full.div_ceil(LANES);
    let rows = to[total * block..].chunks_exact_mut(in_lines * LANES);
    for (row, w) in rows.zip(w[full * g.inputs..].chunks_exact(g.inputs)) {
        row[..g.inputs].copy_from_slice(w);
        row[g.inputs..].fill(0.0);
    }
    let to = Shared::new(to);
    // Several blocks a part: one alone is a few dozen instructions.
    pool.parts(total.div_ceil(8), |_, part| {
        for index in part * 8..total.min(part * 8 + 8) {
            let lines = (index / in_lines, index % in_lines);
            // SAFETY: every part writes its own blocks.
            unsafe { dense_block(isa, w.as_ptr(), shape, lines, to.start().add(index * block)) };
        }
    });
}

simd! {
    /// Reads a block of the weight; see [`read_block`].
    ///
    /// # Safety
    /// As for [`read_block`], but for the instruction set.
    fn dense_block(w: *const f32, shape: WeightShape, block: (usize, usize), to: *mut f32)
        = read_block
}

/// Floats of scratch that [`input_gradient`] needs.
pub fn input_gradient_scratch_len(g: &DenseGeometry) -> usize {
    padded(g.inputs) * padded(g.outputs)
}

/// Computes `dx = dy W`, `[N][I]`, or adds it to `dx` if `accumulate` is set.
pub fn input_gradient(
    pool: &Pool,
    g: &DenseGeometry,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    accumulate: bool,
    scratch: &mut [f32],
) {
    g.check(dx.len(), w.len(), dy.len());
    let (ins, outs) = (padded(g.inputs), padded(g.outputs));
    let weights = &mut scratch[..ins * outs];
    let lines = ins / LANES;
    let tail_len = tail(g.inputs);
    let full = lines - usize::from(tail_len > 0);
    let blocked = Shared::new(weights);
    pool.parts(lines, |_, line| {
        let from = line * LANES;
        let width = LANES.min(g.inputs - from);
        // SAFETY: every part writes its own block of columns.
        let to = unsafe { blocked.range(from * outs, outs * LANES) };
        if line == full {
            for (i, row) in to.chunks_exact_mut(outs).take(tail_len).enumerate() {
                row[g.outputs..].fill(0.0);
                let column = w[from + i..].iter().step_by(g.inputs);
                row.iter_mut().zip(column).for_each(|(to, w)| *to = *w);
            }
            return;
        }
        let (rows, _) = to.as_chunks_mut::<LANES>();
        let (rows, past) = rows.split_at_mut(g.outputs);
        past.fill([0.0; LANES]);
        for (row, w) in rows.iter_mut().zip(w.chunks_exact(g.inputs)) {
            match w[from..].first_chunk::<LANES>() {
                // A copy of known size, no call.
                Some(w) => *row = *w,
                None => {
                    row[..width].copy_from_slice(&w[from..]);
                    row[width..].fill(0.0);
                }
            }
        }
    });
    let weights = &*weights;
    let isa = pool.isa();
    let (rows, columns) = cut(g.batch, outs, ins);
    let out = Shared::new(dx);
    pool.parts(rows * columns, |_, part| {
        let (row, column) = (part / columns * ROWS, part % columns);
        let line = column * lines / columns;
        let end = (column + 1) * lines / columns;
        let left = Left {
            start: dy[row * outs..].as_ptr(),
            row: outs,
            line: LANES,
            rows: ROWS.min(g.batch - row),
            depth: g.outputs,
        };
        let right = Right {
            start: weights[line * outs * LANES..].as_ptr(),
            block: outs * LANES,
            blocks: end.min(full) - line,
        };
        let onto = accumulate.into();
        // SAFETY: every part writes its own rows and columns.
        unsafe {
            let start = out.start().add(row * ins + line * LANES);
            product(
                isa,
                left,
                right,
                Out {
                    start,
                    row: ins,
                    block: LANES,
                },
                onto,
            );
            if end > full {
                let w = &weights[full * outs * LANES..];
                let to = start.add((full - line) * LANES);
                tail_product(isa, left, (w, tail_len), to, ins, onto);
            }
        }
    });
}

/// Inputs, in lines of sixteen, of a part of [`weight_gradient`].
const PIECE: usize = 8;

/// Floats of scratch that [`weight_gradient`] needs.
pub fn weight_gradient_scratch_len(threads: usize) -> usize {
    threads * LANES * PIECE * LANES
}

/// Computes `dw = dyᵀ x`, `O×I`, and `db = Σ dy`, `[O]`, of the outputs from `first` on, as
/// many as `dw` has rows.
#[allow(clippy::too_many_arguments)]
pub fn weight_gradient(
    pool: &Pool,
    g: &DenseGeometry,
    x: &[f32],
    dy: &[f32],
    first: usize,
    dw: &mut [f32],
    db: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    let (ins, outs) = (padded(g.inputs), padded(g.outputs));
    let rows = dw.len() / g.inputs.max(1);
    assert!(
        x.len() >= g.batch * ins && dy.len() >= g.batch * outs && first + rows <= g.outputs,
        "operands too short for {g:?}"
    );
    let in_lines = ins / LANES;
    let pieces = in_lines.div_ceil(PIECE);
    let own = LANES * PIECE * LANES;
    let isa = pool.isa();
    let (dw, threads) = (Shared::new(dw), Shared::new(scratch));
    let db = db.map(Shared::new);
    pool.parts(rows.div_ceil(LANES) * pieces, |thread, part| {
        let (row, piece) = (part / pieces * LANES, part % pieces);
        let (o, from) = (first + row, piece * PIECE * LANES);
        let left = Left {
            start: dy[o..].as_ptr(),
            row: outs,
            line: 0,
            rows: LANES.min(rows - row),
            depth: g.batch,
        };
        let right = Right {
            start: x[from..].as_ptr(),
            block: LANES,
            blocks: PIECE.min(in_lines - piece * PIECE),
        };
        let count = LANES.min(rows - row);
        // SAFETY: own scratch; every part writes its own rows and columns.
        unsafe {
            let sums = threads.range(thread * own, own);
            let out = Out {
                start: sums.as_mut_ptr(),
                row: PIECE * LANES,
                block: LANES,
            };
            outer_product(isa, left, right, ins, out, false);
            let width = (PIECE * LANES).min(g.inputs - from);
            for i in 0..count {
                let to = dw.range((row + i) * g.inputs + from, width);
                to.copy_from_slice(&sums[i * PIECE * LANES..][..width]);
            }
            if let (Some(db), 0) = (db, piece) {
                let mut sums = [0.0f32; LANES];
                for row in dy[..g.batch * outs].chunks_exact(outs) {
                    sums.iter_mut()
                        .zip(&row[o..o + count])
                        .for_each(|(s, d)| *s += d);
                }
                db.range(row, count).copy_from_slice(&sums[..count]);
            }
        }
    });
}
