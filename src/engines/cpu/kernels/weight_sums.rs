//! Gradient of a small dense weight over a part of the batch, laid out as the products write
//! it, so that nothing is copied before the parts are added up.
//!
//! ```text
//! [O][width]            ∂C/∂W of the first inputs, sixteen at a time
//! [tail][padded(O)]     of the few inputs past the last sixteen, transposed
//! [padded(O)]           ∂C/∂b
//! ```

use super::gemm::{Left, Out, Right, outer_product};
use super::pool::Pool;
use super::simd::{Simd, simd};
use super::tail::tail;
use super::{LANES, padded};
use std::ops::Range;

/// Layout of the sums of a weight `O×I` and its bias.
#[derive(Clone, Copy, Debug)]
pub struct WeightSums {
    inputs: usize,
    outputs: usize,
    width: usize,
    tail: usize,
}

impl WeightSums {
    /// Lays out the sums of a weight `outputs`×`inputs`.
    pub fn new(inputs: usize, outputs: usize) -> WeightSums {
        let tail = tail(inputs);
        WeightSums {
            inputs,
            outputs,
            width: padded(inputs - tail),
            tail,
        }
    }

    /// Length of the sums in floats.
    pub fn floats(&self) -> usize {
        self.bias(0..0).start + padded(self.outputs)
    }

    /// Number of inputs in [`Self::row`]: all but a tail.
    pub fn body(&self) -> usize {
        self.inputs - self.tail
    }

    /// Range of ∂C/∂W for one output and the first inputs.
    pub fn row(&self, output: usize) -> Range<usize> {
        let start = output * self.width;
        start..start + self.body()
    }

    /// Range of ∂C/∂W for some outputs and one input of the tail.
    pub fn column(&self, input: usize, outputs: Range<usize>) -> Range<usize> {
        let column = self.outputs * self.width + (input - self.body()) * padded(self.outputs);
        column + outputs.start..column + outputs.end
    }

    /// Range of ∂C/∂b for some outputs.
    pub fn bias(&self, outputs: Range<usize>) -> Range<usize> {
        self.column(self.inputs, outputs)
    }

    /// Computes `∂C/∂W = dyᵀ x`, and with `bias` also `∂C/∂b = Σ dy`, over the padded rows of
    /// `x`, `[N][I]`, and `dy`, `[N][O]`.
    pub fn fill(&self, pool: &Pool, x: &[f32], dy: &[f32], bias: bool, sums: &mut [f32]) {
        let (ins, outs) = (padded(self.inputs), padded(self.outputs));
        let rows = dy.len() / outs.max(1);
        assert!(
            x.len() >= rows * ins && sums.len() >= self.floats(),
            "operands too short for {self:?}"
        );
        let left = |operand: &[f32], from: usize, row: usize, rows_out: usize| Left {
            start: operand[from.min(operand.len())..].as_ptr(),
            row,
            line: 0,
            rows: rows_out,
            depth: rows,
        };
        let right = |operand: &[f32], width: usize| Right {
            start: operand.as_ptr(),
            block: LANES,
            blocks: width / LANES,
        };
        let mut out = |from: usize, row: usize| Out {
            start: sums[from..].as_mut_ptr(),
            row,
            block: LANES,
        };
        let isa = pool.isa();
        let body = out(0, self.width);
        let tail = out(self.column(self.body(), 0..0).start, outs);
        let to_bias = out(self.bias(0..0).start, outs).start;
        // SAFETY: the operands have the rows, the sums their places.
        unsafe {
            let (x_left, dy_left) = (
                left(x, self.body(), ins, self.tail),
                left(dy, 0, outs, self.outputs),
            );
            outer_product(isa, dy_left, right(x, self.width), ins, body, false);
            if self.tail > 0 {
                outer_product(isa, x_left, right(dy, outs), outs, tail, false);
            }
            if bias {
                column_sums(isa, dy.as_ptr(), rows, outs, to_bias);
            }
        }
    }
}

simd! {
    /// Sums the columns of `rows` rows of `width` floats, a multiple of sixteen.
    ///
    /// # Safety
    /// `from` has the rows, `to` the columns.
    fn column_sums(from: *const f32, rows: usize, width: usize, to: *mut f32)
        = column_sums_generic
}

/// Body of [`column_sums`].
///
/// # Safety
/// As for [`column_sums`], and S is present.
#[inline(always)]
unsafe fn column_sums_generic<S: Simd>(from: *const f32, rows: usize, width: usize, to: *mut f32) {
    for line in (0..width).step_by(LANES) {
        // SAFETY: within the caller's rows.
        unsafe {
            let mut sum = S::splat(0.0);
            for row in 0..rows {
                sum = S::add(sum, S::load(from.add(row * width + line)));
            }
            S::store(to.add(line), sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
    use super::super::tests::support::{assert_close, random_rows};
    use super::*;

    #[test]
    fn they_are_the_gradients_of_weight_and_bias() {
        for isa in Isa::all() {
            let pool = Pool::with_isa(1, isa).unwrap();
            for (rows, inputs, outputs) in [
                (1, 1, 1),
                (5, 17, 3),
                (64, 50, 50),
                (7, 70, 18),
                (3, 32, 40),
            ] {
                let (ins, outs) = (padded(inputs), padded(outputs));
                let x = random_rows(rows, inputs, 1);
                let dy = random_rows(rows, outputs, 2);
                let layout = WeightSums::new(inputs, outputs);
                let mut sums = vec![f32::NAN; layout.floats()];
                layout.fill(&pool, &x, &dy, true, &mut sums);
                let (mut got, mut want) = (Vec::new(), Vec::new());
                for o in 0..outputs {
                    got.extend(&sums[layout.row(o)]);
                    got.extend(
                        (layout.body()..inputs).map(|i| sums[layout.column(i, o..o + 1)][0]),
                    );
                    got.extend(&sums[layout.bias(o..o + 1)]);
                    let sum = |factor: &dyn Fn(usize) -> f32| -> f64 {
                        (0..rows)
                            .map(|n| f64::from(dy[n * outs + o]) * f64::from(factor(n)))
                            .sum()
                    };
                    want.extend((0..inputs).map(|i| sum(&|n| x[n * ins + i])));
                    want.push(sum(&|_| 1.0));
                }
                assert_close(&got, &want, 1e-5, "sums");
            }
        }
    }
}
