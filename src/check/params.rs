//! The values of params.

use super::declarations::{Declarations, is_reserved};
use super::eval::eval;
use super::flags::{Flag, OverrideTarget};
use super::limits::MAX_DEPTH;
use super::report::Reports;
use super::scope::{Binding, Params, Scope};
use super::typing::{expect, type_of};
use super::value::{Type, Value};
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use crate::syntax::ast::{self, Call, Expr, ExprKind, Item};
use crate::syntax::print_expr;
use std::collections::{HashMap, HashSet};

/// A param as a command's help shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// Name of the param, and of its flag without the dashes.
    pub name: String,
    /// Name of the type: `int`.
    pub kind: String,
    /// Default, as written.
    pub default: String,
    /// Range of allowed values, as written.
    pub range: Option<String>,
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Place of the name in its declaration.
    pub span: Span,
}

/// Lists the params of a file, for the flags and the help of a command that takes it. Those whose
/// names are wrong, which the check reports, have none.
pub fn param_infos(file: &ast::File) -> Vec<ParamInfo> {
    let params = file.items.iter().filter_map(|item| match item {
        Item::Param(param) => Some(param),
        Item::Block(_) | Item::Model(_) | Item::Train(_) => None,
    });
    let mut seen = HashSet::new();
    let named =
        params.filter(|param| !is_reserved(&param.name.node) && seen.insert(&param.name.node));
    let infos = named.map(|param| ParamInfo {
        name: param.name.node.clone(),
        kind: param.kind.node.clone(),
        default: print_expr(&param.default),
        range: param.range.as_ref().map(print_range),
        doc: param.doc.clone(),
        span: param.name.span,
    });
    infos.collect()
}

fn print_range(range: &ast::Range) -> String {
    let bound = |b: &Option<Expr>| b.as_ref().map(print_expr).unwrap_or_default();
    let dots = if range.inclusive { "..=" } else { ".." };
    format!("{}{dots}{}", bound(&range.lo), bound(&range.hi))
}

/// Computes the value of every param: its flag's or its default's, in its range.
pub(super) fn resolve<'a>(
    declared: &Declarations<'a>,
    flags: &[Flag],
    reports: &mut Reports,
) -> Params<'a> {
    let types = declared.params.iter().map(|param| {
        let kind = Type::from_name(&param.kind.node);
        (param.name.node.as_str(), Binding { kind, value: None })
    });
    let mut resolver = Resolver {
        declared: declared
            .params
            .iter()
            .map(|p| (p.name.node.as_str(), *p))
            .collect(),
        flags,
        params: types.collect(),
        state: HashMap::new(),
        open: Vec::new(),
    };
    for param in &declared.params {
        resolver.param(param, param.name.span, 0, reports);
    }
    resolver.params
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done,
}

/// Evaluates params in the order in which their defaults need one another.
struct Resolver<'a, 'f> {
    declared: HashMap<&'a str, &'a ast::Param>,
    flags: &'f [Flag<'f>],
    params: Params<'a>,
    state: HashMap<&'a str, State>,
    /// Params being evaluated, each because the one before it needs it.
    open: Vec<&'a str>,
}

