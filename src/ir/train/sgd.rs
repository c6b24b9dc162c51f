//! The optimizers.

use crate::ir::call::{
    Arguments, Bounds, Conflict, ConflictKind, Kind, Literal, Refusal, Row, Slot,
};
use serde::Serialize;

/// Stochastic gradient descent: `v ← momentum·v + g`, `w ← w − rate·v`, with
/// `g = ∂C/∂w + weight_decay·w`; Nesterov's form moves by `g + momentum·v`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sgd {
    /// Learning rate before the schedule.
    pub rate: f64,
    /// Share of the last step kept.
    pub momentum: f64,
    /// Whether momentum is Nesterov's.
    pub nesterov: bool,
    /// L2 penalty's factor.
    pub weight_decay: f64,
}

impl Sgd {
    /// The defaults.
    const DEFAULT: Sgd = Sgd {
        rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
}

impl Default for Sgd {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Range of a learning rate.
pub const RATE: Bounds = Bounds::NotNegative;

/// The optimizers.
pub const OPTIMIZERS: &[Row<Sgd>] = &[Row {
    name: "sgd",
    doc: "stochastic gradient descent with momentum",
    slots: &[
        Slot::optional(
            "rate",
            Kind::Float(RATE),
            Literal::Float(Sgd::DEFAULT.rate),
            "learning rate before the schedule",
        ),
        Slot::optional(
            "momentum",
            Kind::Float(Bounds::BelowOne),
            Literal::Float(Sgd::DEFAULT.momentum),
            "share of the last step that is kept",
        ),
        Slot::optional(
            "nesterov",
            Kind::Bool,
            Literal::Bool(Sgd::DEFAULT.nesterov),
            "whether the momentum is Nesterov's",
        ),
        Slot::optional(
            "weight_decay",
            Kind::Float(Bounds::NotNegative),
            Literal::Float(Sgd::DEFAULT.weight_decay),
            "factor of the L2 penalty",
        ),
    ],
    build: sgd,
}];

fn sgd(arguments: &Arguments) -> Result<Sgd, Refusal> {
    let sgd = Sgd {
        rate: arguments.float("rate")?,
        momentum: arguments.float("momentum")?,
        nesterov: arguments.bool("nesterov")?,
        weight_decay: arguments.float("weight_decay")?,
    };
    if sgd.nesterov && sgd.momentum == 0.0 {
        return Err(Conflict {
            kind: ConflictKind::Train,
            message: "Nesterov's step needs momentum".to_string(),
            slot: "nesterov",
            label: "asked for here".to_string(),
            other: Some(("momentum", "no momentum")),
            help: "write `momentum: 0.9`, or remove `nesterov`".to_string(),
        }
        .into());
    }
    Ok(sgd)
}
