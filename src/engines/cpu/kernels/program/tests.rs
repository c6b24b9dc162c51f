//! Programs against equations in double precision, on every instruction set and several
//! numbers of threads.

use super::super::padded;
use super::super::tests::support::{assert_padding, on_all, random, random_rows, scratch};
use super::*;
use crate::ir::Expr;
use crate::ir::expr::{Binary, Compare, Real, Unary, Variable};

/// Rows of padded channels.
type Array = Vec<f32>;

/// Lists the arrays' starts, for a frame.
fn starts(arrays: &mut [Array]) -> Vec<*mut f32> {
    arrays.iter_mut().map(|array| array.as_mut_ptr()).collect()
}

fn no_tables(channels: usize) -> Layout {
    Layout {
        channels,
        planes: Vec::new(),
        rows: usize::MAX,
    }
}

/// Computes the values of an equation of f, s and the gates, which are the arrays given,
/// on every instruction set.
fn values(equation: &Expr, inputs: &[Array], channels: usize) -> Vec<(String, Array)> {
    let mut builder = Builder::default();
    let arrays: Vec<Value> = (0..inputs.len())
        .map(|index| builder.array(index))
        .collect();
    let value = builder.equation(equation, &|variable| match variable {
        Variable::Body => arrays[0],
        Variable::Shortcut => arrays[1],
        Variable::Gate(gate) => arrays[2 + gate],
        Variable::Element | Variable::Trained(_) => panic!("{variable:?} is not bound"),
    });
    let output = Output::Store {
        value,
        array: inputs.len(),
        add: false,
    };
    let program = builder.finish(&[output], &no_tables(channels));
    let rows = inputs[0].len() / padded(channels);
    let results = on_all(|pool| {
        let mut arrays = inputs.to_vec();
        arrays.push(vec![f32::NAN; inputs[0].len()]);
        let starts = starts(&mut arrays);
        let frame = Frame {
            arrays: &starts,
            offset: 0,
            tables: &[],
            rows,
        };
        let mut spare = scratch(pool.threads() * program.scratch());
        // SAFETY: the arrays have the rows, and the last is written alone.
        unsafe { program.store(pool, &frame, &mut spare) };
        vec![arrays.pop().unwrap()]
    });
    let named = results.into_iter().map(|(isa, mut got)| {
        let got = got.pop().unwrap();
        assert_padding(&got, channels, &format!("{isa}"));
        (isa.to_string(), got)
    });
    named.collect()
}

/// Makes numbers of every size and sign, and what is not a number.
fn wide() -> Vec<f32> {
    let mut numbers: Vec<f32> = (-8900..=8900).map(|step| step as f32 * 0.01).collect();
    numbers.extend((-125..=126).flat_map(|power| {
        let size = 2.0f32.powi(power);
        [size, -size, 1.37 * size, -1.91 * size]
    }));
    let one = 1.0f32;
    numbers.extend([one.next_up(), one.next_down(), 0.0, -0.0]);
    numbers.extend([
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN,
    ]);
    numbers
}

/// Lays out `numbers` as rows of a few channels, the last row filled up with ones.
fn rows_of(numbers: &[f32], channels: usize) -> Array {
    let mut rows = Vec::new();
    for row in numbers.chunks(channels) {
        let start = rows.len();
        rows.extend_from_slice(row);
        rows.resize(start + channels, 1.0);
        rows.resize(start + padded(channels), 0.0);
    }
    rows
}

fn body() -> Expr {
    Expr::Variable(Variable::Body)
}

fn shortcut() -> Expr {
    Expr::Variable(Variable::Shortcut)
}

/// Asserts that `got` is the nearest float to `want`, give or take.
fn assert_near(got: f32, want: f64, relative: f64, absolute: f64, what: &str) {
    let nearest = want as f32;
    let (far, error) = (f64::from(f32::MAX), (f64::from(got) - want).abs());
    let is_right = match nearest.is_nan() || nearest.is_infinite() || want.abs() > 0.999_999 * far {
        true if nearest.is_nan() => got.is_nan(),
        true => {
            f64::from(got) >= 0.999_999 * far && want > 0.0
                || f64::from(got) <= -0.999_999 * far && want < 0.0
        }
        false => error <= relative * want.abs() + absolute,
    };
    assert!(is_right, "{what}: {got:e} is not {want:e}");
}

