//! Filters to and from their 36 transformed values.

use super::super::LANES;
use super::super::simd::{Simd, simd};
use super::super::weights::{WeightShape, read_block, swap_channels, write_block};
use super::convolve::Direction;
use super::transform::{filter_gradient_tile, filter_tile};

/// Floats of scratch that a thread needs here.
pub const SPARE_LEN: usize = 2 * 9 * LANES * LANES;

simd! {
    /// Transforms the filters between sixteen inputs (rows of the product) and sixteen
    /// outputs (its columns); for the backward direction, inputs are the weight's
    /// outputs and taps come in reverse. The values of row r at a point go to
    /// `to + point·plane + 16·r`.
    ///
    /// # Safety
    /// `weight` has the shape; `spare` holds [`SPARE_LEN`] floats; `to` is writable.
    pub fn transform_block(
        weight: *const f32,
        shape: WeightShape,
        direction: Direction,
        row_line: usize,
        column_line: usize,
        to: *mut f32,
        plane: usize,
        spare: *mut f32,
    ) = transform_block_generic
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn transform_block_generic<S: Simd>(
    weight: *const f32,
    shape: WeightShape,
    direction: Direction,
    row_line: usize,
    column_line: usize,
    to: *mut f32,
    plane: usize,
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        let (block, other) = (spare, spare.add(shape.block_len()));
        match direction {
            Direction::Forward => {
                read_block::<S>(weight, shape, (column_line, row_line), block, other);
                for row in 0..LANES {
                    let tap = |t: usize| S::load(block.add((row * 9 + t) * LANES));
                    let taps = [0, 3, 6].map(|t| [tap(t), tap(t + 1), tap(t + 2)]);
                    filter_tile::<S>(taps, to.add(row * LANES), plane);
                }
            }
            Direction::Backward => {
                read_block::<S>(weight, shape, (row_line, column_line), block, other);
                swap_channels::<S>(block, 9, other);
                for row in 0..LANES {
                    let tap = |t: usize| S::load(other.add((t * LANES + row) * LANES));
                    let taps = [8, 5, 2].map(|t| [tap(t), tap(t - 1), tap(t - 2)]);
                    filter_tile::<S>(taps, to.add(row * LANES), plane);
                }
            }
        }
    }
}

simd! {
    /// Turns the summed products of sixteen inputs (rows) and sixteen outputs into the
    /// gradient of their filters. Row r at a point is at `from + point·plane + 16·r`.
    ///
    /// # Safety
    /// As in [`transform_block`], `weight` being written in this block only.
    pub fn gradient_block(
        from: *const f32,
        plane: usize,
        weight: *mut f32,
        shape: WeightShape,
        out_line: usize,
        in_line: usize,
        spare: *mut f32,
    ) = gradient_block_generic
}

#[inline(always)]
unsafe fn gradient_block_generic<S: Simd>(
    from: *const f32,
    plane: usize,
    weight: *mut f32,
    shape: WeightShape,
    out_line: usize,
    in_line: usize,
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        let (block, other) = (spare, spare.add(shape.block_len()));
        for row in 0..LANES {
            let taps = filter_gradient_tile::<S>(from.add(row * LANES), plane);
            for (t, tap) in taps.into_iter().flatten().enumerate() {
                S::store(block.add((row * 9 + t) * LANES), tap);
            }
        }
        write_block::<S>(weight, shape, (out_line, in_line), block, other);
    }
}
