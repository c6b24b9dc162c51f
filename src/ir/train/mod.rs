//! How a network is trained: the `train { … }` section, resolved.

mod constraint;
mod data;
mod schedule;
mod settings;
mod sgd;
mod start;

pub use constraint::{CONSTRAINTS, Constraint, Every, Granularity};
pub use data::{AUGMENTS, Augment, DATASETS, Data, DatasetFacts, DatasetKind, Synthetic};
pub use schedule::{SCHEDULES, Schedule};
pub use settings::{SETTINGS, Setting};
pub use sgd::{OPTIMIZERS, RATE, Sgd};
pub use start::{INITS, Init, LOSSES, Loss};

use serde::Serialize;

/// All training settings. Every one has a default and a command-line flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Train {
    /// Which images.
    pub data: Data,
    /// What is minimised.
    pub loss: Loss,
    /// Where weights start.
    pub init: Init,
    /// How weights move.
    pub optimizer: Sgd,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How α and λ of variable skips move.
    pub constraint: Constraint,
    /// Passes over the training split.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Seed of every random stream.
    pub seed: u64,
}

impl Default for Train {
    fn default() -> Self {
        Train {
            data: Data {
                kind: DatasetKind::Synthetic(Synthetic::default()),
                augment: Vec::new(),
            },
            loss: Loss::CrossEntropy,
            init: Init::HeNormal,
            optimizer: Sgd::default(),
            schedule: Schedule::Constant,
            constraint: Constraint::default(),
            epochs: 10,
            batch: 128,
            seed: 0,
        }
    }
}
