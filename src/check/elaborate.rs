//! Expansion: params have values, blocks and repeats become layers, layers get shapes.

use super::call::bind;
use super::declarations::Declarations;
use super::eval::{Builder, eval};
use super::layer_scope::LayerScope;
use super::limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_LAYERS, MAX_PATH, MAX_STEPS};
use super::prelude::layers;
use super::report::Reports;
use super::scope::{Binding, Params, Scope};
use super::types::block_slots;
use super::value::{Type, Value};
use crate::diag::{Code, Diagnostic};
use crate::ir::call::{Integers, Row, find};
use crate::ir::{
    Concat, Granularity, INPUTS, Layer, Model, ModelParam, Op, Project, Shape, ShapeError, Skip,
    Train,
};
use crate::span::Span;
use crate::syntax::ast::{self, Body, Call, Ident, Statement, StatementKind};
use crate::text::grouped;

/// Makes the network of the file's model, and the statement that makes its output; `None` where
/// it cannot be known.
pub(super) fn elaborate(
    declared: &Declarations,
    params: &Params,
    train: Train,
    reports: &mut Reports,
) -> Option<(Model, Span)> {
    let model = declared.model?;
    let mut elaborator = Elaborator {
        declared,
        params,
        granularity: train.constraint.alpha_granularity,
        layers: 0,
        steps: 0,
        stopped: false,
        reports,
    };
    let scope = Scope::new(params);
    let input = elaborator.input(&model.body, &scope);
    let flow = Flow {
        shape: input.map(|(shape, _)| shape),
        from: input.map_or(model.name.span, |(_, span)| span),
    };
    let mut place = LayerScope::root();
    let end = elaborator.body(&model.body, &scope, &mut place, flow);
    if elaborator.stopped {
        return None;
    }
    let shown = declared.params.iter().filter_map(|param| {
        let binding = params.get(param.name.node.as_str())?;
        Some(ModelParam {
            name: param.name.node.clone(),
            kind: binding.kind?.name(),
            value: binding.value.as_ref()?.to_string(),
            doc: param.doc.clone(),
        })
    });
    let network = Model {
        name: model.name.node.clone(),
        params: shown.collect(),
        doc: model.doc.clone(),
        input: input?.0,
        layers: place.layers,
        output: end.shape?,
        train,
        frozen: Vec::new(),
    };
    Some((network, end.from))
}

/// State that runs from layer to layer: its shape, if known, and the place that made it.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub shape: Option<Shape>,
    pub from: Span,
}

pub(super) struct Elaborator<'a, 'r> {
    declared: &'a Declarations<'a>,
    params: &'a Params<'a>,
    granularity: Granularity,
    /// Layers made.
    layers: usize,
    /// Repeats turned and blocks called.
    steps: usize,
    /// Set when a limit was passed: nothing more is made.
    stopped: bool,
    reports: &'r mut Reports,
}

