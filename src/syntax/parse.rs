//! Parser: makes a syntax tree of source text.

// Of the grammar's hundred rules, a few can come to each place.
#![expect(clippy::wildcard_enum_match_arm)]

use super::ast::*;
use super::grammar::{Grammar, Rule};
use super::mend::{Mended, mend};
use super::parse_error::parse_error;
use super::scan::{check_size, scan};
use crate::diag::{Diagnostic, MAX_REPORTS};
use crate::span::{Span, Spanned};
use pest::Parser;
use pest::iterators::{Pair, Pairs};

/// The tree of a text, as far as that is clear, and its mistakes.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; `None` where a mistake leaves a part of it unknown.
    pub file: Option<File>,
    /// One diagnostic for each statement that is wrong by itself.
    pub mistakes: Vec<Diagnostic>,
}

/// Reads the text with index `source` as far as it is clear what is meant: the tree may be there
/// beside mistakes.
pub fn read(text: &str, source: u16) -> Parsed {
    let read = with_builder(text, source, |builder, comments| {
        let items = match Grammar::parse(Rule::file, builder.text) {
            Ok(mut pairs) => builder.file(next(&mut pairs), &comments),
            Err(_) => builder.fail(Rule::file),
        };
        File { items, comments }
    });
    let (file, mistakes) = match read {
        Ok((file, mistakes)) => (file, mistakes),
        Err(mistakes) => (None, mistakes),
    };
    Parsed { file, mistakes }
}

/// Parses the text with index `source` to a syntax tree.
///
/// # Errors
///
/// When the text is too large, has unbalanced brackets or is not in the grammar: one
/// diagnostic for each statement that is wrong by itself.
pub fn parse(text: &str, source: u16) -> Result<File, Vec<Diagnostic>> {
    let Parsed { file, mistakes } = read(text, source);
    whole(file, mistakes)
}

/// Parses a single expression, such as the value of a flag.
///
/// # Errors
///
/// When the text is not exactly one expression, or is larger than the language allows.
pub fn parse_value(text: &str, source: u16) -> Result<Expr, Vec<Diagnostic>> {
    let (expr, mistakes) = with_builder(text, source, |builder, _| {
        match Grammar::parse(Rule::lone_expr, builder.text) {
            Ok(mut pairs) => {
                let mut inner = next(&mut pairs).into_inner();
                Some(builder.whole_expr(next(&mut inner)))
            }
            Err(_) => builder.fail(Rule::lone_expr),
        }
    })?;
    whole(expr.flatten(), mistakes)
}

/// Parses the program's own declarations of activations and policies.
///
/// # Errors
/// The place where the text is not in the grammar.
pub fn parse_prelude(text: &str) -> Result<Prelude, Vec<Diagnostic>> {
    let (prelude, mistakes) = with_builder(text, 0, |builder, comments| {
        match Grammar::parse(Rule::prelude, builder.text) {
            Ok(mut pairs) => Some(builder.prelude(next(&mut pairs), &comments)),
            Err(_) => builder.fail(Rule::prelude),
        }
    })?;
    whole(prelude.flatten(), mistakes)
}

/// Takes a tree that has no mistakes.
fn whole<T>(tree: Option<T>, mistakes: Vec<Diagnostic>) -> Result<T, Vec<Diagnostic>> {
    match tree {
        Some(tree) if mistakes.is_empty() => Ok(tree),
        _ => Err(mistakes),
    }
}

/// Builds a tree of the text with index `source`, which is mended and scanned before; gives it,
/// unless a part is unknown, with every mistake so far.
fn with_builder<T>(
    text: &str,
    source: u16,
    build: impl FnOnce(&mut Builder, Vec<Comment>) -> T,
) -> Result<(Option<T>, Vec<Diagnostic>), Vec<Diagnostic>> {
    check_size(text, source).map_err(|report| vec![report])?;
    let Mended {
        text,
        mut reports,
        is_sound,
    } = mend(text, source);
    let comments = match scan(&text, source) {
        Ok(comments) => comments,
        Err(report) => {
            reports.push(report);
            return Err(reports);
        }
    };
    let mut builder = Builder {
        text: &text,
        source,
        reports,
        is_whole: is_sound,
    };
    let tree = build(&mut builder, comments);
    Ok((builder.is_whole.then_some(tree), builder.reports))
}

/// Takes the next part of a rule; the grammar guarantees that it exists.
pub(super) fn next<'t>(pairs: &mut Pairs<'t, Rule>) -> Pair<'t, Rule> {
    pairs.next().expect("the grammar requires this part")
}

