//! Expansion: params have values, blocks and repeats become layers, layers get shapes.

use super::call::{INPUTS, LAYERS, bind};
use super::declarations::Declarations;
use super::eval::{Binding, Params, Scope, eval};
use super::infer::{self, Misfit};
use super::policy::PolicyValue;
use super::report::Reports;
use super::types::block_slots;
use super::value::{Type, Value};
use super::{MAX_DEPTH, MAX_LAYERS};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Granularity, Layer, Model, ModelParam, Op, Shape, Train};
use crate::span::Span;
use crate::syntax::ast::{self, Body, Call, Ident, Statement, StatementKind};
use std::collections::HashMap;

/// The network of the file's model; `None` where it cannot be known.
pub(super) fn elaborate(
    declared: &Declarations,
    params: &Params,
    train: Train,
    reports: &mut Reports,
) -> Option<Model> {
    let model = declared.model?;
    let mut elaborator = Elaborator {
        declared,
        params,
        granularity: train.constraint.alpha_granularity,
        work: 0,
        stopped: false,
        reports,
    };
    let scope = Scope::new(params);
    let input = elaborator.input(&model.body, &scope);
    let flow = Flow {
        shape: input.map(|(shape, _)| shape),
        from: input.map_or(model.name.span, |(_, span)| span),
    };
    let mut place = Place::root();
    let end = elaborator.body(&model.body, &scope, &mut place, flow);
    if elaborator.stopped {
        return None;
    }
    let shown = declared.params.iter().filter_map(|param| {
        let binding = params.get(param.name.node.as_str())?;
        Some(ModelParam {
            name: param.name.node.clone(),
            kind: binding.kind?.name(),
            value: binding.value?.to_string(),
            doc: param.doc.clone(),
        })
    });
    Some(Model {
        name: model.name.node.clone(),
        params: shown.collect(),
        doc: model.doc.clone(),
        input: input?.0,
        layers: place.layers,
        output: end.shape?,
        train,
    })
}

/// What runs between layers: its shape, if known, and the place that made it.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub shape: Option<Shape>,
    pub from: Span,
}

/// A scope of the network: where layers are being added.
pub(super) struct Place {
    /// The layers so far.
    layers: Vec<Layer>,
    /// The path of the scope, with its dot.
    prefix: String,
    /// Scopes and calls around this one.
    depth: usize,
    /// Whether weights are Dirac ones here.
    pub dirac: bool,
    /// Whether this is directly the body of a `skip`.
    in_skip: bool,
    /// How many statements of each kind came before.
    counts: HashMap<&'static str, usize>,
    /// The names given, with the place of the statement.
    names: HashMap<String, Span>,
}

