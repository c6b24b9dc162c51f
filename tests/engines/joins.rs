//! Activations and joins that no engine has a kernel for, built through the library.

use crate::gradients;
use crate::support::{AT, batch, cpu, dfdx, double, engines, model, state};
use std::sync::Arc;
use vanc::engines::{Engine, StepContext, init};
use vanc::ir::expr::{JoinForm, KnownActivation, Unary, Variable};
use vanc::ir::{Expr, Layer, Model, Op};

/// A network whose activations and joins are replaced.
struct Case {
    name: &'static str,
    input: &'static str,
    layers: &'static str,
    granularity: &'static str,
    out: fn() -> Expr,
}

fn var(variable: Variable) -> Expr {
    variable.into()
}

fn call(function: Unary, x: Expr) -> Expr {
    x.apply(function)
}

/// softplus(x)·tanh(x).
fn activation() -> Expr {
    let x = || var(Variable::Element);
    call(Unary::Softplus, x()) * call(Unary::Tanh, x())
}

/// √(1 − (1 − a)²)·f + (1 − a)·s: affine, with factors that are no kernel's.
fn normalized() -> Expr {
    let rest = || Expr::from(1.0) - var(Variable::Trained(0));
    let body = call(Unary::Sqrt, Expr::from(1.0) - rest().pow(2.0.into()));
    body * var(Variable::Body) + rest() * var(Variable::Shortcut)
}

/// f·(1 + a·tanh s) + s.
fn modulated() -> Expr {
    let share = var(Variable::Trained(0)) * call(Unary::Tanh, var(Variable::Shortcut));
    var(Variable::Body) * (Expr::from(1.0) + share) + var(Variable::Shortcut)
}

/// tanh(g)·f + σ(g)²·erf(s).
fn gated() -> Expr {
    let gate = || var(Variable::Gate(0));
    let body = call(Unary::Tanh, gate()) * var(Variable::Body);
    let share = call(Unary::Sigmoid, gate()).pow(2.0.into());
    body + share * call(Unary::Erf, var(Variable::Shortcut))
}

/// exp(−g²)·f, without a shortcut.
fn damped() -> Expr {
    let square = var(Variable::Gate(0)).pow(2.0.into());
    call(Unary::Exp, -square) * var(Variable::Body)
}

const CONV: &str = "conv(4, kernel: 3) batch_norm relu \
    skip POLICY { conv(4, kernel: 3) batch_norm relu } \
    skip POLICY { conv(6, kernel: 3, stride: 2) tanh } linear(3)";
const VECTOR: &str = "linear(6) batch_norm relu \
    skip POLICY { linear(6) batch_norm relu } \
    skip POLICY { linear(5) relu } linear(3)";
/// A network whose middle engines run as one, forward and backward.
const NARROW: &str = "linear(6) \
    skip POLICY { batch_norm relu linear(6) } \
    skip POLICY { batch_norm linear(6) } linear(3)";

const CASES: &[Case] = &[
    image("affine", "channel", normalized),
    image("affine by layer", "layer", normalized),
    image("affine by unit", "unit", normalized),
    image("general", "channel", modulated),
    image("general by layer", "layer", modulated),
    image("general by unit", "unit", modulated),
    image("gate", "channel", gated),
    image("gate alone", "channel", damped),
    flat("affine on a vector", "channel", normalized),
    flat("affine by layer on a vector", "layer", normalized),
    flat("general on a vector", "channel", modulated),
    flat("general by layer on a vector", "layer", modulated),
    flat("general by unit on a vector", "unit", modulated),
    flat("gate on a vector", "channel", gated),
    flat("gate alone on a vector", "channel", damped),
    narrow("affine in a narrow MLP", "channel", normalized),
    narrow("affine by layer in a narrow MLP", "layer", normalized),
    narrow("general in a narrow MLP", "channel", modulated),
    narrow("general by layer in a narrow MLP", "layer", modulated),
];

