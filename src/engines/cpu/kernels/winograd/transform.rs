//! The two-dimensional transforms of a tile, by one [`Axis`] down and one across.

// Loop variables are numbers of registers; iterators would hide which.
#![allow(clippy::needless_range_loop)]

use super::super::LANES;
use super::super::simd::Simd;
use super::axes::Axis;
use std::marker::PhantomData;

/// The taps that go with one part of the positions: of the filter's rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Stride 1 has one phase.
    AllAll,
    /// The others are the four of stride 2.
    MiddleEnds,
    EndsEnds,
    EndsMiddle,
    MiddleMiddle,
}

impl Phase {
    /// The phases of a convolution. Those that have a value at a point are neighbours, in
    /// this order ([`phases_at`]).
    pub fn of_stride(stride: usize) -> &'static [Phase] {
        match stride {
            1 => &[Phase::AllAll],
            _ => &[
                Phase::MiddleEnds,
                Phase::EndsEnds,
                Phase::EndsMiddle,
                Phase::MiddleMiddle,
            ],
        }
    }

    /// The phase that has all points.
    pub fn full(stride: usize) -> &'static [Phase] {
        match stride {
            1 => &[Phase::AllAll],
            _ => &[Phase::EndsEnds],
        }
    }
}

/// Points of a convolution.
pub fn points(stride: usize) -> usize {
    match stride {
        1 => 36,
        _ => 25,
    }
}

/// Products of all points and their phases, for a tile, an input and an output.
pub fn products(stride: usize) -> usize {
    match stride {
        1 => 36,
        _ => 81,
    }
}

/// The range of [`Phase::of`] that has values at a point: a middle tap has none at ∞,
/// the last point of an axis.
pub fn phases_at(stride: usize, point: usize) -> std::ops::Range<usize> {
    if stride == 1 {
        return 0..1;
    }
    match (point / 5 == 4, point % 5 == 4) {
        (false, false) => 0..4,
        (false, true) => 0..2,
        (true, false) => 1..3,
        (true, true) => 1..2,
    }
}

/// Calls a function that is generic over a [`Tile`] with that of a phase.
macro_rules! in_phase {
    ($phase:expr, $function:ident::<$S:ident>($($arg:expr),* $(,)?)) => {{
        use $crate::engines::cpu::kernels::winograd::axes::{All, Ends, Middle};
        use $crate::engines::cpu::kernels::winograd::transform::{Axes, Phase};
        match $phase {
            Phase::AllAll => $function::<$S, Axes<All, All, 6, 3, 6, 3>>($($arg),*),
            Phase::MiddleEnds => $function::<$S, Axes<Middle, Ends, 4, 1, 5, 2>>($($arg),*),
            Phase::EndsEnds => $function::<$S, Axes<Ends, Ends, 5, 2, 5, 2>>($($arg),*),
            Phase::EndsMiddle => $function::<$S, Axes<Ends, Middle, 5, 2, 4, 1>>($($arg),*),
            Phase::MiddleMiddle => $function::<$S, Axes<Middle, Middle, 4, 1, 4, 1>>($($arg),*),
        }
    }};
}
pub(super) use in_phase;

