use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

const X: Variable = Variable::Element;
const F: Variable = Variable::Body;
const S: Variable = Variable::Shortcut;
const G: Variable = Variable::Gate(0);
const A: Variable = Variable::Trained(0);
pub(crate) const VARIABLES: [Variable; 5] = [X, F, S, G, A];

const COMPARISONS: [Compare; 6] = [
    Compare::Less,
    Compare::LessEqual,
    Compare::Greater,
    Compare::GreaterEqual,
    Compare::Equal,
    Compare::NotEqual,
];

fn var(variable: Variable) -> Expr {
    variable.into()
}

fn num(number: f64) -> Expr {
    number.into()
}

/// The values of [`VARIABLES`].
pub(crate) type Point = [f64; 5];

fn index(variable: Variable) -> usize {
    VARIABLES.iter().position(|v| *v == variable).unwrap()
}

fn value(expr: &Expr, point: Point) -> f64 {
    expr.value(&|variable| point[index(variable)])
}

/// Whether every part of the equation has a finite value, so that none hides another's
/// infinity or NaN.
fn is_finite(expr: &Expr, point: Point) -> bool {
    let parts = match expr {
        Expr::Number(_) | Expr::Variable(_) => true,
        Expr::Unary(_, x) => is_finite(x, point),
        Expr::Binary(_, a, b) => is_finite(a, point) && is_finite(b, point),
        Expr::Select(select) => select.parts().iter().all(|part| is_finite(part, point)),
    };
    parts && value(expr, point).is_finite()
}

/// Computes ∂/∂`variable` by central differences; `None` near a kink, a pole or a step, where two
/// widths disagree.
fn slope(expr: &Expr, variable: Variable, point: Point) -> Option<f64> {
    let difference = |h: f64| {
        let moved = |h: f64| {
            let mut point = point;
            point[index(variable)] += h;
            value(expr, point)
        };
        (moved(h) - moved(-h)) / (2.0 * h)
    };
    let (wide, narrow) = (difference(2e-5), difference(1e-5));
    let noise = value(expr, point).abs().max(1.0) * 1e-10;
    (narrow.is_finite() && (wide - narrow).abs() <= 1e-7 * narrow.abs() + noise).then_some(narrow)
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

fn assert_slope(expr: &Expr, variable: Variable, point: Point) {
    let exact = value(&expr.derivative(variable), point);
    let found = slope(expr, variable, point).expect("a smooth point");
    assert!(
        close(exact, found, 1e-6),
        "{expr:?} at {point:?}: {exact}, {found}"
    );
}

/// Runs a program on numbers.
fn run(program: &Program, point: Point) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::new();
    for node in &program.nodes {
        values.push(match *node {
            Node::Number(bits) => f64::from_bits(bits),
            Node::Input(variable) => point[index(variable)],
            Node::Unary(function, x) => function.value(values[x]),
            Node::Binary(operation, a, b) => operation.value(values[a], values[b]),
            Node::Select {
                compare,
                left,
                right,
                then,
                otherwise,
            } => match compare.holds(values[left], values[right]) {
                true => values[then],
                false => values[otherwise],
            },
        });
    }
    program.outputs.iter().map(|&o| values[o]).collect()
}

/// Draws an equation made without any simplification.
fn raw() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        prop::sample::select(vec![-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0]).prop_map(Expr::Number),
        prop::sample::select(VARIABLES.to_vec()).prop_map(Expr::Variable),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (prop::sample::select(Unary::ALL.to_vec()), inner.clone())
                .prop_map(|(function, x)| Expr::Unary(function, Arc::new(x))),
            (prop::sample::select(Binary::ALL.to_vec()), pair.clone())
                .prop_map(|(o, (a, b))| Expr::Binary(o, Arc::new(a), Arc::new(b))),
            (
                prop::sample::select(COMPARISONS.to_vec()),
                pair.clone(),
                pair
            )
                .prop_map(|(compare, (left, right), (then, otherwise))| {
                    Expr::Select(Arc::new(Select {
                        compare,
                        left,
                        right,
                        then,
                        otherwise,
                    }))
                }),
        ]
    })
}

