//! Packing of the patches that a convolution multiplies by its weights.

use super::super::simd::{Simd, simd};
use super::super::{ConvGeometry, LANES, padded};

/// Positions of the taps of each row along one axis: tap t of row j is at `j·step + first +
/// t·direction` of the source.
#[derive(Clone, Copy)]
pub struct Axis {
    /// Number of rows.
    pub rows: usize,
    /// Number of taps.
    pub taps: usize,
    pub step: isize,
    pub first: isize,
    pub direction: isize,
    /// Number of positions of the source.
    pub source: usize,
}

impl Axis {
    /// Axis of the convolution itself (not of its gradient).
    fn forward(g: &ConvGeometry, taps: usize, source: usize, rows: usize) -> Axis {
        Axis {
            rows,
            taps,
            step: g.stride as isize,
            first: -(g.padding as isize),
            direction: 1,
            source,
        }
    }

    /// Position of a tap in the source; none if it is in the padding.
    #[inline(always)]
    fn source_position(&self, row: usize, tap: usize) -> Option<usize> {
        let position = row as isize * self.step + self.first + tap as isize * self.direction;
        (position >= 0 && (position as usize) < self.source).then_some(position as usize)
    }

    /// Whether all taps of a row are inside the source.
    #[inline(always)]
    fn is_inside(&self, row: usize) -> bool {
        self.taps > 0
            && self.source_position(row, 0).is_some()
            && self.source_position(row, self.taps - 1).is_some()
    }
}

/// Patches of a source `[image][y.source][x.source][padded(channels)]`, one for each row of
/// `[image][y.rows][x.rows]`.
#[derive(Clone, Copy)]
pub struct Patches {
    pub source: *const f32,
    pub channels: usize,
    pub y: Axis,
    pub x: Axis,
}

impl Patches {
    pub fn forward(g: &ConvGeometry, x: &[f32]) -> Patches {
        Patches {
            source: x.as_ptr(),
            channels: g.in_channels,
            y: Axis::forward(g, g.kernel.0, g.height, g.out_height()),
            x: Axis::forward(g, g.kernel.1, g.width, g.out_width()),
        }
    }

    /// Position of row number `row`.
    #[inline(always)]
    pub fn pixel(&self, row: usize) -> Pixel {
        Pixel {
            image: row / (self.y.rows * self.x.rows),
            y: row / self.x.rows % self.y.rows,
            x: row % self.x.rows,
        }
    }

    /// Moves to the next row, without the divisions of [`Patches::pixel`].
    #[inline(always)]
    pub fn advance(&self, pixel: &mut Pixel) {
        pixel.x += 1;
        if pixel.x == self.x.rows {
            pixel.x = 0;
            pixel.y += 1;
            if pixel.y == self.y.rows {
                pixel.y = 0;
                pixel.image += 1;
            }
        }
    }

    /// Pointer to the channels at a tap, or null outside the source.
    #[inline(always)]
    fn tap(&self, pixel: Pixel, ty: usize, tx: usize) -> *const f32 {
        match (
            self.y.source_position(pixel.y, ty),
            self.x.source_position(pixel.x, tx),
        ) {
            (Some(sy), Some(sx)) => {
                let position = (pixel.image * self.y.source + sy) * self.x.source + sx;
                self.source.wrapping_add(position * padded(self.channels))
            }
            _ => std::ptr::null(),
        }
    }

    /// Whether all taps of a patch are inside the source.
    #[inline(always)]
    fn is_inside(&self, pixel: Pixel) -> bool {
        self.y.is_inside(pixel.y) && self.x.is_inside(pixel.x)
    }
}

/// A row, as its image and its position on both axes.
#[derive(Clone, Copy)]
pub struct Pixel {
    pub image: usize,
    pub y: usize,
    pub x: usize,
}

/// Distance in floats between packed lines of `rows` rows: one row more than there are, so
/// that the same row of all lines does not fall into one set of the cache.
pub fn line_len(rows: usize) -> usize {
    (rows + 1) * LANES
}

