//! Losses, and distributions that weights start from.

use crate::ir::call::Row;
use serde::Serialize;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean over the batch of `−log softmax(logits)[label]`.
    CrossEntropy,
}

/// The losses.
pub const LOSSES: &[Row<Loss>] = &[Row {
    name: "cross_entropy",
    doc: "the mean of −log softmax(logits)[label]",
    slots: &[],
    build: |_| Ok(Loss::CrossEntropy),
}];

/// Distribution that convolution and linear weights start from. Biases start at 0
/// (a highway gate's at its policy's `bias`), batch-norm weights at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Normal with standard deviation √(2/fan_in), which makes up for the half that a
    /// rectifier takes away (He et al. 2015); √(1/fan_in) for projections and gates,
    /// which no rectifier follows: with the larger one the sum F(x) + s(x) grows from
    /// stage to stage and training at the paper's rates diverges.
    HeNormal,
    /// Uniform on ±√(6/(fan_in + fan_out)). Glorot & Bengio 2010.
    GlorotUniform,
    /// Rows (or columns) of a random orthogonal matrix. Saxe et al. 2013.
    Orthogonal,
}

/// The initialisations.
pub const INITS: &[Row<Init>] = &[
    Row {
        name: "he_normal",
        doc: "normal, with variance 2/fan_in",
        slots: &[],
        build: |_| Ok(Init::HeNormal),
    },
    Row {
        name: "glorot_uniform",
        doc: "uniform on ±√(6/(fan_in + fan_out))",
        slots: &[],
        build: |_| Ok(Init::GlorotUniform),
    },
    Row {
        name: "orthogonal",
        doc: "rows or columns of a random orthogonal matrix",
        slots: &[],
        build: |_| Ok(Init::Orthogonal),
    },
];