#[test]
fn functions_are_right_over_all_numbers() {
    let (channels, numbers) = (13, wide());
    let rows = rows_of(&numbers, channels);
    for function in Unary::ALL {
        let equation = body().apply(function);
        for (isa, got) in values(&equation, std::slice::from_ref(&rows), channels) {
            for (index, x) in numbers.iter().enumerate() {
                let got = got[index / channels * padded(channels) + index % channels];
                let want = f64::unary(function, f64::from(*x));
                // Near their zeros, waves have the error of their argument's reduction.
                let absolute = match function {
                    Unary::Sin | Unary::Cos => 1e-7,
                    Unary::Neg
                    | Unary::Abs
                    | Unary::Exp
                    | Unary::ExpM1
                    | Unary::Ln
                    | Unary::Sqrt
                    | Unary::Tanh
                    | Unary::Sigmoid
                    | Unary::Softplus
                    | Unary::Erf => 2e-38,
                };
                let what = format!("{isa} {}({x:e})", function.name());
                assert_near(got, want, 4e-7, absolute, &what);
            }
        }
    }
}

#[test]
fn operations_and_comparisons_are_right_over_all_numbers() {
    let special = [
        0.0,
        -0.0,
        1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -2.5,
        1e-30,
        3e30,
    ];
    let mut pairs: Vec<(f32, f32)> = Vec::new();
    for a in special {
        pairs.extend(special.map(|b| (a, b)));
    }
    let (left, right) = (random(500, 1), random(500, 2));
    pairs.extend(left.iter().zip(&right).map(|(a, b)| (4.0 * a, 3.0 * b)));
    let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
    let channels = 5;
    let arrays = [rows_of(&a, channels), rows_of(&b, channels)];
    let operations = Binary::ALL.map(|operation| Expr::combine(operation, body(), shortcut()));
    let comparisons = [
        Compare::Less,
        Compare::LessEqual,
        Compare::Greater,
        Compare::GreaterEqual,
        Compare::Equal,
        Compare::NotEqual,
    ];
    let choices = comparisons.map(|compare| {
        let (then, otherwise) = (body() * Expr::Number(2.0), shortcut().apply(Unary::Neg));
        Expr::select(compare, body(), shortcut(), then, otherwise)
    });
    for equation in operations.into_iter().chain(choices) {
        for (isa, got) in values(&equation, &arrays, channels) {
            for (index, (a, b)) in pairs.iter().enumerate() {
                let got = got[index / channels * padded(channels) + index % channels];
                let want: f64 = equation.value(&|variable| match variable {
                    Variable::Body => f64::from(*a),
                    Variable::Shortcut => f64::from(*b),
                    Variable::Element | Variable::Gate(_) | Variable::Trained(_) => f64::NAN,
                });
                let what = format!("{isa} {equation:?} of {a:e} and {b:e}");
                assert_near(got, want, 4e-7, 2e-38, &what);
            }
        }
    }
}

/// Makes a join with much in it, of which most values are used more than once.
fn long_join() -> Expr {
    let gate = |index: usize| Expr::Variable(Variable::Gate(index));
    let t = gate(0).apply(Unary::Sigmoid);
    let u = gate(1).apply(Unary::Tanh);
    let apart = body() - shortcut();
    let mixed = t.clone() * body() + (Expr::Number(1.0) - t.clone()) * shortcut();
    let bent = (apart.clone() * apart.clone() + Expr::Number(0.5)).apply(Unary::Sqrt) * u.clone();
    let chosen = Expr::select(Compare::Less, apart, u.clone(), bent.clone(), t - u);
    mixed + bent * chosen
}

#[test]
fn long_equations_are_right_in_any_shape() {
    let equation = long_join();
    for channels in [1, 3, 16, 17, 50, 64, 100, 513, 1100] {
        for rows in [1, 2, 7, 300] {
            let inputs = [1, 2, 3, 4].map(|seed| random_rows(rows, channels, seed));
            for (isa, got) in values(&equation, &inputs, channels) {
                for (index, got) in got.iter().enumerate() {
                    if index % padded(channels) >= channels {
                        continue;
                    }
                    let element = |input: usize| f64::from(inputs[input][index]);
                    let want: f64 = equation.value(&|variable| match variable {
                        Variable::Body => element(0),
                        Variable::Shortcut => element(1),
                        Variable::Gate(gate) => element(2 + gate),
                        Variable::Element | Variable::Trained(_) => f64::NAN,
                    });
                    let what = format!("{isa} {rows}×{channels} at {index}");
                    assert_near(*got, want, 2e-6, 1e-6, &what);
                }
            }
        }
    }
}

