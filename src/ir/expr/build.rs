//! Constructors that simplify: constants are folded, neutral terms dropped.
//!
//! Only rewrites that keep every bit of an f32 evaluation of the rest are made, with one
//! exception: `0·x` is 0 also where x is infinite or NaN.

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
    /// The number that the equation is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Expr::Number(number) => Some(*number),
            Expr::Variable(_) | Expr::Unary(..) | Expr::Binary(..) | Expr::Select(_) => None,
        }
    }

    fn is(&self, number: f64) -> bool {
        self.number() == Some(number)
    }

    /// `function` of the equation.
    pub fn apply(self, function: Unary) -> Expr {
        match (function, self) {
            (function, Expr::Number(x)) => Expr::Number(function.value(x)),
            (Unary::Neg, Expr::Unary(Unary::Neg, x)) => Arc::unwrap_or_clone(x),
            (Unary::Neg, Expr::Binary(Binary::Sub, a, b)) => Expr::Binary(Binary::Sub, b, a),
            (function, x) => Expr::Unary(function, Arc::new(x)),
        }
    }

    /// `operation` on two equations.
    pub fn combine(operation: Binary, a: Expr, b: Expr) -> Expr {
        if let (Some(a), Some(b)) = (a.number(), b.number()) {
            return Expr::Number(operation.value(a, b));
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

    /// The smaller of two equations.
    pub fn min(self, other: Expr) -> Expr {
        Expr::combine(Binary::Min, self, other)
    }

    /// The larger of two equations.
    pub fn max(self, other: Expr) -> Expr {
        Expr::combine(Binary::Max, self, other)
    }

    /// The equation to the power `exponent`.
    pub fn pow(self, exponent: Expr) -> Expr {
        Expr::combine(Binary::Pow, self, exponent)
    }

    /// `if left compare right { then } else { otherwise }`.
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
        Expr::Select(Box::new(Select {
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
