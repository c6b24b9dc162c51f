//! What an operation says of itself.

use crate::ir::role::OwnTensor;
use crate::ir::shape::Shape;

/// What an operation says of itself: its shapes, tensors, cost and words.
pub trait Operation {
    /// Name of the layer in a `.van` file.
    fn name(&self) -> &str;

    /// Shape that it makes of `input`.
    ///
    /// # Errors
    /// The reason where it cannot take that shape.
    fn output(&self, input: Shape) -> Result<Shape, ShapeError>;

    /// Shape that it makes of whatever it is given, if that is always the same.
    fn fixed_output(&self) -> Option<Shape> {
        None
    }

    /// Its tensors, without those of its body.
    fn tensors(&self, _input: Shape, _output: Shape) -> Vec<OwnTensor> {
        Vec::new()
    }

    /// Multiplications with a weight in one sample's forward pass, without its body.
    fn multiply_adds(&self, _input: Shape, _output: Shape) -> u128 {
        0
    }

    /// Numbers that a tape keeps of it for the gradient of one sample, without its body:
    /// an estimate.
    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        output.elements() as f64
    }

    /// What it does, in a few words; what is not said has its default.
    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        vec![self.name().to_string()]
    }

    /// Step between the positions that it makes.
    fn stride(&self) -> usize {
        1
    }

    /// Whether it counts for the depth of a network.
    fn is_weighted(&self) -> bool {
        false
    }

    /// What goes round its body, if anything does.
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
    /// What to do.
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
