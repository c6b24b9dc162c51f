//! Values of expressions and of arguments, and what the tables make of them.
//!
//! Types are checked before: an expression whose type is wrong has no value here and is
//! not reported again.

use super::arithmetic::{binary, finite, int};
use super::call::{Args, bind, find};
use super::prelude::policies;
use super::report::{Reports, suggest};
use super::scope::{Function, Scope};
use super::typing::{check_args, type_of};
use super::value::Value;
use super::word::word;
use crate::diag::{Code, Diagnostic};
use crate::ir::Augment;
use crate::ir::call::{
    Argument, Arguments, Bounds, Conflict, ConflictKind, Given, Integers, Kind, Literal, Refusal,
    Row, Slot, SlotDefault, names,
};
use crate::ir::train::AUGMENTS;
use crate::span::Span;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, UnaryOp};
use crate::text::grouped;

/// Computes the value of `expr`; `None` where a mistake in it was reported, here or before.
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
            match type_of(expr, scope, &mut seen) {
                Some(kind) => Some(value.widened(kind)),
                None => Some(value),
            }
        }
    }
}

fn eval_call(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Value> {
    let name = call.name.node.as_str();
    if let Some(binding) = scope.get(name) {
        return binding.value.clone();
    }
    if let Some(function) = Function::named(name) {
        return eval_function(function, call, scope, reports);
    }
    let row = policies().iter().find(|row| row.name == name)?;
    Builder::new(scope, reports)
        .build(call, row)
        .map(Value::Skip)
}

fn eval_function(
    function: Function,
    call: &Call,
    scope: &Scope,
    reports: &mut Reports,
) -> Option<Value> {
    let mut values = Vec::new();
    for arg in call.args() {
        values.push(eval(&arg.value, scope, reports)?);
    }
    let mut rounded = |round: fn(f64) -> f64| match values.first()? {
        Value::Float(x) => {
            let x = round(*x);
            let fits = x.abs() < i64::MAX as f64;
            int(fits.then_some(x as i64), call.span, reports)
        }
        value @ (Value::Int(_) | Value::Bool(_) | Value::Skip(_)) => Some(value.clone()),
    };
    match function {
        Function::Floor => rounded(f64::floor),
        Function::Ceil => rounded(f64::ceil),
        Function::Min => extreme(&values, i64::min, f64::min),
        Function::Max => extreme(&values, i64::max, f64::max),
    }
}

/// Returns the value that `pick` leaves of several, an int where all are.
fn extreme(
    values: &[Value],
    pick_int: fn(i64, i64) -> i64,
    pick: fn(f64, f64) -> f64,
) -> Option<Value> {
    let ints: Option<Vec<i64>> = values.iter().map(|value| value.int()).collect();
    if let Some(ints) = ints {
        return ints.into_iter().reduce(pick_int).map(Value::Int);
    }
    let floats: Option<Vec<f64>> = values.iter().map(|value| value.float()).collect();
    floats?.into_iter().reduce(pick).map(Value::Float)
}

/// Makes parts of the network of calls whose types are checked.
pub(super) struct Builder<'a, 'r> {
    scope: &'a Scope<'a>,
    reports: &'r mut Reports,
    /// Whether a wrong argument, which is reported, leaves its slot at the default.
    recovers: bool,
    /// Whether the call stands in the body of a `dirac` skip.
    in_dirac: bool,
}

impl<'a, 'r> Builder<'a, 'r> {
    /// Makes nothing of a call with a wrong argument.
    pub fn new(scope: &'a Scope<'a>, reports: &'r mut Reports) -> Self {
        Builder {
            scope,
            reports,
            recovers: false,
            in_dirac: false,
        }
    }

    /// Goes on with the default where an argument is wrong.
    pub fn recovering(scope: &'a Scope<'a>, reports: &'r mut Reports) -> Self {
        Builder {
            recovers: true,
            ..Builder::new(scope, reports)
        }
    }

    /// Says whether what is built lies in the body of a `dirac` skip.
    pub fn in_dirac(self, in_dirac: bool) -> Self {
        Builder { in_dirac, ..self }
    }

    /// Builds what `value` names among `rows`, whose argument types are not yet checked.
    pub fn named<T>(&mut self, value: &Expr, rows: &'static [Row<T>], noun: &str) -> Option<T> {
        let ExprKind::Call(call) = &value.kind else {
            let article = match noun.starts_with(['a', 'i', 'o']) {
                true => "an",
                false => "a",
            };
            let message = format!("{article} {noun} is named, with its settings in parentheses");
            self.reports.add(
                Diagnostic::new(Code::Type, message, value.span, "not a name").help(suggest(
                    "",
                    &names(rows),
                    noun,
                )),
            );
            return None;
        };
        let row = find(call, rows, noun, self.reports)?;
        check_args(call, row.slots, None, self.scope, self.reports);
        self.build(call, row)
    }

    /// Builds what `row` makes of `call`; `None` where a mistake in it is reported.
    pub fn build<T>(&mut self, call: &Call, row: &'static Row<T>) -> Option<T> {
        let args = bind(call, row.slots, None, self.reports);
        let given: Vec<Given> = args
            .pairs()
            .map(|(slot, value)| self.given(slot, value, &args))
            .collect();
        let mut arguments = Arguments::new(row.name, row.slots, given);
        arguments.in_dirac = self.in_dirac;
        match (row.build)(&arguments) {
            Ok(made) => Some(made),
            Err(Refusal::Unsound) => None,
            Err(Refusal::Conflict(conflict)) => {
                self.reports.add(report(*conflict, &args, call.span));
                None
            }
        }
    }

    fn given(&mut self, slot: &Slot, value: Option<&Expr>, args: &Args) -> Given {
        let Some(value) = value else {
            return Given::Absent;
        };
        match (
            self.argument(slot, value, &args.what(slot.name)),
            slot.default,
        ) {
            (Some(argument), _) => Given::Value(argument),
            (None, SlotDefault::Value(_) | SlotDefault::Derived) if self.recovers => Given::Absent,
            (None, _) => Given::Unsound,
        }
    }

    fn argument(&mut self, slot: &Slot, value: &Expr, what: &str) -> Option<Argument> {
        match slot.kind {
            Kind::Int(range) => self.int(value, range, what).map(Argument::Int),
            Kind::Float(bounds) => {
                let example = match slot.example() {
                    Some(Literal::Float(example)) => example,
                    Some(_) | None => 1.0,
                };
                let number = self.float(value, bounds, what, example);
                number.map(Argument::Float)
            }
            Kind::Bool => eval(value, self.scope, self.reports)?
                .bool()
                .map(Argument::Bool),
            Kind::Word(words) => {
                let given = word(value)?;
                let known = words.iter().find(|word| **word == given);
                known.map(|word| Argument::Word(word))
            }
            Kind::Padding => match word(value) {
                Some("same") => Some(Argument::Word("same")),
                Some(_) | None => self.int(value, Integers::Size(0), what).map(Argument::Int),
            },
            Kind::Epochs => Some(Argument::Epochs(self.epochs(value, slot.name)?)),
            Kind::Augments => Some(Argument::Augments(self.augments(value)?)),
            Kind::Skip | Kind::Any => None,
        }
    }

    /// Reads the int of `expr` in `range`; nothing where it is wrong.
    pub fn int(&mut self, expr: &Expr, range: Integers, what: &str) -> Option<i64> {
        let value = eval(expr, self.scope, self.reports)?.int()?;
        let (least, most) = range.ends();
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let (code, message, help) = match (value < least, range) {
            (true, _) => (
                Code::Value,
                format!("{what} is {value}, but must be at least {least}"),
                format!("use {least} or more"),
            ),
            (false, Integers::Range(..)) => (
                Code::Value,
                format!("{what} is {value}, but must be at most {most}"),
                format!("use {most} or less"),
            ),
            (false, Integers::Size(_)) => (
                Code::Limit,
                format!(
                    "{what} is {}; the limit is {}",
                    grouped(value as u128),
                    grouped(most as u128)
                ),
                "use a smaller number".to_string(),
            ),
        };
        let label = format!("this is {value}");
        self.reports
            .add(Diagnostic::new(code, message, expr.span, label).help(help));
        None
    }

    /// Reads the size of `expr` in `range`; nothing where it is wrong.
    pub fn size(&mut self, expr: &Expr, range: Integers, what: &str) -> Option<usize> {
        usize::try_from(self.int(expr, range, what)?).ok()
    }

    /// Reads the number of `expr` within `bounds`, of which `example` is one; nothing where it is
    /// wrong.
    pub fn float(&mut self, expr: &Expr, bounds: Bounds, what: &str, example: f64) -> Option<f64> {
        let value = eval(expr, self.scope, self.reports)?.float()?;
        if bounds.contains(value) {
            return Some(value);
        }
        let message = format!("{what} is {value}, but must be {}", bounds.words());
        let label = format!("this is {value}");
        let help = format!("use a number such as {example}");
        self.reports
            .add(Diagnostic::new(Code::Value, message, expr.span, label).help(help));
        None
    }

    /// Reads the epochs of `at: […]`, which ascend.
    fn epochs(&mut self, list: &Expr, name: &str) -> Option<Vec<usize>> {
        let ExprKind::List(items) = &list.kind else {
            return None;
        };
        let mut epochs: Vec<usize> = Vec::new();
        let mut before: Option<Span> = None;
        for item in items {
            let what = format!("an epoch of `{name}`");
            let Some(epoch) = self.size(item, Integers::EPOCH, &what) else {
                continue;
            };
            if let (Some(&last), Some(span)) = (epochs.last(), before)
                && last >= epoch
            {
                let message = format!("epoch {epoch} of `{name}` does not come after epoch {last}");
                self.reports.add(
                    Diagnostic::new(Code::Value, message, item.span, "too early")
                        .also(span, "this comes before it")
                        .help("list the epochs in order, each once"),
                );
            }
            epochs.push(epoch);
            before = Some(item.span);
        }
        Some(epochs)
    }

    /// Reads the augmentations of a list; those that are wrong are left out.
    fn augments(&mut self, list: &Expr) -> Option<Vec<Augment>> {
        let ExprKind::List(items) = &list.kind else {
            return None;
        };
        let augments = items
            .iter()
            .filter_map(|item| self.named(item, AUGMENTS, "augmentation"));
        Some(augments.collect())
    }
}

/// Makes the report of arguments that do not go together.
fn report(conflict: Conflict, args: &Args, call: Span) -> Diagnostic {
    let code = match conflict.kind {
        ConflictKind::Value => Code::Value,
        ConflictKind::Train => Code::Train,
    };
    let place = args.get(conflict.slot).map_or(call, |value| value.span);
    let report = Diagnostic::new(code, conflict.message, place, conflict.label);
    let other = conflict
        .other
        .and_then(|(slot, label)| Some((args.get(slot)?.span, label)));
    let report = match other {
        Some((span, label)) => report.also(span, label),
        None => report,
    };
    report.help(conflict.help)
}
