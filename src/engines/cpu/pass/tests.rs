//! Passes of any equations against their definition in double precision, on every
//! instruction set and several numbers of threads, which must agree to the bit.

use super::super::kernels::normalise::Norm;
use super::super::kernels::tests::support::{
    assert_close_for, assert_padding, on_all, random, random_rows, scratch,
};
use super::super::kernels::{Pool, padded};
use super::general::{Equations, General, GradientArrays, JoinArrays, Operands, TensorGradients};
use crate::ir::Expr;
use crate::ir::expr::{Compare, Unary, Variable};
use crate::plan::Activation;
use std::sync::Arc;

const EPS: f32 = 1e-5;

// The arrays of a case.
const X: usize = 0;
const S: usize = 1;
const GATES: [usize; 2] = [2, 3];
const DY: usize = 4;
const Y: usize = 5;
const DX: usize = 6;
const DS: usize = 7;
const DGATES: [usize; 2] = [8, 9];
const ARRAYS: usize = 10;

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    positions: usize,
    channels: usize,
    is_normed: bool,
    activation: Option<Activation>,
    join: Option<Expr>,
    /// Number of elements of two coefficients.
    trained: [usize; 2],
}

fn variable(variable: Variable) -> Expr {
    Expr::Variable(variable)
}

fn number(x: f64) -> Expr {
    Expr::Number(x)
}

fn activation(equation: Expr) -> Activation {
    Activation::new(&Arc::new(equation))
}

/// Makes x·sigmoid(x).
fn swish() -> Activation {
    let x = variable(Variable::Element);
    activation(x.clone() * x.apply(Unary::Sigmoid))
}

/// Makes an activation that is not 0 at 0, so that padding must be cleared.
fn wave() -> Activation {
    activation(variable(Variable::Element).apply(Unary::Cos))
}

/// Makes a join that is affine in neither f nor s, with two gates and two coefficients.
fn bent() -> Expr {
    let (f, s) = (variable(Variable::Body), variable(Variable::Shortcut));
    let [g, h] = [0, 1].map(|gate| variable(Variable::Gate(gate)));
    let [a, b] = [0, 1].map(|index| variable(Variable::Trained(index)));
    let angle = a * g.apply(Unary::Tanh);
    let sum = angle.clone().apply(Unary::Cos) * f.clone() + angle.apply(Unary::Sin) * s.clone();
    let kinked = Expr::select(Compare::Less, f.clone(), s.clone(), f * number(0.5), s);
    sum + b.apply(Unary::Exp) * kinked + number(0.1) * h
}

/// Makes `f + (1 − v₀)·s`, which reads neither a gate nor the second coefficient.
fn fading() -> Expr {
    let (f, s) = (variable(Variable::Body), variable(Variable::Shortcut));
    f + (number(1.0) - variable(Variable::Trained(0))) * s
}

impl Case {
    fn rows(&self) -> usize {
        self.images * self.positions
    }

    fn arrays(&self) -> Vec<Vec<f32>> {
        let array = |seed| random_rows(self.rows(), self.channels, seed as u64);
        let mut arrays: Vec<Vec<f32>> = (0..ARRAYS).map(array).collect();
        arrays[X].iter_mut().for_each(|x| *x *= 3.0);
        arrays
    }

    fn coefficients(&self) -> [Vec<f32>; 2] {
        [(self.trained[0], 21), (self.trained[1], 22)].map(|(len, seed)| random(len, seed))
    }

    /// Finds the index of a coefficient's element.
    fn element(&self, len: usize, row: usize, channel: usize) -> usize {
        match len {
            1 => 0,
            len if len == self.channels => channel,
            _ => channel * self.positions + row % self.positions,
        }
    }

    fn equations(&self) -> Equations<'_> {
        Equations {
            channels: self.channels,
            positions: self.positions,
            x: X,
            is_normed: self.is_normed,
            activation: self.activation.as_ref(),
            join: self.join.as_ref().map(|out| JoinArrays {
                out,
                shortcut: Some(S),
                gates: GATES.to_vec(),
                trained: self.trained.to_vec(),
            }),
        }
    }
}

/// Results of a pass, by definition.
struct Reference {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// Arrays y, dx, ds and those of the gates, as far as the case has them.
    arrays: [Vec<f64>; ARRAYS],
    dweight: Vec<f64>,
    dbias: Vec<f64>,
    trained: [Vec<f64>; 2],
}

