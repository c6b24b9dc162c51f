//! Values of expressions. Types are checked before: an expression whose type is wrong
//! has no value here and is not reported again.

use super::arguments::Builder;
use super::prelude::policies;
use super::report::Reports;
use super::value::{Type, Value};
use crate::diag::{Code, Diagnostic};
use crate::ir::call::find;
use crate::span::Span;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, UnaryOp};
use crate::syntax::{print_expr, print_operand};
use std::collections::HashMap;

/// The functions of expressions.
pub(super) const FUNCTIONS: [&str; 4] = ["min", "max", "floor", "ceil"];

/// What a name stands for, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub kind: Option<Type>,
    pub value: Option<Value>,
}

impl Binding {
    /// A name whose value is known.
    pub fn known(value: Value) -> Self {
        let kind = match &value {
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Bool(_) => Type::Bool,
            Value::Skip(_) => Type::Skip,
        };
        Binding {
            kind: Some(kind),
            value: Some(value),
        }
    }
}

/// The params by name.
pub(super) type Params<'a> = HashMap<&'a str, Binding>;

/// The names an expression may use: a block's arguments and counters, then params.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    params: &'a Params<'a>,
    locals: Vec<(&'a str, Binding)>,
}

impl<'a> Scope<'a> {
    pub fn new(params: &'a Params<'a>) -> Self {
        Scope {
            params,
            locals: Vec::new(),
        }
    }

    pub fn push(&mut self, name: &'a str, binding: Binding) {
        self.locals.push((name, binding));
    }

    pub fn pop(&mut self) {
        self.locals.pop();
    }

    pub fn get(&self, name: &str) -> Option<&Binding> {
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        match local {
            Some((_, binding)) => Some(binding),
            None => self.params.get(name),
        }
    }

    pub fn kind(&self, name: &str) -> Option<Type> {
        self.get(name)?.kind
    }

    /// All names in order, for suggestions.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.params.keys().copied().collect();
        names.extend(self.locals.iter().map(|(name, _)| name));
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The value of `expr`; `None` where a mistake in it was reported, here or before.
pub(super) fn eval(expr: &Expr, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    match &expr.kind {
        ExprKind::Int(text) => match text.replace('_', "").parse() {
            Ok(n) => Some(Value::Int(n)),
            Err(_) => {
                reports.add(
                    Diagnostic::new(
                        Code::Value,
                        "the number is too large for an int",
                        expr.span,
                        "too large",
                    )
                    .help(format!("use a number up to {}, or a float", i64::MAX)),
                );
                None
            }
        },
        ExprKind::Float(text) => finite(text.replace('_', "").parse().ok()?, expr.span, reports),
        ExprKind::Bool(value) => Some(Value::Bool(*value)),
        ExprKind::Call(call) => eval_call(call, scope, reports),
        ExprKind::List(_) => None,
        ExprKind::Unary(op, operand) => match (op, eval(operand, scope, reports)?) {
            (UnaryOp::Negate, Value::Int(n)) => int(n.checked_neg(), expr.span, reports),
            (UnaryOp::Negate, Value::Float(x)) => Some(Value::Float(-x)),
            (UnaryOp::Not, Value::Bool(b)) => Some(Value::Bool(!b)),
            _ => None,
        },
        ExprKind::Binary(op, left, right) => {
            let left_value = eval(left, scope, reports);
            match (op, &left_value) {
                // What follows may rely on what comes before: `i > 0 and 8 / i == 2`.
                (BinaryOp::And, Some(Value::Bool(false))) => return Some(Value::Bool(false)),
                (BinaryOp::Or, Some(Value::Bool(true))) => return Some(Value::Bool(true)),
                _ => {}
            }
            let right_value = eval(right, scope, reports);
            binary(*op, left_value?, right_value?, [left, right, expr], reports)
        }
        ExprKind::If(condition, then, otherwise) => {
            let branch = match eval(condition, scope, reports)?.bool()? {
                true => then,
                false => otherwise,
            };
            let value = eval(branch, scope, reports)?;
            // Both branches have the wider type of the two.
            let mut seen = Reports::default();
            match super::typing::type_of(expr, scope, &mut seen) {
                Some(kind) => Some(value.widened(kind)),
                None => Some(value),
            }
        }
    }
}

fn int(value: Option<i64>, span: Span, reports: &mut Reports) -> Option<Value> {
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

fn finite(x: f64, span: Span, reports: &mut Reports) -> Option<Value> {
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

/// The value of an operation, with the expressions of its sides and of the whole.
fn binary(
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
        _ => return None,
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
        _ => return None,
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
        _ => return None,
    })
}

fn division_by_zero(span: Span, reports: &mut Reports) -> Option<Value> {
    reports.add(
        Diagnostic::new(Code::Value, "division by zero", span, "this is 0")
            .help("divide by another number, or choose with `if … == 0 { … } else { … }`"),
    );
    None
}

fn eval_call(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    let name = call.name.node.as_str();
    if let Some(binding) = scope.get(name) {
        return binding.value.clone();
    }
    if FUNCTIONS.contains(&name) {
        return function(call, scope, reports);
    }
    let row = find(policies(), name)?;
    Builder::new(scope, reports)
        .build(call, row)
        .map(Value::Skip)
}

fn function(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    let mut values = Vec::new();
    for arg in call.args() {
        values.push(eval(&arg.value, scope, reports)?);
    }
    let first = values.first()?;
    match call.name.node.as_str() {
        rounding @ ("floor" | "ceil") => match first {
            &Value::Float(x) => {
                let x = if rounding == "floor" {
                    x.floor()
                } else {
                    x.ceil()
                };
                let fits = x.abs() < i64::MAX as f64;
                int(fits.then_some(x as i64), call.span, reports)
            }
            _ => Some(first.clone()),
        },
        extreme => {
            let least = extreme == "min";
            if let Some(ints) = values.iter().map(|v| v.int()).collect::<Option<Vec<_>>>() {
                let ints = ints.into_iter();
                return if least { ints.min() } else { ints.max() }.map(Value::Int);
            }
            let floats = values
                .iter()
                .map(|v| v.float())
                .collect::<Option<Vec<_>>>()?;
            let pick = if least { f64::min } else { f64::max };
            floats.into_iter().reduce(pick).map(Value::Float)
        }
    }
}
