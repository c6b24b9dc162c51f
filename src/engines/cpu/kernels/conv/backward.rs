//! Gradient of a convolution's input: `dx[i] = Σ dy[(i + p − t)/s]·w[t]` over the taps t for
//! which the division is exact.
//!
//! Positions i of the input that leave the same remainder share their taps, so each of
//! the (at most) s² remainders is a convolution of stride 1 over `dy` with its own taps:
//! nothing is multiplied by the zeros between windows, and nothing is scattered.

use super::super::gemm::{Left, Onto, Out, Right, product};
use super::super::pool::Pool;
use super::super::shared::Shared;
use super::super::simd::{Simd, simd};
use super::super::weights::{WeightShape, read_block, swap_channels};
use super::super::{ConvGeometry, LANES, padded};
use super::forward::SendPatches;
use super::patches::{Axis, Patches, line_len, pack};
use super::shapes::{check, rows_of_part};

/// Class of positions along one axis, `offset, offset + s, …`, with their taps `tap, tap + s,
/// …`.
#[derive(Clone, Copy)]
struct Class {
    offset: usize,
    tap: usize,
    axis: Axis,
}

/// Lists the classes of an axis of `input` positions and `output` windows.
fn classes(
    g: &ConvGeometry,
    kernel: usize,
    input: usize,
    output: usize,
) -> impl Iterator<Item = Class> + use<> {
    let (stride, padding) = (g.stride, g.padding);
    (0..stride.min(input)).map(move |offset| {
        let tap = (offset + padding) % stride;
        Class {
            offset,
            tap,
            axis: Axis {
                rows: (input - offset).div_ceil(stride),
                taps: kernel.saturating_sub(tap).div_ceil(stride),
                step: 1,
                first: ((offset + padding - tap) / stride) as isize,
                direction: -1,
                source: output,
            },
        }
    })
}

/// Lists the pairs of a class of rows and a class of columns.
fn grid(g: &ConvGeometry) -> impl Iterator<Item = (Class, Class)> + use<> {
    let g = *g;
    classes(&g, g.kernel.0, g.height, g.out_height())
        .flat_map(move |y| classes(&g, g.kernel.1, g.width, g.out_width()).map(move |x| (y, x)))
}

/// Length of a patch of a class.
fn depth(g: &ConvGeometry, y: &Class, x: &Class) -> usize {
    y.axis.taps * x.axis.taps * padded(g.out_channels)
}

/// Number of rows in one part of a class.
fn part_rows(g: &ConvGeometry, y: &Class, x: &Class) -> usize {
    rows_of_part(g.batch * y.axis.rows * x.axis.rows, depth(g, y, x))
}

fn shape(g: &ConvGeometry) -> WeightShape {
    WeightShape {
        out_channels: g.out_channels,
        in_channels: g.in_channels,
        taps: g.taps(),
    }
}

/// Floats of scratch: the blocked weights, and for each thread its patches with products, or
/// two spare blocks.
fn lens(g: &ConvGeometry) -> [usize; 2] {
    let stride = padded(g.in_channels);
    let own = grid(g).map(|(y, x)| (part_rows(g, &y, &x) + 1) * (depth(g, &y, &x) + stride));
    let own = own.max().unwrap_or(0).max(2 * shape(g).block_len());
    [g.taps() * padded(g.out_channels) * stride, own]
}

/// Floats of scratch that [`input_gradient`] needs.
pub fn input_gradient_scratch_len(g: &ConvGeometry, threads: usize) -> usize {
    let [weights, own] = lens(g);
    weights + threads * own
}

/// Computes `dx = ∂C/∂x` from `dy = ∂C/∂y`, or adds it to `dx` if `accumulate` is set. Shapes
/// are those of [`super::forward()`].
pub fn input_gradient(
    pool: &Pool,
    g: &ConvGeometry,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    accumulate: bool,
    scratch: &mut [f32],
) {
    check(g, dx.len(), w.len(), dy.len());
    assert!(
        scratch.len() >= input_gradient_scratch_len(g, pool.threads()),
        "too little scratch"
    );
    let [weights, own] = lens(g);
    let (weights, threads) = scratch.split_at_mut(weights);
    let threads = Shared::new(threads);
    block_weights(pool, g, w, weights, threads, own);
    let dx = Shared::new(dx);
    let mut from = 0;
    for (y, x) in grid(g) {
        let depth = depth(g, &y, &x);
        if accumulate && depth == 0 {
            // Positions that no window reads, of a stride past the kernel.
            continue;
        }
        let pass = ClassPass {
            g,
            y,
            x,
            depth,
            weights: &weights[from * padded(g.in_channels)..],
            patches: SendPatches(Patches {
                source: dy.as_ptr(),
                channels: g.out_channels,
                y: y.axis,
                x: x.axis,
            }),
            dx,
            accumulate,
        };
        pass.run(pool, threads, own);
        from += depth;
    }
}

