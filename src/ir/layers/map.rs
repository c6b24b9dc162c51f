//! Layers that one map of activations computes.

use super::operation::{Operation, ShapeError};
use super::pools::{GlobalAvgPool, Pool};
use crate::ir::call::Row;
use crate::ir::shape::Shape;

/// Layer that one map of activations computes, the same in training and evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum MapLayer {
    /// `[max(x, 0), max(−x, 0)]` along channels: `C → 2C`. Shang et al. 2016.
    Crelu,
    /// Largest value or mean of each window, no padding; `H' = (H − k)/s + 1`.
    Pool(Pool),
    /// Mean over all positions: `C×H×W → C`.
    GlobalAvgPool,
}

impl MapLayer {
    /// What the layer says of itself.
    pub fn operation(&self) -> &dyn Operation {
        match self {
            MapLayer::Crelu => &Crelu,
            MapLayer::Pool(pool) => pool,
            MapLayer::GlobalAvgPool => &GlobalAvgPool,
        }
    }
}

/// `[max(x, 0), max(−x, 0)]`.
pub(super) struct Crelu;

pub(super) const CRELU: Row<Crelu> = Row {
    name: "crelu",
    doc: "max(x, 0) beside max(−x, 0), along channels",
    slots: &[],
    build: |_| Ok(Crelu),
};

impl Operation for Crelu {
    fn name(&self) -> &str {
        CRELU.name
    }

    fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        Ok(input.with_channels(2 * input.channels()))
    }

    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        2.0 * output.elements() as f64
    }
}
