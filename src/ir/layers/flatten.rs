//! Images as vectors.

use super::operation::{Operation, ShapeError};
use crate::ir::call::Row;
use crate::ir::shape::Shape;

/// `C×H×W → C·H·W`, in C, H, W order.
pub(super) struct Flatten;

pub(super) const ROW: Row<Flatten> = Row {
    name: "flatten",
    doc: "an image as a vector, in the order channels, height, width",
    slots: &[],
    build: |_| Ok(Flatten),
};

impl Operation for Flatten {
    fn name(&self) -> &str {
        ROW.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(Shape::Flat(input.elements()))
    }
}
