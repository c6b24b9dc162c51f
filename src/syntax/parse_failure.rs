//! Parse failures: the place where a text leaves the grammar, and the text around it.

use super::grammar::{Grammar, Rule};
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use std::ops::Range;

/// The farthest place that the grammar got to.
pub(super) struct ParseFailure<'t> {
    /// Rule that was being read.
    pub rule: Rule,
    pub text: &'t str,
    /// Byte that the rule began at.
    pub start: usize,
    /// Byte that the rule could not go on from.
    pub position: usize,
    /// Rules that would have matched there.
    pub expected: Vec<Rule>,
}

impl<'t> ParseFailure<'t> {
    /// Finds the farthest place that `rule` gets to in `text` from byte `start`.
    pub fn find(rule: Rule, text: &'t str, start: usize) -> Self {
        let (position, expected) = match Grammar::parse(rule, &text[start..]) {
            Err(error) => {
                let position = match error.location {
                    InputLocation::Pos(position) | InputLocation::Span((position, _)) => position,
                };
                let expected = match error.variant {
                    ErrorVariant::ParsingError { positives, .. } => positives,
                    ErrorVariant::CustomError { .. } => Vec::new(),
                };
                (start + position, expected)
            }
            // The rule matches, but what follows it cannot.
            Ok(_) => (start, Vec::new()),
        };
        ParseFailure {
            rule,
            text,
            start,
            position,
            expected,
        }
    }

    pub fn wants(&self, rules: &[Rule]) -> bool {
        rules.iter().any(|rule| self.expected.contains(rule))
    }

    /// Whether the rule failed at its first byte.
    pub fn at_start(&self) -> bool {
        self.position == self.start
    }

    /// Returns the word, number or sign at the place of failure; empty at the end of the text.
    pub fn token(&self) -> &'t str {
        &self.text[self.token_range()]
    }

    pub fn token_range(&self) -> Range<usize> {
        let rest = &self.text[self.position..];
        let end = match rest.chars().next() {
            None => 0,
            Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            Some(c) => ["&&", "||", "=="]
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .map_or(c.len_utf8(), |sign| sign.len()),
        };
        self.position..self.position + end
    }

    /// Finds the byte range of the word or sign before byte `at`, comments skipped; empty at the
    /// beginning.
    pub fn before(&self, position: usize) -> Range<usize> {
        let mut end = position;
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

    /// Returns the word or sign before the place of failure.
    pub fn previous(&self) -> &'t str {
        &self.text[self.before(self.position)]
    }

    /// Whether the place of failure is on the line of the word or sign before it.
    pub fn on_same_line(&self) -> bool {
        let gap = &self.text[self.before(self.position).end..self.position];
        !gap.contains('\n') && self.position < self.text.len()
    }

    /// Writes the text of the rule so far, shortened to one line.
    pub fn header(&self) -> String {
        let words = self.text[self.start..self.position].split_whitespace();
        let header = words.collect::<Vec<_>>().join(" ");
        match header.chars().nth(40) {
            Some(_) => format!("{}…", header.chars().take(40).collect::<String>()),
            None => header,
        }
    }

    /// Writes the text of the value that begins at byte `from`: up to a comma, a closing bracket,
    /// a comment or the end of the line; `…` where there is none, or where it is long.
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

/// Returns the length in bytes of the character of `text` at byte `at`.
fn next_char(text: &str, position: usize) -> usize {
    text[position..].chars().next().map_or(0, char::len_utf8)
}