/// Takes the next part if it is of `rule`.
pub(super) fn next_if<'t>(pairs: &mut Pairs<'t, Rule>, rule: Rule) -> Option<Pair<'t, Rule>> {
    match pairs.peek() {
        Some(pair) if pair.as_rule() == rule => pairs.next(),
        _ => None,
    }
}

pub(super) struct Builder<'t> {
    text: &'t str,
    source: u16,
    reports: Vec<Diagnostic>,
    /// Whether every part of the tree is what was meant.
    is_whole: bool,
}

impl<'t> Builder<'t> {
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Reports a mistake that leaves a part of the tree unknown.
    pub fn report(&mut self, report: Diagnostic) {
        self.is_whole = false;
        self.remark(report);
    }

    /// Reports a mistake beside which it is clear what is meant.
    pub fn remark(&mut self, report: Diagnostic) {
        if self.reports.len() < MAX_REPORTS {
            self.reports.push(report);
        }
    }

    /// Reports why `rule` does not match the whole text, of which nothing is made.
    fn fail<T: Default>(&mut self, rule: Rule) -> T {
        self.report(parse_error(rule, self.text, 0, self.source));
        T::default()
    }

    /// Reports why `rule` does not match at the start of `pair`.
    fn bad(&mut self, rule: Rule, pair: &Pair<'t, Rule>) {
        self.is_whole = false;
        if self.reports.len() < MAX_REPORTS {
            let start = pair.as_span().start();
            self.report(parse_error(rule, self.text, start, self.source));
        }
    }

