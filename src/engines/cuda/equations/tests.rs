use super::*;
use crate::check::check;
use crate::diag::Sources;
use crate::ir::expr::{Binary, Compare};
use crate::ir::{Op, Policy};
use std::fmt::Write;
use std::process::Command;

fn variable(variable: Variable) -> Expr {
    Expr::Variable(variable)
}

fn operands() -> [Expr; 6] {
    [
        Variable::Body,
        Variable::Shortcut,
        Variable::Gate(0),
        Variable::Gate(1),
        Variable::Trained(0),
        Variable::Trained(1),
    ]
    .map(variable)
}

fn curve(value: Expr) -> Curve {
    Curve {
        slope: Arc::new(value.derivative(Variable::Element)),
        value: Arc::new(value),
    }
}

fn join(out: Expr, gates: usize, trained: usize) -> JoinEquation {
    JoinEquation {
        form: JoinForm::recognise(&out),
        out: Arc::new(out),
        gates,
        trained,
        is_uniform: true,
    }
}

/// Pairs of what a file writes and what it stands for.
type Named<T> = Vec<(String, T)>;

/// Collects the activations and joins that every file has.
fn built_in() -> (Named<Curve>, Named<JoinEquation>) {
    let text = "model m {
        input image(1, 1, 4) linear(4)
        relu elu(alpha: 0.7) leaky_relu tanh sigmoid
        skip resnet { linear(4) }
        skip resnet(scale: 0.1) { linear(4) }
        skip highway { linear(4) }
        skip variable { linear(4) }
        skip variable(form: convex) { linear(4) }
        linear(2)
    }";
    let model = check(&mut Sources::new("test.van", text), &[], false);
    let model = model.unwrap_or_else(|_| panic!("{text} has mistakes"));
    let (mut curves, mut joins) = (Vec::new(), Vec::new());
    model.walk(&mut |layer| {
        if let Op::Activation(activation) = &layer.op {
            let name = format!("{} {:?}", activation.name, activation.settings);
            curves.push((name, Curve::new(&Activation::new(&activation.equation))));
        }
        if let Op::Skip(skip) = &layer.op {
            let Policy {
                out,
                gates,
                trained,
                ..
            } = &skip.policy;
            let equation = join(Expr::clone(out), gates.len(), trained.len());
            joins.push((skip.policy.to_string(), equation));
        }
    });
    (curves, joins)
}

/// Makes equations of x with every function and operation.
fn every_node(x: &Expr) -> Vec<Expr> {
    let functions = Unary::ALL.map(|function| x.clone().apply(function));
    let other = || Expr::Number(0.3) - x.clone();
    let operations = Binary::ALL.map(|operation| Expr::combine(operation, x.clone(), other()));
    let compares = [
        Compare::Less,
        Compare::LessEqual,
        Compare::Greater,
        Compare::GreaterEqual,
        Compare::Equal,
        Compare::NotEqual,
    ];
    let choices = compares
        .map(|compare| Expr::select(compare, x.clone(), 0.25.into(), (-0.1).into(), x.clone()));
    let powers = [-1.0, 0.5, 2.0, 3.0, 5.0].map(|power| x.clone().pow(power.into()));
    functions
        .into_iter()
        .chain(operations)
        .chain(choices)
        .chain(powers)
        .collect()
}

/// Makes equations of every kind that kernels are printed for.
pub fn equations() -> Vec<Equations> {
    let [f, s, g, h, v, w] = operands();
    let sum = |all: Vec<Expr>| all.into_iter().reduce(|a, b| a + b);
    let x = variable(Variable::Element);
    let power = x.clone().pow(1.5.into());
    let functions = Unary::ALL.map(|function| x.clone().apply(function));
    let all = sum(functions.into_iter().chain([power]).collect());
    // A gated mixture with a coefficient inside a function.
    let mixture = g.clone().apply(Unary::Sigmoid) * f.clone()
        + (v.clone() * s.clone()).apply(Unary::Tanh) * h.clone()
        + w.clone() * f.clone() * s.clone();
    let (curves, joins) = built_in();
    let [relu, elu] = [0, 1].map(|k| Some(curves[k].1.clone()));
    let with = |activation: Option<Curve>, join: Option<JoinEquation>| Equations {
        activation: activation.unwrap_or_else(Curve::identity),
        join: join.unwrap_or_else(JoinEquation::none),
    };
    vec![
        with(relu, None),
        with(None, Some(joins[0].1.clone())),
        with(all.map(curve), Some(join(mixture, 2, 2))),
        with(elu, Some(join(v * f.clone() + w * s, 0, 2))),
        with(None, Some(join(f, 0, 0))),
    ]
}

