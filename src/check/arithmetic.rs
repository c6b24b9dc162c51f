//! Values of operations.

use super::report::Reports;
use super::value::Value;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use crate::syntax::ast::{BinaryOp, Expr};
use crate::syntax::{print_expr, print_operand};

/// Returns the result of an operation on ints, if it is one.
pub(super) fn int(value: Option<i64>, span: Span, reports: &mut Reports) -> Option<Value> {
    if value.is_none() {
        reports.add(
            Diagnostic::new(
                Code::Value,
                "the result is too large for an int",
                span,
                "too large",
            )
            .help("use smaller numbers, or floats such as `2.0`"),
        );
    }
    value.map(Value::Int)
}

/// Returns the number, if it is finite.
pub(super) fn finite(x: f64, span: Span, reports: &mut Reports) -> Option<Value> {
    if x.is_finite() {
        return Some(Value::Float(x));
    }
    reports.add(
        Diagnostic::new(
            Code::Value,
            "the result is not a finite number",
            span,
            "not finite",
        )
        .help("use smaller numbers: a float reaches to 1.8e308"),
    );
    None
}

/// Computes the value of an operation, with the expressions of its sides and of the whole.
pub(super) fn binary(
    op: BinaryOp,
    left: Value,
    right: Value,
    exprs: [&Expr; 3],
    reports: &mut Reports,
) -> Option<Value> {
    let boolean = |b: bool| Some(Value::Bool(b));
    match (op, &left, &right) {
        (BinaryOp::And, Value::Bool(a), Value::Bool(b)) => boolean(*a && *b),
        (BinaryOp::Or, Value::Bool(a), Value::Bool(b)) => boolean(*a || *b),
        (BinaryOp::Equal, Value::Bool(_) | Value::Skip(_), _) => boolean(left == right),
        (BinaryOp::NotEqual, Value::Bool(_) | Value::Skip(_), _) => boolean(left != right),
        (_, Value::Int(a), Value::Int(b)) => int_binary(op, *a, *b, exprs, reports),
        _ => float_binary(op, left.float()?, right.float()?, exprs, reports),
    }
}

fn int_binary(
    op: BinaryOp,
    a: i64,
    b: i64,
    [left, right, whole]: [&Expr; 3],
    reports: &mut Reports,
) -> Option<Value> {
    if let Some(result) = compare(op, &a, &b) {
        return Some(Value::Bool(result));
    }
    if matches!(op, BinaryOp::Divide | BinaryOp::Modulo) && b == 0 {
        return division_by_zero(right.span, reports);
    }
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Modulo => a.checked_rem_euclid(b),
        BinaryOp::Divide if a.checked_rem(b).is_some_and(|rest| rest != 0) => {
            let message = format!("{a} / {b} leaves a remainder of {}", a % b);
            let label = "two ints divide exactly or not at all";
            let below = a.saturating_sub(a.rem_euclid(b));
            let help = format!(
                "choose {below} or {} for `{}`, or round: `floor({} / {b}.0)`",
                below.saturating_add(b.saturating_abs()),
                print_expr(left),
                print_operand(left, op),
            );
            reports.add(Diagnostic::new(Code::Value, message, whole.span, label).help(help));
            return None;
        }
        BinaryOp::Divide => a.checked_div(b),
        BinaryOp::Power if b < 0 => {
            let message = "an int to a negative power is no int";
            let label = format!("this is {b}");
            reports.add(
                Diagnostic::new(Code::Value, message, right.span, label)
                    .help(format!("write the base as a float: `{a}.0`")),
            );
            return None;
        }
        BinaryOp::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => return None,
    };
    int(result, whole.span, reports)
}

fn float_binary(
    op: BinaryOp,
    a: f64,
    b: f64,
    [_, right, whole]: [&Expr; 3],
    reports: &mut Reports,
) -> Option<Value> {
    if let Some(result) = compare(op, &a, &b) {
        return Some(Value::Bool(result));
    }
    if matches!(op, BinaryOp::Divide | BinaryOp::Modulo) && b == 0.0 {
        return division_by_zero(right.span, reports);
    }
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a * b,
        BinaryOp::Divide => a / b,
        BinaryOp::Modulo => a.rem_euclid(b),
        BinaryOp::Power => a.powf(b),
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => return None,
    };
    finite(result, whole.span, reports)
}

fn compare<T: PartialOrd>(op: BinaryOp, a: &T, b: &T) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterEqual => a >= b,
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::Power => return None,
    })
}

fn division_by_zero(span: Span, reports: &mut Reports) -> Option<Value> {
    reports.add(
        Diagnostic::new(Code::Value, "division by zero", span, "this is 0")
            .help("divide by another number, or choose with `if … == 0 { … } else { … }`"),
    );
    None
}
