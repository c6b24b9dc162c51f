//! Batch normalisation.

use super::operation::{Operation, ShapeError};
use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot};
use crate::ir::role::{OwnTensor, Role, Start};
use crate::ir::shape::Shape;

/// Settings of a batch norm:
/// `y = (x − μ)/√(σ² + eps) · weight + bias`. Training uses the batch's biased
/// variance and moves the running statistics by `momentum` (with the unbiased
/// variance, as PyTorch does); evaluation uses the running ones. Ioffe & Szegedy 2015.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Share of the new statistics in the running ones.
    pub momentum: f64,
    /// Summand of the variance, against division by 0.
    pub eps: f64,
}

const DEFAULT: BatchNorm = BatchNorm {
    momentum: 0.1,
    eps: 1e-5,
};

pub(super) const ROW: Row<BatchNorm> = Row {
    name: "batch_norm",
    doc: "normalises each channel over batch and positions, then scales and shifts it",
    slots: &[
        Slot::new(
            "momentum",
            Kind::Float(Bounds::Share),
            "share of the new statistics in the running ones",
        )
        .or(Literal::Float(DEFAULT.momentum)),
        Slot::new(
            "eps",
            Kind::Float(Bounds::Positive),
            "added to the variance",
        )
        .or(Literal::Float(DEFAULT.eps)),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<BatchNorm, Refusal> {
    Ok(BatchNorm {
        momentum: arguments.get("momentum")?,
        eps: arguments.get("eps")?,
    })
}

impl Operation for BatchNorm {
    fn name(&self) -> &str {
        ROW.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn tensors(&self, input: Shape, _output: Shape) -> Vec<OwnTensor> {
        let own = |name, role| OwnTensor::new(name, vec![input.channels()], role);
        vec![
            own("weight", Role::Weight).starting(Start::Number(1.0)),
            own("bias", Role::Bias),
            own("running_mean", Role::RunningMean),
            own("running_var", Role::RunningVar),
        ]
    }

    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        4.0 * output.elements() as f64
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let BatchNorm { momentum, eps } = self;
        let mut words = vec![ROW.name.to_string()];
        words.extend((*momentum != DEFAULT.momentum).then(|| format!("momentum {momentum}")));
        words.extend((*eps != DEFAULT.eps).then(|| format!("eps {eps}")));
        words
    }
}