/// Checks that a policy of two coefficients that is no sum of f and s keeps a sum a
/// coefficient.
#[test]
fn sums_over_rows_are_of_what_the_coefficients_need() {
    let sums: Vec<usize> = equations().iter().map(|e| e.join.sums()).collect();
    assert_eq!(sums, [0, 0, 2, 2, 0]);
    let [f, s, _, _, v, _] = operands();
    let mut mixed = join(v * (f + s), 0, 1);
    assert_eq!(mixed.sums(), 2);
    // Where another coefficient changes within what is summed over, its factor must too.
    mixed.is_uniform = false;
    assert_eq!(mixed.sums(), 1);
}

#[test]
fn built_in_equations_as_c() {
    let mut text = String::new();
    let (curves, joins) = built_in();
    assert_eq!((curves.len(), joins.len()), (5, 5));
    for (name, Curve { value, slope }) in curves {
        let [value, slope] = [&value, &slope].map(|expr| result(expr, "x"));
        let _ = writeln!(text, "{name}\n{value}  slope\n{slope}");
    }
    for (name, join) in joins {
        let equations = Equations {
            activation: Curve::identity(),
            join,
        };
        let _ = writeln!(text, "{name}\n{}", equations.print("Equations0"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn numbers_keep_their_bits() {
    assert_eq!(super::super::print::number(0.1), "0.10000000149011612f");
    assert_eq!(super::super::print::number(-0.0), "(-0.0f)");
    assert_eq!(super::super::print::number(1e-45), "1.401298464324817e-45f");
    assert_eq!(
        super::super::print::number(f64::INFINITY),
        "__uint_as_float(0x7f800000u)"
    );
}

/// Points at which equations are compared: both sides of kinks, large, small and no numbers.
const POINTS: [f32; 14] = [
    0.0,
    -0.0,
    0.25,
    1.0,
    -1.0,
    0.3,
    2.5,
    -3.75,
    1e-6,
    -1e-30,
    40.0,
    -90.0,
    f32::INFINITY,
    f32::NAN,
];

/// Runs `program`, C++ for the host, and gives what it prints; none without a compiler.
fn run(program: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let [source, binary] = ["a.cpp", "a.out"].map(|name| folder.path().join(name));
    std::fs::write(&source, program).unwrap();
    let compiled = Command::new("g++")
        .args(["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-o"])
        .args([&binary, &source])
        .output();
    let Ok(compiled) = compiled else {
        eprintln!("skipped: there is no g++");
        return None;
    };
    let log = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{log}\n{program}");
    let output = Command::new(&binary).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Writes CUDA C++ as far as printed functions need it, and pass.cuh's own functions.
fn host_prelude() -> String {
    let pass = include_str!("../kernels/pass.cuh");
    let start = pass.find("__device__ inline float sigmoid").unwrap();
    format!(
        "#include <cmath>\n#include <cstdio>\n#include <cstring>\n#define __device__\n\
         static float __uint_as_float(unsigned x) {{ float y; memcpy(&y, &x, 4); return y; }}\n\
         static float __fmul_rn(float a, float b) {{ return a * b; }}\n\
         static float __fmaf_rn(float a, float b, float c) {{ return fmaf(a, b, c); }}\n\
         static unsigned bits(float x) {{ unsigned y; memcpy(&y, &x, 4); return y; }}\n{}",
        &pass[start..]
    )
}

#[test]
fn every_node_as_c_has_the_value_of_the_equation() {
    let x = variable(Variable::Element);
    let equations = every_node(&x);
    let functions = equations
        .iter()
        .enumerate()
        .map(|(k, expr)| format!("static float f{k}(float x) {{\n{}}}\n", result(expr, "x")));
    let calls = (0..equations.len()).map(|k| {
        format!(
            "    for (int k = 0; k < {}; k++) printf(\"%08x\\n\", bits(f{k}(points[k])));\n",
            POINTS.len()
        )
    });
    let points = POINTS.map(|x| super::super::print::number(x.into()));
    let program = format!(
        "{}{}static float points[] = {{{}}};\nint main() {{\n{}}}\n",
        host_prelude(),
        functions.collect::<String>(),
        points.join(", "),
        calls.collect::<String>()
    );
    let Some(output) = run(&program) else { return };
    let bits = |line: &str| u32::from_str_radix(line, 16).unwrap();
    let found: Vec<f32> = output.lines().map(bits).map(f32::from_bits).collect();
    assert_eq!(found.len(), equations.len() * POINTS.len());
    for (expr, found) in equations.iter().zip(found.chunks(POINTS.len())) {
        for (&x, &found) in POINTS.iter().zip(found) {
            let expected: f32 = expr.value(&|_| x);
            // The libraries' functions may differ in their last bits.
            let is_close = found == expected
                || (found - expected).abs() <= 4.0 * f32::EPSILON * expected.abs()
                || found.is_nan() && expected.is_nan();
            let text = expr.equation(|_| "x".into()).to_string();
            assert!(is_close, "{text} at {x}: {found} is not {expected}");
        }
    }
}

/// Joins of every form.
fn joins() -> Vec<JoinEquation> {
    let built_in_joins = built_in().1.into_iter().map(|(_, join)| join);
    let others = equations().into_iter().map(|equations| equations.join);
    let mut joins: Vec<JoinEquation> = built_in_joins.chain(others).collect();
    // The same where coefficients change within what is summed over.
    let apart = joins.clone().into_iter().map(|join| JoinEquation {
        is_uniform: false,
        ..join
    });
    joins.extend(apart.collect::<Vec<_>>());
    joins
}

/// δ, f, s, two gates, two coefficients.
const PLACES: [[f32; 7]; 3] = [
    [1.0, 0.5, -0.25, 0.75, -1.5, 0.2, 0.9],
    [-0.5, 1.5, 2.0, -2.0, 0.1, 0.6, -0.3],
    [2.0, -3.0, 0.125, 0.0, 1.0, 1.0, 0.0],
];

#[test]
fn gradients_as_c_are_the_derivatives() {
    let joins = joins();
    let structures = joins.iter().enumerate().map(|(k, join)| {
        let equations = Equations {
            activation: Curve::identity(),
            join: join.clone(),
        };
        equations.print(&format!("Equations{k}"))
    });
    let calls = (0..joins.len()).map(|k| format!("    show<Equations{k}>();\n"));
    let places = PLACES.map(|place| {
        let numbers = place.map(|x| super::super::print::number(x.into()));
        format!("{{{}}}", numbers.join(", "))
    });
    let program = format!(
        "{}{}static float places[][7] = {{{}}};
template <class E> void show() {{
    for (auto& p : places) {{
        float d = p[0], f = p[1], s = p[2], *g = p + 3, *v = p + 5;
        float gates[2] = {{}}, sums[2] = {{}}, trained[2] = {{}};
        E::gate_gradients(d, f, s, g, v, gates);
        E::summands(f, s, g, v, sums);
        for (float& sum : sums) sum *= d;
        E::trained_gradients(sums, v, trained);
        float all[7] = {{E::join(f, s, g, v), E::body_gradient(d, f, s, g, v),
            E::shortcut_gradient(d, f, s, g, v), gates[0], gates[1], trained[0], trained[1]}};
        for (float x : all) printf(\"%08x\\n\", bits(x));
    }}
}}
int main() {{\n{}}}\n",
        host_prelude(),
        structures.collect::<String>(),
        places.join(", "),
        calls.collect::<String>()
    );
    let Some(output) = run(&program) else { return };
    let bits = |line: &str| u32::from_str_radix(line, 16).unwrap();
    let found: Vec<f32> = output.lines().map(bits).map(f32::from_bits).collect();
    assert_eq!(found.len(), joins.len() * PLACES.len() * 7);
    let mut found = found.chunks(7);
    for join in &joins {
        for place in PLACES {
            let value = |variable: Variable| match variable {
                Variable::Element => place[0],
                Variable::Body => place[1],
                Variable::Shortcut => place[2],
                Variable::Gate(k) => place[3 + k],
                Variable::Trained(k) => place[5 + k],
            };
            let gradient = |variable| join.out.derivative(variable).value(&value) * place[0];
            let mut expected = vec![
                join.out.value(&value),
                gradient(Variable::Body),
                gradient(Variable::Shortcut),
            ];
            expected.extend([0, 1].map(|k| gradient(Variable::Gate(k))));
            expected.extend([0, 1].map(|k| gradient(Variable::Trained(k))));
            for (found, expected) in found.next().unwrap().iter().zip(expected) {
                let error: f32 = (found - expected).abs();
                assert!(
                    error <= 1e-6 * (1.0 + expected.abs()),
                    "{join:?}: {found} is not {expected}"
                );
            }
        }
    }
}
