//! The one-dimensional transforms of F(4, 3) and their two-dimensional uses.
//!
//! With the points 0, ±a, ±b and ∞, `y = Aᵀ[(G g) ⊙ (Bᵀ d)]` for six inputs d, three
//! taps g, four outputs y, and its transposes give the gradients. a = 3/4 and b = 3/2
//! cost what the customary 1 and 2 do and halve the error (Toom–Cook: Lavin & Gray 2016;
//! the points: Barabasz et al. 2020).

// Loop variables are numbers of registers; iterators would hide which.
#![allow(clippy::needless_range_loop)]

use super::super::simd::Simd;

/// Transformed values of a tile.
pub const POINTS: usize = 36;

const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// 1/N of the points: N is the product of a point's distances from the other points.
const N0: f32 = 1.0 / (A2 * B2);
const NA: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const NB: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

/// Bᵀ d.
#[inline(always)]
pub unsafe fn input<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: S is present.
    unsafe {
        let ends = S::splat(-(A2 + B2));
        let product = S::splat(A2 * B2);
        let (a2, b2) = (S::splat(-A2), S::splat(-B2));
        let even_a = S::fma(b2, d[2], d[4]);
        let odd_a = S::mul(S::splat(A), S::fma(b2, d[1], d[3]));
        let even_b = S::fma(a2, d[2], d[4]);
        let odd_b = S::mul(S::splat(B), S::fma(a2, d[1], d[3]));
        [
            S::fma(product, d[0], S::fma(ends, d[2], d[4])),
            S::add(even_a, odd_a),
            S::sub(even_a, odd_a),
            S::add(even_b, odd_b),
            S::sub(even_b, odd_b),
            S::fma(product, d[1], S::fma(ends, d[3], d[5])),
        ]
    }
}

/// Aᵀ m.
#[inline(always)]
pub unsafe fn output<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: S is present.
    unsafe {
        let (even_a, odd_a) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (even_b, odd_b) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        let at = |a: f32, x, b: f32, y| S::fma(S::splat(a), x, S::mul(S::splat(b), y));
        [
            S::add(m[0], S::add(even_a, even_b)),
            at(A, odd_a, B, odd_b),
            at(A2, even_a, B2, even_b),
            S::add(at(A * A2, odd_a, B * B2, odd_b), m[5]),
        ]
    }
}

/// A y, the transpose of [`output`].
#[inline(always)]
pub unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: S is present.
    unsafe {
        let at = |a: f32, x, b: f32, y| S::fma(S::splat(a), x, S::mul(S::splat(b), y));
        let even_a = S::fma(S::splat(A2), y[2], y[0]);
        let odd_a = at(A, y[1], A * A2, y[3]);
        let even_b = S::fma(S::splat(B2), y[2], y[0]);
        let odd_b = at(B, y[1], B * B2, y[3]);
        [
            y[0],
            S::add(even_a, odd_a),
            S::sub(even_a, odd_a),
            S::add(even_b, odd_b),
            S::sub(even_b, odd_b),
            y[3],
        ]
    }
}

/// G g.
#[inline(always)]
pub unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; 6] {
    // SAFETY: S is present.
    unsafe {
        let scaled = |p2: f32, n: f32| S::mul(S::splat(n), S::fma(S::splat(p2), g[2], g[0]));
        let (even_a, odd_a) = (scaled(A2, NA), S::mul(S::splat(A * NA), g[1]));
        let (even_b, odd_b) = (scaled(B2, NB), S::mul(S::splat(B * NB), g[1]));
        [
            S::mul(S::splat(N0), g[0]),
            S::add(even_a, odd_a),
            S::sub(even_a, odd_a),
            S::add(even_b, odd_b),
            S::sub(even_b, odd_b),
            g[2],
        ]
    }
}

/// Gᵀ u, the transpose of [`filter`].
#[inline(always)]
pub unsafe fn filter_gradient<S: Simd>(u: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: S is present.
    unsafe {
        let at = |a: f32, x, b: f32, y| S::fma(S::splat(a), x, S::mul(S::splat(b), y));
        let (even_a, odd_a) = (S::add(u[1], u[2]), S::sub(u[1], u[2]));
        let (even_b, odd_b) = (S::add(u[3], u[4]), S::sub(u[3], u[4]));
        [
            S::fma(S::splat(N0), u[0], at(NA, even_a, NB, even_b)),
            at(A * NA, odd_a, B * NB, odd_b),
            S::add(at(A2 * NA, even_a, B2 * NB, even_b), u[5]),
        ]
    }
}

