//! Declarations of a file, by name.

use super::prelude::{layers, policies};
use super::report::Reports;
use super::scope::Function;
use crate::diag::{Code, Diagnostic};
use crate::flags;
use crate::ir::call::find;
use crate::span::Span;
use crate::syntax::ast::{self, Body, File, Ident, Item, StatementKind};
use std::collections::{HashMap, HashSet};

/// Whether a param of that name would hide a command's own flag.
pub(super) fn is_reserved(name: &str) -> bool {
    flags::is_flag(&flag(name))
}

/// Writes the flag that is written like `name`.
fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// The declarations of a file; of those with the same name, the first.
pub(super) struct Declarations<'a> {
    pub params: Vec<&'a ast::Param>,
    pub blocks: HashMap<&'a str, &'a ast::Block>,
    pub model: Option<&'a ast::Model>,
    pub train: Option<&'a ast::Train>,
    /// The blocks that a cycle of calls was found to lead back to.
    pub recursive: HashSet<&'a str>,
}

impl<'a> Declarations<'a> {
    /// Collects the declarations of `file`. Params called like a flag are refused where
    /// `has_flags`, because the params are flags themselves.
    pub fn collect(file: &'a File, has_flags: bool, reports: &mut Reports) -> Self {
        let mut declared = Declarations {
            params: Vec::new(),
            blocks: HashMap::new(),
            model: None,
            train: None,
            recursive: HashSet::new(),
        };
        let mut param_places: HashMap<&str, Span> = HashMap::new();
        for item in &file.items {
            match item {
                Item::Param(param) => {
                    let first = *param_places
                        .entry(&param.name.node)
                        .or_insert(param.name.span);
                    if first == param.name.span {
                        forbidden_param(&param.name, has_flags, reports);
                        declared.params.push(param);
                    } else {
                        reports.add(twice("param", &param.name, first));
                    }
                }
                Item::Block(block) => match declared.blocks.get(block.name.node.as_str()) {
                    Some(first) => reports.add(twice("block", &block.name, first.name.span)),
                    None => {
                        forbidden_block(&block.name, reports);
                        declared.blocks.insert(&block.name.node, block);
                    }
                },
                Item::Model(model) => match declared.model {
                    Some(first) => reports.add(one_only("model", model.name.span, first.name.span)),
                    None => declared.model = Some(model),
                },
                Item::Train(train) => match declared.train {
                    Some(first) => {
                        let word = |t: &ast::Train| Span {
                            end: t.span.start + 5,
                            ..t.span
                        };
                        reports.add(one_only("train", word(train), word(first)));
                    }
                    None => declared.train = Some(train),
                },
            }
        }
        if declared.model.is_none() {
            reports.add(
                Diagnostic::new(Code::Name, "the file has no `model`", Span::default(), "")
                    .help("add one: `model NAME { input image(3, 32, 32) … }`"),
            );
        }
        declared.recursive = recursive_blocks(file, &declared.blocks, reports);
        declared
    }
}

fn twice(kind: &str, name: &Ident, first: Span) -> Diagnostic {
    let message = format!("{kind} `{}` is declared twice", name.node);
    Diagnostic::new(Code::Name, message, name.span, "declared again here")
        .also(first, "first declared here")
        .help("give one of them another name, or remove it")
}

fn one_only(kind: &str, second: Span, first: Span) -> Diagnostic {
    let message = format!("the file has two `{kind}` sections");
    let help = match kind {
        "model" => "keep one of them: a file holds one network",
        _ => "put all settings into one of them",
    };
    Diagnostic::new(Code::Name, message, second, "the second one")
        .also(first, "the first one")
        .help(help)
}

fn forbidden_param(name: &Ident, has_flags: bool, reports: &mut Reports) {
    let taken = if has_flags && is_reserved(&name.node) {
        format!(
            "`--{}` is a flag of the commands themselves",
            flag(&name.node)
        )
    } else if find(policies(), &name.node).is_some() {
        format!("`{}` is a skip policy", name.node)
    } else {
        return;
    };
    let message = format!("a param may not be named `{}`", name.node);
    reports.add(
        Diagnostic::new(Code::Name, message, name.span, taken).help(format!(
            "choose another name, such as `model_{}`",
            name.node
        )),
    );
}

fn forbidden_block(name: &Ident, reports: &mut Reports) {
    let word = name.node.as_str();
    let taken = if find(layers(), word).is_some() {
        "is a layer"
    } else if find(policies(), word).is_some() {
        "is a skip policy"
    } else if Function::named(word).is_some() {
        "is a function"
    } else {
        return;
    };
    let message = format!("a block may not be named `{word}`");
    reports.add(
        Diagnostic::new(Code::Name, message, name.span, format!("`{word}` {taken}"))
            .help(format!("choose another name, such as `{word}_block`")),
    );
}

/// Reports each block that calls itself, directly or through others, with the cycle.
///
/// A depth-first search with its own stack: a chain of blocks may be long.
fn recursive_blocks<'a>(
    file: &'a File,
    blocks: &HashMap<&'a str, &'a ast::Block>,
    reports: &mut Reports,
) -> HashSet<&'a str> {
    let mut recursive: HashSet<&str> = HashSet::new();
    let mut done: HashMap<&str, bool> = HashMap::new();
    for item in &file.items {
        let Item::Block(root) = item else { continue };
        if done.contains_key(root.name.node.as_str()) {
            continue;
        }
        // Each entry: a block, the calls it makes, and how many were followed.
        let mut stack = vec![(root, calls(&root.body), 0)];
        done.insert(&root.name.node, false);
        while let Some((block, made, followed)) = stack.last_mut() {
            let Some(&call) = made.get(*followed) else {
                done.insert(&block.name.node, true);
                stack.pop();
                continue;
            };
            *followed += 1;
            let Some(&callee) = blocks.get(call.node.as_str()) else {
                continue;
            };
            match done.get(callee.name.node.as_str()) {
                Some(true) => {}
                Some(false) if reports.is_full() => {
                    recursive.insert(&callee.name.node);
                }
                Some(false) => {
                    recursive.insert(&callee.name.node);
                    let path: Vec<&str> = stack.iter().map(|s| s.0.name.node.as_str()).collect();
                    reports.add(cycle(call, callee, &path));
                }
                None => {
                    done.insert(&callee.name.node, false);
                    stack.push((callee, calls(&callee.body), 0));
                }
            }
        }
    }
    recursive
}

fn cycle(call: &Ident, callee: &ast::Block, path: &[&str]) -> Diagnostic {
    let start = path.iter().position(|name| *name == call.node).unwrap_or(0);
    let cycle = path[start..].iter().copied().chain([call.node.as_str()]);
    let cycle: Vec<String> = cycle.map(|name| format!("`{name}`")).collect();
    let message = match cycle.len() {
        2 => format!("block `{}` calls itself", call.node),
        _ => format!("blocks call one another in a cycle: {}", cycle.join(" → ")),
    };
    Diagnostic::new(Code::Name, message, call.span, "this call closes the cycle")
        .also(callee.name.span, format!("`{}` begins here", call.node))
        .help("a block cannot contain itself: to stack layers use `repeat n { … }`")
}

/// Collects the names called in `body` and inside it.
fn calls(body: &Body) -> Vec<&Ident> {
    let mut out = Vec::new();
    for statement in &body.statements {
        match &statement.kind {
            StatementKind::Input(_) => {}
            StatementKind::Layer(call) => out.push(&call.name),
            StatementKind::Repeat { body, .. }
            | StatementKind::Skip { body, .. }
            | StatementKind::Concat { body } => out.extend(calls(body)),
        }
    }
    out
}
