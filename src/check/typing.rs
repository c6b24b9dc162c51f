//! The types of expressions and arguments.

use super::call::bind;
use super::prelude::{layers, policies};
use super::report::{Reports, quoted, suggest, unknown};
use super::scope::{Function, Scope};
use super::value::Type;
use super::word::word;
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{Kind, Slot, find, names};
use crate::span::Span;
use crate::suggest::suggestion;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, Ident, UnaryOp};
use crate::syntax::print_expr;

/// Checks that a call gives the right arguments, each of the right type.
pub(super) fn check_args(
    call: &Call,
    slots: &[Slot],
    declared: Option<Span>,
    scope: &Scope,
    reports: &mut Reports,
) {
    let args = bind(call, slots, declared, reports);
    for (slot, value) in args.pairs() {
        if let Some(value) = value {
            check_kind(value, slot.kind, &args.what(slot.name), scope, reports);
        }
    }
}

/// Whether `value` is of `kind`; reports it where not.
pub(super) fn check_kind(
    value: &Expr,
    kind: Kind,
    what: &str,
    scope: &Scope,
    reports: &mut Reports,
) -> bool {
    match kind {
        Kind::Int(_) => expect(value, Type::Int, what, scope, reports),
        Kind::Float(_) => expect(value, Type::Float, what, scope, reports),
        Kind::Bool => expect(value, Type::Bool, what, scope, reports),
        Kind::Skip => expect(value, Type::Skip, what, scope, reports),
        Kind::Any => type_of(value, scope, reports).is_some(),
        Kind::Padding => match word(value) {
            Some("same") => true,
            Some(other) if scope.get(other).is_none() => {
                let message = format!("{what} cannot be `{other}`");
                let report = Diagnostic::new(Code::Name, message, value.span, "no such padding");
                reports.add(report.help("write `same`, or pixels a side such as `padding: 0`"));
                false
            }
            _ => expect(value, Type::Int, what, scope, reports),
        },
        Kind::Word(words) => {
            let given = word(value);
            let known = given.is_some_and(|word| words.contains(&word));
            if !known {
                let report = match given {
                    Some(other) => {
                        let message = format!("{what} cannot be `{other}`");
                        Diagnostic::new(Code::Name, message, value.span, "no such choice")
                    }
                    None => {
                        let message = format!("{what} must be a word");
                        Diagnostic::new(Code::Type, message, value.span, "not a word")
                    }
                };
                reports.add(report.help(suggest(given.unwrap_or_default(), words, "word")));
            }
            known
        }
        Kind::Epochs => {
            let ExprKind::List(items) = &value.kind else {
                reports.add(not_a_list(value, what));
                return false;
            };
            let what = format!("an element of {what}");
            let mut sound = true;
            for item in items {
                sound &= expect(item, Type::Int, &what, scope, reports);
            }
            sound
        }
        Kind::Augments => {
            let list = matches!(value.kind, ExprKind::List(_));
            if !list {
                reports.add(not_a_list(value, what));
            }
            list
        }
    }
}

fn not_a_list(value: &Expr, what: &str) -> Diagnostic {
    let message = format!("{what} must be a list");
    Diagnostic::new(Code::Type, message, value.span, "not a list")
        .help(format!("put it in brackets: `[{}]`", print_expr(value)))
}

/// Whether `expr` has type `want`; reports it where not.
pub(super) fn expect(
    expr: &Expr,
    want: Type,
    what: &str,
    scope: &Scope,
    reports: &mut Reports,
) -> bool {
    if let ExprKind::Call(call) = &expr.kind
        && !is_known(&call.name.node, scope)
    {
        reports.add(unknown_name(call, Some(want), scope));
        return false;
    }
    let Some(found) = type_of(expr, scope, reports) else {
        return false;
    };
    if found.fits(want) {
        return true;
    }
    let message = format!(
        "{what} must be {}, not {}",
        want.described(),
        found.described()
    );
    let report = Diagnostic::new(Code::Type, message, expr.span, found.described());
    reports.add(report.help(conversion(expr, want, found)));
    false
}

