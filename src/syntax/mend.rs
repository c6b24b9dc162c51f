//! Characters that are not of the language, strings, and separators that it does not have.
//!
//! Each is reported, and what is clearly meant is written in its place, byte for byte as long:
//! so the grammar reads the rest of the file, and every place in it stays where it was.

use super::characters::{Foreign, alphabet, foreign, greek};
use crate::diag::{Code, Diagnostic, MAX_REPORTS};
use crate::span::Span;
use crate::text::with_line_feeds;
use std::collections::HashMap;
use std::ops::Range;

/// A text without what is not of the language, as long as it was.
pub(super) struct Mended {
    pub text: String,
    /// Reports of what was mended.
    pub reports: Vec<Diagnostic>,
    /// Whether the text means what was meant; otherwise parts of it are place-holders.
    pub is_sound: bool,
}

/// Mends `text`. A byte order mark at its start is skipped, and a lone CR ends a line.
pub(super) fn mend(text: &str, source: u16) -> Mended {
    let text = with_line_feeds(text);
    let mut mender = Mender {
        text: &text,
        source,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
        reports: Vec::new(),
        seen: HashMap::new(),
        is_sound: true,
        is_unclosed: false,
    };
    if text.starts_with('\u{feff}') {
        mender.put(0..3, "");
    }
    while let Some(step) = mender.rest().find(is_of_note) {
        let position = mender.out.len() + step;
        mender.copy_to(position);
        mender.note(position);
    }
    mender.copy_to(text.len());
    mender.finish()
}

/// Whether a character may need mending, or begins what may.
fn is_of_note(c: char) -> bool {
    !c.is_ascii()
        || matches!(
            c,
            '/' | '#' | ';' | ',' | '"' | '\'' | '`' | '{' | '}' | '(' | '['
        )
        || matches!(c, ')' | ']')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Mistake of a kind that is reported once: its report, and how often it was made.
struct Seen {
    report: usize,
    count: usize,
}

struct Mender<'t> {
    text: &'t str,
    source: u16,
    /// The mended text so far, as long as what is read of `text`.
    out: String,
    /// Brackets that are open: the sign, and whether the word `train` is before it.
    open: Vec<(char, bool)>,
    reports: Vec<Diagnostic>,
    /// Mistakes so far, by what was written.
    seen: HashMap<&'t str, Seen>,
    is_sound: bool,
    /// Whether some `/*` has no `*/` after it.
    is_unclosed: bool,
}

