//! Collecting reports.

use crate::diag::{Code, Diagnostic, MAX_REPORTS};
use crate::span::Span;
use crate::suggest::{Suggestion, suggestion};
use std::collections::HashSet;

/// Reports so far, one a code and place: a mistake inside a repeat is said once.
#[derive(Default)]
pub(super) struct Reports {
    list: Vec<Diagnostic>,
    seen: HashSet<(Code, Span)>,
}

impl From<Vec<Diagnostic>> for Reports {
    fn from(list: Vec<Diagnostic>) -> Self {
        let seen = list.iter().map(|report| (report.code, report.span()));
        Reports {
            seen: seen.collect(),
            list,
        }
    }
}

impl Reports {
    /// Adds a report unless its place has one with the same code.
    pub fn add(&mut self, report: Diagnostic) {
        if !self.is_full() && self.seen.insert((report.code, report.span())) {
            self.list.push(report);
        }
    }

    /// Returns the number of reports.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there are so many that looking for more is no use.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_REPORTS
    }

    /// Adds a label to every report after the first `from`, unless it has many.
    pub fn label_from(&mut self, from: usize, span: Span, text: impl Fn() -> String) {
        for report in &mut self.list[from..] {
            if report.labels.len() < MAX_LABELS {
                report.label(span, text());
            }
        }
    }

    /// Returns all reports, those of each text in its order.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|report| report.span());
        self.list
    }
}

/// Labels of a report that [`Reports::label_from`] still adds to.
const MAX_LABELS: usize = 4;
/// Names that are still listed in a help line.
const MAX_LISTED: usize = 16;

/// Writes a help line for an unknown name: the nearest one, what there is instead, or all there
/// are.
pub(super) fn suggest(word: &str, known: &[&str], kind: &str) -> String {
    match (suggestion(word, known.iter().copied()), known) {
        (Some(Suggestion::Name(near)), _) => format!("did you mean `{near}`?"),
        (Some(Suggestion::Advice(advice)), _) => advice.to_string(),
        (None, []) => format!("remove it: there is no {kind} to choose"),
        (None, [only]) => format!("the only {kind} is `{only}`"),
        (None, known) => format!("choose one of {}", quoted(known)),
    }
}

/// Writes names in a row: `` `a`, `b` or `c` ``
pub(super) fn quoted(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_LISTED);
    let mut shown: Vec<String> = shown.map(|n| format!("`{n}`")).collect();
    if names.len() > MAX_LISTED {
        shown.push(format!("{} others", names.len() - MAX_LISTED));
    }
    match shown.pop() {
        Some(last) if shown.is_empty() => last,
        Some(last) => format!("{} or {last}", shown.join(", ")),
        None => String::new(),
    }
}

/// Reports an unknown name.
pub(super) fn unknown(kind: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    Diagnostic::new(
        Code::Name,
        format!("unknown {kind} `{name}`"),
        span,
        format!("no such {kind}"),
    )
    .help(suggest(name, known, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_names() {
        assert_eq!(quoted(&["a"]), "`a`");
        assert_eq!(quoted(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert!(quoted(&["a"; 100]).ends_with("or 84 others"));
    }
}
