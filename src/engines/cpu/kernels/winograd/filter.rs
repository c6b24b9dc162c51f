//! Transforms of filters, and of filter gradients back.

use super::super::LANES;
use super::super::simd::{Simd, simd};
use super::super::weights::{WeightShape, read_block, swap_channels, write_block};
use super::tiling::Direction;
use super::transform::{Phase, Tile, in_phase};

/// Floats of scratch that a thread needs for these transforms.
pub const SPARE_LEN: usize = 2 * 9 * LANES * LANES;

/// Layout of transformed values of sixteen rows and sixteen columns: row r of the p-th phase
/// at a point is at `start + p·phase + point·plane + 16·r`.
#[derive(Clone, Copy)]
pub struct Values {
    pub start: *mut f32,
    pub phase: usize,
    pub plane: usize,
}

simd! {
    /// Transforms some phases of the filters between sixteen inputs (rows of the product) and
    /// sixteen outputs (its columns). In the backward direction, inputs are the weight's
    /// outputs and the taps are reversed.
    ///
    /// # Safety
    /// `weight` has the shape; `spare` holds [`SPARE_LEN`] floats; `to` is writable.
    pub fn transform_block(
        weight: *const f32,
        shape: WeightShape,
        direction: Direction,
        block: (usize, usize),
        phases: &[Phase],
        to: Values,
        spare: *mut f32,
    ) = transform_block_generic
}

/// Body of [`transform_block`].
///
/// # Safety
/// As for [`transform_block`], and S is present.
#[inline(always)]
unsafe fn transform_block_generic<S: Simd>(
    weight: *const f32,
    shape: WeightShape,
    direction: Direction,
    (row_line, column_line): (usize, usize),
    phases: &[Phase],
    to: Values,
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        let (block, other) = (spare, spare.add(shape.block_len()));
        // Where the filters of a row are, and their taps.
        let (from, row, tap) = match direction {
            Direction::Forward => {
                read_block::<S>(weight, shape, (column_line, row_line), block);
                (block, 9 * LANES, LANES)
            }
            Direction::Backward => {
                read_block::<S>(weight, shape, (row_line, column_line), block);
                swap_channels::<S>(block, 9, other);
                (other, LANES, LANES * LANES)
            }
        };
        for (p, &phase) in phases.iter().enumerate() {
            let start = to.start.add(p * to.phase);
            let turned = direction == Direction::Backward;
            in_phase!(
                phase,
                filter_phase::<S>(from, row, tap, turned, start, to.plane)
            );
        }
    }
}

/// Transforms one phase of the filters of sixteen rows.
///
/// # Safety
/// `from` holds the taps of sixteen rows, `to` is writable at all points, S is present.
#[inline(always)]
unsafe fn filter_phase<S: Simd, T: Tile>(
    from: *const f32,
    row: usize,
    tap: usize,
    turned: bool,
    to: *mut f32,
    plane: usize,
) {
    for r in 0..LANES {
        // SAFETY: passed on to the caller.
        unsafe { T::filter::<S>(from.add(r * row), tap, turned, to.add(r * LANES), plane) };
    }
}

simd! {
    /// Transforms summed products of sixteen inputs (rows) and sixteen outputs, of all
    /// phases, to the gradient of their filters.
    ///
    /// # Safety
    /// As for [`transform_block`], and no other thread touches this block of `weight`.
    pub fn gradient_block(
        from: Values,
        phases: &[Phase],
        weight: *mut f32,
        shape: WeightShape,
        block: (usize, usize),
        spare: *mut f32,
    ) = gradient_block_generic
}

/// Body of [`gradient_block`].
///
/// # Safety
/// As for [`gradient_block`], and S is present.
#[inline(always)]
unsafe fn gradient_block_generic<S: Simd>(
    from: Values,
    phases: &[Phase],
    weight: *mut f32,
    shape: WeightShape,
    block: (usize, usize),
    spare: *mut f32,
) {
    // SAFETY: within the caller's operands.
    unsafe {
        for (p, &phase) in phases.iter().enumerate() {
            let start = from.start.add(p * from.phase).cast_const();
            in_phase!(phase, gradient_phase::<S>(start, from.plane, spare));
        }
        write_block::<S>(weight, shape, block, spare);
    }
}

/// Transforms one phase of the products of sixteen rows to gradients of their taps.
///
/// # Safety
/// `from` holds the values of sixteen rows at all points, `block` a block, S is present.
#[inline(always)]
unsafe fn gradient_phase<S: Simd, T: Tile>(from: *const f32, plane: usize, block: *mut f32) {
    for r in 0..LANES {
        // SAFETY: passed on to the caller.
        unsafe {
            T::filter_gradient::<S>(from.add(r * LANES), plane, block.add(r * 9 * LANES));
        }
    }
}

simd! {
    /// Adds the sums of the other `groups`, in order, to the first 16×16 sums. The groups are
    /// `apart` floats apart.
    ///
    /// # Safety
    /// All groups are readable, and the first is writable by this thread alone.
    pub fn add_groups(sums: *mut f32, groups: usize, apart: usize) = add_groups_generic
}

/// Body of [`add_groups`].
///
/// # Safety
/// As for [`add_groups`], and S is present.
#[inline(always)]
unsafe fn add_groups_generic<S: Simd>(sums: *mut f32, groups: usize, apart: usize) {
    for row in 0..LANES {
        // SAFETY: the caller's sums.
        unsafe {
            let first = sums.add(row * LANES);
            let mut sum = S::load(first);
            for group in 1..groups {
                sum = S::add(sum, S::load(first.add(group * apart)));
            }
            S::store(first, sum);
        }
    }
}
