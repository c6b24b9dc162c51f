//! Whether a network and its dataset fit each other.

use super::declarations::Declarations;
use super::report::Reports;
use crate::diag::{Code, Diagnostic};
use crate::ir::{Augment, DatasetKind, Model, Shape};
use crate::span::Span;
use crate::syntax::ast::StatementKind;

/// Places where the dataset and the batch are named, if they are.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub data: Option<Span>,
    pub batch: Option<Span>,
}

/// Reports an input that the dataset does not have, logits that are not one a class, and a batch
/// norm over single values. `last` is the statement that makes the output.
pub(super) fn check(
    model: &Model,
    declared: &Declarations,
    last: Span,
    named: Named,
    reports: &mut Reports,
) {
    let name = model.train.data.kind.keyword();
    let data = match (named.data, declared.train) {
        (Some(span), _) => Some((span, "the dataset".to_string())),
        (None, Some(train)) => {
            let word = Span {
                end: train.span.start + 5,
                ..train.span
            };
            Some((
                word,
                format!("trained on `{name}` unless `data:` says otherwise"),
            ))
        }
        (None, None) => None,
    };
    let input = input_span(declared);
    let mut found = Vec::new();
    found.extend(mismatch_of_input(model, name, input));
    found.extend(mismatch_of_output(model, name, input, last));
    for report in found {
        reports.add(match &data {
            Some((span, label)) => report.also(*span, label.clone()),
            None => report,
        });
    }
    if let Some(report) = single_values(model, named) {
        reports.add(report);
    }
    let place = data.map_or(input, |(span, _)| span);
    reports_of_augment(model, place).for_each(|report| reports.add(report));
}

fn mismatch_of_input(model: &Model, name: &str, input: Span) -> Option<Diagnostic> {
    let shapes = model.train.data.kind.facts().shapes;
    let report = |message: String| Diagnostic::new(Code::Train, message, input, "the input");
    if !shapes.is_empty() && !shapes.contains(&model.input) {
        let shown: Vec<String> = shapes.iter().map(|s| s.to_string()).collect();
        let shown = shown.join(" or ");
        let message = format!("the model takes {}, but `{name}` has {shown}", model.input);
        let shape: Vec<String> = shapes[0].dims().iter().map(|d| d.to_string()).collect();
        let help = format!(
            "write `input image({})`, or choose other data",
            shape.join(", ")
        );
        return Some(report(message).help(help));
    }
    let channels = model.input.channels();
    if model.train.data.kind == DatasetKind::Folder && !matches!(channels, 1 | 3) {
        let message = format!("image files have 1 or 3 channels, but the model takes {channels}");
        return Some(report(message).help("give the input 1 channel (grey) or 3 (RGB)"));
    }
    None
}

fn mismatch_of_output(model: &Model, name: &str, input: Span, last: Span) -> Option<Diagnostic> {
    if last.start < input.end && input.start < last.end {
        let message = "the model has no layers to train";
        let report = Diagnostic::new(Code::Train, message, input, "nothing follows");
        return Some(report.help("end the model with `linear(classes)`"));
    }
    let classes = model.train.data.kind.facts().classes;
    let (message, help) = match (model.output, classes) {
        (Shape::Image { .. }, _) => (
            format!(
                "the model ends in an image of {}, not in a logit a class",
                model.output
            ),
            format!(
                "end it with `linear({})`",
                classes.map_or("classes".into(), |n| n.to_string())
            ),
        ),
        (Shape::Flat(logits), Some(classes)) if logits != classes => (
            format!("the model ends in {logits} logits, but `{name}` has {classes} classes"),
            format!("end it with `linear({classes})`"),
        ),
        (Shape::Flat(1), None) => (
            "the model ends in one logit, which tells no classes apart".to_string(),
            "end it with `linear(classes)`, one output a class".to_string(),
        ),
        (Shape::Flat(_), _) => return None,
    };
    Some(Diagnostic::new(Code::Train, message, last, "the last layer").help(help))
}

/// Reports a batch norm over single values, as far as the file tells how many images there are.
fn single_values(model: &Model, named: Named) -> Option<Diagnostic> {
    let images = model.train.data.kind.drawn().map(|drawn| drawn.train);
    let single = model.single_values(images, 1)?;
    let label = "one value a channel in each image";
    let report = Diagnostic::new(Code::Train, &single.message, single.layer.span, label);
    let report = match named.batch {
        Some(span) => report.also(span, "the batch"),
        None => report,
    };
    Some(report.help(single.help(|batch| format!("`batch: {batch}`"))))
}

fn reports_of_augment(model: &Model, place: Span) -> impl Iterator<Item = Diagnostic> {
    let (height, width) = match model.input {
        Shape::Image { height, width, .. } => (height, width),
        Shape::Flat(_) => (usize::MAX, usize::MAX),
    };
    let pads = model
        .train
        .data
        .augment
        .iter()
        .filter_map(|augment| match augment {
            Augment::PadCrop(pixels) => Some(*pixels),
            Augment::FlipHorizontal => None,
        });
    pads.filter(move |&pixels| pixels >= height.min(width))
        .map(move |pixels| {
            let message =
                format!("`pad_crop({pixels})` can move a {height}×{width} image out of sight");
            Diagnostic::new(Code::Train, message, place, "varied by `augment`")
                .help("pad by fewer pixels than the image has, such as 4")
        })
}

fn input_span(declared: &Declarations) -> Span {
    let statements = declared
        .model
        .iter()
        .flat_map(|model| &model.body.statements);
    let input = statements
        .into_iter()
        .find(|s| matches!(s.kind, StatementKind::Input(_)));
    input.map(|input| input.span).unwrap_or_default()
}
