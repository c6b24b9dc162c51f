//! The losses.

use crate::ir::call::Row;
use serde::Serialize;

/// Loss that training minimises.
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

/// The losses as the help of `--loss` names them.
pub const LOSS_LIST: &str = "cross_entropy";
