//! Mistakes that are known by their looks.

use super::fault::{Fault, is_keyword};
use super::parse::Rule;
use super::signs::{number, point, quote, sign};
use std::ops::Range;

/// What a known mistake gets.
pub(super) struct Known {
    pub place: Range<usize>,
    pub message: String,
    pub label: String,
    pub help: String,
}

impl Known {
    pub fn new(
        place: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<Self> {
        Some(Known {
            place,
            message: message.into(),
            label: label.into(),
            help: help.into(),
        })
    }
}

/// Rules of which one is expected where a value is.
pub(super) const VALUE: &[Rule] = &[Rule::expr, Rule::float, Rule::int, Rule::group, Rule::call];

/// The mistake that `fault` is, if it is one that is known.
pub(super) fn known(fault: &Fault) -> Option<Known> {
    let ways = [
        sign,
        quote,
        point,
        equals,
        second_label,
        keyword,
        nested_if,
        no_type,
        no_value,
        no_colon,
        no_default,
        no_else,
        no_range,
        no_header,
        no_layer,
        comma,
        number,
        brace,
        misspelt,
        misplaced,
    ];
    ways.iter().find_map(|way| way(fault))
}

fn equals(fault: &Fault) -> Option<Known> {
    if fault.token() != "=" {
        return None;
    }
    let place = fault.token_range();
    let key = fault.previous();
    let value = fault.value(fault.at + 1);
    let written = format!("write `{key}: {value}`");
    match fault.rule {
        Rule::setting if fault.wants(&[Rule::colon]) => Known::new(
            place,
            "a setting is written with `:`",
            "write `:` here",
            written,
        ),
        Rule::statement if fault.at_start() => {
            let begins = value.chars().next().unwrap_or_default();
            if begins.is_ascii_digit() || "([-".contains(begins) {
                let kind = type_of_literal(&value);
                let help = format!("declare it outside: `param {key}: {kind} = {value}`");
                return Known::new(place, "a model has no variables", "set here", help);
            }
            Known::new(
                place,
                "a label is written with `:`",
                "write `:` here",
                written,
            )
        }
        Rule::statement | Rule::setting if fault.header().contains('(') => Known::new(
            place,
            "an argument is named with `:`",
            "write `:` here",
            written,
        ),
        _ => None,
    }
}

/// The type that a value seems to have.
fn type_of_literal(value: &str) -> &'static str {
    match value {
        "true" | "false" => "bool",
        value if value.parse::<i64>().is_ok() => "int",
        value if value.parse::<f64>().is_ok() => "float",
        value if value.starts_with(|c: char| c.is_ascii_alphabetic()) => "skip",
        _ => "int",
    }
}

fn second_label(fault: &Fault) -> Option<Known> {
    if fault.token() != ":" || fault.rule != Rule::statement || !fault.at_start() {
        return None;
    }
    let label = fault.before(fault.at);
    let colon = fault.before(label.start);
    if &fault.text[colon] != ":" {
        return None;
    }
    let help = format!(
        "remove `{}:`, or the label before it",
        &fault.text[label.clone()]
    );
    Known::new(
        label,
        "a layer has one label at most",
        "a second label",
        help,
    )
}

fn keyword(fault: &Fault) -> Option<Known> {
    let (token, previous) = (fault.token(), fault.before(fault.at));
    let label = &fault.text[previous.clone()];
    let (place, word) = if fault.rule == Rule::statement && token == ":" && is_keyword(label) {
        (previous, label)
    } else if is_keyword(token)
        && fault.wants(&[Rule::ident])
        && !fault.wants(VALUE)
        && fault.on_same_line()
        && !fault.at_start()
    {
        (fault.token_range(), token)
    } else {
        return None;
    };
    Known::new(
        place,
        format!("`{word}` is a word of the language, so it cannot be a name"),
        "not a name",
        format!("choose another name, such as `my_{word}`"),
    )
}

fn nested_if(fault: &Fault) -> Option<Known> {
    let place = fault.token_range();
    match (fault.token(), fault.previous()) {
        ("if", "else") => Known::new(
            place,
            "`else` is followed by braces",
            "this `if` belongs in braces",
            "write `else { if … { … } else { … } }`",
        ),
        ("if", _) if fault.wants(VALUE) && !fault.at_start() => Known::new(
            place,
            "an `if` inside an operation or a condition stands in parentheses",
            "this `if`",
            "write `(if … { … } else { … })`",
        ),
        _ => None,
    }
}

