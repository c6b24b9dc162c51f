//! Equations of elements: expressions of the syntax tree as [`ir::Expr`]s.

use crate::diag::{Code, Diagnostic};
use crate::ir::Expr;
use crate::ir::expr::{Binary, Compare, Unary};
use crate::span::Span;
use crate::syntax::ast::{self, BinaryOp, Call, ExprKind, UnaryOp};

/// Looks up a name of an equation: its element, its settings, its operands.
pub(super) type Names<'n> = &'n dyn Fn(&str) -> Option<Expr>;

/// Makes the equation that `expr` writes, its names replaced by what `names` says.
///
/// # Errors
/// The first part that has no meaning for elements.
pub(super) fn equation(expr: &ast::Expr, names: Names) -> Result<Expr, Diagnostic> {
    match &expr.kind {
        ExprKind::Int(text) | ExprKind::Float(text) => number(text, expr.span),
        ExprKind::Call(call) if call.args.is_none() => {
            let name = &call.name.node;
            names(name).ok_or_else(|| fault(call.span, format!("`{name}` is not declared here")))
        }
        ExprKind::Call(call) => function(call, names),
        ExprKind::Unary(UnaryOp::Negate, x) => Ok(-equation(x, names)?),
        ExprKind::Binary(op, a, b) => {
            let operation = arithmetic(*op).ok_or_else(|| no_element(expr.span))?;
            Ok(Expr::combine(
                operation,
                equation(a, names)?,
                equation(b, names)?,
            ))
        }
        ExprKind::If(condition, then, otherwise) => {
            let ExprKind::Binary(op, left, right) = &condition.kind else {
                return Err(no_element(condition.span));
            };
            let compare = comparison(*op).ok_or_else(|| no_element(condition.span))?;
            Ok(Expr::select(
                compare,
                equation(left, names)?,
                equation(right, names)?,
                equation(then, names)?,
                equation(otherwise, names)?,
            ))
        }
        ExprKind::Bool(_) | ExprKind::List(_) | ExprKind::Unary(UnaryOp::Not, _) => {
            Err(no_element(expr.span))
        }
    }
}

fn number(text: &str, span: Span) -> Result<Expr, Diagnostic> {
    match text.replace('_', "").parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Expr::Number(number)),
        Ok(_) | Err(_) => Err(fault(span, "the number is too large".to_string())),
    }
}

/// Makes a call of a function of the language.
fn function(call: &Call, names: Names) -> Result<Expr, Diagnostic> {
    let name = call.name.node.as_str();
    let mut arguments = Vec::new();
    for argument in call.args() {
        if let Some(key) = &argument.key {
            return Err(fault(
                key.span,
                format!("the arguments of `{name}` have no names"),
            ));
        }
        arguments.push(equation(&argument.value, names)?);
    }
    let found = arguments.len();
    let wrong = |takes| fault(call.span, format!("`{name}` takes {takes}, not {found}"));
    if let Some(function) = Unary::named(name) {
        let [x] = <[Expr; 1]>::try_from(arguments).map_err(|_| wrong("one number"))?;
        return Ok(x.apply(function));
    }
    let operation = match name {
        "min" => Binary::Min,
        "max" => Binary::Max,
        _ => return Err(fault(call.span, format!("there is no function `{name}`"))),
    };
    if found < 2 {
        return Err(wrong("two numbers or more"));
    }
    let joined = arguments
        .into_iter()
        .reduce(|a, b| Expr::combine(operation, a, b));
    joined.ok_or_else(|| wrong("two numbers or more"))
}

fn arithmetic(op: BinaryOp) -> Option<Binary> {
    match op {
        BinaryOp::Add => Some(Binary::Add),
        BinaryOp::Subtract => Some(Binary::Sub),
        BinaryOp::Multiply => Some(Binary::Mul),
        BinaryOp::Divide => Some(Binary::Div),
        BinaryOp::Power => Some(Binary::Pow),
        BinaryOp::Modulo
        | BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => None,
    }
}

fn comparison(op: BinaryOp) -> Option<Compare> {
    match op {
        BinaryOp::Equal => Some(Compare::Equal),
        BinaryOp::NotEqual => Some(Compare::NotEqual),
        BinaryOp::Less => Some(Compare::Less),
        BinaryOp::LessEqual => Some(Compare::LessEqual),
        BinaryOp::Greater => Some(Compare::Greater),
        BinaryOp::GreaterEqual => Some(Compare::GreaterEqual),
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::Power => None,
    }
}

fn no_element(span: Span) -> Diagnostic {
    fault(span, "an equation has numbers, not this".to_string())
}

fn fault(span: Span, message: String) -> Diagnostic {
    Diagnostic::new(Code::Type, message, span, "here")
}

#[cfg(test)]
mod tests;
