//! Transforms of images to tiles, and of tiles back to images.

use super::super::moments::Sums;
use super::super::simd::{Simd, simd};
use super::super::{LANES, padded};
use super::tiling::{TILE, Tiling};
use super::transform::{Phase, Tile, Window, in_phase};

/// Layout of the transformed tiles `first..first + count`: tile i is at `start + 16·i` of its
/// plane and line, and lines are `places` tiles long.
#[derive(Clone, Copy)]
pub struct Tiles {
    pub first: usize,
    pub count: usize,
    pub start: *mut f32,
    pub places: usize,
    pub plane: usize,
}

simd! {
    /// Transforms the tiles of one phase of the input.
    ///
    /// # Safety
    /// `x` is the tiling's input, `to` is writable.
    pub fn transform_tiles(t: Tiling, phase: Phase, x: *const f32, to: Tiles)
        = transform_tiles_generic
}

/// Body of [`transform_tiles`].
///
/// # Safety
/// As for [`transform_tiles`], and S is present.
#[inline(always)]
unsafe fn transform_tiles_generic<S: Simd>(t: Tiling, phase: Phase, x: *const f32, to: Tiles) {
    // SAFETY: passed on to the caller.
    unsafe { in_phase!(phase, transform_phase::<S>(t, x, to)) }
}

/// Transforms the tiles of the input by the axes of one phase.
///
/// # Safety
/// As for [`transform_tiles_generic`].
#[inline(always)]
unsafe fn transform_phase<S: Simd, T: Tile>(t: Tiling, x: *const f32, to: Tiles) {
    let [height, width] = t.input;
    let position = padded(t.in_channels);
    for tile in 0..to.count {
        let (image, row, column) = t.place(to.first + tile);
        let first = |place, tap| (place * t.in_step + tap) as isize - t.padding as isize;
        for line in 0..t.in_lines() {
            // SAFETY: an image of the caller's.
            unsafe {
                let window = Window {
                    image: x.add(image * height * width * position + line * LANES),
                    y: first(row, T::FIRST[0]),
                    x: first(column, T::FIRST[1]),
                    step: t.in_step,
                    height,
                    width,
                    position,
                };
                let start = to.start.add((line * to.places + tile) * LANES);
                T::input::<S>(window, start, to.plane);
            }
        }
    }
}

simd! {
    /// Transforms the tiles of one phase of the output's gradient.
    ///
    /// # Safety
    /// `dy` is the tiling's output, `to` is writable.
    pub fn transform_gradients(t: Tiling, phase: Phase, dy: *const f32, to: Tiles)
        = transform_gradients_generic
}

/// Body of [`transform_gradients`].
///
/// # Safety
/// As for [`transform_gradients`], and S is present.
#[inline(always)]
unsafe fn transform_gradients_generic<S: Simd>(t: Tiling, phase: Phase, dy: *const f32, to: Tiles) {
    // SAFETY: passed on to the caller.
    unsafe { in_phase!(phase, gradient_phase::<S>(t, dy, to)) }
}

/// Transforms the tiles of the output's gradient by the axes of one phase.
///
/// # Safety
/// As for [`transform_gradients_generic`].
#[inline(always)]
unsafe fn gradient_phase<S: Simd, T: Tile>(t: Tiling, dy: *const f32, to: Tiles) {
    let [height, width] = t.output;
    let position = padded(t.out_channels);
    for tile in 0..to.count {
        let (image, row, column) = t.place(to.first + tile);
        for line in 0..t.out_lines() {
            // SAFETY: an image of the caller's.
            unsafe {
                let window = Window {
                    image: dy.add(image * height * width * position + line * LANES),
                    y: row as isize,
                    x: column as isize,
                    step: 1,
                    height,
                    width,
                    position,
                };
                let start = to.start.add((line * to.places + tile) * LANES);
                T::gradient::<S>(window, start, to.plane);
            }
        }
    }
}

simd! {
    /// Transforms products to tiles of one phase of the output, and with `partials` sums
    /// these by channel.
    ///
    /// # Safety
    /// `y` is the tiling's output from the first of `lines` blocks of channels on;
    /// `partials` is null or holds the sums from that block on.
    pub fn finish_tiles(
        t: Tiling,
        phase: Phase,
        sums: Tiles,
        lines: usize,
        y: *mut f32,
        accumulate: bool,
        partials: *mut f32,
    ) = finish_tiles_generic
}

/// Body of [`finish_tiles`].
///
/// # Safety
/// As for [`finish_tiles`], and S is present.
#[inline(always)]
unsafe fn finish_tiles_generic<S: Simd>(
    t: Tiling,
    phase: Phase,
    sums: Tiles,
    lines: usize,
    y: *mut f32,
    accumulate: bool,
    partials: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        in_phase!(
            phase,
            finish_phase::<S>(t, sums, lines, y, accumulate, partials)
        )
    }
}

/// Transforms products to tiles of the output by the axes of one phase.
///
/// # Safety
/// As for [`finish_tiles_generic`].
#[inline(always)]
unsafe fn finish_phase<S: Simd, T: Tile>(
    t: Tiling,
    sums: Tiles,
    lines: usize,
    y: *mut f32,
    accumulate: bool,
    partials: *mut f32,
) {
    let [height, width] = t.output;
    let position = padded(t.out_channels);
    let step = t.out_step;
    // The first position, and the positions there are from one on.
    let [top, left] = T::FIRST.map(|tap| (tap + 1) % step);
    let rest = |side: usize, first: usize, from: usize| {
        TILE.min((side - first).div_ceil(step).saturating_sub(from))
    };
    for line in 0..lines {
        // SAFETY: positions of the caller's output, and its sums.
        unsafe {
            let from = sums.start.add(line * sums.places * LANES).cast_const();
            let mut channel_sums = Sums::<S>::about(S::splat(0.0));
            let mut positions = 0;
            for tile in 0..sums.count {
                let (image, row, column) = t.place(sums.first + tile);
                let start = (image * height + row * step + top) * width + column * step + left;
                let start = y.wrapping_add(start * position + line * LANES);
                let (rows, columns) = (rest(height, top, row), rest(width, left, column));
                let values = T::output::<S>(from.add(tile * LANES), sums.plane);
                if tile == 0 {
                    channel_sums = Sums::about(values[0][0]);
                }
                for (i, values) in values.iter().enumerate().take(rows) {
                    for (j, value) in values.iter().enumerate().take(columns) {
                        let to = start.add((i * width + j) * step * position);
                        let mut value = *value;
                        if accumulate {
                            value = S::add(S::load(to), value);
                        }
                        S::store(to, value);
                        channel_sums.add(value);
                    }
                }
                positions += rows * columns;
            }
            if !partials.is_null() {
                channel_sums.store(partials.add(line * LANES), position, positions);
            }
        }
    }
}
