//! The values of params.

use super::declarations::Declarations;
use super::eval::{Binding, Params, Scope, eval};
use super::report::Reports;
use super::typing::{expect, type_of};
use super::value::{Type, Value};
use super::{Flag, MAX_DEPTH, Target};
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use crate::syntax::ast::{self, Call, Expr, ExprKind, Item};
use crate::syntax::print_expr;
use std::collections::HashMap;

/// A param as a command's help shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its name, and its flag's.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its default, as written.
    pub default: String,
    /// Its range, as written.
    pub range: Option<String>,
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Where its name is.
    pub span: Span,
}

/// The params of a file, for the flags and the help of a command that takes it.
pub fn knobs(file: &ast::File) -> Vec<Knob> {
    let params = file.items.iter().filter_map(|item| match item {
        Item::Param(param) => Some(param),
        Item::Block(_) | Item::Model(_) | Item::Train(_) => None,
    });
    let knobs = params.map(|param| Knob {
        name: param.name.node.clone(),
        kind: param.kind.node.clone(),
        default: print_expr(&param.default),
        range: param.range.as_ref().map(print_range),
        doc: param.doc.clone(),
        span: param.name.span,
    });
    knobs.collect()
}

fn print_range(range: &ast::Range) -> String {
    let bound = |b: &Option<Expr>| b.as_ref().map(print_expr).unwrap_or_default();
    let dots = if range.inclusive { "..=" } else { ".." };
    format!("{}{dots}{}", bound(&range.lo), bound(&range.hi))
}

/// The value of every param: its flag's or its default's, in its range.
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
}

impl<'a> Resolver<'a, '_> {
    /// Evaluates `param`, which is used at `used`.
    fn param(&mut self, param: &'a ast::Param, used: Span, depth: usize, reports: &mut Reports) {
        let name = param.name.node.as_str();
        match self.state.get(name) {
            Some(State::Done) => return,
            Some(State::Open) => {
                let message = format!("param `{name}` is defined by itself");
                reports.add(
                    Diagnostic::new(Code::Name, message, used, "this use closes the cycle")
                        .also(param.name.span, "declared here")
                        .help("give one of the params in the cycle a number"),
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
        let flag = self.flags.iter().rev();
        let flag = flag
            .filter(|f| f.target == Target::Param)
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
        let name = &param.name.node;
        let empty = Params::new();
        // A flag's value stands alone: it cannot name other params.
        let scope = Scope::new(if from_flag { &empty } else { &self.params });
        if from_flag && !expect(expr, want, &format!("param `{name}`"), &scope, reports) {
            return None;
        }
        type_of(expr, &scope, &mut Reports::default()).filter(|kind| kind.fits(want))?;
        let value = eval(expr, &scope, reports)?.widened(want);
        if let Some(range) = &param.range {
            self.check_range(param, range, value, expr, from_flag, reports)?;
        }
        Some(value)
    }

    fn check_range(
        &self,
        param: &ast::Param,
        range: &ast::Range,
        value: Value,
        expr: &Expr,
        from_flag: bool,
        reports: &mut Reports,
    ) -> Option<()> {
        let scope = Scope::new(&self.params);
        let mut bound = |b: &Option<Expr>, open: f64| match b {
            Some(b) => eval(b, &scope, reports)?.float(),
            None => Some(open),
        };
        let lo = bound(&range.lo, f64::NEG_INFINITY)?;
        let hi = bound(&range.hi, f64::INFINITY)?;
        let number = value.float()?;
        let below = number < hi || (range.inclusive && number == hi);
        if lo <= number && below {
            return Some(());
        }
        let name = &param.name.node;
        let shown = print_range(range);
        let nearest = if number < lo { &range.lo } else { &range.hi };
        let help = match nearest {
            _ if lo > hi => "the range is empty: exchange its ends".to_string(),
            Some(bound) if number < lo || range.inclusive => {
                format!("choose a value in {shown}, such as {}", print_expr(bound))
            }
            _ => format!("choose a value in {shown}"),
        };
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

/// The bare names that an expression uses, with their places.
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
