//! A plan's pass in equations.

use super::super::kernels::Activation as Kernel;
use crate::ir::expr::{Compare, JoinForm, Unary, Variable};
use crate::ir::{Expr, Form};
use crate::plan::{Activation, GradientTarget, Id, Join, PointwiseGradients};

/// The activation of a pass.
pub struct DescribedActivation {
    pub equation: Expr,
    /// The kernel that computes it, if there is one.
    pub kernel: Option<Kernel>,
}

/// The join of a pass.
pub struct DescribedJoin {
    pub out: Expr,
    pub shortcut: Option<Id>,
    pub gates: Vec<Id>,
    pub trained: Vec<Id>,
    pub form: JoinForm,
}

/// The equation of an activation.
pub fn activation(activation: Activation) -> DescribedActivation {
    let x = || Expr::from(Variable::Element);
    let zero = || Expr::from(0.0);
    let below = |half: Expr| Expr::select(Compare::Greater, x(), zero(), x(), half);
    let (equation, kernel) = match activation {
        Activation::Relu => (x().max(zero()), Kernel::Relu),
        Activation::Elu(alpha) => {
            let half = Expr::from(f64::from(alpha)) * x().apply(Unary::ExpM1);
            (below(half), Kernel::Elu { alpha })
        }
        Activation::LeakyRelu(slope) => {
            let half = Expr::from(f64::from(slope)) * x();
            (below(half), Kernel::LeakyRelu { slope })
        }
        Activation::Tanh => (x().apply(Unary::Tanh), Kernel::Tanh),
        Activation::Sigmoid => (x().apply(Unary::Sigmoid), Kernel::Sigmoid),
    };
    DescribedActivation {
        equation,
        kernel: Some(kernel),
    }
}

/// The equation of a join.
pub fn join(join: Join) -> DescribedJoin {
    let (f, s) = (Expr::from(Variable::Body), Expr::from(Variable::Shortcut));
    let one = || Expr::from(1.0);
    let (mut gates, mut trained) = (Vec::new(), Vec::new());
    let out = match join {
        Join::Residual { scale, .. } => {
            let scale = Expr::from(f64::from(scale));
            scale.clone() * f + scale * s
        }
        Join::Gated { gate, .. } => {
            gates.push(gate);
            let t = Expr::from(Variable::Gate(0)).apply(Unary::Sigmoid);
            t.clone() * f + (one() - t) * s
        }
        Join::Fading { alpha, form, .. } => {
            trained.push(alpha);
            let alpha = Expr::from(Variable::Trained(0));
            match form {
                Form::Additive => f + (one() - alpha) * s,
                Form::Convex => alpha.clone() * f + (one() - alpha) * s,
            }
        }
    };
    DescribedJoin {
        form: JoinForm::recognise(&out),
        out,
        shortcut: Some(join.shortcut()),
        gates,
        trained,
    }
}

/// Where the gradients of gates go.
pub fn gate_targets(g: &PointwiseGradients) -> &[Option<GradientTarget>] {
    match g.pass.join {
        Some(Join::Gated { .. }) => std::slice::from_ref(&g.dgate),
        Some(Join::Residual { .. } | Join::Fading { .. }) | None => &[],
    }
}

/// Where the gradients of trained coefficients go.
pub fn trained_targets(g: &PointwiseGradients) -> &[Id] {
    g.dalpha.as_slice()
}
