//! Dropout.

use super::{Op, Operation, ShapeError};
use crate::ir::Shape;
use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot};

/// Settings of a dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing, in `[0, 1)`.
    pub p: f64,
}

pub(super) const ROW: Row<Op> = Row {
    name: "dropout",
    doc: "zeroes elements at random in training",
    slots: &[Slot::first(
        "p",
        Kind::Float(Bounds::BelowOne),
        Literal::Float(0.5),
        "probability of zeroing",
    )],
    build,
};

fn build(arguments: &Arguments) -> Result<Op, Refusal> {
    let p = arguments.float("p")?;
    Ok(Op::Dropout(Dropout { p }))
}

impl Operation for Dropout {
    fn name(&self) -> &str {
        ROW.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        vec![format!("dropout {}", self.p)]
    }
}
