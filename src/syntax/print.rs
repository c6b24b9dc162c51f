//! Syntax tree to canonical text.
//!
//! Four blanks of indent, one statement a line, a body of one layer on its opener's
//! line, no needless parentheses, arguments one a line where they pass
//! [`WIDTH`] columns. Comments and single blank lines stay where they are; a comment
//! inside a statement moves above it. Parsing what is printed gives the same tree.

use super::ast::*;
use crate::text::with_line_feeds;

/// Widest line in columns, as far as breaking a call's arguments can help.
const WIDTH: usize = 100;
const INDENT: usize = 4;

/// Prints `file` in canonical form, in lines that end in LF and without a byte order mark.
/// `source` is the text it was parsed from; only its blank lines are read.
pub fn print(file: &File, source: &str) -> String {
    let mut printer = Printer {
        out: String::new(),
        source: &with_line_feeds(source),
        comments: &file.comments,
    };
    let mut previous: Option<&Item> = None;
    for item in &file.items {
        printer.item(item, previous);
        previous = Some(item);
    }
    printer.comments_before(u32::MAX, u32::MAX, 0);
    printer.out
}

/// Prints an expression in canonical form.
pub fn print_expr(expr: &Expr) -> String {
    expression(expr, 0)
}

/// Prints an expression as a left operand of `op`, in parentheses where they are needed.
pub fn print_operand(expr: &Expr, op: BinaryOp) -> String {
    expression(expr, op.precedence())
}

struct Printer<'a> {
    out: String,
    source: &'a str,
    /// Comments not printed yet.
    comments: &'a [Comment],
}