#[test]
fn a_value_takes_the_slot_of_one_that_has_ended() {
    let mut equation = body();
    for function in [Unary::Exp, Unary::Tanh, Unary::Sin, Unary::Cos, Unary::Erf] {
        equation = equation.apply(function) * shortcut();
    }
    let mut builder = Builder::default();
    let [f, s] = [0, 1].map(|index| builder.array(index));
    let value = builder.equation(&equation, &|variable| match variable {
        Variable::Body => f,
        Variable::Element | Variable::Shortcut | Variable::Gate(_) | Variable::Trained(_) => s,
    });
    let store = Output::Store {
        value,
        array: 2,
        add: false,
    };
    let program = builder.finish(&[store], &no_tables(16));
    assert_eq!(program.slots, 1);
    assert_eq!(program.instructions.len(), 11);
}

#[test]
fn tables_sums_and_additions_are_right_in_any_shape() {
    for (images, plane) in [(5, 1), (300, 1), (3, 49), (4, 64), (2, 1100)] {
        for channels in [1, 17, 50, 700] {
            check_sums(images, plane, channels);
        }
    }
}

/// Checks y += v·x and Σ v·x, Σ x with v of a channel or of a channel and position.
fn check_sums(images: usize, plane: usize, channels: usize) {
    let (rows, stride) = (images * plane, padded(channels));
    let layout = Layout {
        channels,
        planes: vec![1, plane],
        rows,
    };
    let mut tables = scratch(layout.floats());
    let entry = |table: usize, channel: usize, position: usize| {
        ((table * 31 + channel * 7 + position * 3) % 11) as f32 - 4.0
    };
    for table in 0..2 {
        layout.fill(&mut tables, table, |position, channels| {
            for (channel, to) in channels.iter_mut().enumerate() {
                *to = entry(table, channel, position);
            }
        });
    }
    let (x, before) = (
        random_rows(rows, channels, 1),
        random_rows(rows, channels, 2),
    );
    let mut builder = Builder::default();
    let (element, first, second) = (builder.array(0), builder.table(0), builder.table(1));
    let both = builder.binary(Binary::Add, first, second);
    let product = builder.binary(Binary::Mul, both, element);
    let store = Output::Store {
        value: product,
        array: 1,
        add: true,
    };
    let stores = builder.finish(&[store], &layout);
    let sums = builder.finish(&[Output::Sum(product), Output::Sum(element)], &layout);

    let mut want = [vec![0.0; 2 * stride], vec![0.0; 2 * plane * stride]];
    let mut stored = vec![0.0; rows * stride];
    for (index, x) in x.iter().enumerate() {
        let (row, channel) = (index / stride, index % stride);
        if channel >= channels {
            continue;
        }
        let position = row % plane;
        let v = entry(0, channel, 0) + entry(1, channel, position);
        let values = [f64::from(v) * f64::from(*x), f64::from(*x)];
        stored[index] = f64::from(before[index]) + values[0];
        for (sum, value) in values.into_iter().enumerate() {
            want[0][sum * stride + channel] += value;
            want[1][(sum * plane + position) * stride + channel] += value;
        }
    }
    let results = on_all(|pool| {
        let mut arrays = [x.clone(), before.clone()];
        let starts = starts(&mut arrays);
        let frame = Frame {
            arrays: &starts,
            offset: 0,
            tables: &tables,
            rows,
        };
        let [mut by_channel, mut alone] = [(); 2].map(|()| scratch(2 * stride));
        let mut by_unit = scratch(2 * plane * stride);
        let slots = pool.threads() * stores.scratch().max(sums.scratch());
        let mut spare = scratch(sums.partials(rows) + slots);
        // SAFETY: the arrays have the rows, and only the second is written.
        unsafe {
            sums.sum_by_channel(pool, &frame, &mut by_channel, &mut spare);
            sums.sum_by_unit(pool, &frame, plane, &mut by_unit, &mut spare);
            sums.sum(pool, &frame, &mut alone, &mut spare);
            stores.store(pool, &frame, &mut spare);
        }
        let [_, stored] = arrays;
        vec![stored, by_channel, by_unit, alone]
    });
    for (isa, got) in results {
        let what = format!("{isa} {images}×{plane}×{channels}");
        assert_padding(&got[0], channels, &what);
        let wants = [&stored, &want[0], &want[1], &want[0]];
        for (got, want) in got.iter().zip(wants) {
            for (index, (got, want)) in got.iter().zip(want).enumerate() {
                if index % stride < channels {
                    assert_near(*got, *want, 1e-5, 2e-3, &what);
                }
            }
        }
    }
}
