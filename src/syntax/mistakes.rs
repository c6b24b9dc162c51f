//! Common mistakes that can be recognized by the text around them.

// Of the grammar's hundred rules, a few can come to each place.
#![expect(clippy::wildcard_enum_match_arm)]

use super::grammar::Rule;
use super::mistake::Mistake;
use super::parse_failure::{ParseFailure, is_keyword};
use super::punctuation::{number, point, sign};
use crate::suggest::Suggestion;

/// Rules that the grammar expects at the start of a value; each list of expectations there
/// has one.
pub(super) const VALUE: &[Rule] = &[Rule::expr, Rule::float, Rule::int, Rule::group, Rule::call];

/// Recognizes a common mistake in `failure`.
pub(super) fn known_mistake(failure: &ParseFailure) -> Option<Mistake> {
    let ways = [
        sign,
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
    ways.iter().find_map(|way| way(failure))
}

fn equals(failure: &ParseFailure) -> Option<Mistake> {
    if failure.token() != "=" {
        return None;
    }
    let place = failure.token_range();
    let key = failure.previous();
    let value = failure.value(failure.position + 1);
    let written = format!("write `{key}: {value}`");
    match failure.rule {
        Rule::setting if failure.wants(&[Rule::colon]) => Mistake::new(
            place,
            "a setting is written with `:`",
            "write `:` here",
            written,
        ),
        Rule::statement if failure.at_start() => {
            let begins = value.chars().next().unwrap_or_default();
            if begins.is_ascii_digit() || "([-".contains(begins) {
                let kind = type_of_literal(&value);
                let help = format!("declare it outside: `param {key}: {kind} = {value}`");
                return Mistake::new(place, "a model has no variables", "set here", help);
            }
            Mistake::new(
                place,
                "a label is written with `:`",
                "write `:` here",
                written,
            )
        }
        Rule::statement | Rule::setting if failure.header().contains('(') => Mistake::new(
            place,
            "an argument is named with `:`",
            "write `:` here",
            written,
        ),
        _ => None,
    }
}

/// Returns the name of the type that a literal seems to have.
fn type_of_literal(value: &str) -> &'static str {
    match value {
        "true" | "false" => "bool",
        value if value.parse::<i64>().is_ok() => "int",
        value if value.parse::<f64>().is_ok() => "float",
        value if value.starts_with(|c: char| c.is_ascii_alphabetic()) => "skip",
        _ => "int",
    }
}

fn second_label(failure: &ParseFailure) -> Option<Mistake> {
    if failure.token() != ":" || failure.rule != Rule::statement || !failure.at_start() {
        return None;
    }
    let label = failure.before(failure.position);
    let colon = failure.before(label.start);
    if &failure.text[colon] != ":" {
        return None;
    }
    let help = format!(
        "remove `{}:`, or the label before it",
        &failure.text[label.clone()]
    );
    Mistake::new(
        label,
        "a layer has one label at most",
        "a second label",
        help,
    )
}

fn keyword(failure: &ParseFailure) -> Option<Mistake> {
    let (token, previous) = (failure.token(), failure.before(failure.position));
    let label = &failure.text[previous.clone()];
    let (place, word) = if failure.rule == Rule::statement && token == ":" && is_keyword(label) {
        (previous, label)
    } else if is_keyword(token)
        && failure.wants(&[Rule::ident])
        && !failure.wants(VALUE)
        && failure.on_same_line()
        && !failure.at_start()
    {
        (failure.token_range(), token)
    } else {
        return None;
    };
    Mistake::new(
        place,
        format!("`{word}` is a word of the language, so it cannot be a name"),
        "not a name",
        format!("choose another name, such as `my_{word}`"),
    )
}

fn nested_if(failure: &ParseFailure) -> Option<Mistake> {
    let place = failure.token_range();
    match (failure.token(), failure.previous()) {
        ("if", "else") => Mistake::new(
            place,
            "`else` is followed by braces",
            "this `if` belongs in braces",
            "write `else { if … { … } else { … } }`",
        ),
        ("if", _) if failure.wants(VALUE) && !failure.at_start() => Mistake::new(
            place,
            "an `if` inside an operation or a condition stands in parentheses",
            "this `if`",
            "write `(if … { … } else { … })`",
        ),
        _ => None,
    }
}

