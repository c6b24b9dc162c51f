//! The trait of operations: shapes, tensors, cost and words.

use crate::ir::role::OwnTensor;
use crate::ir::shape::Shape;

/// Facts that an operation states of itself: its shapes, tensors, cost and words.
pub trait Operation {
    /// Returns the name of the layer in a `.van` file.
    fn name(&self) -> &str;

    /// Computes the shape that it makes of `input`.
    ///
    /// # Errors
    /// The reason where it cannot take that shape.
    fn output(&self, input: Shape) -> Result<Shape, ShapeError>;

    /// Returns the shape that it makes of whatever it is given, if that is always the same.
    fn fixed_output(&self) -> Option<Shape> {
        None
    }

    /// Lists the tensors of the operation, without those of its body.
    fn tensors(&self, _input: Shape, _output: Shape) -> Vec<OwnTensor> {
        Vec::new()
    }

    /// Counts the multiplications with a weight in one sample's forward pass, without its body.
    fn multiply_adds(&self, _input: Shape, _output: Shape) -> u128 {
        0
    }

    /// Counts the numbers that a tape keeps of it for the gradient of one sample, without its
    /// body: an estimate.
    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        output.elements() as f64
    }

    /// Describes the layer in a few words; a setting that is not said has its default.
    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        vec![self.name().to_string()]
    }

    /// Returns the step between the positions that it makes.
    fn stride(&self) -> usize {
        1
    }

    /// Whether it counts for the depth of a network.
    fn is_weighted(&self) -> bool {
        false
    }

    /// Writes the name of what goes round the body, if anything does.
    fn by_pass(&self) -> Option<String> {
        None
    }
}

/// Why a layer cannot take a shape, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The reason in a sentence.
    pub message: String,
    /// Text under the layer.
    pub label: String,
    /// Advice on what to do.
    pub help: String,
}

impl ShapeError {
    pub(super) fn new(
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        ShapeError {
            message: message.into(),
            label: label.into(),
            help: help.into(),
        }
    }
}