/// Builds the equation as the constructors make it.
pub(crate) fn simplified(expr: &Expr) -> Expr {
    match expr {
        Expr::Number(_) | Expr::Variable(_) => expr.clone(),
        Expr::Unary(function, x) => simplified(x).apply(*function),
        Expr::Binary(operation, a, b) => Expr::combine(*operation, simplified(a), simplified(b)),
        Expr::Select(select) => {
            let [left, right, then, otherwise] = select.parts().map(simplified);
            Expr::select(select.compare, left, right, then, otherwise)
        }
    }
}

fn point() -> impl Strategy<Value = Point> {
    [-3.0..3.0, -3.0..3.0, -3.0..3.0, -3.0..3.0, 0.0..1.0]
}

/// Tests `cases` random equations, the same ones in every run, and wants that `test` had
/// something to say in `least` of them.
pub(crate) fn random(cases: u32, least: u32, test: impl Fn(Expr, Point) -> bool) {
    random_of(raw(), cases, least, test);
}

fn random_of(
    equations: impl Strategy<Value = Expr>,
    cases: u32,
    least: u32,
    test: impl Fn(Expr, Point) -> bool,
) {
    let config = ProptestConfig {
        failure_persistence: None,
        cases,
        ..ProptestConfig::default()
    };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let said = Cell::new(0);
    TestRunner::new_with_rng(config, rng)
        .run(&(equations, point()), |(expr, point)| {
            said.set(said.get() + u32::from(test(expr, point)));
            Ok(())
        })
        .unwrap();
    assert!(said.get() >= least, "only {} of {cases}", said.get());
}

#[test]
fn every_function_has_its_derivative() {
    for function in Unary::ALL {
        let inner = var(X) * var(F);
        let expr = inner.clone().apply(function);
        for x in [0.3, 0.9, 1.7] {
            // Where a logarithm and a root are defined, then on both sides of 0.
            assert_slope(&expr, X, [x, 1.1, 0.0, 0.0, 0.0]);
            if !matches!(function, Unary::Ln | Unary::Sqrt) {
                assert_slope(&expr, X, [x, -1.1, 0.0, 0.0, 0.0]);
            }
        }
    }
}

#[test]
fn every_operation_has_its_derivatives() {
    for operation in Binary::ALL {
        let a = var(X) * var(X) + num(0.5);
        let b = var(X) * var(F);
        for (a, b) in [(a.clone(), b.clone()), (a.clone(), num(2.0)), (num(1.5), b)] {
            let expr = Expr::combine(operation, a, b);
            for variable in [X, F] {
                assert_slope(&expr, variable, [0.8, 1.3, 0.0, 0.0, 0.0]);
                assert_slope(&expr, variable, [1.4, -0.7, 0.0, 0.0, 0.0]);
            }
        }
    }
}

