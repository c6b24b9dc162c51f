//! Loops over blocks, instructions and elements.

use super::super::functions::{cos, erf, exp, expm1, ln, pow, sigmoid, sin, softplus, tanh};
use super::super::simd::{Simd, simd};
use super::super::{LANES, padded};
use super::instructions::{BLOCK, Frame, Operation, Place, Program, block_rows};
use crate::ir::expr::{Binary, Compare, Unary};

/// Rows `first..first + count`, and these again `step` rows on, `repeats` times in all.
#[derive(Clone, Copy)]
pub struct Rows {
    pub first: usize,
    pub count: usize,
    pub step: usize,
    pub repeats: usize,
}

impl Rows {
    /// Makes `count` rows from `first` on.
    pub fn adjacent(first: usize, count: usize) -> Rows {
        Rows {
            first,
            count,
            step: 0,
            repeats: 1,
        }
    }
}

/// Destination of sums.
#[derive(Clone, Copy)]
pub struct Sums {
    pub to: *mut f32,
    /// Floats from a sum to the next.
    pub apart: usize,
    /// Positions with sums of their own.
    pub plane: usize,
}

impl Sums {
    /// Destination for programs that have no sums.
    pub const NONE: Sums = Sums {
        to: std::ptr::null_mut(),
        apart: 0,
        plane: 1,
    };
}

simd! {
    /// Runs a program over rows.
    ///
    /// # Safety
    /// The arrays, the tables, the sums and the slots are as long as the program asks, and
    /// what it writes is apart from all else.
    pub fn run(program: &Program, frame: &Frame, rows: Rows, slots: *mut f32, sums: Sums)
        = run_generic
}

/// Body of [`run`].
///
/// # Safety
/// As for [`run`], and S is present.
#[inline(always)]
unsafe fn run_generic<S: Simd>(
    program: &Program,
    frame: &Frame,
    rows: Rows,
    slots: *mut f32,
    sums: Sums,
) {
    let stride = padded(program.channels);
    for repeat in 0..rows.repeats {
        let first = rows.first + repeat * rows.step;
        for row in (first..first + rows.count).step_by(block_rows(stride)) {
            for column in (0..stride).step_by(BLOCK) {
                let block = Block {
                    program,
                    frame,
                    slots,
                    stride,
                    row,
                    rows: block_rows(stride).min(first + rows.count - row),
                    column,
                    width: BLOCK.min(stride - column),
                };
                // SAFETY: passed on to the caller.
                unsafe { block.run::<S>(sums) };
            }
        }
    }
}

/// Rows, or part of a row, that a program runs over at a time.
struct Block<'a> {
    program: &'a Program,
    frame: &'a Frame<'a>,
    slots: *mut f32,
    stride: usize,
    row: usize,
    rows: usize,
    column: usize,
    /// Floats of a row that are in the block.
    width: usize,
}

/// Floats of an operand: sixteen `step` floats behind each sixteen.
#[derive(Clone, Copy)]
struct From {
    start: *const f32,
    step: usize,
}

impl Block<'_> {
    /// Runs the program over the block.
    ///
    /// # Safety
    /// As for [`run_generic`].
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, sums: Sums) {
        let len = self.rows * self.width;
        for instruction in &self.program.instructions {
            // SAFETY: every operand and result has the block's floats, as the caller says.
            unsafe {
                let to = self.slots.add(instruction.to * BLOCK);
                let from = instruction.from;
                match instruction.operation {
                    Operation::Unary(function) => {
                        unary::<S>(function, to, self.start(from[0]), len)
                    }
                    Operation::Binary(operation) => {
                        let [a, b, ..] = from;
                        binary::<S>(operation, to, self.start(a), self.start(b), len)
                    }
                    Operation::Select(compare) => {
                        let [left, right, then, otherwise] = from;
                        let sides = [self.start(left), self.start(right)];
                        let values = [self.start(then), self.start(otherwise)];
                        select::<S>(compare, to, sides, values, len)
                    }
                    Operation::Store { array, add } => {
                        self.store::<S>(array, add, self.start(from[0]))
                    }
                    Operation::Sum(index) => self.sum::<S>(sums, index, self.start(from[0])),
                }
            }
        }
    }

    /// Counts the floats of an array before the block.
    #[inline(always)]
    fn place(&self) -> usize {
        self.frame.offset + self.row * self.stride + self.column
    }

    /// Returns the floats of an operand from the block's start on.
    ///
    /// # Safety
    /// The operand has the block.
    #[inline(always)]
    unsafe fn start(&self, place: Place) -> From {
        let (frame, step) = (self.frame, LANES);
        // SAFETY: within the caller's memory.
        unsafe {
            match place {
                Place::Slot(slot) => From {
                    start: self.slots.add(slot * BLOCK),
                    step,
                },
                Place::Constant(index) => From {
                    start: self.program.constants[index].as_ptr(),
                    step: 0,
                },
                Place::Array(array) => From {
                    start: frame.arrays[array].add(self.place()),
                    step,
                },
                Place::Table { offset, plane } => {
                    let line = self.row % plane * self.stride + self.column;
                    From {
                        start: frame.tables.as_ptr().add(offset + line),
                        step,
                    }
                }
            }
        }
    }

    /// Writes a value to an array, or adds it; zeros past the channels.
    ///
    /// # Safety
    /// S is present, and the array and the value have the block.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, array: usize, add: bool, from: From) {
        let channels = self.program.channels;
        let mut counts = [0.0f32; LANES];
        counts[..(channels - 1) % LANES + 1].fill(1.0);
        // The line in which the channels end, if the block reaches so far.
        let last = self.stride - LANES - self.column;
        // SAFETY: the array has the block.
        unsafe {
            let (counts, zero) = (S::load(counts.as_ptr()), S::splat(0.0));
            let to = self.frame.arrays[array].add(self.place());
            let mut from = from;
            for row in 0..self.rows {
                for line in (0..self.width).step_by(LANES) {
                    let mut x = S::load(from.start);
                    from.start = from.start.add(from.step);
                    let to = to.add(row * self.width + line);
                    if line == last {
                        x = S::if_positive(counts, x, zero);
                    }
                    if add {
                        x = S::add(S::load(to), x);
                    }
                    S::store(to, x);
                }
            }
        }
    }

    /// Adds a value to the sum with this index.
    ///
    /// # Safety
    /// S is present, the sums have the columns of the block, and the value has the block.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, sums: Sums, index: usize, from: From) {
        let lines = self.width / LANES;
        // SAFETY: the sums have the block's columns.
        unsafe {
            let to = sums.to.add(index * sums.apart + self.column);
            let load = |row: usize, line: usize| from.start.add((row * lines + line) * from.step);
            for line in 0..lines {
                if sums.plane == 1 {
                    let to = to.add(line * LANES);
                    let mut sum = S::load(to);
                    for row in 0..self.rows {
                        sum = S::add(sum, S::load(load(row, line)));
                    }
                    S::store(to, sum);
                    continue;
                }
                for row in 0..self.rows {
                    let position = (self.row + row) % sums.plane;
                    let to = to.add(position * self.stride + line * LANES);
                    S::store(to, S::add(S::load(to), S::load(load(row, line))));
                }
            }
        }
    }
}

