//! Constructors that simplify: constants are folded, neutral terms dropped.
//!
//! Every rewrite keeps the value of the equation in real numbers. In floating point,
//! these may differ from the equation as it was written:
//!
//! - operations on constants are done in f64, before they are rounded to the type that
//!   the equation is evaluated in; one without a finite result stays as it is;
//! - `exp(x) - 1` is exact near 0;
//! - `0 * x` and `0 / x` are 0 also where x is infinite, NaN or (below the line) 0;
//! - the sign of a zero: `x + 0` and `x - 0` are x, `0 - x` is −x, and `-(a - b)` is b − a;
//! - `min` and `max` of a constant and x are NaN where x is.
//!
//! All others, such as `a + -b` to `a - b` and `-a * b` to `-(a * b)`, keep every bit.

use super::{Binary, Compare, Expr, Select, Unary, Variable};
use std::ops;
use std::sync::Arc;

impl From<f64> for Expr {
    fn from(number: f64) -> Expr {
        Expr::Number(number)
    }
}

impl From<Variable> for Expr {
    fn from(variable: Variable) -> Expr {
        Expr::Variable(variable)
    }
}

impl Expr {
    /// Returns the number that the equation is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Expr::Number(number) => Some(*number),
            Expr::Variable(_) | Expr::Unary(..) | Expr::Binary(..) | Expr::Select(_) => None,
        }
    }

    pub(super) fn is(&self, number: f64) -> bool {
        self.number() == Some(number)
    }

    /// Applies `function` to the equation.
    pub fn apply(self, function: Unary) -> Expr {
        if let Some(x) = self.number()
            && let value = function.value(x)
            && value.is_finite()
        {
            return Expr::Number(value);
        }
        match (function, self) {
            (Unary::Neg, Expr::Unary(Unary::Neg, x)) => Arc::unwrap_or_clone(x),
            (Unary::Neg, Expr::Binary(Binary::Sub, a, b)) => Expr::Binary(Binary::Sub, b, a),
            (function, x) => Expr::Unary(function, Arc::new(x)),
        }
    }

    /// Applies `operation` to two equations.
    pub fn combine(operation: Binary, a: Expr, b: Expr) -> Expr {
        if let (Some(a), Some(b)) = (a.number(), b.number())
            && let value = operation.value(a, b)
            && value.is_finite()
        {
            return Expr::Number(value);
        }
        match operation {
            Binary::Add => sum(a, b),
            Binary::Sub => difference(a, b),
            Binary::Mul => product(a, b),
            Binary::Div => quotient(a, b),
            // A constant stands second, so that at `max(x, 0)` the constant wins a tie.
            Binary::Min | Binary::Max if a.number().is_some() => plain(operation, b, a),
            Binary::Min | Binary::Max => plain(operation, a, b),
            Binary::Pow if b.is(1.0) => a,
            Binary::Pow if b.is(0.0) => Expr::Number(1.0),
            Binary::Pow => plain(operation, a, b),
        }
    }

    /// Builds the smaller of two equations.
    pub fn min(self, other: Expr) -> Expr {
        Expr::combine(Binary::Min, self, other)
    }

    /// Builds the larger of two equations.
    pub fn max(self, other: Expr) -> Expr {
        Expr::combine(Binary::Max, self, other)
    }

    /// Raises the equation to the power `exponent`.
    pub fn pow(self, exponent: Expr) -> Expr {
        Expr::combine(Binary::Pow, self, exponent)
    }

    /// Builds `if left compare right { then } else { otherwise }`.
    pub fn select(compare: Compare, left: Expr, right: Expr, then: Expr, otherwise: Expr) -> Expr {
        if let (Some(left), Some(right)) = (left.number(), right.number()) {
            return match compare.holds(left, right) {
                true => then,
                false => otherwise,
            };
        }
        if then == otherwise {
            return then;
        }
        Expr::Select(Arc::new(Select {
            compare,
            left,
            right,
            then,
            otherwise,
        }))
    }
}

fn plain(operation: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(operation, Arc::new(a), Arc::new(b))
}

fn negated(x: &Expr) -> Option<Expr> {
    match x {
        Expr::Unary(Unary::Neg, x) => Some(Expr::clone(x)),
        Expr::Number(_)
        | Expr::Variable(_)
        | Expr::Unary(..)
        | Expr::Binary(..)
        | Expr::Select(_) => None,
    }
}

fn sum(a: Expr, b: Expr) -> Expr {
    if a.is(0.0) {
        return b;
    }
    if b.is(0.0) {
        return a;
    }
    match (negated(&a), negated(&b)) {
        (_, Some(b)) => difference(a, b),
        (Some(a), None) => difference(b, a),
        (None, None) => plain(Binary::Add, a, b),
    }
}

fn difference(a: Expr, b: Expr) -> Expr {
    if b.is(0.0) {
        return a;
    }
    if a.is(0.0) {
        return -b;
    }
    if b.is(1.0)
        && let Expr::Unary(Unary::Exp, x) = &a
    {
        return Expr::Unary(Unary::ExpM1, x.clone());
    }
    match negated(&b) {
        Some(b) => sum(a, b),
        None => plain(Binary::Sub, a, b),
    }
}

fn product(a: Expr, b: Expr) -> Expr {
    if a.is(0.0) || b.is(0.0) {
        return Expr::Number(0.0);
    }
    if a.is(1.0) {
        return b;
    }
    if b.is(1.0) {
        return a;
    }
    if a.is(-1.0) {
        return -b;
    }
    if b.is(-1.0) {
        return -a;
    }
    match (negated(&a), negated(&b)) {
        (Some(a), Some(b)) => product(a, b),
        (Some(a), None) => -product(a, b),
        (None, Some(b)) => -product(a, b),
        // A constant factor stands first.
        (None, None) if b.number().is_some() => plain(Binary::Mul, b, a),
        (None, None) => plain(Binary::Mul, a, b),
    }
}

fn quotient(a: Expr, b: Expr) -> Expr {
    if a.is(0.0) {
        return Expr::Number(0.0);
    }
    if b.is(1.0) {
        return a;
    }
    if b.is(-1.0) {
        return -a;
    }
    plain(Binary::Div, a, b)
}

impl ops::Neg for Expr {
    type Output = Expr;

    fn neg(self) -> Expr {
        self.apply(Unary::Neg)
    }
}

impl ops::Add for Expr {
    type Output = Expr;

    fn add(self, other: Expr) -> Expr {
        Expr::combine(Binary::Add, self, other)
    }
}

impl ops::Sub for Expr {
    type Output = Expr;

    fn sub(self, other: Expr) -> Expr {
        Expr::combine(Binary::Sub, self, other)
    }
}

impl ops::Mul for Expr {
    type Output = Expr;

    fn mul(self, other: Expr) -> Expr {
        Expr::combine(Binary::Mul, self, other)
    }
}

impl ops::Div for Expr {
    type Output = Expr;

    fn div(self, other: Expr) -> Expr {
        Expr::combine(Binary::Div, self, other)
    }
}
