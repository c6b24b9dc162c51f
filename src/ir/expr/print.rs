//! Equations as text, as they would be written in a `.van` file.

use super::{Binary, Compare, Expr, Unary};
use std::fmt::{self, Display, Formatter};

/// Strength of binding: a part that binds less than its place asks for is put in
/// parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    /// `if … { … } else { … }`.
    Choice,
    /// `a + b`.
    Sum,
    /// `a * b`.
    Product,
    /// `-a`.
    Sign,
    /// `a ^ b`.
    Power,
    /// A name, a number, a call.
    Atom,
}

/// An equation whose variables are called as `name` says.
pub struct Equation<'e, N> {
    expr: &'e Expr,
    name: N,
}

impl Expr {
    /// Writes the equation as text; `name` says what a variable is called.
    pub fn equation<N: Fn(super::Variable) -> String>(&self, name: N) -> Equation<'_, N> {
        Equation { expr: self, name }
    }
}

impl<N: Fn(super::Variable) -> String> Display for Equation<'_, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_expr(f, self.expr, &self.name, Binding::Choice)
    }
}

fn binding(expr: &Expr) -> Binding {
    match expr {
        Expr::Number(number) if number.is_sign_negative() => Binding::Sign,
        Expr::Number(_) | Expr::Variable(_) => Binding::Atom,
        Expr::Unary(Unary::Neg, _) => Binding::Sign,
        Expr::Unary(Unary::ExpM1, _) => Binding::Sum,
        Expr::Unary(..) => Binding::Atom,
        Expr::Binary(Binary::Add | Binary::Sub, ..) => Binding::Sum,
        Expr::Binary(Binary::Mul | Binary::Div, ..) => Binding::Product,
        Expr::Binary(Binary::Min | Binary::Max, ..) => Binding::Atom,
        Expr::Binary(Binary::Pow, ..) => Binding::Power,
        Expr::Select(_) => Binding::Choice,
    }
}

type Name<'n> = &'n dyn Fn(super::Variable) -> String;

fn write_expr(f: &mut Formatter<'_>, expr: &Expr, name: Name, place: Binding) -> fmt::Result {
    if binding(expr) < place {
        f.write_str("(")?;
        write_expr(f, expr, name, Binding::Choice)?;
        return f.write_str(")");
    }
    let part = |f: &mut Formatter<'_>, part: &Expr, place| write_expr(f, part, name, place);
    match expr {
        Expr::Number(number) => write!(f, "{number}"),
        Expr::Variable(variable) => f.write_str(&name(*variable)),
        Expr::Unary(Unary::Neg, x) => {
            f.write_str("-")?;
            part(f, x, Binding::Sign)
        }
        // Not a function of the language: it is what `exp(x) - 1` became.
        Expr::Unary(Unary::ExpM1, x) => {
            f.write_str("exp(")?;
            part(f, x, Binding::Choice)?;
            f.write_str(") - 1")
        }
        Expr::Unary(function, x) => {
            write!(f, "{}(", function.name())?;
            part(f, x, Binding::Choice)?;
            f.write_str(")")
        }
        Expr::Binary(operation, a, b) => {
            let (open, between, close, left, right) = match operation {
                Binary::Add => ("", " + ", "", Binding::Sum, Binding::Product),
                Binary::Sub => ("", " - ", "", Binding::Sum, Binding::Product),
                Binary::Mul => ("", " * ", "", Binding::Product, Binding::Sign),
                Binary::Div => ("", " / ", "", Binding::Product, Binding::Sign),
                Binary::Min => ("min(", ", ", ")", Binding::Choice, Binding::Choice),
                Binary::Max => ("max(", ", ", ")", Binding::Choice, Binding::Choice),
                Binary::Pow => ("", " ^ ", "", Binding::Atom, Binding::Power),
            };
            f.write_str(open)?;
            part(f, a, left)?;
            f.write_str(between)?;
            part(f, b, right)?;
            f.write_str(close)
        }
        Expr::Select(select) => {
            f.write_str("if ")?;
            part(f, &select.left, Binding::Sum)?;
            write!(f, " {} ", symbol(select.compare))?;
            part(f, &select.right, Binding::Sum)?;
            f.write_str(" { ")?;
            part(f, &select.then, Binding::Choice)?;
            f.write_str(" } else { ")?;
            part(f, &select.otherwise, Binding::Choice)?;
            f.write_str(" }")
        }
    }
}

fn symbol(compare: Compare) -> &'static str {
    match compare {
        Compare::Less => "<",
        Compare::LessEqual => "<=",
        Compare::Greater => ">",
        Compare::GreaterEqual => ">=",
        Compare::Equal => "==",
        Compare::NotEqual => "!=",
    }
}
