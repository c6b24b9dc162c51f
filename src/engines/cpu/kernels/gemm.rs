//! Products of small blocked matrices, the inner loops of all linear layers.
//!
//! A left matrix of R rows and K columns lies in **lines**: `[K/16][R][16]`. A right
//! matrix, K×N, lies as `[N/16][K][16]`: blocks of sixteen columns, read in order.

// Loop variables are numbers of registers; iterators would hide which.
#![allow(clippy::needless_range_loop)]

use super::LANES;
use super::pool::Pool;
use super::simd::{Simd, simd};

/// Matrix that a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Onto {
    Nothing,
    /// Old contents of the output.
    Itself,
    /// Row that is added to each row of the product: as many floats as there are columns,
    /// rounded up to sixteen.
    Row(*const f32),
}

impl From<bool> for Onto {
    /// Maps true to [`Onto::Itself`], false to [`Onto::Nothing`].
    fn from(accumulate: bool) -> Onto {
        match accumulate {
            true => Onto::Itself,
            false => Onto::Nothing,
        }
    }
}

impl Onto {
    /// Returns the same summand for the columns from `column` on.
    ///
    /// # Safety
    /// `column` is at most the length of the row.
    #[inline(always)]
    unsafe fn at_column(self, column: usize) -> Onto {
        match self {
            // SAFETY: within the caller's row.
            Onto::Row(row) => Onto::Row(unsafe { row.add(column) }),
            Onto::Nothing | Onto::Itself => self,
        }
    }
}

simd! {
    /// Computes `out = left · right`, added to the summand `onto`.
    ///
    /// # Safety
    /// The matrices are readable, `out` is writable and does not overlap them.
    pub fn product(left: Left, right: Right, out: Out, onto: Onto) = product_generic
}

simd! {
    /// Computes `out = leftᵀ · right`, or adds it to `out`: a sum over `depth` rows of both.
    /// [`Left::rows`] counts the columns of `left`, whose rows are [`Left::row`] apart;
    /// [`Left::line`] is not used. The rows of `right` are `right_row` apart.
    ///
    /// # Safety
    /// As for [`product`].
    pub fn outer_product(
        left: Left,
        right: Right,
        right_row: usize,
        out: Out,
        accumulate: bool,
    ) = outer_product_generic
}

/// Left matrix of a [`product`], `rows` × `depth`.
#[derive(Clone, Copy)]
pub struct Left {
    pub start: *const f32,
    /// Distance from one row to the next.
    pub row: usize,
    /// Distance from sixteen columns to the next sixteen.
    pub line: usize,
    pub rows: usize,
    /// Number of columns; need not be a multiple of sixteen.
    pub depth: usize,
}

/// Right matrix of a [`product`].
#[derive(Clone, Copy)]
pub struct Right {
    pub start: *const f32,
    /// Distance from sixteen columns to the next sixteen.
    pub block: usize,
    /// Number of blocks of sixteen columns.
    pub blocks: usize,
}

/// Result matrix of a [`product`].
#[derive(Clone, Copy)]
pub struct Out {
    pub start: *mut f32,
    /// Distance from one row to the next.
    pub row: usize,
    /// Distance from sixteen columns to the next sixteen.
    pub block: usize,
}

/// Columns of the left matrix that are summed at once: so many rows of the right one, twice
/// sixteen floats each, stay in the first-level cache.
const DEPTH: usize = 192;

/// Body of [`product`].
///
/// # Safety
/// As for [`product`], and S is present.
#[inline(always)]
unsafe fn product_generic<S: Simd>(left: Left, right: Right, out: Out, onto: Onto) {
    // SAFETY: passed on to the caller.
    unsafe {
        if left.row == LANES {
            // The usual distance as a constant, so that it goes into the addresses.
            product_of::<S>(Left { row: LANES, ..left }, right, out, onto);
        } else {
            product_of::<S>(left, right, out, onto);
        }
    }
}

