//! Where a text leaves the grammar, and what stands around that place.

use super::grammar::{Grammar, Rule};
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use std::ops::Range;

/// The farthest place that the grammar got to.
pub(super) struct ParseFailure<'t> {
    /// What was being read.
    pub rule: Rule,
    pub text: &'t str,
    /// Where the rule began.
    pub start: usize,
    /// Where it could not go on.
    pub at: usize,
    /// What would have been right there.
    pub expected: Vec<Rule>,
}

impl<'t> ParseFailure<'t> {
    /// Why `rule` does not match `text` from byte `start`.
    pub fn find(rule: Rule, text: &'t str, start: usize) -> Self {
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
        ParseFailure {
            rule,
            text,
            start,
            at,
            expected,
        }
    }

    pub fn wants(&self, rules: &[Rule]) -> bool {
        rules.iter().any(|rule| self.expected.contains(rule))
    }

    /// Whether the rule did not even begin.
    pub fn at_start(&self) -> bool {
        self.at == self.start
    }

    /// The word, number or sign at the place; empty at the end.
    pub fn token(&self) -> &'t str {
        &self.text[self.token_range()]
    }

    pub fn token_range(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let end = match rest.chars().next() {
            None => 0,
            Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            Some(c) => ["&&", "||", "==", "/*"]
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .map_or(c.len_utf8(), |sign| sign.len()),
        };
        self.at..self.at + end
    }

    /// The word or sign before byte `at`, comments left out; empty at the beginning.
    pub fn before(&self, at: usize) -> Range<usize> {
        let mut end = at;
        loop {
            let start = self.text[..end].rfind('\n').map_or(0, |i| i + 1);
            let line = &self.text[start..end];
            let code = line.split("//").next().unwrap_or_default().trim_end();
            if let Some(last) = code.chars().next_back() {
                let from = match is_word(last) {
                    true => code
                        .rfind(|c| !is_word(c))
                        .map_or(0, |i| i + next_char(code, i)),
                    false => code.len() - last.len_utf8(),
                };
                return start + from..start + code.len();
            }
            if start == 0 {
                return 0..0;
            }
            end = start - 1;
        }
    }

    /// The word or sign before the place.
    pub fn previous(&self) -> &'t str {
        &self.text[self.before(self.at)]
    }

    /// Whether the place is on the line of what comes before it.
    pub fn on_same_line(&self) -> bool {
        let gap = &self.text[self.before(self.at).end..self.at];
        !gap.contains('\n') && self.at < self.text.len()
    }

    /// What was read of the rule, on one line and short.
    pub fn header(&self) -> String {
        let words = self.text[self.start..self.at].split_whitespace();
        let header = words.collect::<Vec<_>>().join(" ");
        match header.chars().nth(40) {
            Some(_) => format!("{}…", header.chars().take(40).collect::<String>()),
            None => header,
        }
    }

    /// The value that begins at byte `from`: the rest of its line, up to a comma, a
    /// bracket that closes or a comment; `…` where there is none, or where it is long.
    pub fn value(&self, from: usize) -> String {
        let line = self.text[from..].lines().next().unwrap_or_default();
        let line = line.split("//").next().unwrap_or_default();
        let mut depth = 0;
        let end = line.find(|c| {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            depth < 0 || (depth == 0 && matches!(c, ',' | ';'))
        });
        match line[..end.unwrap_or(line.len())].trim() {
            value if (1..=40).contains(&value.len()) => value.to_string(),
            _ => "…".to_string(),
        }
    }
}

/// Whether `word` has a meaning of its own in the grammar.
pub(super) fn is_keyword(word: &str) -> bool {
    Grammar::parse(Rule::keyword, word).is_ok_and(|pairs| pairs.as_str() == word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the character of `text` at byte `at`.
fn next_char(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}
