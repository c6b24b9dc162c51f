//! Activations: functions of each element.

use super::{Op, Operation, ShapeError};
use crate::ir::call::Row;
use crate::ir::{Expr, Shape};
use std::sync::Arc;

/// A function of each element, declared as an equation.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Name of its declaration.
    pub name: Arc<str>,
    /// Settings that are not at their default.
    pub settings: Vec<(Arc<str>, f64)>,
    /// Its value at [`crate::ir::expr::Variable::Element`].
    pub equation: Arc<Expr>,
}

/// `[max(x, 0), max(−x, 0)]`.
pub(super) struct Crelu;

pub(super) const CRELU: Row<Op> = Row {
    name: "crelu",
    doc: "max(x, 0) beside max(−x, 0), along channels",
    slots: &[],
    build: |_| Ok(Op::Crelu),
};

impl Operation for Activation {
    fn name(&self) -> &str {
        &self.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input)
    }

    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        let settings = self.settings.iter();
        std::iter::once(self.name.to_string())
            .chain(settings.map(|(name, value)| format!("{name} {value}")))
            .collect()
    }
}

impl Operation for Crelu {
    fn name(&self) -> &str {
        CRELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input.with_channels(2 * input.channels()))
    }
}