impl<'t> Mender<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.out.len()..]
    }

    fn copy_to(&mut self, position: usize) {
        self.out.push_str(&self.text[self.out.len()..position]);
    }

    /// Writes `meant`, filled up with blanks, in the place of `place`, which is next or has begun
    /// in the word written last. Lines stay.
    fn put(&mut self, place: Range<usize>, meant: &str) {
        self.out.truncate(place.start);
        self.out.push_str(meant);
        for byte in self.text.as_bytes()[place].iter().skip(meant.len()) {
            self.out.push(if *byte == b'\n' { '\n' } else { ' ' });
        }
    }

    /// Reads what begins at byte `position`, which was copied up to.
    fn note(&mut self, position: usize) {
        let rest = &self.text[position..];
        let Some(c) = rest.chars().next() else { return };
        let line_end = || position + rest.find('\n').unwrap_or(rest.len());
        match c {
            '/' if rest.starts_with("//") => self.comment(position, line_end()),
            '/' if rest.starts_with("/*") => {
                let end = match self.is_unclosed {
                    true => None,
                    false => rest.find("*/").map(|end| position + end + 2),
                };
                self.is_unclosed |= end.is_none();
                let report = ["`/*` does not start a comment", "not a comment"];
                let help = "start each of its lines with `//`";
                self.mistake(position..position + 2, report, help);
                self.put(position..end.unwrap_or_else(line_end), "");
            }
            '#' => {
                let report = ["`#` does not start a comment", "not a comment"];
                self.mistake(
                    position..position + 1,
                    report,
                    "start the comment with `//`",
                );
                self.put(position..line_end(), "");
            }
            ';' => {
                let report = ["statements are not separated by `;`", "not needed"];
                let help = "remove it: a statement ends where the next one begins";
                self.mistake(position..position + 1, report, help);
                self.put(position..position + 1, "");
            }
            '"' | '\'' | '`' => self.string(position, c),
            ',' => self.comma(position),
            '{' | '(' | '[' => {
                self.open(c);
                self.copy_to(position + 1);
            }
            '}' | ')' | ']' => {
                self.open.pop();
                self.copy_to(position + 1);
            }
            c => self.character(position, c),
        }
    }

    fn character(&mut self, position: usize, c: char) {
        let place = position..position + c.len_utf8();
        let code = u32::from(c);
        match foreign(c) {
            None => self.copy_to(place.end),
            Some(Foreign::Break(_)) => self.hidden(place, c),
            Some(Foreign::Blank(name)) => {
                let message = format!("there is a {name}, U+{code:04X}, in the text");
                let report = [message.as_str(), "looks like a space"];
                self.mistake(place.clone(), report, "write an ordinary space");
                self.put(place, "");
            }
            Some(Foreign::Sign(meant)) => {
                let message = format!("`{c}` (U+{code:04X}) is not a sign of the language");
                let help = format!("write `{meant}`");
                self.mistake(place.clone(), [&message, "not known"], &help);
                self.sign(place, meant);
            }
            Some(Foreign::Quote) => self.string(position, c),
            Some(Foreign::Direction | Foreign::Invisible(_) | Foreign::Letter(_)) => {
                self.word(position, c);
            }
        }
    }

    /// Writes a sign in the place of one that stood for it.
    fn sign(&mut self, place: Range<usize>, meant: &str) {
        match meant.as_bytes() {
            [bracket @ (b'{' | b'(' | b'[')] => self.open(char::from(*bracket)),
            b"}" | b")" | b"]" => drop(self.open.pop()),
            _ => {}
        }
        self.put(place, meant);
    }

    fn open(&mut self, bracket: char) {
        let is_train = bracket == '{' && self.out.trim_end().ends_with("train");
        self.open.push((bracket, is_train));
    }

    fn comment(&mut self, position: usize, end: usize) {
        let hidden = |c| matches!(foreign(c), Some(Foreign::Direction | Foreign::Break(_)));
        let text = self.text;
        let found = text[position..end]
            .char_indices()
            .filter(|&(_, c)| hidden(c));
        for (at, c) in found {
            self.copy_to(position + at);
            self.hidden(position + at..position + at + c.len_utf8(), c);
        }
        self.copy_to(end);
    }

    /// Reports and removes a character that cannot be seen.
    fn hidden(&mut self, place: Range<usize>, c: char) {
        self.report_hidden(place.clone(), c);
        self.put(place, "");
    }

    fn report_hidden(&mut self, place: Range<usize>, c: char) {
        let misleading = "remove it: with it a reader does not see what the compiler reads";
        let (name, help) = match foreign(c) {
            Some(Foreign::Direction) => ("control of the direction of text", misleading),
            Some(Foreign::Break(name)) => (name, misleading),
            Some(Foreign::Invisible(name)) => (name, "remove it"),
            Some(Foreign::Blank(_) | Foreign::Sign(_) | Foreign::Quote | Foreign::Letter(_))
            | None => return,
        };
        let message = format!("there is a {name}, U+{:04X}, in the text", u32::from(c));
        self.mistake(place, [&message, "not visible, but there"], help);
    }

    /// Reads a word with a letter that no name has, or a character that cannot be seen.
    fn word(&mut self, position: usize, first: char) {
        let before = self.out.trim_end_matches(is_word).len();
        let part = |c: char| {
            let of_word = |f| {
                matches!(
                    f,
                    Foreign::Direction | Foreign::Invisible(_) | Foreign::Letter(_)
                )
            };
            is_word(c) || foreign(c).is_some_and(of_word)
        };
        let rest = &self.text[position..];
        let end = position + rest.find(|c: char| !part(c)).unwrap_or(rest.len());
        let word = &self.text[before..end];
        let place = position..position + first.len_utf8();
        let code = u32::from(first);
        let (mut meant, mut is_known) = (String::new(), true);
        for c in word.chars() {
            match foreign(c) {
                Some(Foreign::Direction | Foreign::Invisible(_)) => {}
                Some(Foreign::Letter(Some(letter))) => meant.push_str(letter),
                Some(Foreign::Letter(None)) => {
                    meant.push('_');
                    is_known = false;
                }
                Some(Foreign::Break(_) | Foreign::Blank(_) | Foreign::Sign(_) | Foreign::Quote)
                | None => meant.push(c),
            }
        }
        if let Some(Foreign::Letter(_)) = foreign(first) {
            let kind = alphabet(first);
            let noun = if first.is_alphabetic() {
                "letter"
            } else {
                "character"
            };
            let message = format!("`{word}` has the {kind}{noun} `{first}`, U+{code:04X}");
            let help = match (is_known, greek(first)) {
                (true, _) => format!("write `{meant}`, all in ASCII"),
                (false, Some(name)) => format!("write its name, `{name}`"),
                (false, None) => "names are made of the letters a to z, digits and `_`".into(),
            };
            self.mistake_as(word, place, [&message, "not in a name"], &help);
        } else {
            self.report_hidden(place, first);
        }
        self.is_sound &= is_known;
        self.put(before..end, &meant);
    }

    /// Reads a string that begins with `quote` to its end, at most that of the line.
    fn string(&mut self, position: usize, quote: char) {
        let is_quote =
            |c: char| matches!(c, '"' | '\'' | '`') || foreign(c) == Some(Foreign::Quote);
        let start = position + quote.len_utf8();
        let rest = &self.text[start..];
        let end = rest
            .find(|c| c == '\n' || is_quote(c))
            .unwrap_or(rest.len());
        let (inner, close) = match rest[end..].chars().next().filter(|&c| is_quote(c)) {
            Some(close) => (&rest[..end], close.len_utf8()),
            None => (rest[..end].split([',', ')']).next().unwrap_or_default(), 0),
        };
        let place = position..start + inner.len() + close;
        let plain = |c: char| is_word(c) || ".-".contains(c);
        let is_plain = !inner.is_empty() && inner.chars().all(plain);
        let help = match is_plain {
            true => format!("write `{inner}` without quotes"),
            false => "write names and numbers as they are, without quotes".to_string(),
        };
        let message = "there are no strings in the language";
        let label = match quote.is_ascii() {
            true => "in quotes".to_string(),
            false => format!("in quotes, with U+{:04X}", u32::from(quote)),
        };
        self.mistake(place.clone(), [message, &label], &help);
        self.is_sound &= is_plain;
        // A place-holder keeps what is around it in the grammar.
        match is_plain {
            true => {
                self.put(position..start, "");
                self.put(start..place.end, inner);
            }
            false => self.put(place, "_"),
        }
    }

    /// Reads a comma; in braces and outside brackets it separates nothing.
    fn comma(&mut self, position: usize) {
        let is_train = match self.open.last() {
            None => false,
            Some(&('{', is_train)) => is_train,
            Some(_) => return self.copy_to(position + 1),
        };
        let after = self.text[position + 1..].trim_start_matches([' ', '\t', '\r']);
        let key = after.trim_start_matches(is_word);
        let next_setting = is_train && key.len() < after.len() && key.starts_with(':');
        let ends_line = ["\n", "}", "//"].iter().any(|end| after.starts_with(end));
        if !(next_setting || ends_line || after.is_empty()) {
            return self.copy_to(position + 1);
        }
        let (what, one) = match is_train {
            true => ("settings", "setting"),
            false => ("statements", "statement"),
        };
        let message = format!("{what} are not separated by `,`");
        let help = format!("remove it: a {one} ends where the next one begins");
        let place = position..position + 1;
        self.mistake_as(what, place.clone(), [&message, "not needed"], &help);
        self.put(place, "");
    }

    /// Reports a message and a label for `place`, once for all places with the same text.
    fn mistake(&mut self, place: Range<usize>, report: [&str; 2], help: &str) {
        self.mistake_as(&self.text[place.clone()], place, report, help);
    }

    /// Reports a message and a label for `place`, once for all places with the same `key`.
    fn mistake_as(&mut self, key: &'t str, place: Range<usize>, report: [&str; 2], help: &str) {
        if let Some(seen) = self.seen.get_mut(key) {
            seen.count += 1;
            return;
        }
        if self.reports.len() == MAX_REPORTS {
            return;
        }
        let [message, label] = report;
        let span = Span::new(self.source, place.start, place.end);
        let report = self.reports.len();
        self.seen.insert(key, Seen { report, count: 1 });
        self.reports
            .push(Diagnostic::new(Code::Syntax, message, span, label).help(help));
    }

    fn finish(mut self) -> Mended {
        for Seen { report, count } in self.seen.into_values() {
            let report = &mut self.reports[report];
            let more = match count {
                1 => continue,
                2 => "there is another below".to_string(),
                n => format!("there are {} more below", n - 1),
            };
            let help = report.help.take().unwrap_or_default();
            report.help = Some(format!("{help}; {more}"));
        }
        Mended {
            text: self.out,
            reports: self.reports,
            is_sound: self.is_sound,
        }
    }
}
