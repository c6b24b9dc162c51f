//! A scope of the network and the names in it.

use super::report::Reports;
use crate::diag::{Code, Diagnostic};
use crate::ir::Layer;
use crate::span::Span;
use crate::syntax::ast::Ident;
use std::collections::HashMap;

/// A scope of the network: where layers are being added.
pub(super) struct LayerScope {
    /// The layers so far.
    pub layers: Vec<Layer>,
    /// The path of the scope, with its dot.
    pub prefix: String,
    /// Scopes and calls around this one.
    pub depth: usize,
    /// Whether weights are Dirac ones here.
    pub dirac: bool,
    /// Whether this is directly the body of a `skip`.
    in_skip: bool,
    /// Number of earlier statements of each kind, which numbers those without a label.
    counts: HashMap<&'static str, usize>,
    /// The names given, with the place of the statement.
    names: HashMap<String, Span>,
}

impl LayerScope {
    pub fn root() -> Self {
        LayerScope {
            layers: Vec::new(),
            prefix: String::new(),
            depth: 0,
            dirac: false,
            in_skip: false,
            counts: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// Makes the scope named `name` inside this one.
    pub fn inner(&self, name: &str) -> Self {
        LayerScope {
            prefix: format!("{}{name}.", self.prefix),
            depth: self.depth + 1,
            dirac: self.dirac,
            ..LayerScope::root()
        }
    }

    /// Makes the scope of the body of a `skip` named `name`.
    pub fn skip_body(&self, name: &str, dirac: bool) -> Self {
        let mut inner = self.inner(name);
        inner.in_skip = true;
        inner.dirac |= dirac;
        inner
    }

    /// Returns the name of a statement: its label, or its kind and how many of that kind came
    /// before, labelled ones included. Reports one that is taken.
    pub fn name(
        &mut self,
        label: Option<&Ident>,
        kind: &'static str,
        span: Span,
        reports: &mut Reports,
    ) -> String {
        let count = self.counts.entry(kind).or_default();
        let name = label.map_or_else(|| format!("{kind}{count}"), |label| label.node.clone());
        *count += 1;
        let here = label.map_or(span, |label| label.span);
        if self.in_skip && matches!(name.as_str(), "project" | "gate") {
            let message = format!("a layer in a `skip` may not be labelled `{name}`");
            let label = format!("`{name}.weight` is a tensor of the `skip` itself");
            let report = Diagnostic::new(Code::Name, message, here, label);
            reports.add(report.help(format!("choose another label, such as `{name}_layer`")));
        }
        if let Some(first) = self.names.insert(name.clone(), here) {
            reports.add(match label {
                _ if first == here => same_statement(&name, here),
                Some(_) => Diagnostic::new(
                    Code::Name,
                    format!("the label `{name}` is used twice"),
                    here,
                    "the second one",
                )
                .also(first, "the first one")
                .help("give one of them another label"),
                None => Diagnostic::new(
                    Code::Name,
                    format!("`{name}` names two layers"),
                    here,
                    format!("without a label, this is called `{name}` for its place"),
                )
                .also(first, "labelled so here")
                .help("give one of them another label"),
            });
        }
        name
    }
}

/// Reports a statement of a block that is called twice in one scope.
fn same_statement(name: &str, here: Span) -> Diagnostic {
    let message = format!("`{name}` would name two layers, as its block is called twice here");
    Diagnostic::new(Code::Name, message, here, "labelled once, made twice")
        .help("label the calls of the block, such as `first: …` and `second: …`")
}
