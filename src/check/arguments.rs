//! Values of arguments, each of its slot's kind and within its bounds, and what the
//! tables make of them.

use super::call::{Args, bind, find};
use super::eval::{Scope, eval};
use super::report::{Reports, suggest};
use super::typing::{check_args, word};
use crate::diag::{Code, Diagnostic};
use crate::ir::Augment;
use crate::ir::call::{
    Argument, Arguments, Bounds, Conflict, ConflictKind, Given, Integers, Kind, Literal, Refusal,
    Row, Slot, SlotDefault, names,
};
use crate::ir::train::AUGMENTS;
use crate::span::Span;
use crate::syntax::ast::{Call, Expr, ExprKind};
use crate::text::grouped;

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

    /// The same in the body of a `dirac` skip, or not.
    pub fn in_dirac(self, in_dirac: bool) -> Self {
        Builder { in_dirac, ..self }
    }

    /// What the row that `value` names among `rows` makes of it, its types not yet
    /// checked.
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

    /// What `row` makes of `call`; nothing where a mistake in it is reported.
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

    /// The int of `expr` in `range`; nothing where it is wrong.
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

    /// The size of `expr` in `range`; nothing where it is wrong.
    pub fn size(&mut self, expr: &Expr, range: Integers, what: &str) -> Option<usize> {
        usize::try_from(self.int(expr, range, what)?).ok()
    }

    /// The number of `expr` within `bounds`, of which `example` is one; nothing where it
    /// is wrong.
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

    /// The epochs of `at: […]`, which ascend.
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

    /// The augmentations of a list; those that are wrong are left out.
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

/// The report of arguments that do not go together.
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
