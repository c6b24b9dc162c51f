//! A pass over the characters before the grammar runs: size, comments, brackets.
//!
//! With brackets known to match and their nesting bounded, the grammar's recursion is
//! bounded too, and its error rules can take whole brackets.

use super::ast::Comment;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;

/// Bytes of source at most.
pub const MAX_SOURCE: usize = 1 << 20;
/// Brackets inside one another at most.
pub const MAX_NESTING: usize = 128;

/// The comments of `text`, or why it cannot be a `.van` file at all.
pub fn scan(text: &str, source: u16) -> Result<Vec<Comment>, Diagnostic> {
    if text.len() > MAX_SOURCE {
        return Err(Diagnostic::new(
            Code::Limit,
            format!("the file has {} bytes; the limit is 1 MiB", text.len()),
            Span::new(source, 0, 0),
            "",
        )
        .help("use `repeat` and `block` to say the same in less"));
    }
    let mut comments = Vec::new();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
                comments.push(comment(text, source, at, end));
                at = end;
                continue;
            }
            bracket @ (b'(' | b'[' | b'{') => {
                if open.len() == MAX_NESTING {
                    return Err(Diagnostic::new(
                        Code::Limit,
                        format!("brackets are nested deeper than {MAX_NESTING}"),
                        Span::new(source, at, at + 1),
                        "one too deep",
                    )
                    .help("move the inner part into a `block`"));
                }
                open.push((bracket, at));
            }
            bracket @ (b')' | b']' | b'}') => close(&mut open, bracket, at, source)?,
            _ => {}
        }
        at += 1;
    }
    match open.last() {
        None => Ok(comments),
        Some(&(bracket, start)) => Err(Diagnostic::new(
            Code::Syntax,
            format!("`{}` is never closed", bracket as char),
            Span::new(source, start, start + 1),
            "opened here",
        )
        .help(format!("add `{}` where it ends", partner(bracket)))),
    }
}

fn close(
    open: &mut Vec<(u8, usize)>,
    bracket: u8,
    at: usize,
    source: u16,
) -> Result<(), Diagnostic> {
    let found = bracket as char;
    let here = Span::new(source, at, at + 1);
    match open.pop() {
        Some((opener, _)) if partner(opener) == found => Ok(()),
        Some((opener, start)) => Err(Diagnostic::new(
            Code::Syntax,
            format!("`{}` is closed by `{found}`", opener as char),
            here,
            format!("expected `{}`", partner(opener)),
        )
        .also(Span::new(source, start, start + 1), "opened here")
        .help(format!(
            "write `{}`, or close the `{}` first",
            partner(opener),
            opener as char
        ))),
        None => Err(Diagnostic::new(
            Code::Syntax,
            format!("`{found}` closes nothing"),
            here,
            "no bracket is open here",
        )
        .help(format!("remove the `{found}`, or open it earlier"))),
    }
}

fn partner(bracket: u8) -> char {
    match bracket {
        b'(' => ')',
        b'[' => ']',
        _ => '}',
    }
}

fn comment(text: &str, source: u16, start: usize, end: usize) -> Comment {
    let line = text[..start].rfind('\n').map_or(0, |n| n + 1);
    let written = text[start..end].trim_end();
    Comment {
        span: Span::new(source, start, start + written.len()),
        text: written.to_string(),
        own_line: text[line..start].trim().is_empty(),
    }
}
