//! Why a text is not in the grammar, in a reader's words.

use super::parse::{Grammar, Rule};
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use std::collections::BTreeSet;

/// Why `rule` does not match `text` from byte `start`: the farthest place the grammar
/// got to, what it wanted there, and how to mend it.
pub(super) fn explain(rule: Rule, text: &str, start: usize, source: u16) -> Diagnostic {
    let (at, expected) = match Grammar::parse(rule, &text[start..]) {
        Err(error) => {
            let at = match error.location {
                InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
            };
            let expected = match error.variant {
                ErrorVariant::ParsingError { positives, .. } => positives,
                ErrorVariant::CustomError { .. } => Vec::new(),
            };
            (start + at, expected)
        }
        // The rule matches, but what follows it cannot.
        Ok(_) => (start, Vec::new()),
    };
    let token = token_at(text, at);
    let found = match token {
        "" => "the end".to_string(),
        token => format!("`{token}`"),
    };
    let span = Span::new(source, at, at + token.len());
    let wanted = describe(&expected, rule);
    let message = format!("expected {wanted}, found {found}");
    let report = Diagnostic::new(Code::Syntax, message, span, format!("expected {wanted}"));
    match advice(rule, &expected, token, &text[start..at], &text[at..]) {
        Some(help) => report.help(help),
        None => report,
    }
}

/// The word, number or sign at byte `at`.
fn token_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = match rest.chars().next() {
        None => 0,
        Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        Some(c) => ["&&", "||", "=="]
            .iter()
            .find(|op| rest.starts_with(**op))
            .map_or(c.len_utf8(), |op| op.len()),
    };
    &rest[..end]
}

/// What was expected, as `a`, `b` or `c`.
fn describe(expected: &[Rule], rule: Rule) -> String {
    let mut names: BTreeSet<&str> = expected.iter().filter_map(|&r| name(r)).collect();
    if names.len() > 1 {
        names.remove("an operator");
    }
    // A file also ends well, but one who wrote something wanted to go on.
    if names.len() > 1 {
        names.remove("the end");
    }
    let mut names: Vec<&str> = names.into_iter().collect();
    match (names.pop(), rule) {
        (Some(last), _) if names.is_empty() => last.to_string(),
        (Some(last), _) => format!("{} or {last}", names.join(", ")),
        (None, Rule::setting) => "a setting `key: value`".to_string(),
        (None, Rule::statement) => "a layer, `skip`, `repeat` or `concat`".to_string(),
        (None, Rule::lone_expr) => "a value".to_string(),
        (None, _) => "`param`, `block`, `model` or `train`".to_string(),
    }
}

/// What a rule is called in a message; `None` for those that say nothing more.
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
        Rule::key | Rule::setting => "a key",
        Rule::type_name => "a type (`int`, `float`, `bool` or `skip`)",
        Rule::range | Rule::bound | Rule::range_op => "a range such as `1..=64`",
        Rule::expr | Rule::float | Rule::int | Rule::boolean | Rule::conditional => "a value",
        Rule::list | Rule::call | Rule::group | Rule::arg | Rule::kw_if | Rule::digits => "a value",
        Rule::negate | Rule::negation | Rule::kw_not => "a value",
        Rule::args | Rule::formals => "arguments `(…)`",
        Rule::formal => "an argument `name: type`",
        Rule::within | Rule::kw_in => "`in`",
        Rule::counter | Rule::kw_as => "`as`",
        Rule::kw_else => "`else`",
        Rule::project => "`project`",
        Rule::default => "`=`",
        Rule::colon => "`:`",
        Rule::comma => "`,`",
        Rule::equals => "`=`",
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

/// How to mend it: `before` is what was read of the rule, `rest` what follows.
fn advice(rule: Rule, expected: &[Rule], token: &str, before: &str, rest: &str) -> Option<String> {
    let wants = |rules: &[Rule]| rules.iter().any(|r| expected.contains(r));
    let previous = before.trim_end();
    Some(match token {
        "=" => {
            "a setting is written `key: value`; `=` only gives a param or an argument its default"
                .into()
        }
        ";" => "remove it: a statement ends where the next one begins".into(),
        "\"" | "'" => "there are no strings: write the bare name".into(),
        "&&" => "write `and`".into(),
        "||" => "write `or`".into(),
        "!" => "write `not`".into(),
        "." if previous.ends_with(|c: char| c.is_ascii_digit()) => {
            "a float needs a digit after its point: `1.0`".into()
        }
        "." => "a float needs a digit before its point: `0.5`".into(),
        "#" => "a comment starts with `//`".into(),
        "" if rule == Rule::lone_expr => "give it a value".into(),
        word if is_keyword(word) && wants(&[Rule::ident, Rule::word]) => {
            format!("`{word}` is a word of the language: choose another name")
        }
        word if before.is_empty() && rule == Rule::item => return Some(item_advice(word)),
        _ if wants(&[Rule::kw_else]) => {
            "an `if` gives a value, so it needs both: `if c { a } else { b }`".into()
        }
        _ if wants(&[Rule::range_op, Rule::range]) => {
            "a range is `lo..=hi`; leave an end out where there is no limit".into()
        }
        _ if wants(&[Rule::type_name]) => "a type is `int`, `float`, `bool` or `skip`".into(),
        _ if wants(&[Rule::comma]) => "put `,` between arguments".into(),
        _ if wants(&[Rule::equals]) => "a param needs a default: `param n: int = 4`".into(),
        _ if wants(&[Rule::open_brace, Rule::body]) => "its layers go between `{` and `}`".into(),
        _ if wants(&[Rule::colon]) && rule == Rule::setting => "write `key: value`".into(),
        _ if wants(&[Rule::colon]) => "write `name: type`".into(),
        ":" => "a label is one name before `:`".into(),
        "" => return None,
        _ if rule == Rule::setting && before.is_empty() => {
            "write `key: value`, such as `epochs: 10`".into()
        }
        _ if rule == Rule::statement && before.is_empty() => {
            "write a layer such as `conv(64, kernel: 3)`".into()
        }
        _ if wants(&[Rule::expr, Rule::int]) => {
            let line = rest.lines().next().unwrap_or_default().trim();
            if line == token || previous.is_empty() {
                "write a number, a name, `[…]` or `if c { a } else { b }`".into()
            } else {
                format!("a value is missing before `{token}`")
            }
        }
        _ => return None,
    })
}

fn is_keyword(word: &str) -> bool {
    Grammar::parse(Rule::keyword, word).is_ok_and(|pairs| pairs.as_str() == word)
}

fn item_advice(word: &str) -> String {
    let known = ["param", "block", "model", "train"];
    match crate::check::nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "layers go into `model NAME { … }`, settings into `train { … }`".to_string(),
    }
}
