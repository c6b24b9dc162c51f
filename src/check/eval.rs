//! Values of expressions. Types are checked before: an expression whose type is wrong
//! has no value here and is not reported again.

use super::call::{POLICY_CALLS, bind};
use super::policy::PolicyValue;
use super::report::Reports;
use super::typing::word;
use super::value::{Type, Value};
use crate::diag::{Code, Diagnostic};
use crate::ir::Form;
use crate::span::Span;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, UnaryOp};
use std::collections::HashMap;

/// The functions of expressions.
pub(super) const FUNCTIONS: [&str; 4] = ["min", "max", "floor", "ceil"];

/// What a name stands for, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub kind: Option<Type>,
    pub value: Option<Value>,
}

impl Binding {
    /// A name whose value is known.
    pub fn known(value: Value) -> Self {
        let kind = match value {
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

#[derive(Clone)]
/// The names an expression may use: a block's arguments and counters, then params.
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

    pub fn has_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(local, _)| *local == name)
    }

    pub fn get(&self, name: &str) -> Option<Binding> {
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        match local {
            Some((_, binding)) => Some(*binding),
            None => self.params.get(name).copied(),
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
                        "the number is too large",
                        expr.span,
                        "too large",
                    )
                    .help(format!("an int is at most {}", i64::MAX)),
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
            let right_value = eval(right, scope, reports);
            binary(
                *op,
                left_value?,
                right_value?,
                right.span,
                expr.span,
                reports,
            )
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
                "the result is too large",
                span,
                "too large for an int",
            )
            .help("use smaller numbers, or floats"),
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
        .help("use numbers whose result stays below 1.8e308"),
    );
    None
}

fn binary(
    op: BinaryOp,
    left: Value,
    right: Value,
    right_span: Span,
    span: Span,
    reports: &mut Reports,
) -> Option<Value> {
    let boolean = |b: bool| Some(Value::Bool(b));
    match (op, left, right) {
        (BinaryOp::And, Value::Bool(a), Value::Bool(b)) => boolean(a && b),
        (BinaryOp::Or, Value::Bool(a), Value::Bool(b)) => boolean(a || b),
        (BinaryOp::Equal, Value::Bool(_) | Value::Skip(_), _) => boolean(left == right),
        (BinaryOp::NotEqual, Value::Bool(_) | Value::Skip(_), _) => boolean(left != right),
        (_, Value::Int(a), Value::Int(b)) => int_binary(op, a, b, right_span, span, reports),
        _ => float_binary(op, left.float()?, right.float()?, right_span, span, reports),
    }
}

fn int_binary(
    op: BinaryOp,
    a: i64,
    b: i64,
    right_span: Span,
    span: Span,
    reports: &mut Reports,
) -> Option<Value> {
    if let Some(result) = compare(op, &a, &b) {
        return Some(Value::Bool(result));
    }
    if matches!(op, BinaryOp::Divide | BinaryOp::Modulo) && b == 0 {
        return division_by_zero(right_span, reports);
    }
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Modulo => a.checked_rem_euclid(b),
        BinaryOp::Divide if a.checked_rem(b).is_some_and(|rest| rest != 0) => {
            let message = format!("{a} / {b} leaves a remainder");
            reports.add(
                Diagnostic::new(
                    Code::Value,
                    message,
                    span,
                    "ints divide exactly or not at all",
                )
                .help(format!(
                    "use `floor({a} / {b}.0)`, or numbers that divide (nearest: {} and {})",
                    a - a.rem_euclid(b),
                    a.saturating_sub(a.rem_euclid(b)).saturating_add(b.abs()),
                )),
            );
            return None;
        }
        BinaryOp::Divide => a.checked_div(b),
        BinaryOp::Power if b < 0 => {
            let message = "an int to a negative power is no int";
            reports.add(
                Diagnostic::new(Code::Value, message, right_span, format!("this is {b}"))
                    .help(format!("write the base as a float: `{a}.0`")),
            );
            return None;
        }
        BinaryOp::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        _ => return None,
    };
    int(result, span, reports)
}

fn float_binary(
    op: BinaryOp,
    a: f64,
    b: f64,
    right_span: Span,
    span: Span,
    reports: &mut Reports,
) -> Option<Value> {
    if let Some(result) = compare(op, &a, &b) {
        return Some(Value::Bool(result));
    }
    if matches!(op, BinaryOp::Divide | BinaryOp::Modulo) && b == 0.0 {
        return division_by_zero(right_span, reports);
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
    finite(result, span, reports)
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
            .help("divide by something else, or guard it with `if`"),
    );
    None
}

fn eval_call(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    let name = call.name.node.as_str();
    if let Some(binding) = scope.get(name) {
        return binding.value;
    }
    if FUNCTIONS.contains(&name) {
        return function(call, scope, reports);
    }
    policy(call, scope, reports).map(Value::Skip)
}

fn function(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    let mut values = Vec::new();
    for arg in call.args() {
        values.push(eval(&arg.value, scope, reports)?);
    }
    let first = *values.first()?;
    match call.name.node.as_str() {
        rounding @ ("floor" | "ceil") => match first {
            Value::Float(x) => {
                let x = if rounding == "floor" {
                    x.floor()
                } else {
                    x.ceil()
                };
                let fits = x.abs() < i64::MAX as f64;
                int(fits.then_some(x as i64), call.span, reports)
            }
            _ => Some(first),
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

/// The policy that a call names, with its settings.
fn policy(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<PolicyValue> {
    let callee = POLICY_CALLS
        .iter()
        .find(|policy| policy.name == call.name.node)?;
    let given = bind(call, callee.slots, None, reports);
    let mut number = |value: Option<&Expr>, default: f64| match value {
        Some(value) => eval(value, scope, reports)?.float(),
        None => Some(default),
    };
    Some(match callee.name {
        "plain" => PolicyValue::Plain,
        "dirac" => PolicyValue::Dirac,
        "resnet" => PolicyValue::Resnet {
            scale: number(given[0], 1.0)?,
        },
        "highway" => PolicyValue::Highway {
            bias: number(given[0], -2.0)?,
        },
        _ => {
            let held = given[0].is_some();
            let lambda = number(given[0], 0.0)?;
            if let (Some(value), true) = (given[0], lambda != 0.0) {
                let message = format!("a policy can hold λ at 0, not at {lambda}");
                reports.add(
                    Diagnostic::new(Code::Value, message, value.span, "not 0").help(
                        "write `variable(lambda: 0)`; λ's start is set by `constraint: lagrange(lambda: …)`",
                    ),
                );
                return None;
            }
            let form = match given[1].and_then(word) {
                Some("convex") => Form::Convex,
                _ => Form::Additive,
            };
            PolicyValue::Variable {
                form,
                enforced: !held,
            }
        }
    })
}