/// Recognizes a param or a formal argument without `: TYPE`.
fn no_type(failure: &ParseFailure) -> Option<Mistake> {
    if failure.rule != Rule::item || !failure.wants(&[Rule::colon]) {
        return None;
    }
    let place = failure.before(failure.position);
    let name = &failure.text[place.clone()];
    let what = match failure.header().contains('(') {
        true => "argument",
        false => "param",
    };
    let written = match failure.token() {
        "=" => {
            let value = failure.value(failure.position + 1);
            let value = value.split(" in ").next().unwrap_or_default();
            format!("{name}: {} = {value}", type_of_literal(value))
        }
        kind @ ("int" | "float" | "bool" | "skip") => format!("{name}: {kind}"),
        _ => format!("{name}: int"),
    };
    Mistake::new(
        place,
        format!("{what} `{name}` has no type"),
        "expected `:` and a type after this",
        format!("write `{written}`, or another of the types `int`, `float`, `bool` and `skip`"),
    )
}

fn no_colon(failure: &ParseFailure) -> Option<Mistake> {
    if !failure.wants(&[Rule::colon]) || failure.rule == Rule::item {
        return None;
    }
    let place = failure.before(failure.position);
    let key = &failure.text[place.clone()];
    let value = match failure.on_same_line() {
        true => failure.value(failure.position),
        false => "…".to_string(),
    };
    let value = match (key, value.split_whitespace().next()) {
        ("project", Some(first)) => first,
        _ => &value,
    };
    let message = format!("expected `:` after `{key}`");
    Mistake::new(
        place,
        message,
        "`:` is missing after this",
        format!("write `{key}: {value}`"),
    )
}

fn no_default(failure: &ParseFailure) -> Option<Mistake> {
    if failure.rule != Rule::item || !failure.wants(&[Rule::equals]) {
        return None;
    }
    let header = failure.header();
    let name = header.strip_prefix("param ")?.split(':').next()?.trim();
    let place = failure.before(failure.position);
    let example = match &failure.text[place.clone()] {
        "float" => "0.5",
        "bool" => "true",
        "skip" => "resnet",
        _ => "4",
    };
    Mistake::new(
        place,
        format!("param `{name}` has no default"),
        "expected `=` and a value after this",
        format!("write `{header} = {example}`, with a default of your own"),
    )
}

fn no_else(failure: &ParseFailure) -> Option<Mistake> {
    if !failure.wants(&[Rule::kw_else]) {
        return None;
    }
    Mistake::new(
        failure.before(failure.position),
        "an `if` needs an `else`",
        "expected `else` after this",
        "write `if … { … } else { … }`, as it must have a value in both cases",
    )
}

fn no_range(failure: &ParseFailure) -> Option<Mistake> {
    if failure.rule != Rule::item || !failure.wants(&[Rule::range_op, Rule::range]) {
        return None;
    }
    Mistake::new(
        failure.before(failure.position),
        "a range has two ends with `..=` between them",
        "expected `..=` or `..` after this",
        "write it like `1..=64`; an end without a limit is left out: `1..`",
    )
}

/// Recognizes a `repeat`, `skip` or `as` without the operand that comes after it.
fn no_header(failure: &ParseFailure) -> Option<Mistake> {
    if failure.token() != "{" {
        return None;
    }
    let place = failure.before(failure.position);
    match &failure.text[place.clone()] {
        "repeat" => Mistake::new(
            place,
            "`repeat` needs a count",
            "how often?",
            "write the number of times, such as `repeat 3 { … }`",
        ),
        "skip" => Mistake::new(
            place,
            "`skip` needs a policy",
            "which one?",
            "write `plain`, `resnet`, `highway`, `dirac` or `variable`: `skip resnet { … }`",
        ),
        "as" => Mistake::new(
            place,
            "`as` needs a name for the index",
            "expected a name after this",
            "write `as i`, or leave `as` out",
        ),
        "model" | "block" => Mistake::new(
            place.clone(),
            format!("this `{}` has no name", &failure.text[place.clone()]),
            "expected a name after this",
            format!("write `{} NAME {{ … }}`", &failure.text[place]),
        ),
        _ => None,
    }
}

/// Recognizes a label with nothing after it.
fn no_layer(failure: &ParseFailure) -> Option<Mistake> {
    let colon = failure.before(failure.position);
    if failure.rule != Rule::statement
        || &failure.text[colon.clone()] != ":"
        || failure.before(colon.start).start != failure.start
    {
        return None;
    }
    let label = failure.before(colon.start);
    let name = &failure.text[label.clone()];
    Mistake::new(
        label.start..colon.end,
        format!("the label `{name}` has no layer"),
        "nothing to name",
        format!("write the layer after it, such as `{name}: relu`, or remove it"),
    )
}