/// A param or a block's argument without `: TYPE`.
fn no_type(fault: &Fault) -> Option<Known> {
    if fault.rule != Rule::item || !fault.wants(&[Rule::colon]) {
        return None;
    }
    let place = fault.before(fault.at);
    let name = &fault.text[place.clone()];
    let what = match fault.header().contains('(') {
        true => "argument",
        false => "param",
    };
    let written = match fault.token() {
        "=" => {
            let value = fault.value(fault.at + 1);
            let value = value.split(" in ").next().unwrap_or_default();
            format!("{name}: {} = {value}", type_of_literal(value))
        }
        kind @ ("int" | "float" | "bool" | "skip") => format!("{name}: {kind}"),
        _ => format!("{name}: int"),
    };
    Known::new(
        place,
        format!("{what} `{name}` has no type"),
        "expected `:` and a type after this",
        format!("write `{written}`, or another of the types `int`, `float`, `bool` and `skip`"),
    )
}

fn no_colon(fault: &Fault) -> Option<Known> {
    if !fault.wants(&[Rule::colon]) || fault.rule == Rule::item {
        return None;
    }
    let place = fault.before(fault.at);
    let key = &fault.text[place.clone()];
    let value = match fault.on_same_line() {
        true => fault.value(fault.at),
        false => "…".to_string(),
    };
    let value = match (key, value.split_whitespace().next()) {
        ("project", Some(first)) => first,
        _ => &value,
    };
    let message = format!("expected `:` after `{key}`");
    Known::new(
        place,
        message,
        "`:` is missing after this",
        format!("write `{key}: {value}`"),
    )
}

fn no_default(fault: &Fault) -> Option<Known> {
    if fault.rule != Rule::item || !fault.wants(&[Rule::equals]) {
        return None;
    }
    let header = fault.header();
    let name = header.strip_prefix("param ")?.split(':').next()?.trim();
    let place = fault.before(fault.at);
    let example = match &fault.text[place.clone()] {
        "float" => "0.5",
        "bool" => "true",
        "skip" => "resnet",
        _ => "4",
    };
    Known::new(
        place,
        format!("param `{name}` has no default"),
        "expected `=` and a value after this",
        format!("write `{header} = {example}`, with a default of your own"),
    )
}

fn no_else(fault: &Fault) -> Option<Known> {
    if !fault.wants(&[Rule::kw_else]) {
        return None;
    }
    Known::new(
        fault.before(fault.at),
        "an `if` needs an `else`",
        "expected `else` after this",
        "write `if … { … } else { … }`, as it must have a value in both cases",
    )
}

fn no_range(fault: &Fault) -> Option<Known> {
    if fault.rule != Rule::item || !fault.wants(&[Rule::range_op, Rule::range]) {
        return None;
    }
    Known::new(
        fault.before(fault.at),
        "a range has two ends with `..=` between them",
        "expected `..=` or `..` after this",
        "write it like `1..=64`; an end without a limit is left out: `1..`",
    )
}

/// A `repeat`, `skip` or `as` without what comes after it.
fn no_header(fault: &Fault) -> Option<Known> {
    if fault.token() != "{" {
        return None;
    }
    let place = fault.before(fault.at);
    match &fault.text[place.clone()] {
        "repeat" => Known::new(
            place,
            "`repeat` needs a count",
            "how often?",
            "write the number of times, such as `repeat 3 { … }`",
        ),
        "skip" => Known::new(
            place,
            "`skip` needs a policy",
            "which one?",
            "write `plain`, `resnet`, `highway`, `dirac` or `variable`: `skip resnet { … }`",
        ),
        "as" => Known::new(
            place,
            "`as` needs a name for the index",
            "expected a name after this",
            "write `as i`, or leave `as` out",
        ),
        "model" | "block" => Known::new(
            place.clone(),
            format!("this `{}` has no name", &fault.text[place.clone()]),
            "expected a name after this",
            format!("write `{} NAME {{ … }}`", &fault.text[place]),
        ),
        _ => None,
    }
}

/// A label with nothing after it.
fn no_layer(fault: &Fault) -> Option<Known> {
    let colon = fault.before(fault.at);
    if fault.rule != Rule::statement
        || &fault.text[colon.clone()] != ":"
        || fault.before(colon.start).start != fault.start
    {
        return None;
    }
    let label = fault.before(colon.start);
    let name = &fault.text[label.clone()];
    Known::new(
        label.start..colon.end,
        format!("the label `{name}` has no layer"),
        "nothing to name",
        format!("write the layer after it, such as `{name}: relu`, or remove it"),
    )
}

