//! Activations: functions of each element.

use super::operation::{Operation, ShapeError};
use crate::ir::expr::{Expr, KnownActivation, Node, Program};
use crate::ir::shape::Shape;
use std::sync::Arc;

/// A function of each element, declared as an equation.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Name of its declaration.
    pub name: Arc<str>,
    /// Settings that are not at their default.
    pub settings: Vec<(Arc<str>, f64)>,
    /// Value of the function at [`crate::ir::expr::Variable::Element`].
    pub equation: Arc<Expr>,
}

impl Operation for Activation {
    fn name(&self) -> &str {
        &self.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        let operations = match KnownActivation::recognise(&self.equation) {
            // By two operations of their own.
            Some(
                KnownActivation::Relu | KnownActivation::Elu(_) | KnownActivation::LeakyRelu(_),
            ) => 2.0,
            Some(KnownActivation::Tanh | KnownActivation::Sigmoid) | None => {
                operations(&self.equation)
            }
        };
        operations * output.elements() as f64
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let settings = self.settings.iter();
        std::iter::once(self.name.to_string())
            .chain(settings.map(|(name, value)| format!("{name} {value}")))
            .collect()
    }
}

/// Counts the operations of an equation, each of which makes a value of the whole shape.
pub(super) fn operations(equation: &Expr) -> f64 {
    let program = Program::new([equation]);
    let is_operation = |node: &&Node| match node {
        Node::Number(_) | Node::Input(_) => false,
        Node::Unary(..) | Node::Binary(..) | Node::Select { .. } => true,
    };
    program.nodes.iter().filter(is_operation).count() as f64
}
