//! Packing patches.

use super::super::simd::{Simd, simd};
use super::super::{ConvGeometry, LANES, padded};

/// Where the taps of a row lie along one axis: tap t of row j is at
/// `j·step + first + t·direction` of the source.
#[derive(Clone, Copy)]
pub struct Axis {
    /// Rows.
    pub rows: usize,
    /// Taps.
    pub taps: usize,
    pub step: isize,
    pub first: isize,
    pub direction: isize,
    /// Positions of the source.
    pub source: usize,
}

impl Axis {
    /// Along an axis of the convolution itself.
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

    /// Position of a tap, if the source has it.
    #[inline(always)]
    fn at(&self, row: usize, tap: usize) -> Option<usize> {
        let at = row as isize * self.step + self.first + tap as isize * self.direction;
        (at >= 0 && (at as usize) < self.source).then_some(at as usize)
    }
}

/// The patches of a source `[image][y.source][x.source][padded(channels)]`; rows are
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

    /// Image, row and column of a row.
    #[inline(always)]
    pub fn place(&self, row: usize) -> (usize, usize, usize) {
        let image = row / (self.y.rows * self.x.rows);
        (image, row / self.x.rows % self.y.rows, row % self.x.rows)
    }

    /// The channels at a tap of a row, or null outside of the source.
    #[inline(always)]
    fn tap(&self, (image, y, x): (usize, usize, usize), ty: usize, tx: usize) -> *const f32 {
        match (self.y.at(y, ty), self.x.at(x, tx)) {
            (Some(sy), Some(sx)) => {
                let position = (image * self.y.source + sy) * self.x.source + sx;
                self.source.wrapping_add(position * padded(self.channels))
            }
            _ => std::ptr::null(),
        }
    }
}

simd! {
    /// Packs rows `first..first + count`, channel lines `lines.0..lines.1`, as
    /// `[tap][line][row][16]`.
    ///
    /// # Safety
    /// The source is readable, `to` writable.
    pub fn pack(p: Patches, first: usize, count: usize, lines: (usize, usize), to: *mut f32)
        = pack_generic
}

#[inline(always)]
unsafe fn pack_generic<S: Simd>(
    p: Patches,
    first: usize,
    count: usize,
    lines: (usize, usize),
    to: *mut f32,
) {
    let width = lines.1 - lines.0;
    for row in 0..count {
        let place = p.place(first + row);
        for ty in 0..p.y.taps {
            for tx in 0..p.x.taps {
                let from = p.tap(place, ty, tx);
                let tap = ty * p.x.taps + tx;
                for line in 0..width {
                    // SAFETY: a position inside the source.
                    unsafe {
                        let value = if from.is_null() {
                            S::splat(0.0)
                        } else {
                            S::load(from.add((lines.0 + line) * LANES))
                        };
                        S::store(to.add(((tap * width + line) * count + row) * LANES), value);
                    }
                }
            }
        }
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
    let taps = p.y.taps * p.x.taps;
    let (from, end) = (lines.0 * LANES, lines.1 * LANES);
    for row in 0..count {
        let place = p.place(first + row);
        let write = |k: usize, value: f32| {
            let k = k - from;
            // SAFETY: within the packed lines.
            unsafe { *to.add((k / LANES * count + row) * LANES + k % LANES) = value };
        };
        for ty in 0..p.y.taps {
            for tx in 0..p.x.taps {
                let source = p.tap(place, ty, tx);
                for channel in 0..p.channels {
                    let k = channel * taps + ty * p.x.taps + tx;
                    if (from..end).contains(&k) {
                        // SAFETY: a position inside the source.
                        write(k, if source.is_null() { 0.0 } else { unsafe { *source.add(channel) } });
                    }
                }
            }
        }
        for k in (p.channels * taps).max(from)..end {
            write(k, 0.0);
        }
    }
}
