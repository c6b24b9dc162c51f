//! Dropout.

use super::operation::{Operation, ShapeError};
use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot};
use crate::ir::shape::Shape;

/// Settings of a dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing, in `[0, 1)`.
    pub p: f64,
}

pub(super) const ROW: Row<Dropout> = Row {
    name: "dropout",
    doc: "zeroes elements at random in training",
    slots: &[
        Slot::new("p", Kind::Float(Bounds::BelowOne), "probability of zeroing")
            .first(Literal::Float(0.5)),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Dropout, Refusal> {
    let p = arguments.get("p")?;
    Ok(Dropout { p })
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
