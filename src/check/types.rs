//! Names and types of statements, before any value is known.

use super::declarations::Declarations;
use super::prelude::{layers, policies};
use super::report::{Reports, unknown};
use super::scope::{Binding, Params, Scope};
use super::typing::{check_args, expect};
use super::value::Type;
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{Bounds, Integers, Kind, Slot, SlotDefault, find, names};
use crate::ir::{INPUTS, Project};
use crate::syntax::ast::{self, Body, Call, Ident, Statement, StatementKind};

/// Checks every expression outside `train`, which is checked as it is resolved.
pub(super) fn check(declared: &Declarations, reports: &mut Reports) {
    let params = param_types(declared, reports);
    let scope = Scope::new(&params);
    for param in &declared.params {
        if reports.is_full() {
            return;
        }
        let want = scope.kind(&param.name.node);
        if let Some(want) = want {
            let what = format!("the default of `{}`", param.name.node);
            let before = reports.len();
            expect(&param.default, want, &what, &scope, reports);
            reports.label_from(before, param.kind.span, || format!("declared `{want}`"));
            check_range(param, want, &scope, reports);
        }
    }
    let mut blocks: Vec<&&ast::Block> = declared.blocks.values().collect();
    blocks.sort_by_key(|block| block.span);
    for block in blocks {
        if reports.is_full() {
            return;
        }
        check_block(block, declared, &params, reports);
    }
    if let Some(model) = declared.model {
        check_input(model, reports);
        check_body(
            &model.body,
            declared,
            &mut Scope::new(&params),
            true,
            reports,
        );
    }
}

/// Lists the params with their types and no values.
fn param_types<'a>(declared: &Declarations<'a>, reports: &mut Reports) -> Params<'a> {
    let bindings = declared.params.iter().map(|param| {
        let binding = Binding {
            kind: named_type(&param.kind, reports),
            value: None,
        };
        (param.name.node.as_str(), binding)
    });
    bindings.collect()
}

/// Finds the type of that name.
pub(super) fn named_type(name: &Ident, reports: &mut Reports) -> Option<Type> {
    let kind = Type::from_name(&name.node);
    if kind.is_none() {
        reports.add(unknown("type", &name.node, name.span, &Type::NAMES));
    }
    kind
}

fn check_range(param: &ast::Param, want: Type, scope: &Scope, reports: &mut Reports) {
    let Some(range) = &param.range else { return };
    if !matches!(want, Type::Int | Type::Float) {
        let message = format!("a `{want}` param has no range");
        let report = Diagnostic::new(
            Code::Type,
            message,
            range.span,
            "only numbers have an order",
        );
        reports.add(
            report
                .also(param.kind.span, "its type")
                .help("remove `in …`"),
        );
        return;
    }
    for bound in range.lo.iter().chain(&range.hi) {
        expect(bound, want, "a bound of the range", scope, reports);
    }
}

/// Makes the slots that a block's declaration gives.
pub(super) fn block_slots(block: &ast::Block) -> Vec<Slot<'_>> {
    let formals = block.formals.iter().flatten();
    let slots = formals.map(|formal| Slot {
        name: &formal.name.node,
        kind: match Type::from_name(&formal.kind.node) {
            Some(Type::Float) => Kind::Float(Bounds::Any),
            Some(Type::Bool) => Kind::Bool,
            Some(Type::Skip) => Kind::Skip,
            Some(Type::Int) => Kind::Int(Integers::ANY),
            None => Kind::Any,
        },
        positional: true,
        default: match formal.default {
            Some(_) => SlotDefault::Derived,
            None => SlotDefault::Required(None),
        },
        doc: "",
    });
    slots.collect()
}

fn check_block(
    block: &ast::Block,
    declared: &Declarations,
    params: &Params,
    reports: &mut Reports,
) {
    let outer = Scope::new(params);
    let mut scope = Scope::new(params);
    for formal in block.formals.iter().flatten() {
        let kind = named_type(&formal.kind, reports);
        if let (Some(kind), Some(default)) = (kind, &formal.default) {
            let what = format!("the default of `{}`", formal.name.node);
            expect(default, kind, &what, &outer, reports);
        }
        let same = |other: &&ast::Formal| other.name.node == formal.name.node;
        let first = block.formals.iter().flatten().find(same);
        if let Some(first) = first.filter(|first| first.name.span != formal.name.span) {
            let message = format!(
                "`{}` has two arguments `{}`",
                block.name.node, formal.name.node
            );
            let report = Diagnostic::new(Code::Name, message, formal.name.span, "the second one")
                .also(first.name.span, "the first one");
            reports.add(report.help("give one of them another name"));
        }
        scope.push(&formal.name.node, Binding { kind, value: None });
    }
    check_body(&block.body, declared, &mut scope, false, reports);
}