fn comma(failure: &ParseFailure) -> Option<Mistake> {
    let place = failure.token_range();
    let token = failure.token();
    if token == "," && (failure.wants(VALUE) || failure.wants(&[Rule::formal, Rule::ident])) {
        let what = "nothing before this";
        return Mistake::new(place, "there is a `,` too many", what, "remove it");
    }
    let value = token.starts_with(|c: char| c.is_alphanumeric() || "([".contains(c));
    if failure.wants(&[Rule::comma]) && value && failure.on_same_line() {
        let message = "expected `,` between two arguments";
        let help = format!("put `,` before `{token}`");
        return Mistake::new(place, message, "the next argument", help);
    }
    None
}

/// Recognizes a body, a branch or a section without its braces.
fn brace(failure: &ParseFailure) -> Option<Mistake> {
    if !failure.wants(&[Rule::open_brace, Rule::body, Rule::branch]) {
        return None;
    }
    let place = match failure.on_same_line() {
        true => failure.token_range(),
        false => failure.before(failure.position),
    };
    if failure.wants(&[Rule::branch])
        || (failure.previous() == "else" && failure.rule != Rule::item)
    {
        return Mistake::new(
            place,
            "the values of an `if` stand in braces",
            "expected `{` here",
            "write `if … { … } else { … }`",
        );
    }
    let header = failure.header();
    let help = format!("write `{header} {{ … }}`");
    if header == "train" && failure.on_same_line() {
        return Mistake::new(place, "`train` has no name", "not needed", help);
    }
    let what = match header.as_str() {
        "train" => "the settings",
        _ => "the layers",
    };
    let label = match failure.on_same_line() {
        true => "expected `{` before this",
        false => "expected `{` after this",
    };
    Mistake::new(place, format!("{what} stand in braces"), label, help)
}

/// Recognizes a line that begins with a misspelt word, or with one of another language.
fn misspelt(failure: &ParseFailure) -> Option<Mistake> {
    let known: &[&str] = match failure.rule {
        Rule::statement => &["repeat", "skip", "concat", "input"],
        Rule::item => &["param", "block", "model", "train"],
        _ => return None,
    };
    if !failure.at_start() {
        return None;
    }
    let line = failure.text[..failure.position]
        .rfind('\n')
        .map_or(0, |i| i + 1);
    let rest = &failure.text[line..];
    let words = &rest[..failure.position - line + failure.token().len()];
    let word = words
        .trim_start()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()?;
    let start = line + words.find(word)?;
    // Words before the place of failure were taken for layers.
    let between = failure
        .text
        .get(start + word.len()..failure.position)
        .unwrap_or_default();
    let short = between.split_whitespace().count() <= 1 && !between.contains([':', '(']);
    if !short || word.is_empty() || known.contains(&word) {
        return None;
    }
    let help = match crate::suggest::suggestion(word, known.iter().copied())? {
        Suggestion::Name(near) => format!("did you mean `{near}`?"),
        Suggestion::Advice(advice) => advice.to_string(),
    };
    let message = format!("`{word}` is not a word of the language");
    Mistake::new(start..start + word.len(), message, "not known", help)
}

/// Recognizes a key without a value.
fn no_value(failure: &ParseFailure) -> Option<Mistake> {
    let colon = match failure.token() {
        // The next key was taken for the value.
        ":" if failure.rule == Rule::setting && failure.at_start() => {
            failure.before(failure.before(failure.position).start)
        }
        "," | ")" | "]" | "}" | "" if failure.wants(VALUE) => failure.before(failure.position),
        _ => return None,
    };
    if &failure.text[colon.clone()] != ":" {
        return None;
    }
    let key = failure.before(colon.start);
    let name = &failure.text[key.clone()];
    let help = format!("write a value after `{name}:`, or remove it");
    Mistake::new(
        key.start..colon.end,
        format!("`{name}` has no value"),
        "nothing follows",
        help,
    )
}

/// Recognizes a statement where it is not allowed.
fn misplaced(failure: &ParseFailure) -> Option<Mistake> {
    if failure.rule != Rule::statement || !failure.at_start() {
        return None;
    }
    let place = failure.token_range();
    match failure.token() {
        word @ ("param" | "block" | "model" | "train") => Mistake::new(
            place,
            format!("`{word}` stands by itself, not inside another section"),
            "not in here",
            "close the braces around it first, or move it out of them",
        ),
        "if" | "else" => Mistake::new(
            place,
            "an `if` chooses between values, not between layers",
            "not a layer",
            "choose a number inside a layer, or how often to `repeat`",
        ),
        "{" => Mistake::new(
            place,
            "there are braces without a word before them",
            "what are they for?",
            "write `repeat n { … }`, `skip POLICY { … }` or `concat { … }`",
        ),
        _ => None,
    }
}
