//! Progress of a run: all that the loop itself needs to go on bit for bit.
//!
//! No generator has a state to keep: the order of the images, their augmentation and
//! the dropout masks are functions of the seed and of the epoch or step, so the
//! position is also the position of every random stream.

use crate::engines::Outcome;
use serde::{Deserialize, Serialize};

/// Running sums over steps, from which means are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Sum over the images of their losses.
    pub loss: f64,
    /// Images classified rightly.
    pub correct: u64,
    /// Images seen.
    pub images: u64,
}

impl Sums {
    /// Adds a step over `images` images.
    pub fn add(&mut self, outcome: Outcome, images: usize) {
        self.loss += outcome.loss * images as f64;
        self.correct += outcome.correct as u64;
        self.images += images as u64;
    }

    /// Whether no image was seen.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }

    /// Computes the mean loss an image; NaN over nothing.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// Computes the share of the images classified rightly, 0 to 1; NaN over nothing.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

/// A test evaluation and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// Steps done before it.
    pub step: u64,
    /// Epoch it was made in, from 1.
    pub epoch: u64,
    /// Sums over the test split.
    pub sums: Sums,
}

/// Progress of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Epochs that are done, their evaluation included.
    pub epoch: u64,
    /// Steps that are done, over all epochs. A whole epoch more than `epoch` says
    /// where the epoch's evaluation has yet to be made.
    pub step: u64,
    /// Sums over the steps of the epoch under way.
    pub epoch_sums: Sums,
    /// Sums over the steps since the last line of the log.
    pub window: Sums,
    /// Step of the last line of the log that belongs to this position.
    pub logged: Option<u64>,
    /// The last test evaluation.
    pub tested: Option<Tested>,
    /// The most accurate test evaluation, the earliest among equals.
    pub best: Option<Tested>,
    /// Mean (1−α)² over variable skips before the first step.
    pub first_residual: Option<f64>,
    /// Seconds trained, those of earlier sessions included.
    pub seconds: f64,
    /// The part of them spent in steps, without evaluations and saving.
    pub step_seconds: f64,
}

impl RunProgress {
    /// Returns the epoch that the last step belongs to, from 1; 0 before the first step.
    pub fn epoch_of_step(&self, steps_per_epoch: u64) -> u64 {
        self.step.div_ceil(steps_per_epoch.max(1))
    }
}
