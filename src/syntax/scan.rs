//! The pass over a mended text before the grammar runs: comments and brackets.
//!
//! With brackets known to match and their nesting bounded, the grammar's recursion is
//! bounded too, and its error rules can take whole brackets.

use super::ast::Comment;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;

/// Largest source text in bytes.
pub const MAX_SOURCE: usize = 1 << 20;
/// Deepest nesting of brackets.
pub const MAX_NESTING: usize = 128;
/// Largest number of operators and operands in one expression, layer or list of arguments, so
/// that every tree is shallow and cheap to evaluate.
pub const MAX_PARTS: usize = 256;

/// Reports a text that is too large to be read.
pub fn check_size(text: &str, source: u16) -> Result<(), Diagnostic> {
    if text.len() <= MAX_SOURCE {
        return Ok(());
    }
    let message = format!("the file has {} bytes; the limit is 1 MiB", text.len());
    let report = Diagnostic::new(Code::Limit, message, Span::new(source, 0, 0), "");
    Err(report.help("use `repeat` and `block` to say the same in less"))
}

/// Collects the comments of `text`, or reports brackets that do not match.
pub fn scan(text: &str, source: u16) -> Result<Vec<Comment>, Diagnostic> {
    let mut scan = Scan {
        source,
        open: Vec::new(),
        line: Line::default(),
        askew: None,
    };
    let mut comments = Vec::new();
    let bytes = text.as_bytes();
    let mut position = 0;
    while position < bytes.len() {
        match bytes[position] {
            b'/' if bytes.get(position + 1) == Some(&b'/') => {
                let end = text[position..]
                    .find('\n')
                    .map_or(text.len(), |n| position + n);
                let written = text[position..end].trim_end();
                comments.push(Comment {
                    span: Span::new(source, position, position + written.len()),
                    text: written.to_string(),
                    own_line: scan.line.blank,
                });
                scan.line.blank = false;
                position = end;
                continue;
            }
            bracket @ (b'(' | b'[' | b'{') => scan.open(bracket, position)?,
            bracket @ (b')' | b']' | b'}') => scan.close(bracket, position)?,
            b',' => scan.comma(position)?,
            _ => {}
        }
        scan.line.step(bytes[position]);
        position += 1;
    }
    scan.end()?;
    Ok(comments)
}

/// State of the current line so far.
#[derive(Clone, Copy)]
struct Line {
    /// Number of blanks before its first character.
    indent: usize,
    /// Whether only blanks have come so far.
    blank: bool,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            indent: 0,
            blank: true,
        }
    }
}

impl Line {
    fn step(&mut self, byte: u8) {
        match byte {
            b'\n' => *self = Line::default(),
            b' ' | b'\t' | b'\r' if self.blank => self.indent += 1,
            b' ' | b'\t' | b'\r' => {}
            _ => self.blank = false,
        }
    }
}

/// An open bracket.
#[derive(Clone, Copy)]
struct Open {
    bracket: u8,
    position: usize,
    /// Indentation of the line that the bracket is on.
    indent: usize,
    /// Number of commas directly inside the bracket so far.
    commas: usize,
}

struct Scan {
    source: u16,
    open: Vec<Open>,
    line: Line,
    /// First `{` whose `}` is on a line with another indentation, and the byte of that `}`.
    /// If a `}` is missing somewhere, it is likely there.
    askew: Option<(Open, usize)>,
}

impl Scan {
    fn span(&self, position: usize) -> Span {
        Span::new(self.source, position, position + 1)
    }

    fn open(&mut self, bracket: u8, position: usize) -> Result<(), Diagnostic> {
        if self.open.len() == MAX_NESTING {
            let message = format!("brackets are nested deeper than {MAX_NESTING}");
            let report = Diagnostic::new(Code::Limit, message, self.span(position), "one too deep");
            return Err(report.help(match bracket {
                b'{' => "move the inner layers into a `block`",
                _ => "name the inner part with a `param`",
            }));
        }
        let indent = self.line.indent;
        self.open.push(Open {
            bracket,
            position,
            indent,
            commas: 0,
        });
        Ok(())
    }

    fn comma(&mut self, position: usize) -> Result<(), Diagnostic> {
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        open.commas += 1;
        if open.commas < MAX_PARTS {
            return Ok(());
        }
        let message = format!("more than {MAX_PARTS} arguments or elements in one bracket");
        let opened = open.position;
        let report = Diagnostic::new(Code::Limit, message, self.span(position), "one too many");
        Err(report
            .also(self.span(opened), "opened here")
            .help(format!("give at most {MAX_PARTS}")))
    }

    fn close(&mut self, bracket: u8, position: usize) -> Result<(), Diagnostic> {
        let found = bracket as char;
        let Some(open) = self.open.pop() else {
            let message = format!("`{found}` closes nothing");
            let label = "no bracket is open here";
            let report = Diagnostic::new(Code::Syntax, message, self.span(position), label);
            return Err(report.help(format!("remove the `{found}`, or open it earlier")));
        };
        let (opener, wanted) = (open.bracket as char, partner(open.bracket));
        if wanted != found {
            let message = format!("`{opener}` is closed by `{found}`");
            let label = format!("expected `{wanted}`");
            let report = Diagnostic::new(Code::Syntax, message, self.span(position), label)
                .also(self.span(open.position), "opened here");
            return Err(report.help(format!("write `{wanted}`, or close the `{opener}` first")));
        }
        if self.line.blank && self.line.indent != open.indent && self.askew.is_none() {
            self.askew = Some((open, position));
        }
        Ok(())
    }

    /// Checks that no bracket is open at the end.
    fn end(&self) -> Result<(), Diagnostic> {
        let Some(last) = self.open.last() else {
            return Ok(());
        };
        let opener = last.bracket as char;
        let message = format!("`{opener}` is never closed");
        let likely = self.askew.filter(|_| last.bracket == b'{');
        let Some((open, close)) = likely else {
            let report = Diagnostic::new(
                Code::Syntax,
                message,
                self.span(last.position),
                "opened here",
            );
            return Err(report.help(format!("add `{}` where it ends", partner(last.bracket))));
        };
        let label = "opened here, and perhaps meant to be closed";
        let report = Diagnostic::new(Code::Syntax, message, self.span(open.position), label);
        let report = report.also(self.span(close), "the next `}` is indented otherwise");
        Err(report.help("add `}` where the inner part ends"))
    }
}

fn partner(bracket: u8) -> char {
    match bracket {
        b'(' => ')',
        b'[' => ']',
        _ => '}',
    }
}