/// Computes a product chunk by chunk, each of at most [`DEPTH`] columns and `S::ROWS` rows of
/// the left matrix.
///
/// # Safety
/// As for [`product_generic`].
#[inline(always)]
unsafe fn product_of<S: Simd>(left: Left, right: Right, out: Out, onto: Onto) {
    // Rows in equal chunks: a tail of few rows would run at a fraction of the speed.
    let chunks = left.rows.div_ceil(S::ROWS).max(1);
    let mut from = 0;
    loop {
        let depth = (left.depth - from).min(DEPTH);
        let onto = if from > 0 { Onto::Itself } else { onto };
        let mut block = 0;
        while block < right.blocks {
            let width = if S::PAIR && right.blocks - block > 1 {
                2
            } else {
                1
            };
            for chunk in 0..chunks {
                let first = chunk * left.rows / chunks;
                let rows = (chunk + 1) * left.rows / chunks - first;
                // SAFETY: blocks of the caller's matrices.
                unsafe {
                    let a = Left {
                        start: left.start.add(first * left.row + from / LANES * left.line),
                        rows,
                        depth,
                        ..left
                    };
                    let b = right.start.add(block * right.block + from * LANES);
                    let c = out.start.add(first * out.row + block * out.block);
                    let c = Out { start: c, ..out };
                    let onto = onto.at_column(block * LANES);
                    if width == 2 {
                        rows_by::<S, 2>(a, b, right.block, c, onto);
                    } else {
                        rows_by::<S, 1>(a, b, right.block, c, onto);
                    }
                }
            }
            block += width;
        }
        from += depth;
        if from >= left.depth {
            return;
        }
    }
}

/// Chooses the kernel for the number of rows, at most `S::ROWS`.
///
/// # Safety
/// As for [`product_generic`], for 16·N columns.
#[inline(always)]
unsafe fn rows_by<S: Simd, const N: usize>(
    a: Left,
    b: *const f32,
    b_block: usize,
    c: Out,
    onto: Onto,
) {
    macro_rules! choose {
        ($($rows:literal)*) => {
            match a.rows {
                $($rows if $rows <= S::ROWS => {
                    // SAFETY: passed on to the caller.
                    unsafe { micro::<S, $rows, N>(a, b, b_block, c, onto) }
                })*
                _ => debug_assert!(a.rows == 0),
            }
        };
    }
    choose!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
}

/// Multiplies R rows by 16·N columns, with the sums in registers over the whole depth.
///
/// # Safety
/// As for [`product_generic`], for R rows and 16·N columns.
#[inline(always)]
unsafe fn micro<S: Simd, const R: usize, const N: usize>(
    a: Left,
    b: *const f32,
    b_block: usize,
    c: Out,
    onto: Onto,
) {
    // SAFETY: within the caller's matrices.
    unsafe {
        let mut sums = [[S::splat(0.0); N]; R];
        let mut b = b;
        let mut line = a.start;
        let mut left = a.depth;
        while left > 0 {
            let steps = left.min(LANES);
            for k in 0..steps {
                let mut columns = [S::splat(0.0); N];
                for n in 0..N {
                    columns[n] = S::load(b.add(n * b_block));
                }
                b = b.add(LANES);
                for r in 0..R {
                    let x = S::splat(*line.add(r * a.row + k));
                    for n in 0..N {
                        sums[r][n] = S::fma(x, columns[n], sums[r][n]);
                    }
                }
            }
            line = line.add(a.line);
            left -= steps;
        }
        write::<S, R, N>(sums, c, onto);
    }
}

/// Writes sums to R rows and 16·N columns of `c`, added to `onto`.
///
/// # Safety
/// `c` and `onto` have these rows and columns, and S is present.
#[inline(always)]
unsafe fn write<S: Simd, const R: usize, const N: usize>(sums: [[S::V; N]; R], c: Out, onto: Onto) {
    // Decided here: a decision in the loops would drive the sums out of the registers.
    let (from, row, block) = match onto {
        Onto::Nothing => (None, 0, 0),
        Onto::Itself => (Some(c.start.cast_const()), c.row, c.block),
        Onto::Row(from) => (Some(from), 0, LANES),
    };
    for r in 0..R {
        for n in 0..N {
            // SAFETY: within the caller's matrix and row.
            unsafe {
                let mut sum = sums[r][n];
                if let Some(from) = from {
                    sum = S::add(S::load(from.add(r * row + n * block)), sum);
                }
                S::store(c.start.add(r * c.row + n * c.block), sum);
            }
        }
    }
}

/// Rows of both matrices that are summed at once: sixteen columns of the left one and twice
/// sixteen of the right one, so many rows of each, stay in the first-level cache.
const SUMMED: usize = 128;

