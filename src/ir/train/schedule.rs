//! The schedules of the learning rate.

use crate::ir::call::{Bounds, Kind, Literal, Row, Slot};
use serde::Serialize;
use std::fmt;

/// Course of the learning rate η over the epochs.
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
            Slot::new("at", Kind::Epochs, "epochs, counted from 0")
                .needed(Literal::Epochs(&[82, 125])),
            Slot::new(
                "factor",
                Kind::Float(Bounds::Positive),
                "factor at each of them",
            )
            .or(Literal::Float(0.1)),
        ],
        build: |arguments| {
            Ok(Schedule::Step {
                at: arguments.get("at")?,
                factor: arguments.get("factor")?,
            })
        },
    },
    Row {
        name: "cosine",
        doc: "the rate rises over the warm-up, then falls to 0 along half a cosine",
        slots: &[Slot::new(
            "warmup",
            Kind::Float(Bounds::NotNegative),
            "epochs of the rise",
        )
        .or(Literal::Float(0.0))],
        build: |arguments| {
            let warmup = arguments.get("warmup")?;
            Ok(Schedule::Cosine { warmup })
        },
    },
];

/// The schedules as the help of `--schedule` names them.
pub const SCHEDULE_LIST: &str =
    "constant, 'step(at: [82, 125], factor: 0.1)' or 'cosine(warmup: 5)'";

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
