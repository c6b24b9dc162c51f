//! Elementwise equations: what an activation computes of its element, and how a skip
//! joins F(x) and s(x).
//!
//! An [`Expr`] is plain data, made by constructors that fold constants and drop what
//! changes nothing. [`Expr::derivative`] differentiates by rule. [`KnownActivation`] and
//! [`JoinForm`] recognise what engines have kernels for. [`Program`] lists the operations
//! of several equations once each, in the order they run: that is what engines compile,
//! print as C, or put on a tape.

mod build;
mod derive;
mod eval;
mod form;
mod print;
mod program;

pub use eval::Real;
pub use form::{JoinForm, KnownActivation};
pub use print::Equation;
pub use program::{Node, Program};

use std::sync::Arc;

/// An equation over elements of the same place in several arrays.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Number(f64),
    /// An element of an operand.
    Variable(Variable),
    /// A function of one value.
    Unary(Unary, Arc<Expr>),
    /// An operation on two values.
    Binary(Binary, Arc<Expr>, Arc<Expr>),
    /// `if LEFT compare RIGHT { THEN } else { OTHERWISE }`.
    Select(Arc<Select>),
}

/// A choice between two values, element by element. A comparison with NaN is false.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Relation of `left` to `right` that is tested.
    pub compare: Compare,
    /// The left side of the comparison.
    pub left: Expr,
    /// The right side of the comparison.
    pub right: Expr,
    /// The value where the comparison holds.
    pub then: Expr,
    /// The value where it does not.
    pub otherwise: Expr,
}

/// An operand of an equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variable {
    /// x, the element of an activation.
    Element,
    /// f = F(x), the output of a skip's body.
    Body,
    /// s = s(x), the output of a skip's shortcut.
    Shortcut,
    /// The output of the policy's gate of this index, before any function.
    Gate(usize),
    /// The policy's trained coefficient of this index.
    Trained(usize),
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// −x.
    Neg,
    /// |x|, with derivative 0 at 0.
    Abs,
    /// eˣ.
    Exp,
    /// eˣ − 1, exact near 0.
    ExpM1,
    /// The natural logarithm.
    Ln,
    /// √x.
    Sqrt,
    /// The hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
    /// The error function, 2/√π·∫₀ˣ e^(−t²) dt.
    Erf,
    /// The sine of radians.
    Sin,
    /// The cosine of radians.
    Cos,
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a·b.
    Mul,
    /// a/b.
    Div,
    /// The smaller of both; NaN where `a` is NaN.
    Min,
    /// The larger of both; NaN where `a` is NaN.
    Max,
    /// a to the power b.
    Pow,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// a < b.
    Less,
    /// a ≤ b.
    LessEqual,
    /// a > b.
    Greater,
    /// a ≥ b.
    GreaterEqual,
    /// a = b.
    Equal,
    /// a ≠ b.
    NotEqual,
}

impl Unary {
    /// List of all functions, for tables and tests.
    pub const ALL: [Unary; 12] = [
        Unary::Neg,
        Unary::Abs,
        Unary::Exp,
        Unary::ExpM1,
        Unary::Ln,
        Unary::Sqrt,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Softplus,
        Unary::Erf,
        Unary::Sin,
        Unary::Cos,
    ];

    /// Finds the function that is called `name` in a `.van` file.
    pub fn named(name: &str) -> Option<Unary> {
        let called = |function: &Unary| function.is_called() && function.name() == name;
        Unary::ALL.into_iter().find(called)
    }

    /// Whether the function is written as a call: a negation is a sign, and `exp(x) - 1` is
    /// written so.
    fn is_called(self) -> bool {
        !matches!(self, Unary::Neg | Unary::ExpM1)
    }

    /// Returns the name of the function in a `.van` file; `-` for the negation.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Neg => "-",
            Unary::Abs => "abs",
            Unary::Exp => "exp",
            Unary::ExpM1 => "expm1",
            Unary::Ln => "ln",
            Unary::Sqrt => "sqrt",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Softplus => "softplus",
            Unary::Erf => "erf",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
        }
    }
}

impl Binary {
    /// List of all operations, for tables and tests.
    pub const ALL: [Binary; 7] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
        Binary::Pow,
    ];
}

impl Expr {
    /// Whether `variable` occurs in the equation.
    pub fn uses(&self, variable: Variable) -> bool {
        match self {
            Expr::Number(_) => false,
            Expr::Variable(own) => *own == variable,
            Expr::Unary(_, x) => x.uses(variable),
            Expr::Binary(_, a, b) => a.uses(variable) || b.uses(variable),
            Expr::Select(select) => select.parts().iter().any(|part| part.uses(variable)),
        }
    }
}

impl Select {
    fn parts(&self) -> [&Expr; 4] {
        [&self.left, &self.right, &self.then, &self.otherwise]
    }
}

#[cfg(test)]
pub(crate) mod tests;