impl Place {
    fn root() -> Self {
        Place {
            layers: Vec::new(),
            prefix: String::new(),
            depth: 0,
            dirac: false,
            in_skip: false,
            counts: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// The scope named `name` inside this one.
    fn inner(&self, name: &str) -> Self {
        Place {
            prefix: format!("{}{name}.", self.prefix),
            depth: self.depth + 1,
            dirac: self.dirac,
            ..Place::root()
        }
    }
}

pub(super) struct Elaborator<'a, 'r> {
    declared: &'a Declarations<'a>,
    params: &'a Params<'a>,
    pub granularity: Granularity,
    /// Layers made, repeats turned and blocks called.
    work: usize,
    /// Set when a limit was passed: nothing more is made.
    stopped: bool,
    pub reports: &'r mut Reports,
}

impl<'a> Elaborator<'a, '_> {
    fn input(&mut self, body: &Body, scope: &Scope) -> Option<(Shape, Span)> {
        let call = body.statements.iter().find_map(|s| match &s.kind {
            StatementKind::Input(call) => Some(call),
            _ => None,
        })?;
        let slots = INPUTS.iter().find(|i| i.name == call.name.node)?.slots;
        let given = bind(call, slots, None, self.reports);
        let mut extent = |i: usize| self.at_least(1, given[i]?, slots[i].name, scope);
        let (channels, height, width) = (extent(0), extent(1), extent(2));
        let shape = Shape::image(channels?, height?, width?);
        self.limit_elements(infer::elements(shape), "the input", call.span)?;
        Some((shape, call.span))
    }

    fn body(
        &mut self,
        body: &'a Body,
        scope: &Scope<'a>,
        place: &mut Place,
        mut flow: Flow,
    ) -> Flow {
        for statement in &body.statements {
            if self.stopped {
                break;
            }
            flow = self.statement(statement, scope, place, flow);
        }
        flow
    }

    fn statement(
        &mut self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        place: &mut Place,
        flow: Flow,
    ) -> Flow {
        let label = statement.label.as_ref();
        match &statement.kind {
            StatementKind::Input(_) => flow,
            StatementKind::Layer(call) => {
                if let Some(&block) = self.declared.blocks.get(call.name.node.as_str()) {
                    return self.block(block, call, label, scope, place, flow);
                }
                let Some(layer) = LAYERS.iter().find(|l| l.name == call.name.node) else {
                    return Flow {
                        shape: None,
                        from: call.span,
                    };
                };
                let name = self.name(place, label, layer.name, call.span);
                let made = self.layer(call, layer, scope, place.dirac, flow);
                self.push(made, place, name, call.span, flow)
            }
            StatementKind::Repeat { .. } => self.repeat(statement, scope, place, flow),
            StatementKind::Skip {
                policy,
                project,
                body,
            } => {
                let span = header(statement, body);
                let name = self.name(place, label, "skip", span);
                let policy = eval(policy, scope, self.reports).and_then(Value::skip);
                let mut inner = place.inner(&name);
                inner.in_skip = true;
                inner.dirac |= policy == Some(PolicyValue::Dirac);
                let end = self.nested(body, scope, &mut inner, flow, span);
                let project = project.as_ref().map(|p| p.node.as_str());
                let made = match (policy, flow.shape, end.shape) {
                    (Some(policy), Some(input), Some(output)) => {
                        let op = self.skip(policy, project, input, output, inner.layers);
                        let op = self.fitted(op, span, end.from);
                        Some((op.map(Op::Skip), output))
                    }
                    _ => end.shape.map(|output| (None, output)),
                };
                self.push(made, place, name, span, flow)
            }
            StatementKind::Concat { body } => {
                let span = header(statement, body);
                let name = self.name(place, label, "concat", span);
                let mut inner = place.inner(&name);
                let end = self.nested(body, scope, &mut inner, flow, span);
                let made = match (flow.shape, end.shape) {
                    (Some(input), Some(output)) => {
                        let joined = infer::concat(input, output);
                        let op = Op::Concat { body: inner.layers };
                        self.fitted(joined, span, end.from)
                            .map(|shape| (Some(op), shape))
                    }
                    _ => None,
                };
                self.push(made, place, name, span, flow)
            }
        }
    }

    /// The layers of a scope that the statement at `span` opens.
    fn nested(
        &mut self,
        body: &'a Body,
        scope: &Scope<'a>,
        inner: &mut Place,
        flow: Flow,
        span: Span,
    ) -> Flow {
        if inner.depth > MAX_DEPTH {
            let message = format!("scopes are nested deeper than {MAX_DEPTH}");
            self.stop(
                message,
                span,
                "one too deep",
                "call fewer blocks inside one another",
            );
            return flow;
        }
        self.body(body, scope, inner, flow)
    }

    fn repeat(
        &mut self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        place: &mut Place,
        mut flow: Flow,
    ) -> Flow {
        let StatementKind::Repeat {
            count,
            counter,
            body,
        } = &statement.kind
        else {
            return flow;
        };
        let span = header(statement, body);
        let name = self.name(place, statement.label.as_ref(), "repeat", span);
        let Some(times) = self.at_least(0, count, "the count of a `repeat`", scope) else {
            return Flow {
                shape: None,
                from: span,
            };
        };
        if times > MAX_LAYERS {
            let message = format!("{times} repeats; a network has at most {MAX_LAYERS} layers");
            self.stop(message, count.span, "too many", "repeat less");
            return flow;
        }
        for i in 0..times {
            if !self.count_work(span) {
                break;
            }
            let mut local = scope.clone();
            if let Some(counter) = counter {
                local.push(&counter.node, Binding::known(Value::Int(i as i64)));
            }
            let mut inner = place.inner(&format!("{name}.{i}"));
            flow = self.nested(body, &local, &mut inner, flow, span);
            place.layers.append(&mut inner.layers);
        }
        flow
    }

    fn block(
        &mut self,
        block: &'a ast::Block,
        call: &'a Call,
        label: Option<&Ident>,
        scope: &Scope<'a>,
        place: &mut Place,
        flow: Flow,
    ) -> Flow {
        let slots = block_slots(block);
        let given = bind(call, &slots, Some(block.name.span), self.reports);
        let mut local = Scope::new(self.params);
        let outer = Scope::new(self.params);
        for (formal, value) in block.formals.iter().flatten().zip(given) {
            let kind = Type::from_name(&formal.kind.node);
            let value = match (value, &formal.default) {
                (Some(given), _) => eval(given, scope, self.reports),
                (None, Some(default)) => eval(default, &outer, self.reports),
                (None, None) => None,
            };
            let value = value.zip(kind).map(|(value, kind)| value.widened(kind));
            local.push(&formal.name.node, Binding { kind, value });
        }
        if !self.count_work(call.span) {
            return flow;
        }
        let Some(label) = label else {
            // An unlabelled call adds no path: its layers join the scope they are in.
            place.depth += 1;
            let flow = self.nested(&block.body, &local, place, flow, call.span);
            place.depth -= 1;
            return flow;
        };
        let name = self.name(place, Some(label), "block", call.span);
        let mut inner = place.inner(&name);
        let flow = self.nested(&block.body, &local, &mut inner, flow, call.span);
        place.layers.append(&mut inner.layers);
        flow
    }

    /// Adds the layer, if it is known, and gives what flows on.
    fn push(
        &mut self,
        made: Option<(Option<Op>, Shape)>,
        place: &mut Place,
        name: String,
        span: Span,
        flow: Flow,
    ) -> Flow {
        let mut shape = None;
        if self.count_work(span)
            && let Some((op, output)) = made
            && self
                .limit_elements(infer::elements(output), "its output", span)
                .is_some()
        {
            shape = Some(output);
            if let (Some(op), Some(input)) = (op, flow.shape) {
                let path = format!("{}{name}", place.prefix);
                place.layers.push(Layer {
                    path,
                    span,
                    input,
                    output,
                    op,
                });
            }
        }
        Flow { shape, from: span }
    }

    /// The name of a statement in its scope: its label, or its kind and how many of
    /// that kind came before. Reports one that is taken.
    fn name(
        &mut self,
        place: &mut Place,
        label: Option<&Ident>,
        kind: &'static str,
        span: Span,
    ) -> String {
        let count = place.counts.entry(kind).or_default();
        let name = label.map_or_else(|| format!("{kind}{count}"), |label| label.node.clone());
        *count += 1;
        let here = label.map_or(span, |label| label.span);
        if place.in_skip && matches!(name.as_str(), "project" | "gate") {
            let message = format!("`{name}` names a part of the `skip` itself");
            let report = Diagnostic::new(Code::Name, message, here, "taken");
            self.reports.add(report.help("choose another label"));
        }
        if let Some(&first) = place.names.get(&name) {
            let report = match first == here {
                true => Diagnostic::new(
                    Code::Name,
                    format!("`{name}` would name two layers: its block is called twice here"),
                    here,
                    "made twice",
                )
                .help("label the calls of the block, such as `first: …` and `second: …`"),
                false => Diagnostic::new(
                    Code::Name,
                    format!("`{name}` names two layers"),
                    here,
                    "the second one",
                )
                .also(first, "the first one")
                .help("give one of them another label"),
            };
            self.reports.add(report);
        }
        place.names.insert(name.clone(), here);
        name
    }

    /// The shape or part that fits; reports a misfit at `span`, where what came before
    /// was made at `from`.
    pub fn fitted<T>(&mut self, fit: Result<T, Misfit>, span: Span, from: Span) -> Option<T> {
        match fit {
            Ok(value) => Some(value),
            Err(Misfit { message, help }) => {
                let report = Diagnostic::new(Code::Shape, message, span, "this cannot take it");
                let report = match from == span {
                    true => report,
                    false => report.also(from, "this made it"),
                };
                self.reports.add(report.help(help));
                None
            }
        }
    }

    /// Counts one more layer, turn or call; false once there are too many.
    fn count_work(&mut self, span: Span) -> bool {
        if !self.stopped {
            self.work += 1;
            if self.work > MAX_LAYERS {
                let message = format!("the network has more than {MAX_LAYERS} layers and repeats");
                self.stop(message, span, "this is one too many", "repeat less");
            }
        }
        !self.stopped
    }

    fn stop(&mut self, message: String, span: Span, label: &str, help: &str) {
        self.stopped = true;
        self.reports
            .add(Diagnostic::new(Code::Limit, message, span, label).help(help));
    }

    /// Reports a tensor over the limit of elements.
    pub fn limit_elements(&mut self, elements: u128, what: &str, span: Span) -> Option<()> {
        if infer::within_limit(elements) {
            return Some(());
        }
        let message = match elements {
            u128::MAX => format!("{what} has far more than 2³¹ elements"),
            n => format!("{what} has {n} elements; the limit is 2³¹"),
        };
        let report = Diagnostic::new(Code::Limit, message, span, "too large");
        self.reports
            .add(report.help("use fewer channels or a smaller image"));
        None
    }
}

/// A statement up to its opening brace: what is underlined.
fn header(statement: &Statement, body: &Body) -> Span {
    Span {
        end: body.span.start + 1,
        ..statement.span
    }
}