impl Printer<'_> {
    fn item(&mut self, item: &Item, previous: Option<&Item>) {
        let span = match item {
            Item::Param(param) => param.span,
            Item::Block(block) => block.span,
            Item::Model(model) => model.span,
            Item::Train(train) => train.span,
        };
        self.trailing_comments(span.start);
        let params = |item: &Item| matches!(item, Item::Param(_));
        if previous.is_some_and(|previous| !(params(previous) && params(item))) {
            self.out.push('\n');
        }
        match item {
            Item::Param(param) => {
                self.comments_before(param.span.end, param.span.start, 0);
                self.blank_line_before(param.span.start);
                self.line(0, &param_line(param));
            }
            Item::Block(block) => {
                self.open(span.start, block.body.span.start, &block_header(block));
                self.body(&block.body, INDENT);
            }
            Item::Model(model) => {
                let header = format!("model {}", model.name.node);
                self.open(span.start, model.body.span.start, &header);
                self.body(&model.body, INDENT);
            }
            Item::Train(train) => {
                let first = train
                    .settings
                    .first()
                    .map_or(span.end, |s| s.key.span.start);
                self.open(span.start, first.min(span.start + 1), "train");
                for setting in &train.settings {
                    self.setting(setting);
                }
                self.comments_before(span.end, span.end, INDENT);
            }
        }
        if !params(item) {
            self.line(0, "}");
        }
    }

    /// Prints the opening line of a declaration, after the comments before its brace.
    fn open(&mut self, start: u32, brace: u32, header: &str) {
        self.comments_before(brace, start, 0);
        self.blank_line_before(start);
        self.line(0, &format!("{header} {{"));
    }

    fn setting(&mut self, setting: &Setting) {
        let start = setting.key.span.start;
        self.comments_before(setting.value.span.end, start, INDENT);
        self.blank_line_before(start);
        let prefix = format!("{}: ", setting.key.node);
        match &setting.value.kind {
            ExprKind::Call(call) => self.call_line(INDENT, &prefix, call),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::List(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::If(..) => {
                self.line(INDENT, &format!("{prefix}{}", print_expr(&setting.value)));
            }
        }
    }

    fn body(&mut self, body: &Body, indent: usize) {
        for statement in &body.statements {
            self.statement(statement, indent);
        }
        self.comments_before(body.span.end, body.span.end, indent);
    }

    fn statement(&mut self, statement: &Statement, indent: usize) {
        let start = statement.span.start;
        let label = match &statement.label {
            Some(label) => format!("{}: ", label.node),
            None => String::new(),
        };
        let (header, body) = match &statement.kind {
            StatementKind::Input(call) => {
                return self.simple(statement, indent, &format!("{label}input "), call);
            }
            StatementKind::Layer(call) => return self.simple(statement, indent, &label, call),
            StatementKind::Repeat {
                count,
                counter,
                body,
            } => {
                let counter = match counter {
                    Some(counter) => format!(" as {}", counter.node),
                    None => String::new(),
                };
                (
                    format!("{label}repeat {}{counter}", print_expr(count)),
                    body,
                )
            }
            StatementKind::Skip {
                policy,
                project,
                body,
            } => {
                let project = match project {
                    Some(project) => format!(" project: {}", project.node),
                    None => String::new(),
                };
                (format!("{label}skip {}{project}", print_expr(policy)), body)
            }
            StatementKind::Concat { body } => (format!("{label}concat"), body),
        };
        self.comments_before(body.span.start, start, indent);
        self.blank_line_before(start);
        match self.one_line_body(body, indent + header.len()) {
            Some(inner) => self.line(indent, &format!("{header} {inner}")),
            None => {
                self.line(indent, &format!("{header} {{"));
                self.body(body, indent + INDENT);
                self.line(indent, "}");
            }
        }
    }

    fn simple(&mut self, statement: &Statement, indent: usize, prefix: &str, call: &Call) {
        self.comments_before(statement.span.end, statement.span.start, indent);
        self.blank_line_before(statement.span.start);
        self.call_line(indent, prefix, call);
    }

    /// Prints `{ layer }`, if the body is one layer without comments and fits.
    fn one_line_body(&self, body: &Body, used: usize) -> Option<String> {
        let next = self.comments.first();
        if next.is_some_and(|comment| comment.span.start < body.span.end) {
            return None;
        }
        let inner = match body.statements.as_slice() {
            [] => return Some("{}".to_string()),
            [statement] => match (&statement.kind, &statement.label) {
                (StatementKind::Layer(layer), None) => call(layer),
                (StatementKind::Layer(layer), Some(label)) => {
                    format!("{}: {}", label.node, call(layer))
                }
                _ => return None,
            },
            _ => return None,
        };
        let text = format!("{{ {inner} }}");
        (used + 1 + text.len() <= WIDTH).then_some(text)
    }

    /// Prints `prefix` and a call, with one argument a line if it does not fit on one line.
    fn call_line(&mut self, indent: usize, prefix: &str, c: &Call) {
        let whole = format!("{prefix}{}", call(c));
        if indent + whole.len() <= WIDTH || c.args().is_empty() {
            return self.line(indent, &whole);
        }
        self.line(indent, &format!("{prefix}{}(", c.name.node));
        for argument in c.args() {
            self.line(indent + INDENT, &format!("{},", arg(argument)));
        }
        self.line(indent, ")");
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Prints an empty line if the source has one before byte `at`; but never two, and none
    /// after an opening brace.
    fn blank_line_before(&mut self, position: u32) {
        let before = self.source.get(..position as usize).unwrap_or_default();
        let gap = &before[before.trim_end().len()..];
        let opened = self.out.is_empty() || self.out.ends_with("{\n") || self.out.ends_with("\n\n");
        if gap.matches('\n').count() > 1 && !opened {
            self.out.push('\n');
        }
    }

    /// Prints the comments before byte `end`, each on a line of its own, except one that
    /// shares its line with the node printed last. Comments after `start` come from inside
    /// the node that is printed next.
    fn comments_before(&mut self, end: u32, start: u32, indent: usize) {
        self.trailing_comments(start);
        while let Some((comment, rest)) = self.comments.split_first() {
            if comment.span.start >= end {
                break;
            }
            self.comments = rest;
            if comment.span.start < start {
                self.blank_line_before(comment.span.start);
            }
            self.line(indent, &comment.text);
        }
    }

    /// Prints the comment before `start` that shares its line with the node printed last. A
    /// line has room for one.
    fn trailing_comments(&mut self, start: u32) {
        let Some((comment, rest)) = self.comments.split_first() else {
            return;
        };
        let line = self.out.trim_end().lines().next_back().unwrap_or_default();
        let room = !line.is_empty() && !line.contains("//");
        if !comment.own_line && comment.span.start < start && room {
            self.comments = rest;
            self.out.truncate(self.out.trim_end().len());
            self.out.push_str(&format!(" {}\n", comment.text));
        }
    }
}

fn param_line(param: &Param) -> String {
    let Param {
        name,
        kind,
        default,
        range,
        ..
    } = param;
    let range = match range {
        Some(Range {
            lo, inclusive, hi, ..
        }) => {
            let bound = |b: &Option<Expr>| b.as_ref().map(print_expr).unwrap_or_default();
            let dots = if *inclusive { "..=" } else { ".." };
            format!(" in {}{dots}{}", bound(lo), bound(hi))
        }
        None => String::new(),
    };
    format!(
        "param {}: {} = {}{range}",
        name.node,
        kind.node,
        print_expr(default)
    )
}

fn block_header(block: &Block) -> String {
    let formals = block.formals.iter().flatten().map(|formal| {
        let default = match &formal.default {
            Some(default) => format!(" = {}", print_expr(default)),
            None => String::new(),
        };
        format!("{}: {}{default}", formal.name.node, formal.kind.node)
    });
    let formals: Vec<String> = formals.collect();
    match &block.formals {
        Some(_) => format!("block {}({})", block.name.node, formals.join(", ")),
        None => format!("block {}", block.name.node),
    }
}

fn call(call: &Call) -> String {
    match &call.args {
        None => call.name.node.clone(),
        Some(args) => {
            let args: Vec<String> = args.iter().map(arg).collect();
            format!("{}({})", call.name.node, args.join(", "))
        }
    }
}

fn arg(arg: &Arg) -> String {
    match &arg.key {
        Some(key) => format!("{}: {}", key.node, print_expr(&arg.value)),
        None => print_expr(&arg.value),
    }
}

/// Prints `expr`, in parentheses if it binds less tightly than `least`.
fn expression(expr: &Expr, least: u8) -> String {
    let (text, precedence) = match &expr.kind {
        ExprKind::Int(text) | ExprKind::Float(text) => (text.clone(), u8::MAX),
        ExprKind::Bool(value) => (value.to_string(), u8::MAX),
        ExprKind::Call(c) => (call(c), u8::MAX),
        ExprKind::List(items) => {
            let items: Vec<String> = items.iter().map(print_expr).collect();
            (format!("[{}]", items.join(", ")), u8::MAX)
        }
        ExprKind::If(condition, then, otherwise) => {
            let condition = expression(condition, 1);
            let [then, otherwise] = [then, otherwise].map(|e| print_expr(e));
            let text = format!("if {condition} {{ {then} }} else {{ {otherwise} }}");
            (text, 0)
        }
        ExprKind::Unary(op, operand) => {
            let operand = expression(operand, op.precedence());
            (format!("{}{operand}", op.symbol()), op.precedence())
        }
        ExprKind::Binary(op, left, right) => {
            let own = op.precedence();
            let (left_least, right_least) = match *op == BinaryOp::Power {
                true => (own + 1, own),
                false => (own, own + 1),
            };
            let left = expression(left, left_least);
            let right = expression(right, right_least);
            (format!("{left} {} {right}", op.symbol()), own)
        }
    };
    if precedence < least {
        format!("({text})")
    } else {
        text
    }
}