/// Stores `$value` of the `$x` that are loaded from the operands, sixteen at a time.
macro_rules! each {
    ($S:ident, $to:ident, $len:ident, [$($x:ident),*], $value:expr) => {
        for i in 0..$len / LANES {
            $(let $x = $S::load($x.start.add(i * $x.step));)*
            $S::store($to.add(i * LANES), $value);
        }
    };
}

/// Computes a function of an operand of `len` floats.
///
/// # Safety
/// S is present, and operands and result have `len` floats.
#[inline(always)]
unsafe fn unary<S: Simd>(function: Unary, to: *mut f32, x: From, len: usize) {
    // SAFETY: the operands and the result have `len` floats.
    unsafe {
        match function {
            Unary::Neg => each!(S, to, len, [x], S::mul(x, S::splat(-1.0))),
            Unary::Abs => each!(S, to, len, [x], S::max(S::sub(S::splat(0.0), x), x)),
            Unary::Exp => each!(S, to, len, [x], exp::<S>(x)),
            Unary::ExpM1 => each!(S, to, len, [x], expm1::<S>(x)),
            Unary::Ln => each!(S, to, len, [x], ln::<S>(x)),
            Unary::Sqrt => each!(S, to, len, [x], S::sqrt(x)),
            Unary::Tanh => each!(S, to, len, [x], tanh::<S>(x)),
            Unary::Sigmoid => each!(S, to, len, [x], sigmoid::<S>(x)),
            Unary::Softplus => each!(S, to, len, [x], softplus::<S>(x)),
            Unary::Erf => each!(S, to, len, [x], erf::<S>(x)),
            Unary::Sin => each!(S, to, len, [x], sin::<S>(x)),
            Unary::Cos => each!(S, to, len, [x], cos::<S>(x)),
        }
    }
}

/// Computes an operation on two operands of `len` floats.
///
/// # Safety
/// S is present, and operands and result have `len` floats.
#[inline(always)]
unsafe fn binary<S: Simd>(operation: Binary, to: *mut f32, a: From, b: From, len: usize) {
    // SAFETY: the operands and the result have `len` floats.
    unsafe {
        match operation {
            Binary::Add => each!(S, to, len, [a, b], S::add(a, b)),
            Binary::Sub => each!(S, to, len, [a, b], S::sub(a, b)),
            Binary::Mul => each!(S, to, len, [a, b], S::mul(a, b)),
            Binary::Div => each!(S, to, len, [a, b], S::div(a, b)),
            // The second of the vector operations wins where one is NaN.
            Binary::Min => each!(S, to, len, [a, b], S::min(b, a)),
            Binary::Max => each!(S, to, len, [a, b], S::max(b, a)),
            Binary::Pow => each!(S, to, len, [a, b], pow::<S>(a, b)),
        }
    }
}

/// Selects `then` where `left compare right`, else `otherwise`.
///
/// # Safety
/// S is present, and operands and result have `len` floats.
#[inline(always)]
unsafe fn select<S: Simd>(
    compare: Compare,
    to: *mut f32,
    [left, right]: [From; 2],
    [then, otherwise]: [From; 2],
    len: usize,
) {
    macro_rules! choose {
        ($test:ident($a:ident, $b:ident) ? $x:ident : $y:ident) => {
            each!(S, to, len, [$a, $b, $x, $y], S::$test($a, $b, $x, $y))
        };
    }
    // SAFETY: the operands and the result have `len` floats.
    unsafe {
        match compare {
            Compare::Less => choose!(if_less(left, right) ? then : otherwise),
            Compare::LessEqual => choose!(if_at_most(left, right) ? then : otherwise),
            Compare::Greater => choose!(if_less(right, left) ? then : otherwise),
            Compare::GreaterEqual => choose!(if_at_most(right, left) ? then : otherwise),
            Compare::Equal => choose!(if_equal(left, right) ? then : otherwise),
            Compare::NotEqual => choose!(if_equal(left, right) ? otherwise : then),
        }
    }
}