/// Writes advice on making a `want` of an expression that is a `found`.
fn conversion(expr: &Expr, want: Type, found: Type) -> String {
    let shown = print_expr(expr);
    match (want, found, shown.as_str()) {
        (Type::Int, Type::Float, _) => match shown.parse::<f64>() {
            Ok(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("write `{x:.0}`"),
            Ok(x) => format!("write a whole number, such as `{:.0}`", x.ceil()),
            Err(_) => format!("round it: `floor({shown})` or `ceil({shown})`"),
        },
        (Type::Int | Type::Float, Type::Bool, shown) if !matches!(shown, "true" | "false") => {
            format!("turn it into a number: `if {shown} {{ 1 }} else {{ 0 }}`")
        }
        (Type::Int | Type::Float, ..) => "write a number".to_string(),
        (Type::Bool, Type::Int, "0") => "write `false`".to_string(),
        (Type::Bool, Type::Int, "1") => "write `true`".to_string(),
        (Type::Bool, Type::Int | Type::Float, _) => format!("compare it, as in `{shown} > 0`"),
        (Type::Bool, ..) => "write `true`, `false` or a comparison such as `n > 1`".to_string(),
        (Type::Skip, ..) => format!("write {}", quoted(&names(policies()))),
    }
}

fn is_known(name: &str, scope: &Scope) -> bool {
    scope.get(name).is_some() || find(policies(), name).is_some() || Function::named(name).is_some()
}

/// Reports a name that stands for nothing, where a value of type `want` may have been meant.
fn unknown_name(call: &Call, want: Option<Type>, scope: &Scope) -> Diagnostic {
    let Ident { node: name, span } = &call.name;
    let fits = |kind: Option<Type>| want.zip(kind).is_none_or(|(want, kind)| kind.fits(want));
    let mut known = scope.names();
    known.retain(|name| fits(scope.kind(name)));
    if want == Some(Type::Skip) {
        known.extend(names(policies()));
        return unknown("skip policy", name, *span, &known);
    }
    if find(layers(), name).is_some() {
        let message = format!("`{name}` is a layer, not a value");
        return Diagnostic::new(Code::Name, message, *span, "a layer")
            .help("put the layer on a line of its own, and a number here");
    }
    if call.args.is_some() {
        return unknown("function", name, *span, &Function::NAMES);
    }
    let kind = want.unwrap_or(Type::Int);
    let example = kind.example();
    if span.source > 0 {
        let message = format!("`{name}` is not {}", kind.described());
        let help = format!(
            "a flag takes {} by itself, such as `{example}`",
            kind.described()
        );
        return Diagnostic::new(Code::Name, message, *span, "names mean nothing here").help(help);
    }
    let report = unknown("name", name, *span, &known);
    match (suggestion(name, known.iter().copied()), known.as_slice()) {
        (Some(_), _) => report,
        (None, []) => report.help(format!("declare it: `param {name}: {kind} = {example}`")),
        (None, known) => report.help(format!(
            "declare it with `param {name}: {kind} = {example}`, or use {}",
            quoted(known)
        )),
    }
}

/// Finds the type of an expression; `None` where a mistake in it was reported.
pub(super) fn type_of(expr: &Expr, scope: &Scope, reports: &mut Reports) -> Option<Type> {
    match &expr.kind {
        ExprKind::Int(_) => Some(Type::Int),
        ExprKind::Float(_) => Some(Type::Float),
        ExprKind::Bool(_) => Some(Type::Bool),
        ExprKind::Call(call) => type_of_call(call, scope, reports),
        ExprKind::List(_) => {
            let message = "a list where one value belongs";
            let report = Diagnostic::new(Code::Type, message, expr.span, "a list");
            reports.add(report.help("lists are only for `at: […]` and `augment: […]`"));
            None
        }
        ExprKind::Unary(UnaryOp::Not, operand) => {
            expect(operand, Type::Bool, "the operand of `not`", scope, reports)
                .then_some(Type::Bool)
        }
        ExprKind::Unary(UnaryOp::Negate, operand) => {
            let kind = type_of(operand, scope, reports)?;
            number(kind, operand, "-", reports)
        }
        ExprKind::Binary(op, left, right) => type_of_binary(*op, left, right, scope, reports),
        ExprKind::If(condition, then, otherwise) => {
            expect(
                condition,
                Type::Bool,
                "the condition of `if`",
                scope,
                reports,
            );
            let then_type = type_of(then, scope, reports);
            let other_type = type_of(otherwise, scope, reports);
            let (a, b) = (then_type?, other_type?);
            if a.fits(b) {
                return Some(b);
            }
            if b.fits(a) {
                return Some(a);
            }
            let message = "the branches of `if` have different types";
            let report = Diagnostic::new(Code::Type, message, otherwise.span, b.described());
            reports.add(report.also(then.span, a.described()).help(format!(
                "make both {}, or both {}",
                a.described(),
                b.described()
            )));
            None
        }
    }
}

/// Returns `kind` if it is a number's; reports it where not.
fn number(kind: Type, operand: &Expr, op: &str, reports: &mut Reports) -> Option<Type> {
    if matches!(kind, Type::Int | Type::Float) {
        return Some(kind);
    }
    let message = format!("`{op}` takes numbers, not {}", kind.described());
    let help = match (op, kind) {
        ("<" | "<=" | ">" | ">=", Type::Bool) => {
            "join comparisons with `and`: `a < b and b < c`".to_string()
        }
        (_, Type::Bool) => conversion(operand, Type::Int, kind),
        _ => "choose between policies with `if c { resnet } else { plain }`".to_string(),
    };
    let report = Diagnostic::new(Code::Type, message, operand.span, kind.described());
    reports.add(report.help(help));
    None
}

fn type_of_binary(
    op: BinaryOp,
    left: &Expr,
    right: &Expr,
    scope: &Scope,
    reports: &mut Reports,
) -> Option<Type> {
    let what = |side: &str| format!("the {side} operand of `{}`", op.symbol());
    match op {
        BinaryOp::And | BinaryOp::Or => {
            let a = expect(left, Type::Bool, &what("left"), scope, reports);
            let b = expect(right, Type::Bool, &what("right"), scope, reports);
            (a && b).then_some(Type::Bool)
        }
        BinaryOp::Equal | BinaryOp::NotEqual => {
            let a = type_of(left, scope, reports);
            let b = type_of(right, scope, reports);
            let (a, b) = (a?, b?);
            if a.fits(b) || b.fits(a) {
                return Some(Type::Bool);
            }
            let message = format!("`{}` compares two values of one type", op.symbol());
            let report = Diagnostic::new(Code::Type, message, right.span, b.described());
            reports.add(
                report
                    .also(left.span, a.described())
                    .help(format!("compare with {}", a.described())),
            );
            None
        }
        BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::Power => {
            let a = type_of(left, scope, reports);
            let b = type_of(right, scope, reports);
            let a = a.and_then(|kind| number(kind, left, op.symbol(), reports));
            let b = b.and_then(|kind| number(kind, right, op.symbol(), reports));
            let (a, b) = (a?, b?);
            let compares = op.precedence() == BinaryOp::Less.precedence();
            Some(match (compares, a, b) {
                (true, ..) => Type::Bool,
                (false, Type::Int, Type::Int) => Type::Int,
                (false, ..) => Type::Float,
            })
        }
    }
}

fn type_of_call(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Type> {
    let name = call.name.node.as_str();
    if let Some(binding) = scope.get(name) {
        if call.args.is_some() {
            let message = format!("`{name}` is a value, not a function");
            let report = Diagnostic::new(Code::Type, message, call.span, "called here");
            reports.add(report.help(format!("write `{name}` without parentheses")));
            return None;
        }
        return binding.kind;
    }
    if let Some(policy) = find(policies(), name) {
        check_args(call, policy.slots, None, scope, reports);
        return Some(Type::Skip);
    }
    if let Some(function) = Function::named(name) {
        return type_of_function(function, call, scope, reports);
    }
    reports.add(unknown_name(call, None, scope));
    None
}

fn type_of_function(
    function: Function,
    call: &Call,
    scope: &Scope,
    reports: &mut Reports,
) -> Option<Type> {
    let name = call.name.node.as_str();
    let (least, most) = match function {
        Function::Min | Function::Max => (2, usize::MAX),
        Function::Floor | Function::Ceil => (1, 1),
    };
    let named = call.args().iter().find_map(|arg| arg.key.as_ref());
    if let Some(key) = named {
        let message = format!("the arguments of `{name}` have no names");
        let report = Diagnostic::new(Code::Type, message, key.span, "this name");
        reports.add(report.help(format!("remove `{}:`", key.node)));
        return None;
    }
    if !(least..=most).contains(&call.args().len()) {
        let (takes, example) = match most {
            1 => ("one number", format!("{name}(x / 2.0)")),
            _ => ("two numbers or more", format!("{name}(a, b)")),
        };
        let message = format!("`{name}` takes {takes}, not {}", call.args().len());
        let report = Diagnostic::new(Code::Type, message, call.span, "called here");
        reports.add(report.help(format!("write it like `{example}`")));
        return None;
    }
    let mut result = Type::Int;
    for arg in call.args() {
        let kind = type_of(&arg.value, scope, reports)?;
        if number(kind, &arg.value, name, reports)? == Type::Float {
            result = Type::Float;
        }
    }
    Some(match function {
        Function::Floor | Function::Ceil => Type::Int,
        Function::Min | Function::Max => result,
    })
}
