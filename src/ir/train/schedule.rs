//! The schedules of the learning rate.

use crate::ir::call::{Bounds, Kind, Literal, Row, Slot};
use serde::Serialize;
use std::fmt;

/// How the learning rate η moves over the epochs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// η stays.
    Constant,
    /// η is multiplied by `factor` at the start of each epoch in `at` (counted from 0).
    Step {
        /// Epochs, ascending.
        at: Vec<usize>,
        /// Factor at each.
        factor: f64,
    },
    /// η rises linearly over `warmup` epochs, then falls to 0 along half a cosine.
    Cosine {
        /// Epochs of the rise.
        warmup: f64,
    },
}

/// The schedules.
pub const SCHEDULES: &[Row<Schedule>] = &[
    Row {
        name: "constant",
        doc: "the rate stays",
        slots: &[],
        build: |_| Ok(Schedule::Constant),
    },
    Row {
        name: "step",
        doc: "the rate is multiplied at the start of some epochs",
        slots: &[
            Slot::needed(
                "at",
                Kind::Epochs,
                Literal::Epochs(&[82, 125]),
                "epochs, counted from 0",
            ),
            Slot::optional(
                "factor",
                Kind::Float(Bounds::Positive),
                Literal::Float(0.1),
                "factor at each of them",
            ),
        ],
        build: |arguments| {
            Ok(Schedule::Step {
                at: arguments.epochs("at")?,
                factor: arguments.float("factor")?,
            })
        },
    },
    Row {
        name: "cosine",
        doc: "the rate rises over the warm-up, then falls to 0 along half a cosine",
        slots: &[Slot::optional(
            "warmup",
            Kind::Float(Bounds::NotNegative),
            Literal::Float(0.0),
            "epochs of the rise",
        )],
        build: |arguments| {
            let warmup = arguments.float("warmup")?;
            Ok(Schedule::Cosine { warmup })
        },
    },
];

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant => write!(f, "constant"),
            Schedule::Step { at, factor } => write!(f, "×{factor} at epochs {at:?}"),
            Schedule::Cosine { warmup: 0.0 } => write!(f, "cosine"),
            Schedule::Cosine { warmup } => write!(f, "cosine after a warm-up of {warmup} epochs"),
        }
    }
}
