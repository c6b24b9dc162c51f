//! Linear layers.

use super::operation::{Operation, ShapeError};
use crate::ir::call::{Arguments, Kind, Literal, Refusal, Row, Slot};
use crate::ir::role::OwnTensor;
use crate::ir::shape::Shape;

/// Settings of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Output features.
    pub out: usize,
    /// Whether a bias per output feature is added.
    pub bias: bool,
    /// Whether the weight is a Dirac one, `diag(a)·δ + diag(b)·W/‖W‖`; see [`super::Conv::dirac`].
    pub dirac: bool,
}

pub(super) const ROW: Row<Linear> = Row {
    name: "linear",
    doc: "every feature weighs every input; an image is flattened first",
    slots: &[
        Slot::new("out", Kind::SIZE, "output features").first(Literal::Int(10)),
        Slot::new("bias", Kind::Bool, "whether each feature has a bias").or(Literal::Bool(true)),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Linear, Refusal> {
    Ok(Linear {
        out: arguments.get("out")?,
        bias: arguments.get("bias")?,
        dirac: arguments.in_dirac,
    })
}

impl Operation for Linear {
    fn name(&self) -> &str {
        ROW.name
    }

    fn output(&self, _input: Shape) -> Result<Shape, ShapeError> {
        Ok(Shape::Flat(self.out))
    }

    fn fixed_output(&self) -> Option<Shape> {
        Some(Shape::Flat(self.out))
    }

    fn tensors(&self, input: Shape, output: Shape) -> Vec<OwnTensor> {
        let shape = vec![output.channels(), input.elements()];
        OwnTensor::weighted(shape, self.bias, self.dirac)
    }

    fn multiply_adds(&self, input: Shape, output: Shape) -> u128 {
        output.elements() as u128 * input.elements() as u128
    }

    fn words(&self, input: Shape, output: Shape) -> Vec<String> {
        let mut words = vec![format!("linear {}→{}", input.elements(), output.channels())];
        words.extend((!self.bias).then(|| "no bias".to_string()));
        words.extend(self.dirac.then(|| "dirac".to_string()));
        words
    }

    fn is_weighted(&self) -> bool {
        true
    }
}