    /// Returns the span of a matched rule, without the trailing blanks that pest includes.
    pub fn span(&self, pair: &Pair<'t, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(
            self.source,
            span.start(),
            span.start() + span.as_str().trim_end().len(),
        )
    }

    pub fn ident(&self, pair: Pair<'t, Rule>) -> Ident {
        Spanned::new(pair.as_str().to_string(), self.span(&pair))
    }

    fn file(&mut self, pair: Pair<'t, Rule>, comments: &[Comment]) -> Vec<Item> {
        let mut items = Vec::new();
        for pair in pair.into_inner() {
            match pair.as_rule() {
                Rule::item => {
                    let declaration = next(&mut pair.into_inner());
                    items.push(self.item(declaration, comments));
                }
                Rule::bad_item => self.bad(Rule::item, &pair),
                _ => {}
            }
        }
        items
    }

    fn item(&mut self, pair: Pair<'t, Rule>, comments: &[Comment]) -> Item {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let mut parts = pair.into_inner();
        next(&mut parts); // the keyword
        match rule {
            Rule::param => Item::Param(self.param(span, parts, comments)),
            Rule::block => Item::Block(self.block(span, parts)),
            Rule::model => Item::Model(Model {
                span,
                doc: doc_before(span.start, comments, self.text),
                name: self.ident(next(&mut parts)),
                body: self.body(next(&mut parts)),
            }),
            _ => Item::Train(self.train(span, parts)),
        }
    }

    fn param(&mut self, span: Span, mut parts: Pairs<'t, Rule>, comments: &[Comment]) -> Param {
        let name = self.ident(next(&mut parts));
        next(&mut parts); // `:`
        let kind = self.ident(next(&mut parts));
        next(&mut parts); // `=`
        let default = self.whole_expr(next(&mut parts));
        let range = self.within(&mut parts);
        let end = range.as_ref().map_or(default.span, |r| r.span);
        Param {
            span: Span {
                end: end.end,
                ..span
            },
            doc: doc_before(span.start, comments, self.text),
            name,
            kind,
            default,
            range,
        }
    }

    /// Parses `in RANGE`, where it is next.
    pub fn within(&mut self, parts: &mut Pairs<'t, Rule>) -> Option<Range> {
        next_if(parts, Rule::within).map(|within| {
            let mut parts = within.into_inner();
            next(&mut parts); // `in`
            self.range(next(&mut parts))
        })
    }

    fn range(&mut self, pair: Pair<'t, Rule>) -> Range {
        let mut parts = pair.into_inner();
        let lo = next_if(&mut parts, Rule::bound).map(|b| self.bound(b));
        let op = next(&mut parts);
        let hi = next_if(&mut parts, Rule::bound).map(|b| self.bound(b));
        let dots = self.span(&op);
        let first = lo.as_ref().map_or(dots, |e| e.span);
        let last = hi.as_ref().map_or(dots, |e| e.span);
        Range {
            span: first.cover(last),
            lo,
            inclusive: op.as_str() == "..=",
            hi,
        }
    }

    fn bound(&mut self, pair: Pair<'t, Rule>) -> Expr {
        self.whole_expr(next(&mut pair.into_inner()))
    }

    fn block(&mut self, span: Span, mut parts: Pairs<'t, Rule>) -> Block {
        let name = self.ident(next(&mut parts));
        let formals = next_if(&mut parts, Rule::formals).map(|formals| {
            if self.too_long(&formals) {
                return Vec::new();
            }
            let inner = formals.into_inner();
            inner
                .filter(|p| p.as_rule() == Rule::formal)
                .map(|p| self.formal(p))
                .collect()
        });
        Block {
            span,
            name,
            formals,
            body: self.body(next(&mut parts)),
        }
    }

    fn formal(&mut self, pair: Pair<'t, Rule>) -> Formal {
        let mut parts = pair.into_inner();
        let name = self.ident(next(&mut parts));
        next(&mut parts); // `:`
        let kind = self.ident(next(&mut parts));
        let default = next_if(&mut parts, Rule::default)
            .map(|default| self.whole_expr(next(&mut default.into_inner())));
        Formal {
            name,
            kind,
            default,
        }
    }

    fn train(&mut self, span: Span, parts: Pairs<'t, Rule>) -> Train {
        let mut settings = Vec::new();
        for pair in parts {
            match pair.as_rule() {
                Rule::setting => {
                    let mut parts = pair.into_inner();
                    let key = self.ident(next(&mut parts));
                    next(&mut parts); // `:`
                    let value = self.whole_expr(next(&mut parts));
                    settings.push(Setting { key, value });
                }
                Rule::bad_setting => self.bad(Rule::setting, &pair),
                _ => {}
            }
        }
        Train { span, settings }
    }

    fn body(&mut self, pair: Pair<'t, Rule>) -> Body {
        let span = self.span(&pair);
        let mut statements = Vec::new();
        for pair in pair.into_inner() {
            match pair.as_rule() {
                Rule::statement => statements.push(self.statement(pair)),
                Rule::bad_statement => self.bad(Rule::statement, &pair),
                _ => {}
            }
        }
        Body { span, statements }
    }

    fn statement(&mut self, pair: Pair<'t, Rule>) -> Statement {
        let start = self.span(&pair);
        let mut parts = pair.into_inner();
        let label =
            next_if(&mut parts, Rule::label).map(|label| self.ident(next(&mut label.into_inner())));
        let (kind, end) = self.statement_kind(next(&mut parts));
        Statement {
            span: Span { end, ..start },
            label,
            kind,
        }
    }

    /// Builds the kind of a statement; also returns the byte that it ends at.
    fn statement_kind(&mut self, pair: Pair<'t, Rule>) -> (StatementKind, u32) {
        let rule = pair.as_rule();
        let mut parts = pair.into_inner();
        if rule == Rule::layer {
            let call = self.call(next(&mut parts));
            let end = call.span.end;
            return (StatementKind::Layer(call), end);
        }
        next(&mut parts); // the keyword
        match rule {
            Rule::input => {
                let call = self.call(next(&mut parts));
                let end = call.span.end;
                (StatementKind::Input(call), end)
            }
            Rule::repeat => {
                let count = self.whole_expr(next(&mut parts));
                let counter = next_if(&mut parts, Rule::counter).map(|counter| {
                    let mut parts = counter.into_inner();
                    next(&mut parts); // `as`
                    self.ident(next(&mut parts))
                });
                let body = self.body(next(&mut parts));
                let end = body.span.end;
                (
                    StatementKind::Repeat {
                        count,
                        counter,
                        body,
                    },
                    end,
                )
            }
            Rule::skip => {
                let policy = self.whole_expr(next(&mut parts));
                let project = next_if(&mut parts, Rule::project).map(|project| {
                    let mut parts = project.into_inner();
                    next(&mut parts); // `:`
                    self.ident(next(&mut parts))
                });
                let body = self.body(next(&mut parts));
                let end = body.span.end;
                (
                    StatementKind::Skip {
                        policy,
                        project,
                        body,
                    },
                    end,
                )
            }
            _ => {
                let body = self.body(next(&mut parts));
                let end = body.span.end;
                (StatementKind::Concat { body }, end)
            }
        }
    }
}

/// Collects the text of the `///` lines right before byte `start`, without their slashes. Other
/// comments may be among them, but no blank line.
pub(super) fn doc_before(start: u32, comments: &[Comment], text: &str) -> Option<String> {
    let mut lines = Vec::new();
    let mut below = start as usize;
    let before = comments.partition_point(|comment| comment.span.start < start);
    for comment in comments[..before].iter().rev() {
        let between = &text[comment.span.end as usize..below];
        let adjacent = between.trim_start().is_empty() && between.matches('\n').count() == 1;
        if !(comment.own_line && adjacent) {
            break;
        }
        if let Some(line) = comment
            .text
            .strip_prefix("///")
            .filter(|l| !l.starts_with('/'))
        {
            lines.push(line.trim());
        }
        below = comment.span.start as usize;
    }
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
