//! Training settings: the `train { … }` section, resolved.

mod constraint;
mod data;
mod init;
mod loss;
mod optimizer;
mod schedule;
mod settings;
mod written;

pub use constraint::{
    CONSTRAINTS, CONSTRAINTS_0_1, Constraint, Every, Fade, Granularity, Rates, Speed,
};
pub use data::{AUGMENTS, DATASET_LIST, DATASETS, Data, DatasetFacts, DatasetKind, Synthetic};
pub use init::{INIT_LIST, INITS, Init};
pub use loss::{LOSS_LIST, LOSSES, Loss};
pub use optimizer::{OPTIMIZERS, Optimizer, RATE, Sgd, Slot};
pub use schedule::{SCHEDULE_LIST, SCHEDULES, Schedule};
pub use settings::{SETTINGS, Setting};
pub use written::Written;

use serde::Serialize;

/// All training settings. Every one has a default and a command-line flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Train {
    /// Dataset that the network is trained on.
    pub data: Data,
    /// Loss that is minimised.
    pub loss: Loss,
    /// Distribution that weights are drawn from.
    pub init: Init,
    /// Rule that moves the weights.
    pub optimizer: Optimizer,
    /// Course of the learning rate η.
    pub schedule: Schedule,
    /// Rule that moves α and λ of variable skips.
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
            optimizer: Optimizer::default(),
            schedule: Schedule::Constant,
            constraint: Constraint::default(),
            epochs: 10,
            batch: 128,
            seed: 0,
        }
    }
}
