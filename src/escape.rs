//! Characters that would move the cursor, hide or reorder text, written so that they can be seen.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// Whether a character is a control, invisible, or one that reorders the text around it.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        // Delete and the C1 controls.
        | '\u{7f}'..='\u{9f}'
        // Marks of direction, separators of lines. Joiners are letters' in many scripts.
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}')
}

/// Writes hidden characters as escapes: a line feed as `\n`, an escape as `\u{1b}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, '\0')
}

/// Writes hidden characters as escapes but for line feeds, for text of several lines.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escaped_but(text, '\n')
}

fn escaped_but(text: &str, kept: char) -> Cow<'_, str> {
    let hides = |c: char| is_hidden(c) && (c != kept || c == '\0');
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if !hides(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Names that the system gives as bytes, written for people.
pub trait Shown {
    /// Writes the name with escapes for hidden characters.
    fn shown(&self) -> String;
}

impl Shown for Path {
    fn shown(&self) -> String {
        escaped(&self.to_string_lossy()).into_owned()
    }
}

impl Shown for OsStr {
    fn shown(&self) -> String {
        escaped(&self.to_string_lossy()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_written_out() {
        assert!(matches!(escaped("a b\\ é"), Cow::Borrowed("a b\\ é")));
        assert_eq!(escaped("a\u{1b}[31m\nb\t\r"), "a\\u{1b}[31m\\nb\\t\\r");
        assert_eq!(escaped("\0\u{202e}"), "\\u{0}\\u{202e}");
        assert_eq!(escaped_lines("a\nb\u{9b}"), "a\nb\\u{9b}");
        assert_eq!(Path::new("a\u{7}").shown(), "a\\u{7}");
    }
}