/// Computation of the gradient at the positions of one class.
struct ClassPass<'a> {
    g: &'a ConvGeometry,
    y: Class,
    x: Class,
    depth: usize,
    /// Weights `[I/16][depth][16]`.
    weights: &'a [f32],
    patches: SendPatches,
    dx: Shared<'a>,
    accumulate: bool,
}

impl ClassPass<'_> {
    fn run(&self, pool: &Pool, threads: Shared, own: usize) {
        let g = self.g;
        let isa = pool.isa();
        let stride = padded(g.in_channels);
        let rows = g.batch * self.y.axis.rows * self.x.axis.rows;
        let part_rows = part_rows(g, &self.y, &self.x);
        pool.parts(rows.div_ceil(part_rows), |thread, part| {
            let first = part * part_rows;
            let count = part_rows.min(rows - first);
            // SAFETY: own scratch; every part writes its own positions.
            unsafe {
                let packed = threads.range(thread * own, own).as_mut_ptr();
                let sums = packed.add((part_rows + 1) * self.depth);
                let lines = (0, g.out_channels.div_ceil(LANES));
                pack(isa, self.patches.get(), first, count, lines, packed);
                let left = Left {
                    start: packed,
                    row: LANES,
                    line: line_len(count),
                    rows: count,
                    depth: self.depth,
                };
                let right = Right {
                    start: self.weights.as_ptr(),
                    block: self.depth * LANES,
                    blocks: stride / LANES,
                };
                if g.stride == 1 {
                    let start = self.dx.start().add(first * stride);
                    let out = Out {
                        start,
                        row: stride,
                        block: LANES,
                    };
                    product(isa, left, right, out, self.accumulate.into());
                } else {
                    let out = Out {
                        start: sums,
                        row: stride,
                        block: LANES,
                    };
                    product(isa, left, right, out, Onto::Nothing);
                    self.place_rows(sums, first, count, stride);
                }
            }
        });
    }

    /// Writes (or adds) rows of products to the positions of the class.
    ///
    /// # Safety
    /// `sums` holds `count` rows of `stride` floats, and no other thread touches the positions
    /// of rows `first..first + count` of this class.
    unsafe fn place_rows(&self, sums: *const f32, first: usize, count: usize, stride: usize) {
        let g = self.g;
        let patches = self.patches.get();
        let mut pixel = patches.pixel(first);
        for row in 0..count {
            let y = pixel.y * g.stride + self.y.offset;
            let x = pixel.x * g.stride + self.x.offset;
            let position = (pixel.image * g.height + y) * g.width + x;
            patches.advance(&mut pixel);
            // SAFETY: a position of this class, which only this part writes.
            unsafe {
                let to = self.dx.range(position * stride, stride);
                let from = std::slice::from_raw_parts(sums.add(row * stride), stride);
                if self.accumulate {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                } else {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

/// Lays out the weight as `[class][I/16][taps of the class][O][16]`.
fn block_weights(
    pool: &Pool,
    g: &ConvGeometry,
    w: &[f32],
    weights: &mut [f32],
    threads: Shared,
    own: usize,
) {
    let weights = Shared::new(weights);
    let isa = pool.isa();
    let shape = shape(g);
    let out_lines = g.out_channels.div_ceil(LANES);
    pool.parts(out_lines * g.in_channels.div_ceil(LANES), |thread, part| {
        let (i, o) = (part / out_lines, part % out_lines);
        // SAFETY: own scratch; every part writes its own rows of its own columns.
        unsafe {
            let spare = threads.range(thread * own, own).as_mut_ptr();
            swapped_block(isa, w.as_ptr(), shape, (o, i), spare);
            let block = spare.add(shape.block_len()).cast_const();
            let mut from = 0;
            for (y, x) in grid(g) {
                let depth = depth(g, &y, &x);
                let columns = from * padded(g.in_channels) + i * depth * LANES;
                for t in 0..y.axis.taps * x.axis.taps {
                    let ky = y.tap + t / x.axis.taps * g.stride;
                    let kx = x.tap + t % x.axis.taps * g.stride;
                    let tap = block.add((ky * g.kernel.1 + kx) * LANES * LANES);
                    let row = t * padded(g.out_channels) + o * LANES;
                    let to = weights.start().add(columns + row * LANES);
                    std::ptr::copy_nonoverlapping(tap, to, LANES * LANES);
                }
                from += depth;
            }
        }
    });
}

simd! {
    /// Reads a block of the weight as `[taps][16 outputs][16 inputs]` into the second half of
    /// `spare`.
    ///
    /// # Safety
    /// `w` has the shape, `spare` holds two blocks.
    fn swapped_block(w: *const f32, shape: WeightShape, block: (usize, usize), spare: *mut f32)
        = swapped_block_generic
}

/// Body of [`swapped_block`].
///
/// # Safety
/// As for [`swapped_block`], and S is present.
#[inline(always)]
unsafe fn swapped_block_generic<S: Simd>(
    w: *const f32,
    shape: WeightShape,
    block: (usize, usize),
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        read_block::<S>(w, shape, block, spare);
        swap_channels::<S>(spare, shape.taps, spare.add(shape.block_len()));
    }
}
