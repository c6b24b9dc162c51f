//! Derivatives by rule.
//!
//! At a kink (`min`, `max`, a comparison) the derivative is that of the branch taken; at
//! a tie of `min` or `max` that of the second operand, so that `max(x, 0)` has derivative
//! 0 at 0. |x| has derivative 0 at 0.

use super::{Binary, Compare, Expr, Select, Unary, Variable};

impl Expr {
    /// Builds ∂/∂`variable` of the equation, simplified.
    pub fn derivative(&self, variable: Variable) -> Expr {
        match self {
            Expr::Number(_) => Expr::Number(0.0),
            Expr::Variable(own) => Expr::Number(f64::from(u8::from(*own == variable))),
            Expr::Unary(function, x) => {
                let inner = x.derivative(variable);
                match inner.number() {
                    Some(0.0) => inner,
                    _ => inner * outer(*function, x),
                }
            }
            Expr::Binary(operation, a, b) => {
                let (da, db) = (a.derivative(variable), b.derivative(variable));
                binary(*operation, (a, da), (b, db))
            }
            Expr::Select(select) => {
                let Select {
                    compare,
                    left,
                    right,
                    then,
                    otherwise,
                } = select.as_ref();
                Expr::select(
                    *compare,
                    left.clone(),
                    right.clone(),
                    then.derivative(variable),
                    otherwise.derivative(variable),
                )
            }
        }
    }
}

/// Builds the derivative of `function` at `x`.
fn outer(function: Unary, x: &Expr) -> Expr {
    let one = || Expr::Number(1.0);
    let value = || x.clone().apply(function);
    match function {
        Unary::Neg => Expr::Number(-1.0),
        Unary::Abs => {
            let zero = || Expr::Number(0.0);
            let negative = Expr::select(Compare::Less, x.clone(), zero(), -one(), zero());
            Expr::select(Compare::Greater, x.clone(), zero(), one(), negative)
        }
        Unary::Exp => value(),
        Unary::ExpM1 => x.clone().apply(Unary::Exp),
        Unary::Ln => one() / x.clone(),
        Unary::Sqrt => Expr::Number(0.5) / value(),
        Unary::Tanh => one() - value() * value(),
        Unary::Sigmoid => value() * (one() - value()),
        Unary::Softplus => x.clone().apply(Unary::Sigmoid),
        Unary::Erf => {
            let bell = (-(x.clone() * x.clone())).apply(Unary::Exp);
            Expr::Number(std::f64::consts::FRAC_2_SQRT_PI) * bell
        }
        Unary::Sin => x.clone().apply(Unary::Cos),
        Unary::Cos => -x.clone().apply(Unary::Sin),
    }
}

/// Builds the derivative of an operation on a and b, whose derivatives are `da` and `db`.
fn binary(operation: Binary, (a, da): (&Expr, Expr), (b, db): (&Expr, Expr)) -> Expr {
    let (a, b) = (|| a.clone(), || b.clone());
    match operation {
        Binary::Add => da + db,
        Binary::Sub => da - db,
        Binary::Mul => da * b() + a() * db,
        Binary::Div => (da - (a() / b()) * db) / b(),
        Binary::Min => Expr::select(Compare::Less, a(), b(), da, db),
        Binary::Max => Expr::select(Compare::Greater, a(), b(), da, db),
        Binary::Pow if db == Expr::Number(0.0) => {
            let lower = a().pow(b() - Expr::Number(1.0));
            b() * lower * da
        }
        Binary::Pow => {
            let logarithm = a().apply(Unary::Ln) * db;
            a().pow(b()) * (logarithm + b() * da / a())
        }
    }
}
