//! Collecting reports, and finding what was meant.

use crate::diag::{Code, Diagnostic, MAX_REPORTS};
use crate::span::Span;
use std::collections::HashSet;

/// Reports so far, one a code and place: a mistake inside a repeat is said once.
#[derive(Default)]
pub(super) struct Reports {
    list: Vec<Diagnostic>,
    seen: HashSet<(Code, Span)>,
}

impl Reports {
    /// Adds a report unless its place has one with the same code.
    pub fn add(&mut self, report: Diagnostic) {
        if !self.is_full() && self.seen.insert((report.code, report.span())) {
            self.list.push(report);
        }
    }

    /// Whether there are so many that looking for more is no use.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_REPORTS
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All reports, those of each text in its order.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|report| report.span());
        self.list
    }
}

/// Bytes of a name that is still compared with others.
const MAX_COMPARED: usize = 64;

/// The name in `known` that `word` may have been meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().filter_map(|name| {
        let longer = name.len().max(word.len());
        let most = 1 + longer / 4;
        if longer > MAX_COMPARED || name.len().abs_diff(word.len()) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(word, name);
        (distance <= most && distance < longer).then_some((distance, name))
    });
    near.min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// A help line for an unknown name: the nearest one, or all there are.
pub(super) fn suggest(word: &str, known: &[&str], kind: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {kind} to choose from"),
        None => format!("choose one of {}", quoted(known)),
    }
}

/// `` `a`, `b` or `c` ``
pub(super) fn quoted(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}

/// An unknown name.
pub(super) fn unknown(kind: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    Diagnostic::new(
        Code::Name,
        format!("unknown {kind} `{name}`"),
        span,
        format!("no such {kind}"),
    )
    .help(suggest(name, known, kind))
}