/// Body of [`outer_product`].
///
/// # Safety
/// As for [`outer_product`], and S is present.
#[inline(always)]
unsafe fn outer_product_generic<S: Simd>(
    left: Left,
    right: Right,
    right_row: usize,
    out: Out,
    accumulate: bool,
) {
    let mut from = 0;
    while from < left.depth || from == 0 {
        let depth = (left.depth - from).min(SUMMED);
        let accumulate = accumulate || from > 0;
        let mut block = 0;
        while block < right.blocks {
            // SAFETY: blocks of the caller's matrices.
            unsafe {
                let a = Left {
                    start: left.start.add(from * left.row),
                    depth,
                    ..left
                };
                let b = right.start.add(block * right.block + from * right_row);
                let b = (b, right_row, right.block);
                let c = Out {
                    start: out.start.add(block * out.block),
                    ..out
                };
                block += match right.blocks - block {
                    _ if !S::PAIR => outer_rows::<S, 1>(a, b, c, accumulate),
                    1 => outer_rows::<S, 1>(a, b, c, accumulate),
                    2 => outer_rows::<S, 2>(a, b, c, accumulate),
                    4 => outer_rows::<S, 4>(a, b, c, accumulate),
                    _ => outer_rows::<S, 3>(a, b, c, accumulate),
                };
            }
        }
        from += depth.max(1);
    }
}

/// Computes an outer product for 16·N columns of `b`, in equal chunks of as many columns of
/// `a` as the registers hold sums for. Returns N.
///
/// # Safety
/// As for [`outer_product_generic`], for 16·N columns.
#[inline(always)]
unsafe fn outer_rows<S: Simd, const N: usize>(
    a: Left,
    b: (*const f32, usize, usize),
    c: Out,
    accumulate: bool,
) -> usize {
    let most = if S::PAIR { (27 / N).min(9) } else { 4 };
    let chunks = a.rows.div_ceil(most).max(1);
    for chunk in 0..chunks {
        let first = chunk * a.rows / chunks;
        let rows = (chunk + 1) * a.rows / chunks - first;
        // SAFETY: within the caller's matrices.
        unsafe {
            let a = Left {
                start: a.start.add(first),
                rows,
                ..a
            };
            let c = Out {
                start: c.start.add(first * c.row),
                ..c
            };
            macro_rules! choose {
                ($($rows:literal)*) => {
                    match rows {
                        $($rows if $rows * N <= 27 && (S::PAIR || $rows <= 4) => {
                            outer::<S, $rows, N>(a, b, c, accumulate)
                        })*
                        _ => debug_assert!(rows == 0),
                    }
                };
            }
            choose!(1 2 3 4 5 6 7 8 9);
        }
    }
    N
}

/// Computes an outer product of R columns by 16·N columns, with the sums in registers.
///
/// # Safety
/// As for [`outer_product_generic`], for R columns and 16·N columns.
#[inline(always)]
unsafe fn outer<S: Simd, const R: usize, const N: usize>(
    a: Left,
    (b, b_row, b_block): (*const f32, usize, usize),
    c: Out,
    accumulate: bool,
) {
    // SAFETY: within the caller's matrices.
    unsafe {
        let mut sums = [[S::splat(0.0); N]; R];
        for k in 0..a.depth {
            let mut columns = [S::splat(0.0); N];
            for n in 0..N {
                columns[n] = S::load(b.add(k * b_row + n * b_block));
            }
            for r in 0..R {
                let x = S::splat(*a.start.add(k * a.row + r));
                for n in 0..N {
                    sums[r][n] = S::fma(x, columns[n], sums[r][n]);
                }
            }
        }
        write::<S, R, N>(sums, c, accumulate.into());
    }
}

/// Measures the GFLOP/s that the pool's threads reach together on a product within their
/// first-level caches: the upper limit of every kernel, per multiplication.
pub fn peak_gflops(pool: &Pool) -> f64 {
    const ROWS: usize = 14;
    const DEPTH: usize = 64;
    const TIMES: usize = 20_000;
    let isa = pool.isa();
    let mut best = 0.0f64;
    for _ in 0..10 {
        let start = std::time::Instant::now();
        pool.run(&|_| {
            let a = [0.5f32; ROWS * DEPTH];
            let b = [0.5f32; 2 * DEPTH * LANES];
            let mut c = [0.0f32; 2 * ROWS * LANES];
            for _ in 0..TIMES {
                let left = Left {
                    start: a.as_ptr(),
                    row: LANES,
                    line: ROWS * LANES,
                    rows: ROWS,
                    depth: DEPTH,
                };
                let right = Right {
                    start: b.as_ptr(),
                    block: DEPTH * LANES,
                    blocks: 2,
                };
                let out = Out {
                    start: c.as_mut_ptr(),
                    row: LANES,
                    block: ROWS * LANES,
                };
                // SAFETY: the arrays have the sizes said.
                unsafe { product(isa, left, right, out, Onto::Nothing) };
            }
            std::hint::black_box(&c);
        });
        let flops = (2 * ROWS * DEPTH * 2 * LANES * TIMES * pool.threads()) as f64;
        best = best.max(flops / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}
