//! The types of expressions and arguments.

use super::call::{Kind, POLICY_CALLS, Slot, bind};
use super::eval::{FUNCTIONS, Scope};
use super::policy::POLICIES;
use super::report::{Reports, quoted, suggest, unknown};
use super::value::Type;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, UnaryOp};

/// Checks that a call gives the right arguments, each of the right type.
pub(super) fn check_args(
    call: &Call,
    slots: &[Slot],
    declared: Option<Span>,
    scope: &Scope,
    reports: &mut Reports,
) {
    let given = bind(call, slots, declared, reports);
    for (slot, value) in slots.iter().zip(given) {
        if let Some(value) = value {
            let what = format!("`{}` of `{}`", slot.name, call.name.node);
            check_kind(value, slot.kind, &what, scope, reports);
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
        Kind::Int => expect(value, Type::Int, what, scope, reports),
        Kind::Float => expect(value, Type::Float, what, scope, reports),
        Kind::Bool => expect(value, Type::Bool, what, scope, reports),
        Kind::Skip => expect(value, Type::Skip, what, scope, reports),
        Kind::Padding => {
            word(value) == Some("same") || expect(value, Type::Int, what, scope, reports)
        }
        Kind::Word(words) => {
            let known = word(value).is_some_and(|word| words.contains(&word));
            if !known {
                let message = format!("{what} is {}", quoted(words));
                let help = suggest(word(value).unwrap_or_default(), words, "word");
                reports.add(
                    Diagnostic::new(Code::Value, message, value.span, "none of these").help(help),
                );
            }
            known
        }
        Kind::Ints => match &value.kind {
            ExprKind::List(items) => {
                let what = format!("an element of {what}");
                let sound = items
                    .iter()
                    .map(|item| expect(item, Type::Int, &what, scope, reports));
                sound.fold(true, |all, one| all && one)
            }
            _ => {
                reports.add(not_a_list(value, what, "82, 125"));
                false
            }
        },
        Kind::Calls => {
            let list = matches!(value.kind, ExprKind::List(_));
            if !list {
                reports.add(not_a_list(value, what, "pad_crop(4), flip_horizontal"));
            }
            list
        }
    }
}

fn not_a_list(value: &Expr, what: &str, example: &str) -> Diagnostic {
    let message = format!("{what} is a list");
    Diagnostic::new(Code::Type, message, value.span, "not a list")
        .help(format!("put it in brackets: `[{example}]`"))
}

/// The bare word that `value` is.
pub(super) fn word(value: &Expr) -> Option<&str> {
    match &value.kind {
        ExprKind::Call(Call {
            name, args: None, ..
        }) => Some(&name.node),
        _ => None,
    }
}

/// Whether `expr` has type `want`; reports it where not.
pub(super) fn expect(
    expr: &Expr,
    want: Type,
    what: &str,
    scope: &Scope,
    reports: &mut Reports,
) -> bool {
    let Some(found) = type_of(expr, scope, reports) else {
        return false;
    };
    if found.fits(want) {
        return true;
    }
    let help = match (want, found) {
        (Type::Int, Type::Float) => "write a whole number, or use `floor(…)` or `ceil(…)`",
        (Type::Int | Type::Float, _) => "write a number",
        (Type::Bool, _) => "write `true`, `false` or a comparison such as `i == 0`",
        (Type::Skip, _) => "write `plain`, `resnet`, `highway`, `dirac` or `variable`",
    };
    let message = format!("{what} is of type `{want}`, not `{found}`");
    reports.add(
        Diagnostic::new(Code::Type, message, expr.span, format!("this is `{found}`")).help(help),
    );
    false
}

/// The type of an expression; `None` where a mistake in it was reported.
pub(super) fn type_of(expr: &Expr, scope: &Scope, reports: &mut Reports) -> Option<Type> {
    match &expr.kind {
        ExprKind::Int(_) => Some(Type::Int),
        ExprKind::Float(_) => Some(Type::Float),
        ExprKind::Bool(_) => Some(Type::Bool),
        ExprKind::Call(call) => type_of_call(call, scope, reports),
        ExprKind::List(_) => {
            reports.add(
                Diagnostic::new(
                    Code::Type,
                    "a list is no value here",
                    expr.span,
                    "this list",
                )
                .help("lists are only for `at: […]` and `augment: […]`"),
            );
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
            reports.add(
                Diagnostic::new(
                    Code::Type,
                    message,
                    otherwise.span,
                    format!("this is `{b}`"),
                )
                .also(then.span, format!("this is `{a}`"))
                .help("give both branches the same type"),
            );
            None
        }
    }
}

/// `kind` if it is a number's; reports it where not.
fn number(kind: Type, operand: &Expr, op: &str, reports: &mut Reports) -> Option<Type> {
    if matches!(kind, Type::Int | Type::Float) {
        return Some(kind);
    }
    let message = format!("`{op}` works on numbers");
    let help = match (op, kind) {
        ("<" | "<=" | ">" | ">=", Type::Bool) => "join comparisons with `and`: `a < b and b < c`",
        (_, Type::Bool) => "turn it into a number: `if c { 1 } else { 0 }`",
        _ => "choose between policies with `if c { resnet } else { plain }`",
    };
    let label = format!("this is `{kind}`");
    reports.add(Diagnostic::new(Code::Type, message, operand.span, label).help(help));
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
            let message = format!("`{}` compares values of one type", op.symbol());
            reports.add(
                Diagnostic::new(Code::Type, message, right.span, format!("this is `{b}`"))
                    .also(left.span, format!("this is `{a}`"))
                    .help(format!("compare with a value of type `{a}`")),
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
    if let Some(policy) = POLICY_CALLS.iter().find(|policy| policy.name == name) {
        check_args(call, policy.slots, None, scope, reports);
        return Some(Type::Skip);
    }
    if FUNCTIONS.contains(&name) {
        return type_of_function(call, scope, reports);
    }
    let mut known = scope.names();
    known.extend(POLICIES);
    known.extend(FUNCTIONS);
    let report = unknown("name", name, call.name.span, &known);
    let near = super::nearest(name, known.iter().copied()).is_some();
    reports.add(match (near, scope.names().as_slice()) {
        (true, _) => report,
        (false, []) => report.help(format!("declare it: `param {name}: int = 1`")),
        (false, names) => report.help(format!(
            "declare it with `param {name}: int = 1`, or use one of {}",
            quoted(names)
        )),
    });
    None
}

fn type_of_function(call: &Call, scope: &Scope, reports: &mut Reports) -> Option<Type> {
    let name = call.name.node.as_str();
    let (least, most) = match name {
        "min" | "max" => (2, usize::MAX),
        _ => (1, 1),
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
    Some(match name {
        "floor" | "ceil" => Type::Int,
        _ => result,
    })
}