fn reference(case: &Case, arrays: &[Vec<f32>], weight: &[f32], bias: &[f32]) -> Reference {
    let (rows, stride) = (case.rows(), padded(case.channels));
    let zeros = |len: usize| vec![0.0f64; len];
    let mut made = Reference {
        mean: vec![0.0; case.channels],
        variance: vec![1.0; case.channels],
        arrays: std::array::from_fn(|_| zeros(rows * stride)),
        dweight: zeros(case.channels),
        dbias: zeros(case.channels),
        trained: case.trained.map(zeros),
    };
    let coefficients = case.coefficients();
    let identity = activation(variable(Variable::Element));
    let activation = case.activation.as_ref().unwrap_or(&identity);
    let plain = variable(Variable::Body);
    let out = case.join.as_ref().unwrap_or(&plain);
    for channel in 0..case.channels {
        let column = |array: usize, row: usize| f64::from(arrays[array][row * stride + channel]);
        let m = rows as f64;
        let (mut mean, mut inverse) = (0.0, 1.0);
        if case.is_normed {
            mean = (0..rows).map(|row| column(X, row)).sum::<f64>() / m;
            let spread = (0..rows).map(|row| (column(X, row) - mean).powi(2));
            let variance = spread.sum::<f64>() / m;
            (made.mean[channel], made.variance[channel]) = (mean as f32, variance as f32);
            inverse = 1.0 / (variance + f64::from(EPS)).sqrt();
        }
        let (gamma, beta) = match case.is_normed {
            true => (f64::from(weight[channel]), f64::from(bias[channel])),
            false => (1.0, 0.0),
        };
        let mut pairs = Vec::new();
        for row in 0..rows {
            let at = row * stride + channel;
            let normal = (column(X, row) - mean) * inverse;
            let u = normal * gamma + beta;
            let f: f64 = activation.equation.value(&|_| u);
            let value = |variable| match variable {
                Variable::Element => u,
                Variable::Body => f,
                Variable::Shortcut => column(S, row),
                Variable::Gate(gate) => column(GATES[gate], row),
                Variable::Trained(index) => {
                    let element = case.element(case.trained[index], row, channel);
                    f64::from(coefficients[index][element])
                }
            };
            let d = column(DY, row);
            let gradient = |variable| d * out.derivative(variable).value(&value);
            made.arrays[Y][at] = out.value(&value);
            made.arrays[DS][at] = column(DS, row) + gradient(Variable::Shortcut);
            for (gate, array) in DGATES.into_iter().enumerate() {
                made.arrays[array][at] = gradient(Variable::Gate(gate));
            }
            for index in 0..2 {
                let element = case.element(case.trained[index], row, channel);
                made.trained[index][element] += gradient(Variable::Trained(index));
            }
            let du = gradient(Variable::Body) * activation.slope.value(&value);
            made.dbias[channel] += du;
            made.dweight[channel] += du * normal;
            pairs.push((du, normal));
        }
        for (row, (du, normal)) in pairs.into_iter().enumerate() {
            let mean = (made.dbias[channel] + normal * made.dweight[channel]) / m;
            made.arrays[DX][row * stride + channel] = match case.is_normed {
                true => gamma * inverse * (du - mean),
                false => du,
            };
        }
    }
    made
}

/// Way to run the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// Run over the whole batch.
    Whole,
    /// Run over two parts of the batch, whose sums are put together.
    Parts,
}

/// Compiled passes of a case.
struct Compiled<'c> {
    case: &'c Case,
    forward: General,
    backward: General,
    weight: Vec<f32>,
    bias: Vec<f32>,
    coefficients: [Vec<f32>; 2],
}

impl<'c> Compiled<'c> {
    fn new(case: &'c Case) -> Self {
        let equations = case.equations();
        let is_joined = case.join.is_some();
        let gradients = GradientArrays {
            dy: DY,
            dx: Some((DX, false)),
            ds: is_joined.then_some((DS, true)),
            dgates: match is_joined {
                true => DGATES.map(|array| Some((array, false))).to_vec(),
                false => Vec::new(),
            },
        };
        let [weight, bias] = [31, 32].map(|seed| random(case.channels, seed));
        Compiled {
            case,
            forward: General::forward(&equations, Y),
            backward: General::backward(&equations, &gradients),
            weight,
            bias,
            coefficients: case.coefficients(),
        }
    }

