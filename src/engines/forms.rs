//! The activations and joins that every engine has kernels for.

use crate::ir::expr::{JoinForm, KnownActivation};
use crate::plan::{self, Id};

/// An activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    /// `max(x, 0)`, derivative 0 at 0.
    Relu,
    /// Exponential below 0.
    Elu(f32),
    /// Linear of this slope below 0.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic.
    Sigmoid,
}

/// A join.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Join {
    /// `scale·(f + s)`.
    Residual { s: Id, scale: f32 },
    /// `s + T∘(f − s)`, `T = sigmoid(gate)`.
    Gated { s: Id, gate: Id },
    /// `f + (1 − α)·s`, or `s + α·(f − s)`.
    Fading { s: Id, alpha: Id, form: Form },
}

/// The two ways to weigh a skip by α.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Additive,
    Convex,
}

/// The known activation of a pass.
pub(crate) fn activation(activation: &plan::Activation) -> Activation {
    match activation.kernel {
        Some(KnownActivation::Relu) => Activation::Relu,
        Some(KnownActivation::Elu(alpha)) => Activation::Elu(alpha as f32),
        Some(KnownActivation::LeakyRelu(slope)) => Activation::LeakyRelu(slope as f32),
        Some(KnownActivation::Tanh) => Activation::Tanh,
        Some(KnownActivation::Sigmoid) => Activation::Sigmoid,
        None => panic!("an activation without a kernel"),
    }
}

/// The known join of a pass.
pub(crate) fn join(join: &plan::Join) -> Join {
    let (s, gate) = (join.shortcut, join.gates.first());
    match (&join.form, s, gate, &join.trained[..]) {
        (JoinForm::SigmoidGate { .. }, Some(s), Some(&gate), []) => Join::Gated { s, gate },
        (JoinForm::Affine { body, .. }, Some(s), None, []) => Join::Residual {
            s,
            scale: body.number().unwrap_or(1.0) as f32,
        },
        (JoinForm::Affine { body, .. }, Some(s), None, &[alpha]) => Join::Fading {
            s,
            alpha,
            form: match body.number() {
                Some(_) => Form::Additive,
                None => Form::Convex,
            },
        },
        _ => panic!("a join without a kernel"),
    }
}

impl Join {
    /// The shortcut.
    pub fn shortcut(&self) -> Id {
        match *self {
            Join::Residual { s, .. } | Join::Gated { s, .. } | Join::Fading { s, .. } => s,
        }
    }
}
