//! Common mistakes in a single sign or number.

use super::mistake::Mistake;
use super::parse_failure::ParseFailure;

/// Pairs of a sign of other languages and its spelling in this one.
const SIGNS: &[(&str, &str)] = &[
    ("&&", "and"),
    ("||", "or"),
    ("&", "and"),
    ("|", "or"),
    ("!", "not"),
];

pub(super) fn sign(failure: &ParseFailure) -> Option<Mistake> {
    let (token, place) = (failure.token(), failure.token_range());
    if let Some((_, written)) = SIGNS.iter().find(|(sign, _)| *sign == token) {
        let message = format!("`{token}` is not a sign of the language");
        return Mistake::new(place, message, "not known", format!("write `{written}`"));
    }
    if token == "*" && failure.previous() == "*" {
        let place = place.start - 1..place.end;
        return Mistake::new(
            place,
            "`**` is not a sign of the language",
            "not known",
            "write `^`",
        );
    }
    match token.chars().next()? {
        c if c.is_control() => Mistake::new(
            place,
            format!(
                "there is a control character, U+{:04X}, in the text",
                u32::from(c)
            ),
            "not text",
            "remove it, and check that this is a `.van` file",
        ),
        _ => None,
    }
}

pub(super) fn point(failure: &ParseFailure) -> Option<Mistake> {
    if failure.token() != "." {
        return None;
    }
    let rest = &failure.text[failure.position + 1..];
    let after = &rest[..rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len())];
    let previous = failure.before(failure.position);
    let adjacent = previous.end == failure.position;
    let before = &failure.text[previous.clone()];
    let end = failure.position + 1 + after.len();
    let number = !before.is_empty() && before.bytes().all(|b| b.is_ascii_digit());
    match (adjacent && number, after) {
        (true, _) => Mistake::new(
            previous.start..end,
            "a float needs a digit on both sides of its point",
            "no digit after the point",
            format!("write `{before}.0`"),
        ),
        (false, "") => Mistake::new(
            failure.position..end,
            "a `.` has no meaning here",
            "not known",
            "names are made of letters, digits and `_`",
        ),
        (false, digits) => Mistake::new(
            failure.position..end,
            "a float needs a digit on both sides of its point",
            "no digit before the point",
            format!("write `0.{digits}`"),
        ),
    }
}

pub(super) fn number(failure: &ParseFailure) -> Option<Mistake> {
    let token = failure.token();
    if !token.starts_with(|c: char| c.is_ascii_digit()) || token.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let help = match failure.header().contains("project") {
        true => "write `project: conv1x1`",
        false => "begin a name with a letter; put a sign between a number and what follows",
    };
    let message = format!("`{token}` is neither a number nor a name");
    Mistake::new(failure.token_range(), message, "begins like a number", help)
}