    /// Runs the case, and gives the arrays after it and the gradients of the norm and the
    /// coefficients.
    fn run(&self, pool: &Pool, inputs: &[Vec<f32>], want: &Reference, run: Run) -> Vec<Vec<f32>> {
        let case = self.case;
        let mut arrays = inputs.to_vec();
        let starts: Vec<*mut f32> = arrays.iter_mut().map(|array| array.as_mut_ptr()).collect();
        let trained_by_index = |index: usize| &self.coefficients[index][..];
        let operands = |first: usize, count: usize| Operands {
            arrays: &starts,
            offset: first * padded(case.channels),
            rows: count,
            norm: case.is_normed.then_some(Norm {
                mean: &want.mean,
                variance: &want.variance,
                eps: EPS,
                weight: &self.weight,
                bias: &self.bias,
            }),
            trained: &trained_by_index,
        };
        let [mut dweight, mut dbias] = [(); 2].map(|()| vec![0.0; case.channels]);
        let mut trained = case.trained.map(|len| vec![0.0; len]);
        let tensors = TensorGradients {
            norm: case.is_normed.then_some((&mut dweight[..], &mut dbias[..])),
            trained: trained
                .iter_mut()
                .take(if case.join.is_some() { 2 } else { 0 })
                .map(|tensor| &mut tensor[..]),
        };
        let (rows, threads) = (case.rows(), pool.threads());
        let mut spare = scratch(self.forward.scratch(rows, threads));
        let all = operands(0, rows);
        // SAFETY: the arrays have the rows, and are written as the programs say.
        unsafe { self.forward.run(pool, &all, &mut spare) };
        let mut spare = scratch(self.backward.scratch(rows, threads));
        let parts = [(0, rows / 3), (rows / 3, rows - rows / 3)];
        // SAFETY: the arrays have the rows, and are written as the programs say.
        unsafe {
            if run == Run::Whole {
                self.backward.differentiate(pool, &all, tensors, &mut spare);
            } else {
                let len = self.backward.sums_len();
                let mut sums = scratch(3 * len);
                for (index, (first, count)) in parts.into_iter().enumerate() {
                    let sums = &mut sums[index * len..(index + 1) * len];
                    self.backward
                        .sum(pool, &operands(first, count), sums, &mut spare);
                }
                let (partials, totals) = sums.split_at_mut(2 * len);
                self.backward.merge(partials, totals, tensors);
                for (first, count) in parts {
                    let totals = (&*totals, rows);
                    self.backward
                        .apply(pool, &operands(first, count), totals, &mut spare);
                }
            }
        }
        let [first, second] = trained;
        arrays.extend([dweight, dbias, first, second]);
        arrays
    }
}

fn check(case: &Case, run: Run) {
    let inputs = case.arrays();
    let compiled = Compiled::new(case);
    let want = reference(case, &inputs, &compiled.weight, &compiled.bias);
    let is_joined = case.join.is_some();
    for (isa, got) in on_all(|pool| compiled.run(pool, &inputs, &want, run)) {
        let what = format!("{isa} {run:?} {case:?}");
        let mut made = vec![Y, DX];
        if is_joined {
            made.extend([DS, DGATES[0], DGATES[1]]);
        }
        for array in made {
            let what = format!("array {array} on {what}");
            assert_close_for(&got[array], &want.arrays[array], 3e-5, 1.0, &what);
            assert_padding(&got[array], case.channels, &what);
        }
        let mut tensors = vec![
            (&got[ARRAYS], &want.dweight),
            (&got[ARRAYS + 1], &want.dbias),
        ];
        if is_joined {
            tensors.push((&got[ARRAYS + 2], &want.trained[0]));
            tensors.push((&got[ARRAYS + 3], &want.trained[1]));
        }
        for (index, (got, want)) in tensors.into_iter().enumerate() {
            if index > 1 || case.is_normed {
                let what = format!("tensor {index} on {what}");
                assert_close_for(got, want, 3e-5, 1.0, &what);
            }
        }
    }
}

#[test]
fn passes_of_any_equations_match_the_definition() {
    for channels in [1, 3, 16, 17, 50, 600] {
        for (images, positions) in [(5, 1), (300, 1), (2, 49)] {
            let units = channels * positions;
            for (is_normed, activation, join, trained) in [
                (true, Some(swish()), None, [1, 1]),
                (false, Some(wave()), None, [1, 1]),
                (true, None, Some(bent()), [channels, 1]),
                (true, Some(wave()), Some(bent()), [units, channels]),
                (false, Some(swish()), Some(bent()), [1, units]),
                (true, Some(swish()), Some(fading()), [channels, 1]),
            ] {
                let case = Case {
                    images,
                    positions,
                    channels,
                    is_normed,
                    activation,
                    join,
                    trained,
                };
                check(&case, Run::Whole);
                // Coefficients by unit want the whole batch at once.
                if positions == 1 {
                    check(&case, Run::Parts);
                }
            }
        }
    }
}
