//! Equations that engines have kernels of their own for, recognised by structure.

use super::{Binary, Compare, Expr, Unary, Variable};

/// An activation with a kernel of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KnownActivation {
    /// `max(x, 0)`.
    Relu,
    /// `x` above 0, this times `exp(x) - 1` elsewhere.
    Elu(f64),
    /// `x` above 0, this times x elsewhere.
    LeakyRelu(f64),
    /// `tanh(x)`.
    Tanh,
    /// `sigmoid(x)`.
    Sigmoid,
}

impl KnownActivation {
    /// Recognises an equation of [`Variable::Element`].
    pub fn recognise(equation: &Expr) -> Option<KnownActivation> {
        let x = Expr::Variable(Variable::Element);
        let zero = Expr::Number(0.0);
        match equation {
            // A leaky ReLU of slope 1 has been simplified to x.
            Expr::Variable(Variable::Element) => Some(KnownActivation::LeakyRelu(1.0)),
            Expr::Unary(Unary::Tanh, inner) if **inner == x => Some(KnownActivation::Tanh),
            Expr::Unary(Unary::Sigmoid, inner) if **inner == x => Some(KnownActivation::Sigmoid),
            Expr::Binary(Binary::Max, a, b) if **a == x && **b == zero => {
                Some(KnownActivation::Relu)
            }
            Expr::Select(select)
                if select.compare == Compare::Greater
                    && select.left == x
                    && select.right == zero
                    && select.then == x =>
            {
                negative_half(&select.otherwise)
            }
            Expr::Number(_)
            | Expr::Variable(_)
            | Expr::Unary(..)
            | Expr::Binary(..)
            | Expr::Select(_) => None,
        }
    }
}

/// Finds the activation that is x above 0 and `half` elsewhere.
fn negative_half(half: &Expr) -> Option<KnownActivation> {
    let x = Expr::Variable(Variable::Element);
    let curve = x.clone().apply(Unary::ExpM1);
    let (factor, of) = match half {
        Expr::Number(0.0) => return Some(KnownActivation::LeakyRelu(0.0)),
        Expr::Unary(Unary::Neg, of) => (-1.0, of.as_ref()),
        Expr::Binary(Binary::Mul, factor, of) => (factor.number()?, of.as_ref()),
        Expr::Number(_)
        | Expr::Variable(_)
        | Expr::Unary(..)
        | Expr::Binary(..)
        | Expr::Select(_) => (1.0, half),
    };
    if *of == x {
        return Some(KnownActivation::LeakyRelu(factor));
    }
    (*of == curve).then_some(KnownActivation::Elu(factor))
}

/// The shape of an equation that joins f and s: what decides which kernel runs it.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinForm {
    /// `body·f + skip·s` with factors of constants and trained coefficients.
    Affine {
        /// The factor of f.
        body: Expr,
        /// The factor of s.
        skip: Expr,
    },
    /// `sigmoid(g)·f + (1 − sigmoid(g))·s`.
    SigmoidGate {
        /// Index of the gate g.
        gate: usize,
    },
    /// Any other.
    General,
}

impl JoinForm {
    /// Recognises the form of an equation that joins [`Variable::Body`] and
    /// [`Variable::Shortcut`].
    pub fn recognise(out: &Expr) -> JoinForm {
        let Some(Linear { rest, body, skip }) = linear(out) else {
            return JoinForm::General;
        };
        if !rest.is(0.0) {
            return JoinForm::General;
        }
        if let Expr::Unary(Unary::Sigmoid, gate) = &body
            && let Expr::Variable(Variable::Gate(gate)) = **gate
            && skip == Expr::Number(1.0) - body.clone()
        {
            return JoinForm::SigmoidGate { gate };
        }
        match is_per_channel(&body) && is_per_channel(&skip) {
            true => JoinForm::Affine { body, skip },
            false => JoinForm::General,
        }
    }
}

/// `body·f + skip·s + rest`, with none of f and s in the parts.
struct Linear {
    rest: Expr,
    body: Expr,
    skip: Expr,
}

impl Linear {
    fn map(self, part: impl Fn(Expr) -> Expr) -> Linear {
        Linear {
            rest: part(self.rest),
            body: part(self.body),
            skip: part(self.skip),
        }
    }

    fn zip(self, other: Linear, part: impl Fn(Expr, Expr) -> Expr) -> Linear {
        Linear {
            rest: part(self.rest, other.rest),
            body: part(self.body, other.body),
            skip: part(self.skip, other.skip),
        }
    }

    /// Returns the whole, where it has neither f nor s.
    fn factor(&self) -> Option<&Expr> {
        (self.body.is(0.0) && self.skip.is(0.0)).then_some(&self.rest)
    }
}

/// Finds the parts of an equation that is linear in f and s as it is written.
fn linear(expr: &Expr) -> Option<Linear> {
    let zero = || Expr::Number(0.0);
    if !expr.uses(Variable::Body) && !expr.uses(Variable::Shortcut) {
        return Some(Linear {
            rest: expr.clone(),
            body: zero(),
            skip: zero(),
        });
    }
    let one = |variable| Expr::Number(f64::from(u8::from(*expr == Expr::Variable(variable))));
    match expr {
        Expr::Variable(_) => Some(Linear {
            rest: zero(),
            body: one(Variable::Body),
            skip: one(Variable::Shortcut),
        }),
        Expr::Unary(Unary::Neg, x) => Some(linear(x)?.map(|part| -part)),
        Expr::Binary(Binary::Add, a, b) => Some(linear(a)?.zip(linear(b)?, |a, b| a + b)),
        Expr::Binary(Binary::Sub, a, b) => Some(linear(a)?.zip(linear(b)?, |a, b| a - b)),
        Expr::Binary(Binary::Mul, a, b) => {
            let (a, b) = (linear(a)?, linear(b)?);
            if let Some(factor) = a.factor().cloned() {
                return Some(b.map(|part| factor.clone() * part));
            }
            let factor = b.factor().cloned()?;
            Some(a.map(|part| part * factor.clone()))
        }
        Expr::Binary(Binary::Div, a, b) => {
            let divisor = linear(b)?.factor().cloned()?;
            Some(linear(a)?.map(|part| part / divisor.clone()))
        }
        Expr::Number(_) | Expr::Unary(..) | Expr::Binary(..) | Expr::Select(_) => None,
    }
}

/// Whether an equation has no operand but trained coefficients.
fn is_per_channel(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::Variable(Variable::Trained(_)) => true,
        Expr::Variable(
            Variable::Element | Variable::Body | Variable::Shortcut | Variable::Gate(_),
        ) => false,
        Expr::Unary(_, x) => is_per_channel(x),
        Expr::Binary(_, a, b) => is_per_channel(a) && is_per_channel(b),
        Expr::Select(select) => select.parts().into_iter().all(is_per_channel),
    }
}