/// Checks that a model's `input` comes first, once, and without a label.
fn check_input(model: &ast::Model, reports: &mut Reports) {
    let is_input = |s: &&Statement| matches!(s.kind, StatementKind::Input(_));
    let mut inputs = model.body.statements.iter().filter(is_input);
    let Some(input) = inputs.next() else {
        let message = format!("model `{}` has no input", model.name.node);
        reports.add(
            Diagnostic::new(Code::Name, message, model.name.span, "takes nothing")
                .help("begin it with `input image(channels, height, width)`"),
        );
        return;
    };
    if let Some(second) = inputs.next() {
        reports.add(
            Diagnostic::new(
                Code::Name,
                "a model has one input",
                second.span,
                "the second one",
            )
            .also(input.span, "the first one")
            .help("remove one of them"),
        );
    }
    if let Some(first) = model.body.statements.first()
        && first.span != input.span
    {
        let message = "`input` comes after a layer";
        reports.add(
            Diagnostic::new(Code::Name, message, input.span, "too late")
                .also(first.span, "this comes before it")
                .help("move `input` to the beginning of the model"),
        );
    }
    if let Some(label) = &input.label {
        reports.add(
            Diagnostic::new(Code::Name, "`input` has no label", label.span, "this label")
                .help(format!("remove `{}:`", label.node)),
        );
    }
}

fn check_body<'a>(
    body: &'a Body,
    declared: &Declarations,
    scope: &mut Scope<'a>,
    in_model: bool,
    reports: &mut Reports,
) {
    for statement in &body.statements {
        if reports.is_full() {
            return;
        }
        match &statement.kind {
            StatementKind::Input(call) => {
                if !in_model {
                    let message = "only the model itself has an `input`";
                    reports.add(
                        Diagnostic::new(Code::Name, message, statement.span, "not in here")
                            .help("remove it: these layers take what comes before them"),
                    );
                }
                match find(INPUTS, &call.name.node) {
                    Some(input) => check_args(call, input.slots, None, scope, reports),
                    None => {
                        reports.add(unknown("input", &call.name.node, call.name.span, &[]).help(
                            "write `input image(channels, height, width)`; \
                             a vector of n is `image(n, 1, 1)`",
                        ))
                    }
                }
            }
            StatementKind::Layer(call) => check_layer(call, declared, scope, reports),
            StatementKind::Repeat {
                count,
                counter,
                body,
            } => {
                expect(count, Type::Int, "the count of a `repeat`", scope, reports);
                if let Some(counter) = counter {
                    let kind = Some(Type::Int);
                    scope.push(&counter.node, Binding { kind, value: None });
                }
                check_body(body, declared, scope, false, reports);
                if counter.is_some() {
                    scope.pop();
                }
            }
            StatementKind::Skip {
                policy,
                project,
                body,
            } => {
                expect(policy, Type::Skip, "what follows `skip`", scope, reports);
                if let Some(project) = project
                    && !Project::NAMES.contains(&project.node.as_str())
                {
                    reports.add(unknown(
                        "projection",
                        &project.node,
                        project.span,
                        &Project::NAMES,
                    ));
                }
                check_body(body, declared, scope, false, reports);
            }
            StatementKind::Concat { body } => check_body(body, declared, scope, false, reports),
        }
    }
}

fn check_layer(call: &Call, declared: &Declarations, scope: &Scope, reports: &mut Reports) {
    if let Some(block) = declared.blocks.get(call.name.node.as_str()) {
        let slots = block_slots(block);
        return check_args(call, &slots, Some(block.name.span), scope, reports);
    }
    if let Some(layer) = find(layers(), &call.name.node) {
        return check_args(call, layer.slots, None, scope, reports);
    }
    let mut known = names(layers());
    known.extend(declared.blocks.keys());
    known.sort_unstable();
    let report = unknown("layer or block", &call.name.node, call.name.span, &known);
    reports.add(match call.name.node.as_str() {
        policy if find(policies(), policy).is_some() => {
            report.help(format!("a policy wraps layers: `skip {policy} {{ … }}`"))
        }
        _ => report,
    });
}