impl<'a> Resolver<'a, '_> {
    /// Evaluates `param`, which is used at `used`.
    fn param(&mut self, param: &'a ast::Param, used: Span, depth: usize, reports: &mut Reports) {
        let name = param.name.node.as_str();
        match self.state.get(name) {
            Some(State::Done) => return,
            Some(State::Open) => {
                let start = self.open.iter().position(|open| *open == name).unwrap_or(0);
                let cycle = self.open[start..].iter().chain([&name]);
                let cycle: Vec<String> = cycle.map(|name| format!("`{name}`")).collect();
                let message = match cycle.len() {
                    2 => format!("param `{name}` is defined by itself"),
                    _ => format!("params are defined by one another: {}", cycle.join(" → ")),
                };
                reports.add(
                    Diagnostic::new(Code::Name, message, used, "this use closes the cycle")
                        .also(param.name.span, format!("`{name}` is declared here"))
                        .help("give one of them a number"),
                );
                return;
            }
            None => {}
        }
        if depth > MAX_DEPTH {
            let message = format!("defaults need one another deeper than {MAX_DEPTH}");
            let report = Diagnostic::new(Code::Limit, message, used, "this one");
            reports.add(report.help("give it a number"));
            return;
        }
        self.state.insert(name, State::Open);
        self.open.push(name);
        let flag = self.flags.iter().rev();
        let flag = flag
            .filter(|f| f.target == OverrideTarget::Param)
            .find(|f| f.name == name);
        let expr = flag.map_or(&param.default, |flag| &flag.value);
        let bounds = param.range.iter().flat_map(|r| r.lo.iter().chain(&r.hi));
        let mut needed = Vec::new();
        if flag.is_none() {
            uses(expr, &mut needed);
        }
        bounds.for_each(|bound| uses(bound, &mut needed));
        for (other, span) in needed {
            if let Some(&other) = self.declared.get(other) {
                self.param(other, span, depth + 1, reports);
            }
        }
        let value = self.value(param, expr, flag.is_some(), reports);
        if let Some(binding) = self.params.get_mut(name) {
            binding.value = value;
        }
        self.open.pop();
        self.state.insert(name, State::Done);
    }

    fn value(
        &self,
        param: &ast::Param,
        expr: &Expr,
        from_flag: bool,
        reports: &mut Reports,
    ) -> Option<Value> {
        let want = Type::from_name(&param.kind.node)?;
        let before = reports.len();
        let value = match from_flag {
            // A flag's value stands alone: it cannot name other params.
            true => {
                let scope = Params::new();
                let scope = Scope::new(&scope);
                expect(
                    expr,
                    want,
                    &format!("`{}`", param.name.node),
                    &scope,
                    reports,
                )
                .then(|| eval(expr, &scope, reports))
                .flatten()
            }
            false => {
                let scope = Scope::new(&self.params);
                let kind = type_of(expr, &scope, &mut Reports::default());
                kind.filter(|kind| kind.fits(want))?;
                eval(expr, &scope, reports)
            }
        };
        if from_flag {
            reports.label_from(before, param.kind.span, || {
                format!("declared `{want}` here")
            });
        }
        let value = value?.widened(want);
        match &param.range {
            Some(range) => self.in_range(param, range, value, expr, from_flag, reports),
            None => Some(value),
        }
    }

    /// Returns `value` if it is in `range`; reports it where not.
    fn in_range(
        &self,
        param: &ast::Param,
        range: &ast::Range,
        value: Value,
        expr: &Expr,
        from_flag: bool,
        reports: &mut Reports,
    ) -> Option<Value> {
        let scope = Scope::new(&self.params);
        let mut bound = |b: &Option<Expr>, open: f64| match b {
            Some(b) => eval(b, &scope, reports)?.float(),
            None => Some(open),
        };
        let lo = bound(&range.lo, f64::NEG_INFINITY)?;
        let hi = bound(&range.hi, f64::INFINITY)?;
        let number = value.float()?;
        let name = &param.name.node;
        let shown = print_range(range);
        let reaches = |x: f64| x < hi || (range.inclusive && x == hi);
        if !reaches(lo) {
            let message = format!("the range of `{name}` is empty");
            let help = match lo > hi {
                true => "exchange its ends",
                false => "write `..=` to take in the upper end",
            };
            let label = format!("no number is in {shown}");
            reports.add(Diagnostic::new(Code::Value, message, range.span, label).help(help));
            return None;
        }
        if lo <= number && reaches(number) {
            return Some(value);
        }
        let nearest = match number < lo {
            true => &range.lo,
            false if range.inclusive => &range.hi,
            false => &None,
        };
        let example = nearest
            .as_ref()
            .map(|bound| format!(", such as {}", print_expr(bound)));
        let help = format!("choose a value in {shown}{}", example.unwrap_or_default());
        let report = if from_flag {
            let message = format!("`--{name} {value}` is out of range");
            Diagnostic::new(Code::Value, message, range.span, "the declared range")
        } else {
            let message = format!("the default of `{name}` is out of its range");
            Diagnostic::new(Code::Value, message, expr.span, format!("this is {value}"))
                .also(range.span, "the range")
        };
        reports.add(report.help(help));
        None
    }
}

/// Collects the bare names that an expression uses, with their places.
fn uses<'e>(expr: &'e Expr, out: &mut Vec<(&'e str, Span)>) {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) => {}
        ExprKind::Call(Call { name, args, .. }) => match args {
            None => out.push((&name.node, name.span)),
            Some(args) => args.iter().for_each(|arg| uses(&arg.value, out)),
        },
        ExprKind::List(items) => items.iter().for_each(|item| uses(item, out)),
        ExprKind::Unary(_, operand) => uses(operand, out),
        ExprKind::Binary(_, left, right) => {
            uses(left, out);
            uses(right, out);
        }
        ExprKind::If(condition, then, otherwise) => {
            [condition, then, otherwise]
                .into_iter()
                .for_each(|e| uses(e, out));
        }
    }
}
