//! Images to transformed tiles and back.

use super::super::moments::Sums;
use super::super::simd::{Simd, simd};
use super::super::{LANES, padded};
use super::transform::{Window, gradient_tile, input_tile, output_tile};
use super::{TILE, Tiling};

simd! {
    /// Transforms tiles `first..first + count`; tile i goes to `to + 16·i` of its plane
    /// and line, lines being `places` tiles long.
    ///
    /// # Safety
    /// `x` is the tiling's input, `to` is writable.
    pub fn transform_tiles(
        t: Tiling,
        x: *const f32,
        first: usize,
        count: usize,
        to: *mut f32,
        places: usize,
        plane: usize,
    ) = transform_tiles_generic
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn transform_tiles_generic<S: Simd>(
    t: Tiling,
    x: *const f32,
    first: usize,
    count: usize,
    to: *mut f32,
    places: usize,
    plane: usize,
) {
    let [height, width] = t.input;
    let position = padded(t.in_channels);
    for tile in 0..count {
        let (image, row, column) = t.place(first + tile);
        for line in 0..t.in_lines() {
            // SAFETY: an image of the caller's.
            unsafe {
                let window = Window {
                    image: x.add(image * height * width * position + line * LANES),
                    y: row as isize - t.padding as isize,
                    x: column as isize - t.padding as isize,
                    height,
                    width,
                    position,
                };
                input_tile::<S>(window, to.add((line * places + tile) * LANES), plane);
            }
        }
    }
}

simd! {
    /// Turns products into tiles of output, and with `partials` sums them by channel.
    ///
    /// # Safety
    /// `y` is the tiling's output from the first of `lines` blocks of channels on;
    /// `partials` is null or holds the sums from that block on.
    pub fn finish_tiles(
        t: Tiling,
        sums: *const f32,
        plane: usize,
        tiles: (usize, usize),
        lines: usize,
        y: *mut f32,
        accumulate: bool,
        partials: *mut f32,
    ) = finish_tiles_generic
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn finish_tiles_generic<S: Simd>(
    t: Tiling,
    sums: *const f32,
    plane: usize,
    (first, count): (usize, usize),
    lines: usize,
    y: *mut f32,
    accumulate: bool,
    partials: *mut f32,
) {
    let [height, width] = t.output;
    let position = padded(t.out_channels);
    for line in 0..lines {
        // SAFETY: positions of the caller's output, and its sums.
        unsafe {
            let pivot = output_tile::<S>(sums.add(line * count * LANES), plane)[0][0];
            let mut all = Sums::<S>::about(pivot);
            let mut positions = 0;
            for tile in 0..count {
                let (image, row, column) = t.place(first + tile);
                let values = output_tile::<S>(sums.add((line * count + tile) * LANES), plane);
                let start = (image * height + row) * width + column;
                let start = y.add(start * position + line * LANES);
                for (i, values) in values.iter().enumerate().take(height - row) {
                    for (j, value) in values.iter().enumerate().take(width - column) {
                        let to = start.add((i * width + j) * position);
                        let mut value = *value;
                        if accumulate {
                            value = S::add(S::load(to), value);
                        }
                        S::store(to, value);
                        all.add(value);
                    }
                }
                positions += TILE.min(height - row) * TILE.min(width - column);
            }
            if !partials.is_null() {
                all.store(partials.add(line * LANES), position, positions);
            }
        }
    }
}

simd! {
    /// Transforms tiles of the output's gradient, as `transform_tiles` does the input's.
    ///
    /// # Safety
    /// `dy` is the tiling's output, `to` is writable.
    pub fn transform_gradients(
        t: Tiling,
        dy: *const f32,
        first: usize,
        count: usize,
        to: *mut f32,
        places: usize,
        plane: usize,
    ) = transform_gradients_generic
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn transform_gradients_generic<S: Simd>(
    t: Tiling,
    dy: *const f32,
    first: usize,
    count: usize,
    to: *mut f32,
    places: usize,
    plane: usize,
) {
    let [height, width] = t.output;
    let position = padded(t.out_channels);
    for tile in 0..count {
        let (image, row, column) = t.place(first + tile);
        for line in 0..t.out_lines() {
            // SAFETY: an image of the caller's.
            unsafe {
                let window = Window {
                    image: dy.add(image * height * width * position + line * LANES),
                    y: row as isize,
                    x: column as isize,
                    height,
                    width,
                    position,
                };
                gradient_tile::<S>(window, to.add((line * places + tile) * LANES), plane);
            }
        }
    }
}
