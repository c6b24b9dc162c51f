//! The report of a mistake: one type for every report, and the only file that knows miette.

mod excerpt;

use crate::escape::escaped_lines;
use crate::span::Span;
use crate::text::with_line_feeds;
use excerpt::Excerpt;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError,
    MietteSpanContents, Report, SourceCode, SourceSpan, SpanContents,
};
use serde_json::{Value, json};
use std::fmt;
use std::ops::Range;

/// Stable code of a report: the kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// Text that is not in the grammar.
    Syntax,
    /// Name that is unknown, declared twice, or defined by itself.
    Name,
    /// Value of the wrong type, or call with the wrong arguments.
    Type,
    /// Value out of its range.
    Value,
    /// Layer whose input has a shape that it cannot take.
    Shape,
    /// Limit of the language that is passed.
    Limit,
    /// Training settings that do not fit together or do not fit the network.
    Train,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::Syntax => "van::syntax",
            Code::Name => "van::name",
            Code::Type => "van::type",
            Code::Value => "van::value",
            Code::Shape => "van::shape",
            Code::Limit => "van::limit",
            Code::Train => "van::train",
        })
    }
}

/// An underlined range of source text, with a remark below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The range that is underlined.
    pub span: Span,
    /// The remark below it; may be empty.
    pub text: String,
}

/// A mistake: its message, its places, and advice on mending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code of the kind of mistake.
    pub code: Code,
    /// The mistake in one line.
    pub message: String,
    /// Labels of the mistake itself (first), then of the other ranges it has to do with.
    pub labels: Vec<Label>,
    /// Advice on mending the mistake.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Reports a mistake at `span`, with `label` below it.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        let text = clipped(label.into());
        Diagnostic {
            code,
            message: clipped(message.into()),
            labels: vec![Label { span, text }],
            help: None,
        }
    }

    /// Adds a label to a second range.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.label(span, label);
        self
    }

    /// Adds a label to a second range, in place.
    pub fn label(&mut self, span: Span, label: impl Into<String>) {
        let text = clipped(label.into());
        self.labels.push(Label { span, text });
    }

    /// Adds advice on mending the mistake.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(clipped(help.into()));
        self
    }

    /// Span of the mistake itself: that of the first label.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }
}

/// Largest number of reports: a file that is not `.van` at all has a mistake in each line.
pub const MAX_REPORTS: usize = 50;

/// Columns beside the text of a line: its number and a bar.
const MARGIN: usize = 10;

/// Longest message, label or help line in bytes: names in it may be long.
const LONGEST: usize = 400;

