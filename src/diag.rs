//! What a mistake gets: one type for every report, and the only file that knows miette.

use crate::span::Span;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use serde_json::{Value, json};
use std::fmt;

/// The stable code of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The text is not in the grammar.
    Syntax,
    /// A name is unknown, declared twice, or defined by itself.
    Name,
    /// A value has the wrong type, or a call the wrong arguments.
    Type,
    /// A value is out of its range.
    Value,
    /// A layer cannot take what it is given.
    Shape,
    /// A limit of the language is passed.
    Limit,
    /// The training settings do not fit together or with the network.
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

/// An underlined place and what is said under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The text under it; may be empty.
    pub text: String,
}

/// One mistake: what is wrong, where, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// The fault first, then the other places it has to do with.
    pub labels: Vec<Label>,
    /// The fix.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at `span`, with `label` under it.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Diagnostic {
            code,
            message: message.into(),
            labels: vec![Label {
                span,
                text: label.into(),
            }],
            help: None,
        }
    }

    /// Adds a second place.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: label.into(),
        });
        self
    }

    /// Adds the fix.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where the fault is.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }
}

/// One text that spans point into.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
}

/// The texts that spans point into: the file, then values from the command line.
#[derive(Clone, Debug)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// The file's text under the name it is shown by.
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

    /// The text of source `index`.
    pub fn text(&self, index: u16) -> &str {
        &self.0[index as usize].text
    }

    /// The text that `span` covers.
    pub fn slice(&self, span: Span) -> &str {
        &self.text(span.source)[span.start as usize..span.end as usize]
    }

    /// One-based line and column (in characters) of a byte.
    fn position(&self, source: u16, byte: u32) -> (usize, usize) {
        let before = &self.text(source)[..byte as usize];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// How a report is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Diagnostic {
    /// The report as a user sees it, with the source underlined.
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
        let main = self.span().source;
        let mut out = String::new();
        let _ = handler.render_report(&mut out, self.report(main, true, sources).as_ref());
        // miette draws one text a report; a place in another text follows by itself.
        let mut others: Vec<u16> = self.labels.iter().map(|l| l.span.source).collect();
        others.dedup();
        for other in others.into_iter().filter(|&s| s != main) {
            let _ = handler.render_report(&mut out, self.report(other, false, sources).as_ref());
        }
        out
    }

    fn report(&self, source: u16, main: bool, sources: &Sources) -> Report {
        let labels = self.labels.iter().filter(|l| l.span.source == source);
        let labels = labels.enumerate().map(|(i, label)| {
            let range = label.span.start as usize..label.span.end as usize;
            if i == 0 {
                LabeledSpan::new_primary_with_span(Some(label.text.clone()), range)
            } else {
                LabeledSpan::new_with_span(Some(label.text.clone()), range)
            }
        });
        let message = if main { &self.message } else { "declared here" };
        let mut report = MietteDiagnostic::new(message).with_labels(labels);
        if main {
            report = report.with_code(self.code.to_string());
            report.help = self.help.clone();
        }
        let Source { name, text } = &sources.0[source as usize];
        Report::new(report).with_source_code(NamedSource::new(name, text.clone()))
    }

    /// The report for editors and CI: code, message, labels with byte offsets and
    /// one-based lines and columns, help.
    pub fn to_json(&self, sources: &Sources) -> Value {
        let labels = self.labels.iter().map(|Label { span, text }| {
            let (line, column) = sources.position(span.source, span.start);
            let (end_line, end_column) = sources.position(span.source, span.end);
            json!({
                "file": sources.0[span.source as usize].name,
                "start": span.start,
                "end": span.end,
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