/// Applies a map of the axis across to the rows of a matrix of vectors, and then one of
/// the axis down to its columns.
macro_rules! both_ways {
    ($S:ident, $R:ident, $C:ident, $map:ident,
     $matrix:expr, $rows:tt x $columns:tt => $out_rows:tt x $out_columns:tt) => {{
        let mut half = [[$S::splat(0.0); $out_columns]; $rows];
        for row in 0..$rows {
            half[row] = $C::$map::<$S>($matrix[row]);
        }
        let mut whole = [[$S::splat(0.0); $out_columns]; $out_rows];
        for column in 0..$out_columns {
            let result = $R::$map::<$S>(std::array::from_fn(|row| half[row][column]));
            for row in 0..$out_rows {
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
    /// Positions from one of the tile's to the next, down or across.
    pub step: usize,
    pub height: usize,
    pub width: usize,
    /// Floats from a position to the next.
    pub position: usize,
}

/// What lies outside of an image.
static ZEROS: Zeros = Zeros([0.0; LANES]);

#[repr(align(64))]
struct Zeros([f32; LANES]);

impl Window {
    /// R×C positions, zero outside of the image.
    #[inline(always)]
    unsafe fn read<S: Simd, const R: usize, const C: usize>(&self) -> [[S::V; C]; R] {
        // SAFETY: positions inside the image only.
        unsafe {
            let mut tile = [[S::splat(0.0); C]; R];
            let (height, width) = (self.height as isize, self.width as isize);
            let step = self.step as isize;
            let inside = self.y >= 0
                && self.x >= 0
                && self.y + (R as isize - 1) * step < height
                && self.x + (C as isize - 1) * step < width;
            // May lie outside of the image until a position inside is added.
            let first = (self.y * width + self.x) * self.position as isize;
            let start = self.image.wrapping_offset(first);
            let column = self.step * self.position;
            let row = self.width * column;
            if inside {
                for i in 0..R {
                    for j in 0..C {
                        tile[i][j] = S::load(start.add(i * row + j * column));
                    }
                }
            } else {
                let is_in = |at: isize, side: isize| at >= 0 && at < side;
                let xs: [bool; C] =
                    std::array::from_fn(|j| is_in(self.x + j as isize * step, width));
                for i in 0..R {
                    let y = is_in(self.y + i as isize * step, height);
                    for j in 0..C {
                        let from = start.wrapping_add(i * row + j * column);
                        // A choice of addresses, where a branch would often be mistaken.
                        let from =
                            std::hint::select_unpredictable(y & xs[j], from, &raw const ZEROS.0[0]);
                        tile[i][j] = S::load(from);
                    }
                }
            }
            tile
        }
    }
}

/// The transforms of a phase. Point (i, j) of a tile lies at `(i·side + j)·plane`, `side`
/// being that of all points of the convolution.
///
/// # Safety
/// S is present, and what is given is readable or writable there.
pub trait Tile {
    /// The first taps, down and across.
    const FIRST: [usize; 2];

    /// Bᵀ d B of a window.
    unsafe fn input<S: Simd>(window: Window, to: *mut f32, plane: usize);

    /// A y Aᵀ of a window of 4×4 outputs.
    unsafe fn gradient<S: Simd>(window: Window, to: *mut f32, plane: usize);

    /// Aᵀ m A.
    unsafe fn output<S: Simd>(from: *const f32, plane: usize) -> [[S::V; 4]; 4];

    /// G g Gᵀ of the phase's share of a filter, whose taps are `tap` apart; the other way
    /// around where `turned`.
    unsafe fn filter<S: Simd>(
        from: *const f32,
        tap: usize,
        turned: bool,
        to: *mut f32,
        plane: usize,
    );

    /// Gᵀ u G, to a filter whose taps lie sixteen apart.
    unsafe fn filter_gradient<S: Simd>(from: *const f32, plane: usize, to: *mut f32);
}

/// R down and C across.
pub struct Axes<
    R,
    C,
    const ROWS: usize,
    const ROW_TAPS: usize,
    const COLUMNS: usize,
    const COLUMN_TAPS: usize,
>(PhantomData<(R, C)>);

impl<R, C, const PR: usize, const TR: usize, const PC: usize, const TC: usize> Tile
    for Axes<R, C, PR, TR, PC, TC>
where
    R: Axis<PR, TR>,
    C: Axis<PC, TC>,
{
    const FIRST: [usize; 2] = [R::FIRST_TAP, C::FIRST_TAP];

    #[inline(always)]
    unsafe fn input<S: Simd>(window: Window, to: *mut f32, plane: usize) {
        // SAFETY: passed on to the caller.
        unsafe {
            let tile = window.read::<S, PR, PC>();
            let values = both_ways!(S, R, C, input, tile, PR x PC => PR x PC);
            store_points::<S, PR, PC>(values, C::SIDE, to, plane);
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(window: Window, to: *mut f32, plane: usize) {
        // SAFETY: passed on to the caller.
        unsafe {
            let tile = window.read::<S, 4, 4>();
            let values = both_ways!(S, R, C, gradient, tile, 4 x 4 => PR x PC);
            store_points::<S, PR, PC>(values, C::SIDE, to, plane);
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(from: *const f32, plane: usize) -> [[S::V; 4]; 4] {
        // SAFETY: passed on to the caller.
        unsafe {
            let values = load_points::<S, PR, PC>(from, C::SIDE, plane);
            both_ways!(S, R, C, output, values, PR x PC => 4 x 4)
        }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(
        from: *const f32,
        tap: usize,
        turned: bool,
        to: *mut f32,
        plane: usize,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut taps = [[S::splat(0.0); TC]; TR];
            for i in 0..TR {
                for j in 0..TC {
                    let (row, column) = if turned {
                        (TR - 1 - i, TC - 1 - j)
                    } else {
                        (i, j)
                    };
                    taps[i][j] = S::load(from.add(Self::tap(row, column) * tap));
                }
            }
            let values = both_ways!(S, R, C, filter, taps, TR x TC => PR x PC);
            store_points::<S, PR, PC>(values, C::SIDE, to, plane);
        }
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(from: *const f32, plane: usize, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe {
            let values = load_points::<S, PR, PC>(from, C::SIDE, plane);
            let taps = both_ways!(S, R, C, filter_gradient, values, PR x PC => TR x TC);
            for i in 0..TR {
                for j in 0..TC {
                    S::store(to.add(Self::tap(i, j) * LANES), taps[i][j]);
                }
            }
        }
    }
}

impl<R, C, const PR: usize, const TR: usize, const PC: usize, const TC: usize>
    Axes<R, C, PR, TR, PC, TC>
where
    R: Axis<PR, TR>,
    C: Axis<PC, TC>,
{
    /// Index among the filter's nine taps.
    #[inline(always)]
    fn tap(row: usize, column: usize) -> usize {
        (R::FIRST_TAP + row * R::STRIDE) * 3 + C::FIRST_TAP + column * C::STRIDE
    }
}

#[inline(always)]
unsafe fn store_points<S: Simd, const R: usize, const C: usize>(
    values: [[S::V; C]; R],
    side: usize,
    to: *mut f32,
    plane: usize,
) {
    for i in 0..R {
        for j in 0..C {
            // SAFETY: passed on to the caller.
            unsafe { S::store(to.add((side * i + j) * plane), values[i][j]) };
        }
    }
}

#[inline(always)]
unsafe fn load_points<S: Simd, const R: usize, const C: usize>(
    from: *const f32,
    side: usize,
    plane: usize,
) -> [[S::V; C]; R] {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut values = [[S::splat(0.0); C]; R];
        for i in 0..R {
            for j in 0..C {
                values[i][j] = S::load(from.add((side * i + j) * plane));
            }
        }
        values
    }
}