/// Applies `f` to the rows and then to the columns of a matrix of vectors.
macro_rules! both_ways {
    ($S:ident, $f:ident, $matrix:expr, $rows:literal x $columns:literal => $out:literal) => {{
        let mut half = [[$S::splat(0.0); $out]; $rows];
        for row in 0..$rows {
            half[row] = $f::<$S>($matrix[row]);
        }
        let mut whole = [[$S::splat(0.0); $out]; $out];
        for column in 0..$out {
            let result = $f::<$S>(std::array::from_fn(|row| half[row][column]));
            for row in 0..$out {
                whole[row][column] = result[row];
            }
        }
        whole
    }};
}

/// Where the sixteen channels of a tile's positions are.
#[derive(Clone, Copy)]
pub struct Window {
    /// Position (0, 0) of the image; the tile's first position is `(y, x)`.
    pub image: *const f32,
    pub y: isize,
    pub x: isize,
    pub height: usize,
    pub width: usize,
    /// Floats from a position to the next.
    pub position: usize,
}

impl Window {
    /// The N×N positions, zero outside of the image.
    #[inline(always)]
    unsafe fn read<S: Simd, const N: usize>(&self) -> [[S::V; N]; N] {
        // SAFETY: positions inside the image only.
        unsafe {
            let mut tile = [[S::splat(0.0); N]; N];
            let (height, width) = (self.height as isize, self.width as isize);
            let inside = self.y >= 0
                && self.x >= 0
                && self.y + N as isize <= height
                && self.x + N as isize <= width;
            // May lie outside of the image until a position inside is added.
            let first = (self.y * width + self.x) * self.position as isize;
            let start = self.image.wrapping_offset(first);
            let row = self.width * self.position;
            if inside {
                for i in 0..N {
                    for j in 0..N {
                        tile[i][j] = S::load(start.add(i * row + j * self.position));
                    }
                }
            } else {
                for i in 0..N {
                    for j in 0..N {
                        let (y, x) = (self.y + i as isize, self.x + j as isize);
                        if y >= 0 && y < height && x >= 0 && x < width {
                            tile[i][j] = S::load(start.wrapping_add(i * row + j * self.position));
                        }
                    }
                }
            }
            tile
        }
    }
}

/// Bᵀ d B of a 6×6 window, its 36 values `plane` apart.
///
/// # Safety
/// The window's image is readable, the 36 places writable, S present.
#[inline(always)]
pub unsafe fn input_tile<S: Simd>(window: Window, to: *mut f32, plane: usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        let tile = window.read::<S, 6>();
        let values = both_ways!(S, input, tile, 6 x 6 => 6);
        store_points::<S>(values, to, plane);
    }
}

/// A y Aᵀ of a 4×4 window, as [`input_tile`].
///
/// # Safety
/// As there.
#[inline(always)]
pub unsafe fn gradient_tile<S: Simd>(window: Window, to: *mut f32, plane: usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        let tile = window.read::<S, 4>();
        let values = both_ways!(S, gradient, tile, 4 x 4 => 6);
        store_points::<S>(values, to, plane);
    }
}

/// G g Gᵀ of nine taps, as [`input_tile`].
///
/// # Safety
/// The 36 places are writable, S present.
#[inline(always)]
pub unsafe fn filter_tile<S: Simd>(taps: [[S::V; 3]; 3], to: *mut f32, plane: usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        let values = both_ways!(S, filter, taps, 3 x 3 => 6);
        store_points::<S>(values, to, plane);
    }
}

/// Aᵀ m A of 36 values `plane` apart.
///
/// # Safety
/// They are readable, S present.
#[inline(always)]
pub unsafe fn output_tile<S: Simd>(from: *const f32, plane: usize) -> [[S::V; 4]; 4] {
    // SAFETY: passed on to the caller.
    unsafe {
        let values = load_points::<S>(from, plane);
        both_ways!(S, output, values, 6 x 6 => 4)
    }
}

/// Gᵀ u G of 36 values `plane` apart.
///
/// # Safety
/// They are readable, S present.
#[inline(always)]
pub unsafe fn filter_gradient_tile<S: Simd>(from: *const f32, plane: usize) -> [[S::V; 3]; 3] {
    // SAFETY: passed on to the caller.
    unsafe {
        let values = load_points::<S>(from, plane);
        both_ways!(S, filter_gradient, values, 6 x 6 => 3)
    }
}

#[inline(always)]
unsafe fn store_points<S: Simd>(values: [[S::V; 6]; 6], to: *mut f32, plane: usize) {
    for (i, row) in values.into_iter().enumerate() {
        for (j, value) in row.into_iter().enumerate() {
            // SAFETY: passed on to the caller.
            unsafe { S::store(to.add((6 * i + j) * plane), value) };
        }
    }
}

#[inline(always)]
unsafe fn load_points<S: Simd>(from: *const f32, plane: usize) -> [[S::V; 6]; 6] {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut values = [[S::splat(0.0); 6]; 6];
        for (i, row) in values.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = S::load(from.add((6 * i + j) * plane));
            }
        }
        values
    }
}
