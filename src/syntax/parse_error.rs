//! Diagnostics of syntax errors, in a reader's words.

// Of the grammar's hundred rules, a few can come to each place.
#![expect(clippy::wildcard_enum_match_arm)]

use super::grammar::Rule;
use super::mistakes::{VALUE, known_mistake};
use super::parse_failure::ParseFailure;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use std::collections::BTreeSet;

/// Explains why `rule` does not match `text` from byte `start`: the farthest place that the
/// grammar got to, the mistake there, and advice on mending it.
pub(super) fn parse_error(rule: Rule, text: &str, start: usize, source: u16) -> Diagnostic {
    let failure = ParseFailure::find(rule, text, start);
    if let Some(known) = known_mistake(&failure) {
        let span = Span::new(source, known.place.start, known.place.end);
        return Diagnostic::new(Code::Syntax, known.message, span, known.label).help(known.help);
    }
    let wanted = wanted(&failure);
    let before = failure.before(failure.position);
    let on_line = failure.on_same_line() || failure.at_start() || before.is_empty();
    let (place, message, label) = match on_line {
        true => (
            failure.token_range(),
            match failure.token() {
                "" => format!("expected {wanted}, found nothing"),
                token => format!("expected {wanted}, found `{token}`"),
            },
            format!("expected {wanted}"),
        ),
        // What is missing is missed at the end of the line before.
        false => (
            before,
            format!("expected {wanted} after `{}`", failure.previous()),
            format!("{wanted} is missing after this"),
        ),
    };
    let span = Span::new(source, place.start, place.end);
    Diagnostic::new(Code::Syntax, message, span, label).help(advice(&failure))
}

/// Lists the expected rules, as `a`, `b` or `c`.
fn wanted(failure: &ParseFailure) -> String {
    let mut names: BTreeSet<&str> = failure.expected.iter().filter_map(|&r| name(r)).collect();
    // Those that could stand there, but say little where others could, too.
    for weak in ["an operator", "arguments `(…)`", "the end"] {
        if names.len() > 1 {
            names.remove(weak);
        }
    }
    if names.contains("a value") || names.contains("a layer") {
        names.remove("a name");
    }
    let mut names: Vec<&str> = names.into_iter().collect();
    match (names.pop(), failure.rule) {
        (Some(last), _) if names.is_empty() => last.to_string(),
        (Some(last), _) => format!("{} or {last}", names.join(", ")),
        (None, Rule::setting) => "a setting `key: value`".to_string(),
        (None, Rule::statement) => "a layer, `skip`, `repeat` or `concat`".to_string(),
        (None, Rule::lone_expr) => "a value".to_string(),
        (None, _) => "`param`, `block`, `model` or `train`".to_string(),
    }
}

/// Returns the name of a rule in messages; `None` for rules that say nothing more.
fn name(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::file | Rule::item | Rule::param | Rule::block | Rule::model | Rule::train => {
            "`param`, `block`, `model` or `train`"
        }
        Rule::kw_param | Rule::kw_block | Rule::kw_model | Rule::kw_train => {
            "`param`, `block`, `model` or `train`"
        }
        Rule::statement | Rule::input | Rule::repeat | Rule::skip | Rule::concat => "a layer",
        Rule::kw_input | Rule::kw_repeat | Rule::kw_skip | Rule::kw_concat => "a layer",
        Rule::layer | Rule::label => "a layer",
        Rule::ident | Rule::word => "a name",
        Rule::key | Rule::setting => "a setting `key: value`",
        Rule::type_name => "a type",
        Rule::range | Rule::bound | Rule::range_op => "a range such as `1..=64`",
        Rule::expr | Rule::float | Rule::int | Rule::boolean | Rule::conditional => "a value",
        Rule::list | Rule::call | Rule::group | Rule::arg | Rule::kw_if | Rule::digits => "a value",
        Rule::negate | Rule::negation | Rule::kw_not | Rule::condition => "a value",
        Rule::args | Rule::formals => "arguments `(…)`",
        Rule::formal => "an argument `name: type`",
        Rule::within | Rule::kw_in => "`in`",
        Rule::counter | Rule::kw_as => "`as`",
        Rule::kw_else => "`else`",
        Rule::project => "`project`",
        Rule::default | Rule::equals => "`=`",
        Rule::colon => "`:`",
        Rule::comma => "`,`",
        Rule::body | Rule::branch | Rule::open_brace => "`{`",
        Rule::close_paren => "`)`",
        Rule::close_bracket => "`]`",
        Rule::EOI => "the end",
        Rule::equal | Rule::not_equal | Rule::less | Rule::less_equal | Rule::greater => {
            "an operator"
        }
        Rule::greater_equal | Rule::plus | Rule::minus | Rule::times | Rule::divide => {
            "an operator"
        }
        Rule::modulo | Rule::power | Rule::conjunction | Rule::disjunction => "an operator",
        Rule::kw_and | Rule::kw_or => "an operator",
        _ => return None,
    })
}

/// Gives general advice, for failures that are no [known mistake](super::mistakes).
fn advice(failure: &ParseFailure) -> String {
    let token = failure.token();
    match failure.rule {
        Rule::item if failure.at_start() => {
            let sections = ["param", "block", "model", "train"];
            match crate::suggest::nearest(token, sections) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "layers go into `model NAME { … }`, settings into `train { … }`".into(),
            }
        }
        Rule::setting if failure.at_start() => "write `key: value`, such as `epochs: 10`".into(),
        Rule::statement if failure.at_start() => {
            "write a layer, such as `conv(64, kernel: 3)` or `relu`".into()
        }
        _ if failure.wants(&[Rule::type_name]) => "write `int`, `float`, `bool` or `skip`".into(),
        _ if failure.wants(VALUE) => {
            "write a number, a name, `[…]` or `if … { … } else { … }`".into()
        }
        _ if token.is_empty() => format!("write {} at the end", wanted(failure)),
        _ => format!("write {} before `{token}`", wanted(failure)),
    }
}
