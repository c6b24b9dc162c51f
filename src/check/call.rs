//! Matching the arguments of a call to the slots of what is called.

use super::report::{Reports, quoted, suggest, unknown};
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{self, Row, Slot};
use crate::span::Span;
use crate::syntax::ast::{Arg, Call, Expr};
use crate::syntax::print_expr;

/// Finds the row of a call's name among `rows`; reports an unknown one as no `noun`.
pub(super) fn find<'r, T>(
    call: &Call,
    rows: &'r [Row<T>],
    noun: &str,
    reports: &mut Reports,
) -> Option<&'r Row<T>> {
    let found = call::find(rows, &call.name.node);
    if found.is_none() {
        let known = call::names(rows);
        reports.add(unknown(noun, &call.name.node, call.name.span, &known));
    }
    found
}

/// Arguments of a call by slot: for each slot of its callee the expression given, if any.
pub(super) struct Args<'c, 's> {
    callee: &'c str,
    slots: &'s [Slot<'s>],
    given: Vec<Option<&'c Expr>>,
}

impl<'c> Args<'c, '_> {
    /// Returns the expression given for a slot, by its name or by its place.
    pub fn get(&self, name: &str) -> Option<&'c Expr> {
        let index = self.slots.iter().position(|slot| slot.name == name)?;
        self.given[index]
    }

    /// Names a slot in a report, with its callee: `` `out` of `conv` ``.
    pub fn what(&self, name: &str) -> String {
        format!("`{name}` of `{}`", self.callee)
    }

    /// Returns the slots with what is given for them.
    pub fn pairs(&self) -> impl Iterator<Item = (&Slot<'_>, Option<&'c Expr>)> {
        self.slots.iter().zip(self.given.iter().copied())
    }
}

/// Matches the arguments of a call to `slots`. Reports those that are unknown, doubled,
/// missing, or positional where they may not be; `declared` is where a block says what
/// it takes.
pub(super) fn bind<'c, 's>(
    call: &'c Call,
    slots: &'s [Slot<'s>],
    declared: Option<Span>,
    reports: &mut Reports,
) -> Args<'c, 's> {
    let mut given: Vec<Option<&'c Expr>> = vec![None; slots.len()];
    let mut mistakes = Vec::new();
    let mut positional = 0..slots.iter().filter(|slot| slot.positional).count();
    let mut named = false;
    for arg in call.args() {
        let index = match &arg.key {
            Some(key) => {
                named = true;
                slots.iter().position(|slot| slot.name == key.node)
            }
            None if named => None,
            None => positional.next(),
        };
        match index.map(|index| (&slots[index], &mut given[index])) {
            Some((_, place @ None)) => *place = Some(&arg.value),
            Some((slot, Some(first))) => mistakes.push(twice(call, arg, slot.name, first.span)),
            None => mistakes.push(misplaced(call, arg, slots, named)),
        }
    }
    // One that is misplaced may be the one that is missing.
    if mistakes.is_empty()
        && slots
            .iter()
            .zip(&given)
            .any(|(s, g)| s.is_required() && g.is_none())
    {
        mistakes.push(missing(call, slots, &given));
    }
    for mistake in mistakes {
        reports.add(match declared {
            Some(span) => mistake.also(span, format!("`{}` is declared here", call.name.node)),
            None => mistake,
        });
    }
    Args {
        callee: &call.name.node,
        slots,
        given,
    }
}

/// Reports an argument that has no slot.
fn misplaced(call: &Call, arg: &Arg, slots: &[Slot], named: bool) -> Diagnostic {
    let name = &call.name.node;
    if let Some(key) = &arg.key {
        let message = format!("`{name}` has no argument `{}`", key.node);
        let names: Vec<&str> = slots.iter().map(|slot| slot.name).collect();
        let help = match names.as_slice() {
            [] => format!("write `{name}` without arguments"),
            names => suggest(&key.node, names, "argument"),
        };
        return Diagnostic::new(Code::Name, message, key.span, "no such argument").help(help);
    }
    let value = print_expr(&arg.value);
    let free = slots.iter().find(|slot| !is_given(slot, call, slots));
    let positional = slots.iter().filter(|slot| slot.positional).count();
    let (message, label) = match (slots, named) {
        ([], _) => (format!("`{name}` takes no arguments"), "remove this"),
        (_, true) => (
            "an argument without a name comes after one with a name".to_string(),
            "this one needs its name, too",
        ),
        (_, false) if positional == slots.len() => (
            format!("`{name}` takes {} arguments at most", slots.len()),
            "one too many",
        ),
        (_, false) if positional == 0 => (
            format!("`{name}` takes its arguments by name"),
            "this one needs its name",
        ),
        ([first, ..], false) => (
            format!("`{name}` takes only `{}` without a name", first.name),
            "this one needs its name",
        ),
    };
    let help = match (free, slots) {
        (_, []) => format!("write `{name}` without arguments"),
        (Some(slot), _) => format!("did you mean `{}: {value}`?", slot.name),
        (None, slots) => {
            let names: Vec<&str> = slots.iter().map(|slot| slot.name).collect();
            format!(
                "remove it: {} are all that it takes",
                quoted(&names).replace(" or ", " and ")
            )
        }
    };
    Diagnostic::new(Code::Type, message, arg.value.span, label).help(help)
}

/// Whether the call gives `slot`, by its name or by its place.
fn is_given(slot: &Slot, call: &Call, slots: &[Slot]) -> bool {
    let by_name = |arg: &Arg| arg.key.as_ref().is_some_and(|key| key.node == slot.name);
    let leading = call
        .args()
        .iter()
        .take_while(|arg| arg.key.is_none())
        .count();
    let place = slots.iter().position(|other| other.name == slot.name);
    call.args().iter().any(by_name) || (slot.positional && place < Some(leading))
}

fn twice(call: &Call, arg: &Arg, name: &str, first: Span) -> Diagnostic {
    let span = arg.key.as_ref().map_or(arg.value.span, |key| key.span);
    let message = format!("`{}` is given `{name}` twice", call.name.node);
    Diagnostic::new(Code::Name, message, span, "given again here")
        .also(first, "first given here")
        .help("remove one of them")
}

fn missing(call: &Call, slots: &[Slot], given: &[Option<&Expr>]) -> Diagnostic {
    let name = &call.name.node;
    let pairs = || slots.iter().zip(given);
    let lacking = pairs().filter(|(slot, value)| slot.is_required() && value.is_none());
    let lacking: Vec<&str> = lacking.map(|(slot, _)| slot.name).collect();
    let lacking = quoted(&lacking).replace(" or ", " and ");
    // The call as it may be meant: what is given, and a place for what is not.
    let shown = pairs().filter_map(|(slot, value)| match (value, slot.positional) {
        (Some(value), true) => Some(print_expr(value)),
        (Some(value), false) => Some(format!("{}: {}", slot.name, print_expr(value))),
        (None, true) if slot.is_required() => Some(slot.name.to_string()),
        (None, false) if slot.is_required() => Some(format!("{}: …", slot.name)),
        (None, _) => None,
    });
    let shown: Vec<String> = shown.collect();
    let message = format!("`{name}` needs {lacking}");
    Diagnostic::new(Code::Type, message, call.span, format!("without {lacking}"))
        .help(format!("write `{name}({})`", shown.join(", ")))
}