#[test]
fn every_comparison_takes_the_slope_of_the_branch_taken() {
    for compare in COMPARISONS {
        let expr = Expr::select(compare, var(X), var(F), var(X) * var(X), var(F) * num(3.0));
        for point in [[0.8, 1.3], [1.3, 0.8]] {
            let point = [point[0], point[1], 0.0, 0.0, 0.0];
            assert_slope(&expr, X, point);
            assert_slope(&expr, F, point);
        }
        let holds_at_tie = compare.holds(1.0, 1.0);
        let at_tie = value(&expr.derivative(X), [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(at_tie, if holds_at_tie { 2.0 } else { 0.0 });
    }
}

#[test]
fn kinks_have_the_slopes_that_are_documented() {
    let at_zero = |expr: Expr| value(&expr.derivative(X), [0.0; 5]);
    assert_eq!(at_zero(var(X).max(num(0.0))), 0.0);
    assert_eq!(at_zero(num(0.0).max(var(X))), 0.0);
    assert_eq!(at_zero(var(X).min(num(0.0))), 0.0);
    assert_eq!(at_zero(var(X).apply(Unary::Abs)), 0.0);
}

#[test]
fn nan_is_not_hidden() {
    let nan = [f64::NAN; 5];
    for function in Unary::ALL {
        assert!(value(&var(X).apply(function), nan).is_nan(), "{function:?}");
    }
    for (a, b) in [(num(0.0), var(X)), (var(X), num(0.0))] {
        assert!(value(&a.clone().max(b.clone()), nan).is_nan());
        assert!(value(&a.min(b), nan).is_nan());
    }
}

#[test]
fn random_equations_have_their_derivatives() {
    random(6000, 2000, |expr, point| {
        let mut checked = false;
        if !is_finite(&expr, point) {
            return false;
        }
        for variable in VARIABLES {
            let exact = value(&expr.derivative(variable), point);
            let Some(found) = slope(&expr, variable, point) else {
                continue;
            };
            assert!(
                close(exact, found, 1e-4) || !exact.is_finite(),
                "∂/∂{variable:?} of {expr:?} at {point:?}: {exact}, by differences {found}"
            );
            checked |= exact.is_finite() && exact != 0.0;
        }
        checked
    });
}

#[test]
fn simplification_keeps_values() {
    random(6000, 3000, |expr, point| {
        let (plain, simple) = (value(&expr, point), value(&simplified(&expr), point));
        if !is_finite(&expr, point) {
            return false;
        }
        assert!(
            close(plain, simple, 1e-9),
            "{expr:?} at {point:?}: {plain}, {simple}"
        );
        simplified(&expr) != expr
    });
}

#[test]
fn simplification_has_nothing_left_to_do() {
    random(2000, 500, |expr, _| {
        let simple = simplified(&expr);
        assert_eq!(simplified(&simple), simple);
        simple != expr
    });
}

#[test]
fn a_program_has_the_values_of_its_equations() {
    random(3000, 500, |expr, point| {
        let slope = expr.derivative(X);
        let program = Program::new([&expr, &slope]);
        let wanted = [value(&expr, point), value(&slope, point)];
        for (found, wanted) in run(&program, point).into_iter().zip(wanted) {
            assert_eq!(found.to_bits(), wanted.to_bits(), "{expr:?} at {point:?}");
        }
        slope.number().is_none()
    });
}

#[test]
fn a_program_computes_each_part_once() {
    let sigmoid = || var(G).apply(Unary::Sigmoid);
    let out = sigmoid() * var(F) + (num(1.0) - sigmoid()) * var(S);
    let program = Program::new([&out]);
    let sigmoids = |node: &&Node| matches!(node, Node::Unary(Unary::Sigmoid, _));
    assert_eq!(program.nodes.iter().filter(sigmoids).count(), 1);
    assert_eq!(program.inputs().collect::<Vec<_>>(), [G, F, S]);
}

#[test]
fn small_powers_are_products() {
    let cube = Program::new([&var(X).pow(num(3.0))]);
    let is_power = |node: &Node| matches!(node, Node::Binary(Binary::Pow, ..));
    assert!(!cube.nodes.iter().any(is_power));
    assert_eq!(run(&cube, [-2.0; 5]), [-8.0]);
    assert_eq!(Binary::Pow.value(-2.0_f32, 3.0), -8.0);
    let root = Program::new([&var(X).pow(num(0.5))]);
    assert!(!root.nodes.iter().any(is_power));
}

#[test]
fn an_operation_without_a_finite_result_stays() {
    for expr in [num(0.0).apply(Unary::Ln), num(1.0) / num(0.0)] {
        assert_eq!(expr.number(), None);
    }
}

fn select_positive(otherwise: Expr) -> Expr {
    Expr::select(Compare::Greater, var(X), num(0.0), var(X), otherwise)
}

#[test]
fn activations_with_kernels_are_recognised() {
    let curve = || var(X).apply(Unary::Exp) - num(1.0);
    let known = KnownActivation::recognise;
    assert_eq!(known(&var(X).max(num(0.0))), Some(KnownActivation::Relu));
    let tanh = var(X).apply(Unary::Tanh);
    assert_eq!(known(&tanh), Some(KnownActivation::Tanh));
    let sigmoid = var(X).apply(Unary::Sigmoid);
    assert_eq!(known(&sigmoid), Some(KnownActivation::Sigmoid));
    for number in [-1.0, 0.0, 0.01, 1.0, 2.0] {
        let leaky = known(&select_positive(num(number) * var(X)));
        assert_eq!(leaky, Some(KnownActivation::LeakyRelu(number)));
        let elu = known(&select_positive(num(number) * curve()));
        match number {
            0.0 => assert_eq!(elu, Some(KnownActivation::LeakyRelu(0.0))),
            _ => assert_eq!(elu, Some(KnownActivation::Elu(number))),
        }
    }
    for other in [
        num(2.0) * tanh,
        var(X).max(num(1.0)),
        var(X).min(num(0.0)),
        (var(X) * num(2.0)).apply(Unary::Sigmoid),
        select_positive(var(X) * var(X)),
        Expr::select(Compare::Less, var(X), num(0.0), var(X), num(2.0) * var(X)),
    ] {
        assert_eq!(known(&other), None, "{other:?}");
    }
}

#[test]
fn forms_of_joins_are_recognised() {
    let (f, s, a) = (|| var(F), || var(S), || var(A));
    let rest = || num(1.0) - a();
    let affine = |out: Expr, body: Expr, skip: Expr| {
        let wanted = JoinForm::Affine { body, skip };
        assert_eq!(JoinForm::recognise(&out), wanted, "{out:?}");
    };
    affine(f() + s(), num(1.0), num(1.0));
    affine(num(0.5) * (f() + s()), num(0.5), num(0.5));
    affine(f() + rest() * s(), num(1.0), rest());
    affine(a() * f() + rest() * s(), a(), rest());
    affine(s() + a() * (f() - s()), a(), rest());
    affine((f() - s()) / num(4.0), num(0.25), -num(0.25));
    affine(f(), num(1.0), num(0.0));
    let root = (num(1.0) - rest().pow(num(2.0))).apply(Unary::Sqrt);
    affine(root.clone() * f() + rest() * s(), root, rest());

    let t = || var(G).apply(Unary::Sigmoid);
    for out in [
        t() * f() + (num(1.0) - t()) * s(),
        (num(1.0) - t()) * s() + f() * t(),
        s() + t() * (f() - s()),
    ] {
        assert_eq!(
            JoinForm::recognise(&out),
            JoinForm::SigmoidGate { gate: 0 },
            "{out:?}"
        );
    }
    for out in [
        f() + s() + num(1.0),
        f() * s(),
        f().max(s()),
        t() * f() + s(),
        var(G).apply(Unary::Tanh) * f() + (num(1.0) - var(G).apply(Unary::Tanh)) * s(),
        f() / s(),
        f().apply(Unary::Tanh) + s(),
    ] {
        assert_eq!(JoinForm::recognise(&out), JoinForm::General, "{out:?}");
    }
}

/// Draws an equation that is linear in f and s.
fn linear() -> impl Strategy<Value = Expr> {
    let leaf = prop::sample::select(vec![F, S]).prop_map(Expr::Variable);
    leaf.prop_recursive(5, 20, 2, |inner| {
        let factor = prop_oneof![
            (-2.0..2.0).prop_map(Expr::Number),
            Just(var(A)),
            Just((num(1.0) + var(A)).apply(Unary::Sqrt)),
        ];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a + b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a - b),
            (inner.clone(), factor.clone()).prop_map(|(x, factor)| x * factor),
            (inner.clone(), factor.clone()).prop_map(|(x, factor)| factor * x),
            (inner.clone(), factor).prop_map(|(x, factor)| x / (num(3.0) + factor)),
            inner.prop_map(|x| -x),
        ]
    })
}

#[test]
fn an_affine_form_has_the_value_of_its_equation() {
    random_of(linear(), 1000, 900, |expr, point| {
        let JoinForm::Affine { body, skip } = JoinForm::recognise(&expr) else {
            panic!("{expr:?} is affine");
        };
        let [body, skip] = [body, skip].map(|part| value(&part, point));
        let (plain, parts) = (value(&expr, point), body * point[1] + skip * point[2]);
        assert!(
            close(plain, parts, 1e-9),
            "{expr:?} at {point:?}: {plain}, {parts}"
        );
        plain != 0.0
    });
}
