//! Expressions: builds trees from the grammar's flat chains of operators and operands.

// Of the grammar's hundred rules, a few can come to each place.
#![expect(clippy::wildcard_enum_match_arm)]

use super::ast::*;
use super::grammar::Rule;
use super::parse::{Builder, next, next_if};
use super::scan::MAX_PARTS;
use crate::diag::{Code, Diagnostic};
use crate::span::Span;
use pest::iterators::{Pair, Pairs};

impl<'t> Builder<'t> {
    /// Builds a call that is no part of an expression, within the limit of
    /// [`Builder::whole_expr`].
    pub fn call(&mut self, pair: Pair<'t, Rule>) -> Call {
        if self.too_long(&pair) {
            let mut parts = pair.into_inner();
            let name = self.ident(next(&mut parts));
            return Call {
                span: name.span,
                name,
                args: None,
            };
        }
        self.inner_call(pair)
    }

    fn inner_call(&mut self, pair: Pair<'t, Rule>) -> Call {
        let mut parts = pair.into_inner();
        let name = self.ident(next(&mut parts));
        let Some(args) = parts.next() else {
            return Call {
                span: name.span,
                name,
                args: None,
            };
        };
        let span = name.span.cover(self.span(&args));
        let inner = args.into_inner().filter(|p| p.as_rule() == Rule::arg);
        let args = inner
            .map(|arg| {
                let mut parts = arg.into_inner();
                let key = next_if(&mut parts, Rule::key).map(|key| self.ident(key));
                let value = self.expr(next(&mut parts));
                Arg { key, value }
            })
            .collect();
        Call {
            span,
            name,
            args: Some(args),
        }
    }

    /// Builds an expression that is no part of another, of at most [`MAX_PARTS`] parts.
    pub fn whole_expr(&mut self, pair: Pair<'t, Rule>) -> Expr {
        if self.too_long(&pair) {
            return Expr {
                span: self.span(&pair),
                kind: ExprKind::Bool(false),
            };
        }
        self.expr(pair)
    }

    /// Whether `pair` has more than [`MAX_PARTS`] parts, which is then reported.
    pub fn too_long(&mut self, pair: &Pair<'t, Rule>) -> bool {
        let rules = pair.clone().into_inner().flatten().map(|p| p.as_rule());
        let parts = rules.filter(|&rule| is_part(rule)).count();
        if parts <= MAX_PARTS {
            return false;
        }
        let message =
            format!("{parts} operators and operands in one place; the limit is {MAX_PARTS}");
        let report = Diagnostic::new(Code::Limit, message, self.span(pair), "all of this");
        self.report(report.help("name its parts with `param`"));
        true
    }

    fn expr(&mut self, pair: Pair<'t, Rule>) -> Expr {
        let mut parts = pair.into_inner();
        self.climb(&mut parts, 0)
    }

    /// Builds the tree of the operators that bind at least as tightly as `least` (precedence
    /// climbing).
    fn climb(&mut self, parts: &mut Pairs<'t, Rule>, least: u8) -> Expr {
        let first = next(parts);
        let mut left = match prefix(first.as_rule()) {
            Some(op) => {
                let operand = self.climb(parts, op.precedence());
                Expr {
                    span: self.span(&first).cover(operand.span),
                    kind: ExprKind::Unary(op, Box::new(operand)),
                }
            }
            None => self.atom(first),
        };
        while let Some(op) = parts.peek().and_then(|p| infix(p.as_rule())) {
            if op.precedence() < least {
                break;
            }
            next(parts);
            // `^` groups to the right, the others to the left.
            let tighter = u8::from(op != BinaryOp::Power);
            let right = self.climb(parts, op.precedence() + tighter);
            left = Expr {
                span: left.span.cover(right.span),
                kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
            };
        }
        left
    }