const fn image(name: &'static str, granularity: &'static str, out: fn() -> Expr) -> Case {
    Case {
        name,
        input: "3, 7, 5",
        layers: CONV,
        granularity,
        out,
    }
}

const fn flat(name: &'static str, granularity: &'static str, out: fn() -> Expr) -> Case {
    Case {
        input: "1, 1, 7",
        layers: VECTOR,
        ..image(name, granularity, out)
    }
}

const fn narrow(name: &'static str, granularity: &'static str, out: fn() -> Expr) -> Case {
    Case {
        layers: NARROW,
        ..flat(name, granularity, out)
    }
}

impl Case {
    fn model(&self) -> Model {
        let policy = match (self.out)().uses(Variable::Gate(0)) {
            true => "highway",
            false => "variable",
        };
        let layers = self.layers.replace("POLICY", policy);
        // Not from 0, where the root of `normalized` has an infinite slope.
        let granularity = self.granularity;
        let constraint = format!("lagrange(alpha: 0.3, alpha_granularity: {granularity})");
        let mut model = model(self.input, &layers, &[("constraint", &constraint)]);
        replace(&mut model.layers, &Arc::new((self.out)()));
        model
    }
}

fn replace(layers: &mut [Layer], out: &Arc<Expr>) {
    for layer in layers {
        if let Op::Activation(own) = &mut layer.op {
            own.equation = Arc::new(activation());
        } else if let Op::Skip(skip) = &mut layer.op {
            skip.policy.out = out.clone();
            replace(&mut skip.body, out);
        }
    }
}

#[test]
fn no_kernel_knows_them() {
    assert_eq!(KnownActivation::recognise(&activation()), None);
    for out in [modulated(), gated(), damped()] {
        assert_eq!(JoinForm::recognise(&out), JoinForm::General);
    }
}

#[test]
fn every_gradient_is_the_slope_of_the_loss() {
    for case in CASES {
        let model = case.model();
        for images in [1, 3] {
            gradients::compare(case.name, &model, images);
        }
    }
}

#[test]
fn gradients_are_those_of_the_reference() {
    for case in CASES {
        let model = case.model();
        let tensors = state(&model, 11);
        for images in [1, 2, 3, 20] {
            let batch = batch(&model, images, 17);
            let (outcome, expected) = double(&model, &tensors).gradients(&batch, AT).unwrap();
            for make in engines() {
                let mut engine = make(&model, &tensors);
                let (found_outcome, found) = engine.gradients(&batch, AT).unwrap();
                let what = format!("{} of {}, {images} images", engine.name(), case.name);
                assert_eq!(found_outcome.correct, outcome.correct, "{what}");
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(found.name, expected.name, "{what}");
                    let largest = expected.data.iter().fold(0.0_f32, |a, &b| a.max(b.abs()));
                    // Batch norm of one or two values divides by almost nothing.
                    let tolerance = if images < 3 { 3e-3 } else { 1e-4 } * (largest + 1e-2);
                    for (a, b) in found.data.iter().zip(&expected.data) {
                        assert!(
                            (a - b).abs() <= tolerance,
                            "{what}: {} is {a}, not {b}",
                            found.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn they_train_alike() {
    for case in CASES {
        let model = case.model();
        let tensors = init::initial(&model, 4);
        let (mut engine, mut reference) = (cpu(&model, &tensors), dfdx(&model, &tensors));
        for step in 0..10 {
            let context = StepContext {
                rate: 0.02,
                step,
                ..AT
            };
            let batch = batch(&model, 5, step);
            let found = engine.step(&batch, context).unwrap().loss;
            let expected = reference.step(&batch, context).unwrap().loss;
            assert!(
                (found - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
                "{}, step {step}: {found} is not {expected}",
                case.name,
            );
        }
        let batch = batch(&model, 4, 99);
        let found = engine.logits(&batch).unwrap();
        for (a, b) in found.iter().zip(reference.logits(&batch).unwrap()) {
            assert!((a - b).abs() < 1e-3, "{}: {a} is not {b}", case.name);
        }
    }
}
