//! x beside what a body makes of it.

use super::layer::Concat;
use super::operation::{Operation, ShapeError};
use crate::ir::shape::Shape;

impl Concat {
    /// Computes the shape of `input` and of what the body makes, joined along channels.
    ///
    /// # Errors
    /// The reason where they differ in more than their channels.
    pub fn joined(input: Shape, body: Shape) -> Result<Shape, ShapeError> {
        let joined = input.channels() + body.channels();
        if input.with_channels(1) == body.with_channels(1) {
            return Ok(input.with_channels(joined));
        }
        Err(ShapeError::new(
            format!("`concat` cannot join {input} and {body}: only their channels may differ"),
            format!("takes {input} and joins it to what its body gives"),
            "keep height and width in the body (stride 1, `padding: same`), and pool after it",
        ))
    }
}

impl Operation for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        let body = self.body.last().map_or(input, |layer| layer.output);
        Concat::joined(input, body)
    }

    fn words(&self, input: Shape, output: Shape) -> Vec<String> {
        let own = input.channels();
        vec![format!("concat, {own} + {}", output.channels() - own)]
    }

    fn by_pass(&self) -> Option<String> {
        Some("x".to_string())
    }
}
