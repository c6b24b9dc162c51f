//! The plan's activations and joins as equations.

use super::equations::Curve;
use crate::ir::Form;
use crate::ir::expr::{Compare, Expr, JoinForm, Unary, Variable};
use crate::plan::{self, Activation, GradientTarget, Id, PointwiseGradients};
use std::sync::Arc;

/// How f and a shortcut s become y.
#[derive(Clone, Debug)]
pub struct Join {
    /// y.
    pub out: Arc<Expr>,
    /// The form of `out`.
    pub form: JoinForm,
    /// s, where y depends on it.
    pub shortcut: Option<Id>,
    /// The gates' outputs.
    pub gates: Vec<Id>,
    /// Trained coefficients.
    pub trained: Vec<Id>,
}

/// An activation's equation and its derivative.
pub fn activation(activation: Activation) -> Curve {
    let x = || Expr::Variable(Variable::Element);
    let zero = || Expr::Number(0.0);
    let above = |below| Expr::select(Compare::Greater, x(), zero(), x(), below);
    let one = || Expr::Number(1.0);
    let value = match activation {
        Activation::Relu => x().max(zero()),
        Activation::Elu(alpha) => {
            above(Expr::Number(alpha.into()) * (x().apply(Unary::Exp) - one()))
        }
        Activation::LeakyRelu(slope) => above(Expr::Number(slope.into()) * x()),
        Activation::Tanh => x().apply(Unary::Tanh),
        Activation::Sigmoid => x().apply(Unary::Sigmoid),
    };
    Curve {
        slope: Arc::new(value.derivative(Variable::Element)),
        value: Arc::new(value),
    }
}

/// A join's equation and operands.
pub fn join(join: plan::Join) -> Join {
    let [f, s] = [Variable::Body, Variable::Shortcut].map(Expr::Variable);
    let one = || Expr::Number(1.0);
    let (out, gates, trained) = match join {
        plan::Join::Residual { scale, .. } => {
            let scale = || Expr::Number(scale.into());
            (scale() * f + scale() * s, Vec::new(), Vec::new())
        }
        plan::Join::Gated { gate, .. } => {
            let share = Expr::Variable(Variable::Gate(0)).apply(Unary::Sigmoid);
            (
                share.clone() * f + (one() - share) * s,
                vec![gate],
                Vec::new(),
            )
        }
        plan::Join::Fading { alpha, form, .. } => {
            let value = Expr::Variable(Variable::Trained(0));
            let body = match form {
                Form::Additive => f,
                Form::Convex => value.clone() * f,
            };
            (body + (one() - value) * s, Vec::new(), vec![alpha])
        }
    };
    Join {
        form: JoinForm::recognise(&out),
        out: Arc::new(out),
        shortcut: Some(join.shortcut()),
        gates,
        trained,
    }
}

/// ∂C/∂gate of each gate.
pub fn dgates(g: &PointwiseGradients) -> Vec<Option<GradientTarget>> {
    match g.pass.join {
        Some(plan::Join::Gated { .. }) => vec![g.dgate],
        Some(plan::Join::Residual { .. } | plan::Join::Fading { .. }) | None => Vec::new(),
    }
}

/// The gradient of each trained coefficient.
pub fn dtrained(g: &PointwiseGradients) -> Vec<Id> {
    g.dalpha.into_iter().collect()
}
