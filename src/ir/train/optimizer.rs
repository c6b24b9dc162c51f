//! Optimizers: the rules that move weights by their gradients.
//!
//! A new optimizer is a variant and a row here, with the slots that it keeps for each
//! tensor; and its rule in each engine's `update.rs`. Plans, memory and checkpoints follow from the
//! slots.

use crate::ir::call::{
    self, Arguments, Bounds, Conflict, ConflictKind, Kind, Literal, Refusal, Row,
};
use serde::Serialize;

/// Rule that moves weights by their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
}

/// A value that an optimizer keeps between steps for each element of a tensor; 0 at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Name in checkpoints: `momentum` of `momentum/conv1.weight`. Paths of networks hold
    /// no `/`.
    pub name: &'static str,
    /// Noun for tables of a plan's buffers, one and several.
    pub nouns: [&'static str; 2],
}

/// Velocity v of [`Sgd`].
const MOMENTUM: Slot = Slot {
    name: "momentum",
    nouns: ["velocity", "velocities"],
};

impl Slot {
    /// Slots of all optimizers, which checkpoints may have whatever moves the weights now.
    pub const KNOWN: &'static [Slot] = &[MOMENTUM];

    /// Finds the slot that a tensor of a checkpoint is of, and the tensor that it belongs to.
    pub fn split(name: &str) -> Option<(Slot, &str)> {
        let (slot, tensor) = name.split_once('/')?;
        let known = Slot::KNOWN.iter().find(|known| known.name == slot)?;
        Some((*known, tensor))
    }

    /// Returns the name in a checkpoint of what is kept for `tensor`.
    pub fn tensor(self, tensor: &str) -> String {
        format!("{}/{tensor}", self.name)
    }
}

impl Optimizer {
    /// Returns the name that it has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        match self {
            Optimizer::Sgd(_) => "sgd",
        }
    }

    /// Lists the values that are kept for each element of a tensor, in the order that steps take
    /// them in.
    pub fn slots(&self) -> &'static [Slot] {
        match self {
            Optimizer::Sgd(sgd) if sgd.momentum == 0.0 => &[],
            Optimizer::Sgd(_) => &[MOMENTUM],
        }
    }

    /// Returns the learning rate before the schedule.
    pub fn rate(&self) -> f64 {
        match self {
            Optimizer::Sgd(sgd) => sgd.rate,
        }
    }

    /// Replaces the learning rate.
    pub fn with_rate(self, rate: f64) -> Optimizer {
        match self {
            Optimizer::Sgd(sgd) => Optimizer::Sgd(Sgd { rate, ..sgd }),
        }
    }

    /// Leaves out the weight decay.
    pub fn without_decay(self) -> Optimizer {
        match self {
            Optimizer::Sgd(sgd) => Optimizer::Sgd(Sgd {
                weight_decay: 0.0,
                ..sgd
            }),
        }
    }

    /// Writes the settings beside the rate, for the heading of a run: `momentum 0.9`.
    pub fn summary(&self) -> String {
        match self {
            Optimizer::Sgd(sgd) => format!("momentum {}", sgd.momentum),
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Sgd(Sgd::default())
    }
}

/// Stochastic gradient descent: `v ← momentum·v + g`, `w ← w − rate·v`, with
/// `g = ∂C/∂w + weight_decay·w`; Nesterov's form moves by `g + momentum·v`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sgd {
    /// Learning rate before the schedule.
    pub rate: f64,
    /// Share of the last step kept.
    pub momentum: f64,
    /// True for Nesterov's momentum.
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
pub const OPTIMIZERS: &[Row<Optimizer>] = &[Row {
    name: "sgd",
    doc: "stochastic gradient descent with momentum",
    slots: &[
        call::Slot::new(
            "rate",
            Kind::Float(RATE),
            "learning rate before the schedule",
        )
        .or(Literal::Float(Sgd::DEFAULT.rate)),
        call::Slot::new(
            "momentum",
            Kind::Float(Bounds::BelowOne),
            "share of the last step that is kept",
        )
        .or(Literal::Float(Sgd::DEFAULT.momentum)),
        call::Slot::new("nesterov", Kind::Bool, "whether the momentum is Nesterov's")
            .or(Literal::Bool(Sgd::DEFAULT.nesterov)),
        call::Slot::new(
            "weight_decay",
            Kind::Float(Bounds::NotNegative),
            "factor of the L2 penalty",
        )
        .or(Literal::Float(Sgd::DEFAULT.weight_decay)),
    ],
    build: sgd,
}];

fn sgd(arguments: &Arguments) -> Result<Optimizer, Refusal> {
    let sgd = Sgd {
        rate: arguments.get("rate")?,
        momentum: arguments.get("momentum")?,
        nesterov: arguments.get("nesterov")?,
        weight_decay: arguments.get("weight_decay")?,
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
    Ok(Optimizer::Sgd(sgd))
}
