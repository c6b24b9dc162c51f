//! The networks of the suite with equations that no engine has a kernel for, in every place
//! or every second.

use crate::networks::NETWORKS;
use crate::support::{AT, batch, cpu, double, state};
use std::sync::Arc;
use vanc::engines::Engine;
use vanc::ir::expr::{Compare, Expr, JoinForm, KnownActivation, Unary, Variable};
use vanc::ir::{Layer, Model, Op};
use vanc::tensor::Tensor;

/// Activations of several kinds, one of them not 0 at 0.
fn activations() -> [Expr; 4] {
    let x = || Expr::from(Variable::Element);
    let number = |x: f64| Expr::from(x);
    let bent = number(1.7) * x().apply(Unary::ExpM1);
    [
        x() * x().apply(Unary::Sigmoid),
        number(1.05) * Expr::select(Compare::Greater, x(), number(0.0), x(), bent),
        x().apply(Unary::Cos),
        number(0.5) * x() * (number(1.0) + (number(0.7) * x()).apply(Unary::Erf)),
    ]
}

/// A join like `out`, but of a form that is nobody's.
fn bent(out: &Expr, gates: usize, trained: usize) -> Expr {
    let f = || Expr::from(Variable::Body);
    let mut sum = (Expr::from(0.8) * out.clone()).apply(Unary::Sin);
    for gate in 0..gates {
        let gate = Expr::from(Variable::Gate(gate));
        sum = sum + Expr::from(0.3) * gate.apply(Unary::Tanh) * f();
    }
    for index in 0..trained {
        let coefficient = Expr::from(Variable::Trained(index));
        sum = sum + coefficient.apply(Unary::Exp) * f().apply(Unary::Softplus);
    }
    sum
}

/// Replaces all activations and joins, or every second of each.
struct Bend {
    all: bool,
    activations: usize,
    joins: usize,
}

impl Bend {
    fn layers(&mut self, layers: &mut [Layer]) {
        for layer in layers {
            match &mut layer.op {
                Op::Activation(activation) => {
                    self.activations += 1;
                    if self.all || self.activations % 2 == 1 {
                        let kinds = activations();
                        let equation = kinds[self.activations % kinds.len()].clone();
                        assert_eq!(KnownActivation::recognise(&equation), None);
                        activation.equation = Arc::new(equation);
                    }
                }
                Op::Skip(skip) => {
                    self.layers(&mut skip.body);
                    self.joins += 1;
                    if self.all || self.joins % 2 == 1 {
                        let policy = &mut skip.policy;
                        let out = bent(&policy.out, policy.gates.len(), policy.trained.len());
                        assert_eq!(JoinForm::recognise(&out), JoinForm::General);
                        policy.out = Arc::new(out);
                    }
                }
                Op::Concat(concat) => self.layers(&mut concat.body),
                Op::Conv(_)
                | Op::Linear(_)
                | Op::BatchNorm(_)
                | Op::Map(_)
                | Op::Flatten
                | Op::Dropout(_) => {}
            }
        }
    }
}

fn close(found: &[f32], expected: &[f32], what: &str) {
    let size = expected.iter().fold(0.05f32, |size, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= 1e-4 * size,
            "{what}: {found} is not {expected}, of {size}"
        );
    }
}

/// Compares the compiled engine with the reference in double precision.
fn compare(name: &str, model: &Model, images: usize) {
    let tensors: Vec<Tensor> = state(model, 11);
    let batch = batch(model, images, 17);
    let (mut engine, mut exact) = (cpu(model, &tensors), double(model, &tensors));
    let what = format!("{name}, {images} images");
    let found = engine.logits(&batch).unwrap();
    close(&found, &exact.logits(&batch).unwrap(), &what);
    let (outcome, found) = engine.gradients(&batch, AT).unwrap();
    let (expected_outcome, expected) = exact.gradients(&batch, AT).unwrap();
    close(
        &[outcome.loss as f32],
        &[expected_outcome.loss as f32],
        &what,
    );
    for (found, expected) in found.iter().zip(&expected) {
        let what = format!("{what}, {}", found.name);
        assert_eq!(found.name, expected.name);
        close(&found.data, &expected.data, &what);
    }
}

#[test]
fn equations_mix_with_what_kernels_know() {
    for network in NETWORKS {
        for all in [true, false] {
            let mut model = network.model();
            let mut bend = Bend {
                all,
                activations: 0,
                joins: 0,
            };
            bend.layers(&mut model.layers);
            if bend.activations + bend.joins > 0 {
                for images in [2, 9] {
                    compare(network.name, &model, images);
                }
            }
        }
    }
}