impl<'a> Elaborator<'a, '_> {
    fn input(&mut self, body: &Body, scope: &Scope) -> Option<(Shape, Span)> {
        let call = body.statements.iter().find_map(|s| {
            let StatementKind::Input(call) = &s.kind else {
                return None;
            };
            Some(call)
        })?;
        let row = find(INPUTS, &call.name.node)?;
        let shape = Builder::new(scope, self.reports).build(call, row)?;
        self.limit_elements(product(&shape.dims()), "the input", call.span)?;
        Some((shape, call.span))
    }

    fn body(
        &mut self,
        body: &'a Body,
        scope: &Scope<'a>,
        place: &mut LayerScope,
        mut flow: Flow,
    ) -> Flow {
        for statement in &body.statements {
            if self.stopped || self.reports.is_full() {
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
        place: &mut LayerScope,
        flow: Flow,
    ) -> Flow {
        let label = statement.label.as_ref();
        match &statement.kind {
            StatementKind::Input(_) => flow,
            StatementKind::Layer(call) => {
                let name = call.name.node.as_str();
                let unknown = Flow {
                    shape: None,
                    from: call.span,
                };
                if let Some(&block) = self.declared.blocks.get(name) {
                    return match self.declared.recursive.contains(name) {
                        true => unknown,
                        false => self.block(block, call, label, scope, place, flow),
                    };
                }
                let Some(layer) = find(layers(), name) else {
                    return unknown;
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
                let mut inner = place.skip_body(
                    &name,
                    policy.as_ref().is_some_and(|policy| policy.dirac_weights),
                );
                let end = self.nested(body, scope, &mut inner, flow, span);
                // A word that is wrong is reported with the types.
                let project = project.as_ref().and_then(|p| Project::named(&p.node));
                let project = project.unwrap_or(Project::DEFAULT);
                let made = match (policy, flow.shape, end.shape) {
                    (Some(policy), Some(input), Some(output)) => {
                        let op = Skip::new(
                            policy,
                            project,
                            self.granularity,
                            (input, output),
                            inner.layers,
                        );
                        let op = self.fitted(op, span, end);
                        // What follows may be right once a vector is made after the skip.
                        let known = op.is_some() || input.is_image() == output.is_image();
                        known.then_some((op.map(Op::Skip), output))
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
                        let joined = Concat::joined(input, output);
                        let op = Op::Concat(Concat { body: inner.layers });
                        self.fitted(joined, span, end)
                            .map(|shape| (Some(op), shape))
                    }
                    _ => None,
                };
                self.push(made, place, name, span, flow)
            }
        }
    }

    /// Elaborates a layer: its operation and output shape; `None` where the output cannot be
    /// known.
    fn layer(
        &mut self,
        call: &Call,
        row: &'static Row<Op>,
        scope: &Scope,
        dirac: bool,
        flow: Flow,
    ) -> Option<(Option<Op>, Shape)> {
        let op = Builder::new(scope, self.reports)
            .in_dirac(dirac)
            .build(call, row)?;
        match flow.shape {
            Some(input) => {
                let output = op.operation().output(input);
                let output = self.fitted(output, call.span, flow)?;
                Some((Some(op), output))
            }
            // What goes in is not known, but what comes out may be.
            None => Some((None, op.operation().fixed_output()?)),
        }
    }

    /// Makes the layers of a scope that the statement at `span` opens.
    fn nested(
        &mut self,
        body: &'a Body,
        scope: &Scope<'a>,
        inner: &mut LayerScope,
        flow: Flow,
        span: Span,
    ) -> Flow {
        if inner.depth > MAX_DEPTH {
            let message = format!("blocks and scopes are nested deeper than {MAX_DEPTH}");
            self.stop(
                message,
                span,
                "one too deep",
                "nest fewer blocks inside one another",
            );
            return flow;
        }
        self.body(body, scope, inner, flow)
    }

    fn repeat(
        &mut self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        place: &mut LayerScope,
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
        let Some(times) = Builder::new(scope, self.reports).size(
            count,
            Integers::Size(0),
            "the count of a `repeat`",
        ) else {
            return Flow {
                shape: None,
                from: span,
            };
        };
        if times > MAX_LAYERS {
            let (times, most) = (grouped(times as u128), grouped(MAX_LAYERS as u128));
            let message = format!("{times} repeats, but a network has at most {most} layers");
            let help = format!("repeat {most} times at most");
            self.stop(message, count.span, "too many", &help);
            return flow;
        }
        for i in 0..times {
            if !self.count_step(span) {
                break;
            }
            let mut local = scope.clone();
            if let Some(counter) = counter {
                local.push(&counter.node, Binding::known(Value::Int(i as i64)));
            }
            let mut inner = place.inner(&format!("{name}.{i}"));
            let before = self.reports.len();
            flow = self.nested(body, &local, &mut inner, flow, span);
            match counter {
                Some(name) => self
                    .reports
                    .label_from(before, name.span, || format!("here `{}` is {i}", name.node)),
                None if i > 0 => self
                    .reports
                    .label_from(before, span, || format!("in repeat {i}, counted from 0")),
                None => {}
            }
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
        place: &mut LayerScope,
        flow: Flow,
    ) -> Flow {
        let slots = block_slots(block);
        let args = bind(call, &slots, Some(block.name.span), self.reports);
        let mut local = Scope::new(self.params);
        let outer = Scope::new(self.params);
        for (formal, (_, value)) in block.formals.iter().flatten().zip(args.pairs()) {
            let kind = Type::from_name(&formal.kind.node);
            let value = match (value, &formal.default) {
                (Some(given), _) => eval(given, scope, self.reports),
                (None, Some(default)) => eval(default, &outer, self.reports),
                (None, None) => None,
            };
            let value = value.zip(kind).map(|(value, kind)| value.widened(kind));
            local.push(&formal.name.node, Binding { kind, value });
        }
        if !self.count_step(call.span) {
            return flow;
        }
        let name = label.map(|_| self.name(place, label, "block", call.span));
        let before = self.reports.len();
        let flow = if let Some(name) = name {
            let mut inner = place.inner(&name);
            let flow = self.nested(&block.body, &local, &mut inner, flow, call.span);
            place.layers.append(&mut inner.layers);
            flow
        } else {
            // An unlabelled call adds no path: its layers join the scope they are in.
            place.depth += 1;
            let flow = self.nested(&block.body, &local, place, flow, call.span);
            place.depth -= 1;
            flow
        };
        let called = || format!("in this call of `{}`", call.name.node);
        self.reports.label_from(before, call.span, called);
        flow
    }

    /// Adds the layer, if it is known, and gives what flows on.
    fn push(
        &mut self,
        made: Option<(Option<Op>, Shape)>,
        place: &mut LayerScope,
        name: String,
        span: Span,
        flow: Flow,
    ) -> Flow {
        let mut shape = None;
        if self.count_layer(span)
            && let Some((op, output)) = made
            && self
                .limit_elements(product(&output.dims()), "its output", span)
                .is_some()
        {
            shape = Some(output);
            if let (Some(op), Some(input)) = (op, flow.shape) {
                let path = format!("{}{name}", place.prefix);
                let layer = Layer {
                    path,
                    span,
                    input,
                    output,
                    op,
                };
                self.limit_tensors(&layer);
                place.layers.push(layer);
            }
        }
        Flow { shape, from: span }
    }

    /// Returns the name of a statement in its scope; the path to it is not too long.
    fn name(
        &mut self,
        place: &mut LayerScope,
        label: Option<&Ident>,
        kind: &'static str,
        span: Span,
    ) -> String {
        let name = place.name(label, kind, span, self.reports);
        if place.prefix.len() + name.len() > MAX_PATH {
            self.stop(
                format!(
                    "the name of a layer is longer than {} bytes",
                    grouped(MAX_PATH as u128)
                ),
                span,
                "named by all the labels around it",
                "shorten the labels",
            );
        }
        name
    }

    /// Returns the shape or part that fits; reports a shape error of the statement at `span` and
    /// what flows into or out of its body.
    fn fitted<T>(&mut self, result: Result<T, ShapeError>, span: Span, flow: Flow) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let report = Diagnostic::new(Code::Shape, error.message, span, error.label);
                let report = match flow.shape {
                    Some(shape) if flow.from != span => {
                        report.also(flow.from, format!("gives {}", shape.described()))
                    }
                    _ => report,
                };
                self.reports.add(report.help(error.help));
                None
            }
        }
    }

    /// Counts one more layer; false once there are too many.
    fn count_layer(&mut self, span: Span) -> bool {
        if !self.stopped && self.layers == MAX_LAYERS {
            let message = format!(
                "the network has more than {} layers",
                grouped(MAX_LAYERS as u128)
            );
            self.stop(
                message,
                span,
                "one too many",
                "repeat less, or call fewer blocks",
            );
        }
        self.layers += 1;
        !self.stopped
    }

    /// Counts one more turn of a repeat, or call; false once there are too many.
    fn count_step(&mut self, span: Span) -> bool {
        if !self.stopped && self.steps == MAX_STEPS {
            let most = grouped(MAX_STEPS as u128);
            let message = format!("the network has more than {most} repeats and calls of blocks");
            self.stop(
                message,
                span,
                "one too many",
                "repeat less, or call fewer blocks",
            );
        }
        self.steps += 1;
        !self.stopped
    }

    fn stop(&mut self, message: String, span: Span, label: &str, help: &str) {
        self.stopped = true;
        self.reports
            .add(Diagnostic::new(Code::Limit, message, span, label).help(help));
    }

    /// Reports a tensor over the limit of elements.
    fn limit_elements(&mut self, elements: u128, what: &str, span: Span) -> Option<()> {
        if elements <= MAX_ELEMENTS {
            return Some(());
        }
        let (elements, most) = (grouped(elements), grouped(MAX_ELEMENTS));
        let message = format!("{what} has {elements} elements; the limit is {most}");
        let report = Diagnostic::new(Code::Limit, message, span, "too large");
        self.reports
            .add(report.help("use fewer channels or a smaller image"));
        None
    }

    fn limit_tensors(&mut self, layer: &Layer) {
        for tensor in layer.own_tensors() {
            let name = &tensor.name[layer.path.len() + 1..];
            let what = format!("`{name}` of `{}`", layer.op.keyword());
            self.limit_elements(product(&tensor.shape), &what, layer.span);
        }
    }
}

/// Returns the span of a statement up to its opening brace: what is underlined.
fn header(statement: &Statement, body: &Body) -> Span {
    Span {
        end: body.span.start + 1,
        ..statement.span
    }
}

/// Computes the product of extents, without overflow.
fn product(extents: &[usize]) -> u128 {
    extents
        .iter()
        .fold(1u128, |all, &n| all.saturating_mul(n as u128))
}