simd! {
    /// Packs rows `first..first + count`, channel lines `lines.0..lines.1`, as
    /// `[tap][line][row][16]`, lines [`line_len`] apart.
    ///
    /// # Safety
    /// The source is readable, `to` writable for as many packed lines.
    pub fn pack(p: Patches, first: usize, count: usize, lines: (usize, usize), to: *mut f32)
        = pack_generic
}

/// Body of [`pack`].
///
/// # Safety
/// As for [`pack`], and S is present.
#[inline(always)]
unsafe fn pack_generic<S: Simd>(
    p: Patches,
    first: usize,
    count: usize,
    lines: (usize, usize),
    to: *mut f32,
) {
    let position = padded(p.channels) as isize;
    let along = p.x.direction * position;
    let down = p.y.direction * p.x.source as isize * position;
    let line_len = line_len(count);
    let mut pixel = p.pixel(first);
    for row in 0..count {
        let mut to = to.wrapping_add(row * LANES);
        let inside = p.is_inside(pixel);
        let base = if inside {
            p.tap(pixel, 0, 0)
        } else {
            std::ptr::null()
        };
        for ty in 0..p.y.taps {
            for tx in 0..p.x.taps {
                let from = if inside {
                    base.wrapping_offset(ty as isize * down + tx as isize * along)
                } else {
                    p.tap(pixel, ty, tx)
                };
                for line in lines.0..lines.1 {
                    // SAFETY: a position inside the source, and a packed line.
                    unsafe {
                        let value = if from.is_null() {
                            S::splat(0.0)
                        } else {
                            S::load(from.add(line * LANES))
                        };
                        S::store(to, value);
                    }
                    to = to.wrapping_add(line_len);
                }
            }
        }
        p.advance(&mut pixel);
    }
}

/// Packs rows `first..first + count`, lines `lines.0..lines.1` of a K that runs over
/// channels and then taps without padding, as `[line][row][16]`.
///
/// # Safety
/// As for [`pack`].
pub unsafe fn pack_compact(
    p: Patches,
    first: usize,
    count: usize,
    lines: (usize, usize),
    to: *mut f32,
) {
    for line in lines.0..lines.1 {
        let to = to.wrapping_add((line - lines.0) * line_len(count));
        // SAFETY: passed on to the caller.
        unsafe { pack_compact_line(p, first, count, line, to) };
    }
}

/// Packs one line of [`pack_compact`].
///
/// # Safety
/// As for [`pack`], with one line.
unsafe fn pack_compact_line(p: Patches, first: usize, count: usize, line: usize, to: *mut f32) {
    let taps = p.y.taps * p.x.taps;
    let used = (p.channels * taps).saturating_sub(line * LANES).min(LANES);
    let position = padded(p.channels) as isize;
    let along = p.x.direction * position;
    let down = p.y.direction * p.x.source as isize * position;
    // Row and column of a tap, the channel, and where that is from a row's first tap.
    let mut places = [(0, 0, 0); LANES];
    let mut offsets = [0; LANES];
    for k in 0..used {
        let (channel, tap) = ((line * LANES + k) / taps, (line * LANES + k) % taps);
        let (ty, tx) = (tap / p.x.taps, tap % p.x.taps);
        places[k] = (ty, tx, channel);
        offsets[k] = ty as isize * down + tx as isize * along + channel as isize;
    }
    let mut pixel = p.pixel(first);
    for row in 0..count {
        // SAFETY: the caller's packed lines, and positions inside the source.
        unsafe {
            let to = std::slice::from_raw_parts_mut(to.add(row * LANES), LANES);
            if p.is_inside(pixel) {
                let base = p.tap(pixel, 0, 0);
                // All sixteen, since a fixed number is quicker.
                for k in 0..LANES {
                    to[k] = *base.offset(offsets[k]);
                }
            } else {
                for (to, &(ty, tx, channel)) in to.iter_mut().zip(&places[..used]) {
                    let from = p.tap(pixel, ty, tx);
                    *to = if from.is_null() {
                        0.0
                    } else {
                        *from.add(channel)
                    };
                }
            }
            to[used..].fill(0.0);
        }
        p.advance(&mut pixel);
    }
}
