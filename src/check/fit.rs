//! Whether a network and its dataset fit each other.

use super::declarations::Declarations;
use super::report::Reports;
use super::rules::{name_span, setting};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Augment, DatasetKind, Model, Shape};
use crate::span::Span;
use crate::syntax::ast::StatementKind;

/// The shapes a dataset's images may have, and how many classes they have.
fn offers(kind: &DatasetKind) -> (Vec<Shape>, Option<usize>) {
    let grey = Shape::image(1, 28, 28);
    let colour = Shape::image(3, 32, 32);
    match kind {
        DatasetKind::Synthetic(_) => (vec![colour, grey], Some(10)),
        DatasetKind::Mnist | DatasetKind::FashionMnist => (vec![grey], Some(10)),
        DatasetKind::Cifar10 => (vec![colour], Some(10)),
        DatasetKind::Cifar100 => (vec![colour], Some(100)),
        DatasetKind::Folder => (Vec::new(), None),
    }
}

/// Reports an input that the dataset does not have, and logits that are not one a class.
pub(super) fn check(model: &Model, declared: &Declarations, reports: &mut Reports) {
    let name = model.train.data.kind.keyword();
    let (shapes, classes) = offers(&model.train.data.kind);
    let data = data_span(declared);
    let input = input_span(declared);
    if !shapes.is_empty() && !shapes.contains(&model.input) {
        let shown: Vec<String> = shapes.iter().map(|s| s.to_string()).collect();
        let shown = shown.join(" or ");
        let message = format!(
            "the model takes {}, but `{name}` has images of {shown}",
            model.input
        );
        let shape: Vec<String> = shapes[0].dims().iter().map(|d| d.to_string()).collect();
        let report = Diagnostic::new(Code::Train, message, input, "the model's input");
        reports.add(also(report, data, "the dataset").help(format!(
            "write `input image({})`, or choose other data",
            shape.join(", ")
        )));
    }
    if let (DatasetKind::Folder, Shape::Image { channels, .. }) =
        (&model.train.data.kind, model.input)
        && !matches!(channels, 1 | 3)
    {
        let message = format!("image files have 1 or 3 channels, but the model takes {channels}");
        let report = Diagnostic::new(Code::Train, message, input, "the model's input");
        reports.add(
            also(report, data, "the dataset").help("give the input 1 (grey) or 3 (RGB) channels"),
        );
    }
    check_logits(model, classes, name, data, reports);
    check_augment(model, input, data, reports);
}

fn check_logits(
    model: &Model,
    classes: Option<usize>,
    name: &str,
    data: Option<Span>,
    reports: &mut Reports,
) {
    let Some(last) = model.layers.last() else {
        let message = "the model has no layers to train";
        let place = data.unwrap_or_default();
        let report = Diagnostic::new(Code::Train, message, place, "trained on this");
        reports.add(report.help("end the model with a `linear` layer, one output a class"));
        return;
    };
    let (message, help) = match (model.output, classes) {
        (Shape::Image { .. }, _) => (
            format!(
                "the model ends in an image of {}, not in one logit a class",
                model.output
            ),
            "end it with `global_avg_pool` and `linear(classes)`".to_string(),
        ),
        (Shape::Flat(logits), Some(classes)) if logits != classes => (
            format!("the model ends in {logits} logits, but `{name}` has {classes} classes"),
            format!("end it with `linear({classes})`"),
        ),
        (Shape::Flat(1), None) => (
            "the model ends in one logit, which tells no classes apart".to_string(),
            "end it with `linear(classes)`, one output a class".to_string(),
        ),
        (Shape::Flat(_), _) => return,
    };
    let report = Diagnostic::new(Code::Train, message, last.span, "the last layer");
    reports.add(also(report, data, "the dataset").help(help));
}

fn check_augment(model: &Model, input: Span, data: Option<Span>, reports: &mut Reports) {
    let Shape::Image { height, width, .. } = model.input else {
        return;
    };
    for augment in &model.train.data.augment {
        if let Augment::PadCrop(pixels) = *augment
            && pixels >= height.max(width)
        {
            let message =
                format!("`pad_crop({pixels})` can move a {height}×{width} image out of sight");
            let place = data.unwrap_or(input);
            let report = Diagnostic::new(Code::Train, message, place, "augmented here");
            reports.add(report.help("pad by fewer pixels than the image has, such as 4"));
        }
    }
}

fn also(report: Diagnostic, span: Option<Span>, label: &str) -> Diagnostic {
    match span {
        Some(span) => report.also(span, label),
        None => report,
    }
}

/// Where the file names its dataset, or begins its training section.
fn data_span(declared: &Declarations) -> Option<Span> {
    let named = setting(declared, "data").map(name_span);
    named.or_else(|| {
        declared.train.map(|train| Span {
            end: train.span.start + 5,
            ..train.span
        })
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