fn comma(fault: &Fault) -> Option<Known> {
    let place = fault.token_range();
    let token = fault.token();
    if token == "," && (fault.wants(VALUE) || fault.wants(&[Rule::formal, Rule::ident])) {
        let what = "nothing before this";
        return Known::new(place, "there is a `,` too many", what, "remove it");
    }
    let value = token.starts_with(|c: char| c.is_alphanumeric() || "([".contains(c));
    if fault.wants(&[Rule::comma]) && value && fault.on_same_line() {
        let message = "expected `,` between two arguments";
        let help = format!("put `,` before `{token}`");
        return Known::new(place, message, "the next argument", help);
    }
    None
}

/// A body, a branch or a section without its braces.
fn brace(fault: &Fault) -> Option<Known> {
    if !fault.wants(&[Rule::open_brace, Rule::body, Rule::branch]) {
        return None;
    }
    let place = match fault.on_same_line() {
        true => fault.token_range(),
        false => fault.before(fault.at),
    };
    if fault.wants(&[Rule::branch]) || (fault.previous() == "else" && fault.rule != Rule::item) {
        return Known::new(
            place,
            "the values of an `if` stand in braces",
            "expected `{` here",
            "write `if … { … } else { … }`",
        );
    }
    let header = fault.header();
    let help = format!("write `{header} {{ … }}`");
    if header == "train" && fault.on_same_line() {
        return Known::new(place, "`train` has no name", "not needed", help);
    }
    let what = match header.as_str() {
        "train" => "the settings",
        _ => "the layers",
    };
    let label = match fault.on_same_line() {
        true => "expected `{` before this",
        false => "expected `{` after this",
    };
    Known::new(place, format!("{what} stand in braces"), label, help)
}

/// A line that begins with a misspelt word, or one of another language.
fn misspelt(fault: &Fault) -> Option<Known> {
    if fault.rule != Rule::statement || !fault.at_start() {
        return None;
    }
    let line = fault.text[..fault.at].rfind('\n').map_or(0, |i| i + 1);
    let words = &fault.text[line..fault.at];
    let word = words.split_whitespace().next()?;
    let near = crate::suggest::nearest(word, ["repeat", "skip", "concat", "input"])?;
    let short = words.split_whitespace().count() <= 2 && !words.contains([':', '(']);
    if !short || word == near {
        return None;
    }
    let at = line + words.find(word)?;
    let message = format!("`{word}` is not a word of the language");
    let help = format!("did you mean `{near}`?");
    Known::new(at..at + word.len(), message, "not known", help)
}

/// A key without a value.
fn no_value(fault: &Fault) -> Option<Known> {
    let colon = match fault.token() {
        // The next key was taken for the value.
        ":" if fault.rule == Rule::setting && fault.at_start() => {
            fault.before(fault.before(fault.at).start)
        }
        "," | ")" | "]" | "}" | "" if fault.wants(VALUE) => fault.before(fault.at),
        _ => return None,
    };
    if &fault.text[colon.clone()] != ":" {
        return None;
    }
    let key = fault.before(colon.start);
    let name = &fault.text[key.clone()];
    let help = format!("write a value after `{name}:`, or remove it");
    Known::new(
        key.start..colon.end,
        format!("`{name}` has no value"),
        "nothing follows",
        help,
    )
}

/// A statement that cannot be one.
fn misplaced(fault: &Fault) -> Option<Known> {
    if fault.rule != Rule::statement || !fault.at_start() {
        return None;
    }
    let place = fault.token_range();
    match fault.token() {
        word @ ("param" | "block" | "model" | "train") => Known::new(
            place,
            format!("`{word}` stands by itself, not inside another section"),
            "not in here",
            "close the braces around it first, or move it out of them",
        ),
        "if" | "else" => Known::new(
            place,
            "an `if` chooses between values, not between layers",
            "not a layer",
            "choose a number inside a layer, or how often to `repeat`",
        ),
        "{" => Known::new(
            place,
            "there are braces without a word before them",
            "what are they for?",
            "write `repeat n { … }`, `skip POLICY { … }` or `concat { … }`",
        ),
        _ => None,
    }
}
