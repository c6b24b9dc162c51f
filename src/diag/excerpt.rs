//! Excerpts of source text, fit for a terminal: long lines are cut around what is underlined,
//! and characters that would move the cursor are replaced.

use crate::escape::is_hidden;
use std::ops::Range;

/// Lines of a text to show in a report, with one line of context around each label.
#[derive(Debug)]
pub(super) struct Excerpt {
    /// Lines from the first shown to the last; lines near no label are empty.
    pub text: String,
    /// Number of source lines before the excerpt.
    pub first_line: usize,
    /// Byte range of each label in `text`. A label of several lines covers its first line
    /// only.
    pub labels: Vec<Range<usize>>,
    /// Start of each line in `text` (in bytes), and the number of characters cut off before
    /// it.
    lines: Vec<(usize, usize)>,
}

impl Excerpt {
    /// Cuts the lines around the byte ranges `labels` out of `source`, each to at most
    /// `widest` characters.
    pub fn new(source: &str, labels: &[Range<usize>], widest: usize) -> Self {
        let places: Vec<LabelSpan> = labels
            .iter()
            .map(|label| LabelSpan::new(source, label))
            .collect();
        let near = |line: usize| places.iter().any(|p| p.line.abs_diff(line) <= 1);
        let first = places
            .iter()
            .map(|p| p.line)
            .min()
            .unwrap_or(0)
            .saturating_sub(1);
        let last = places.iter().map(|p| p.line).max().unwrap_or(0) + 1;
        let mut excerpt = Excerpt {
            text: String::new(),
            first_line: first,
            labels: vec![0..0; labels.len()],
            lines: Vec::new(),
        };
        let lines = source.split('\n').enumerate();
        for (number, line) in lines.take(last + 1).skip(first) {
            let line = if near(number) { line } else { "" };
            excerpt.line(line, number, &places, widest);
        }
        excerpt
    }

    /// Adds a line, cut around the labels on it.
    fn line(&mut self, line: &str, number: usize, places: &[LabelSpan], widest: usize) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let on_line = || places.iter().enumerate().filter(|(_, p)| p.line == number);
        let long = line.chars().nth(widest).is_some();
        let first = on_line().map(|(_, p)| p.columns.start).min().unwrap_or(0);
        let cut = match long {
            true => line[..first].chars().count().saturating_sub(widest / 3),
            false => 0,
        };
        let start = self.text.len();
        self.lines.push((start, cut));
        if cut > 0 {
            self.text.push('…');
        }
        let shown = self.text.len();
        let mut ends = on_line().map(|(i, p)| (i, &p.columns)).collect::<Vec<_>>();
        for &(label, _) in &ends {
            self.labels[label] = shown..shown;
        }
        let mut rest = line.char_indices().skip(cut);
        for (index, c) in rest.by_ref().take(widest) {
            let from = self.text.len();
            self.text.push(visible(c));
            for (label, columns) in &mut ends {
                if index < columns.start {
                    self.labels[*label].start = self.text.len();
                }
                if index < columns.end {
                    self.labels[*label].end = from + visible(c).len_utf8();
                }
            }
        }
        for (label, _) in &ends {
            let label = &mut self.labels[*label];
            label.end = label.end.max(label.start);
        }
        if rest.next().is_some() {
            self.text.push('…');
        }
        self.text.push('\n');
    }

    /// Index of the line that byte `byte` of the excerpt is on.
    pub fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|&(start, _)| start <= byte) - 1
    }

    /// Byte range of the lines `from..=to`, without the last line's end.
    pub fn bytes(&self, from: usize, to: usize) -> Range<usize> {
        let end = self
            .lines
            .get(to + 1)
            .map_or(self.text.len(), |&(start, _)| start);
        self.lines[from].0..end
    }

    /// Index of the last line.
    pub fn last_line(&self) -> usize {
        self.lines.len() - 1
    }

    /// Column in the source, in characters, of byte `byte` of the excerpt.
    pub fn column(&self, byte: usize) -> usize {
        let (start, cut) = self.lines[self.line_of(byte)];
        let marked = usize::from(cut > 0);
        self.text[start..byte].chars().count() + cut - marked.min(cut)
    }
}

/// Position of a label in the source.
struct LabelSpan {
    /// Index of the label's line.
    line: usize,
    /// Bytes of the label within that line.
    columns: Range<usize>,
}

impl LabelSpan {
    fn new(source: &str, label: &Range<usize>) -> Self {
        let start = source[..label.start].rfind('\n').map_or(0, |i| i + 1);
        let length = source[start..].find('\n').unwrap_or(source.len() - start);
        LabelSpan {
            line: source[..label.start].matches('\n').count(),
            columns: label.start - start..(label.end - start).min(length),
        }
    }
}

/// `c` itself, or a replacement if it is invisible or would move the cursor.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if is_hidden(c) || matches!(c, '\u{200c}' | '\u{200d}') => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, label: Range<usize>) -> (String, String, usize) {
        let excerpt = Excerpt::new(source, std::slice::from_ref(&label), 90);
        let range = excerpt.labels[0].clone();
        let under = excerpt.text[range.clone()].to_string();
        (excerpt.text.clone(), under, excerpt.column(range.start))
    }

    #[test]
    fn shows_a_line_of_context() {
        let (text, under, column) = shown("a\nb\ncde\nf\ng", 5..6);
        assert_eq!(
            (text.as_str(), under.as_str(), column),
            ("b\ncde\nf\n", "d", 1)
        );
    }

    #[test]
    fn cuts_long_lines_around_the_label() {
        let line = format!("{}x{}", "-".repeat(5000), "+".repeat(5000));
        let (text, under, column) = shown(&line, 5000..5001);
        assert_eq!((under.as_str(), column), ("x", 5000));
        assert!(text.chars().count() <= 93, "{text}");
        let (text, under, _) = shown(&line, 5000..10001);
        assert!(under.starts_with("x+") && text.ends_with("+…\n"));
    }

    #[test]
    fn keeps_to_the_first_line_and_to_characters() {
        assert_eq!(shown("é漢(\nb)", 2..8).1, "漢(");
        assert_eq!(shown("a\u{1b}[1m\r\n", 1..2).1, "␛");
        assert_eq!(shown("ab\n", 3..3), ("ab\n\n".into(), "".into(), 0));
        assert_eq!(shown("", 0..0), ("\n".into(), "".into(), 0));
        assert_eq!(shown("ab\r\n", 1..3), ("ab\n\n".into(), "b".into(), 1));
    }

    #[test]
    fn leaves_lines_between_distant_labels_empty() {
        let source = "a\nb\nc\nd\ne\nf\ng\nh";
        let excerpt = Excerpt::new(source, &[0..1, 14..15], 90);
        assert_eq!(excerpt.text, "a\nb\n\n\n\n\ng\nh\n");
    }
}