    fn atom(&mut self, pair: Pair<'t, Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::int => ExprKind::Int(pair.as_str().to_string()),
            Rule::float => ExprKind::Float(pair.as_str().to_string()),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::group => {
                let values = pair.into_inner().filter(|p| p.as_rule() == Rule::expr);
                let values: Vec<Pair<Rule>> = values.collect();
                if values.len() > 1 {
                    self.several(span, &values);
                }
                let mut values = values.into_iter();
                let Some(first) = values.next() else {
                    return Expr {
                        span,
                        kind: ExprKind::Bool(false),
                    };
                };
                let inner = self.expr(first);
                return Expr { span, ..inner };
            }
            Rule::list => {
                let inner = pair.into_inner().filter(|p| p.as_rule() == Rule::expr);
                ExprKind::List(inner.map(|p| self.expr(p)).collect())
            }
            Rule::conditional => {
                let mut parts = pair.into_inner();
                next(&mut parts); // `if`
                let condition = self.expr(next(&mut parts));
                let then = self.branch(next(&mut parts));
                next(&mut parts); // `else`
                let otherwise = self.branch(next(&mut parts));
                ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise))
            }
            _ => {
                let call = self.inner_call(pair);
                return Expr {
                    span: call.span,
                    kind: ExprKind::Call(call),
                };
            }
        };
        Expr { span, kind }
    }

    /// Reports several values in parentheses, of which the first is taken.
    fn several(&mut self, span: Span, values: &[Pair<'t, Rule>]) {
        let first = values.first().map_or("", |value| value.as_str().trim());
        let before = self.text()[..span.start as usize].trim_end();
        let named = before
            .strip_suffix(':')
            .map(str::trim_end)
            .unwrap_or_default();
        let start = named.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let key = &named[start.len()..];
        let message = match key {
            "kernel" | "kernel_size" | "pool_size" => "kernels are square",
            "stride" | "strides" => "a stride is the same in both directions",
            "padding" => "padding is the same on all sides",
            _ => "several values stand where one belongs",
        };
        let written = match key {
            "" => first.to_string(),
            key => format!("{key}: {first}"),
        };
        let help = match values.iter().all(|value| value.as_str().trim() == first) {
            true => format!("write `{written}`"),
            false => format!("give one value, such as `{written}`"),
        };
        let report = Diagnostic::new(Code::Syntax, message, span, "more than one");
        self.remark(report.help(help));
    }

    fn branch(&mut self, pair: Pair<'t, Rule>) -> Expr {
        let mut parts = pair.into_inner();
        next(&mut parts); // `{`
        self.expr(next(&mut parts))
    }
}

/// Whether a rule counts towards [`MAX_PARTS`].
fn is_part(rule: Rule) -> bool {
    let operand = matches!(
        rule,
        Rule::int | Rule::float | Rule::boolean | Rule::list | Rule::call | Rule::conditional
    );
    operand || rule == Rule::formal || prefix(rule).is_some() || infix(rule).is_some()
}

fn prefix(rule: Rule) -> Option<UnaryOp> {
    match rule {
        Rule::negate => Some(UnaryOp::Negate),
        Rule::negation => Some(UnaryOp::Not),
        _ => None,
    }
}

fn infix(rule: Rule) -> Option<BinaryOp> {
    Some(match rule {
        Rule::disjunction => BinaryOp::Or,
        Rule::conjunction => BinaryOp::And,
        Rule::equal => BinaryOp::Equal,
        Rule::not_equal => BinaryOp::NotEqual,
        Rule::less => BinaryOp::Less,
        Rule::less_equal => BinaryOp::LessEqual,
        Rule::greater => BinaryOp::Greater,
        Rule::greater_equal => BinaryOp::GreaterEqual,
        Rule::plus => BinaryOp::Add,
        Rule::minus => BinaryOp::Subtract,
        Rule::times => BinaryOp::Multiply,
        Rule::divide => BinaryOp::Divide,
        Rule::modulo => BinaryOp::Modulo,
        Rule::power => BinaryOp::Power,
        _ => return None,
    })
}