/// Makes a text fit to be shown: without hidden characters, and of a length that can be read.
fn clipped(text: String) -> String {
    let mut text = escaped_lines(&text).into_owned();
    if text.len() > LONGEST {
        let end = (0..LONGEST).rfind(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// A text that spans point into, with the name to show it by.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
}

/// Texts that spans point into: the file, then values from the command line.
#[derive(Clone, Debug)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Starts with the file's text, under the name to show it by.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Sources(vec![Source {
            name: name.into(),
            text: text.into(),
        }])
    }

    /// Adds a text, such as the value of a flag, and returns its index for spans.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u16 {
        self.0.push(Source {
            name: name.into(),
            text: text.into(),
        });
        (self.0.len() - 1) as u16
    }

    /// Text of source `index`.
    pub fn text(&self, index: u16) -> &str {
        &self.0[index as usize].text
    }

    /// Text that `span` covers.
    pub fn slice(&self, span: Span) -> &str {
        &self.text(span.source)[self.range(span)]
    }

    /// Byte range of the whole characters that `span` touches: one may end within a character
    /// that stands for a shorter one.
    fn range(&self, span: Span) -> Range<usize> {
        let text = self.text(span.source);
        let Range { mut start, mut end } = span.range();
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while end < text.len() && !text.is_char_boundary(end) {
            end += 1;
        }
        start..end
    }

    /// Finds the line and the column (in characters), both from 1, of byte `byte`.
    fn position(&self, source: u16, byte: usize) -> (usize, usize) {
        let before = with_line_feeds(&self.text(source)[..byte]);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// Settings for drawing a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Diagnostic {
    /// Draws the report for a terminal, with the source underlined.
    pub fn render(&self, sources: &Sources, style: Style) -> String {
        let theme = if style.color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(style.width)
            .with_links(false)
            .with_context_lines(1);
        let mut sources_shown: Vec<u16> = vec![self.span().source];
        for label in &self.labels {
            if !sources_shown.contains(&label.span.source) {
                sources_shown.push(label.span.source);
            }
        }
        let mut out = String::new();
        let last = sources_shown.len() - 1;
        for (i, source) in sources_shown.into_iter().enumerate() {
            let report = self.report(source, i == last, sources, style.width);
            let mut drawn = String::new();
            let _ = handler.render_report(&mut drawn, report.as_ref());
            // miette draws one text a report: of the others, only the snippet is wanted.
            let begin = if i == 0 { None } else { drawn.find("╭─[") };
            let line = begin.and_then(|start| drawn[..start].rfind('\n'));
            out.push_str(&drawn[line.map_or(0, |start| start + 1)..]);
        }
        out
    }

    /// The part of the report about one text, with the help line where `helps` says so.
    fn report(&self, source: u16, helps: bool, sources: &Sources, width: usize) -> Report {
        let labels = self.labels.iter().filter(|l| l.span.source == source);
        let labels: Vec<&Label> = labels.collect();
        let Source { name, text } = &sources.0[source as usize];
        let ranges: Vec<_> = labels.iter().map(|l| sources.range(l.span)).collect();
        let excerpt = Excerpt::new(
            &with_line_feeds(text),
            &ranges,
            width.saturating_sub(MARGIN),
        );
        let shown = labels.iter().zip(&excerpt.labels).enumerate();
        let shown = shown.map(|(i, (label, range))| {
            // Without a text miette would still draw a line to it.
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            match i {
                0 => LabeledSpan::new_primary_with_span(text, range.clone()),
                _ => LabeledSpan::new_with_span(text, range.clone()),
            }
        });
        let mut report = MietteDiagnostic::new(&self.message).with_labels(shown);
        report.code = Some(self.code.to_string());
        report.help = self.help.clone().filter(|_| helps);
        let name = name.clone();
        Report::new(report).with_source_code(Shown { name, excerpt })
    }

    /// Formats the report as JSON for editors and CI: code, message, labels with byte offsets and
    /// one-based lines and columns, help.
    pub fn to_json(&self, sources: &Sources) -> Value {
        let labels = self.labels.iter().map(|Label { span, text }| {
            let Range { start, end } = sources.range(*span);
            let (line, column) = sources.position(span.source, start);
            let (end_line, end_column) = sources.position(span.source, end);
            json!({
                "file": sources.0[span.source as usize].name,
                "start": start,
                "end": end,
                "line": line,
                "column": column,
                "end_line": end_line,
                "end_column": end_column,
                "text": text,
            })
        });
        json!({
            "code": self.code.to_string(),
            "message": self.message,
            "labels": labels.collect::<Vec<_>>(),
            "help": self.help,
        })
    }
}

/// An excerpt, for miette, under the name and with the line numbers of its source.
#[derive(Debug)]
struct Shown {
    name: String,
    excerpt: Excerpt,
}

impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let excerpt = &self.excerpt;
        let end = (span.offset() + span.len()).saturating_sub(1);
        let from = excerpt.line_of(span.offset()).saturating_sub(before);
        let last = excerpt.line_of(end.max(span.offset()));
        let to = (last + after).min(excerpt.last_line());
        let bytes = excerpt.bytes(from, to);
        let column = match before {
            0 => excerpt.column(span.offset()),
            _ => 0,
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            &excerpt.text.as_bytes()[bytes.clone()],
            (bytes.start, bytes.len()).into(),
            excerpt.first_line + from,
            column,
            to + 1 - from,
        )))
    }
}
