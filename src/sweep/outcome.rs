//! `outcome.json`: how a run of a sweep ended.

use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::{self, write_atomic};
use crate::train::metrics::{self, Line, Split};
use crate::train::run_folder;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// End of a run, and its results or its error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// The run did all that was asked for.
    Done(Numbers),
    /// The run ended before that.
    Failed {
        /// The first line of its error, and how its process ended.
        error: String,
    },
}

/// Results of a run. Shares are from 0 to 1; losses are means an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Epoch that the last step belongs to, from 1.
    pub epochs: u64,
    /// Mean loss over the training images of the last epoch, while they were trained on.
    pub train_loss: Option<f64>,
    /// Share of the same that were classified rightly.
    pub train_accuracy: Option<f64>,
    /// Mean loss over the test images, at the end.
    pub test_loss: f64,
    /// Share of them classified rightly.
    pub test_accuracy: f64,
    /// The highest share of them at the end of any epoch.
    pub best_test_accuracy: f64,
    /// The first epoch with that share.
    pub best_epoch: u64,
    /// Mean over variable skips of the mean of (1−α)², at the end.
    pub alpha_residual: Option<f64>,
    /// Seconds trained.
    pub seconds: f64,
}

impl Numbers {
    /// Reads the results from the log in the run folder `dir`; `None` where it has no evaluation.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Numbers>> {
        Ok(Self::from_lines(&metrics::read(&run_folder::metrics(dir))?))
    }

    fn from_lines(lines: &[Line]) -> Option<Numbers> {
        let tests = || lines.iter().filter(|line| line.split == Split::Test);
        let last = tests().next_back()?;
        let best = metrics::best(tests(), |line| line.accuracy)?;
        let train = lines.iter().rev().find(|line| line.epoch_loss.is_some());
        Some(Numbers {
            epochs: last.epoch,
            train_loss: train.and_then(|line| line.epoch_loss),
            train_accuracy: train.and_then(|line| line.epoch_accuracy),
            test_loss: last.loss,
            test_accuracy: last.accuracy,
            best_test_accuracy: best.accuracy,
            best_epoch: best.epoch,
            alpha_residual: last.alpha_residual,
            seconds: last.seconds,
        })
    }
}

impl Outcome {
    /// Reads how the run in `dir` ended; `None` where it has not. A file that cannot be read
    /// counts as none: the run is resumed, finds that nothing is left to do, and ends.
    pub fn read(dir: &Path) -> Option<Outcome> {
        serde_json::from_slice(&files::read(&dir.join(NAME)).ok()?).ok()
    }

    /// Writes down how the run in `dir` ended.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(format!("cannot write {}: {e}", path.shown())))?;
        write_atomic(&path, format!("{text}\n").as_bytes())
    }
}

const NAME: &str = "outcome.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(split: Split, epoch: u64, accuracy: f64) -> Line {
        let epoch_loss = (split == Split::Train).then_some(0.25);
        Line {
            split,
            step: epoch * 10,
            epoch,
            loss: 1.0 / epoch as f64,
            accuracy,
            rate: 0.1,
            alpha_residual: Some(0.5 / epoch as f64),
            lambda_mean: None,
            seconds: epoch as f64,
            epoch_loss,
            epoch_accuracy: epoch_loss,
            skips: None,
        }
    }

    #[test]
    fn the_best_is_the_earliest_of_equals_and_the_rest_is_of_the_end() {
        let accuracies = [0.5, 0.75, 0.75, 0.625];
        let lines = (1..).zip(accuracies).flat_map(|(epoch, accuracy)| {
            [
                line(Split::Train, epoch, 0.0),
                line(Split::Test, epoch, accuracy),
            ]
        });
        let numbers = Numbers::from_lines(&lines.collect::<Vec<_>>()).unwrap();
        assert_eq!((numbers.best_test_accuracy, numbers.best_epoch), (0.75, 2));
        assert_eq!((numbers.epochs, numbers.test_accuracy), (4, 0.625));
        assert_eq!((numbers.test_loss, numbers.train_loss), (0.25, Some(0.25)));
        assert_eq!(numbers.alpha_residual, Some(0.125));
        assert_eq!(Numbers::from_lines(&[line(Split::Train, 1, 0.5)]), None);
    }

    #[test]
    fn outcomes_read_back_and_damage_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let outcomes = [
            Outcome::Done(Numbers {
                test_accuracy: 1.0 / 3.0,
                ..Numbers::default()
            }),
            Outcome::Failed {
                error: "the loss is NaN".into(),
            },
        ];
        for outcome in outcomes {
            outcome.write(dir.path()).unwrap();
            assert_eq!(Outcome::read(dir.path()), Some(outcome));
        }
        std::fs::write(dir.path().join(NAME), "{\"status\": \"do").unwrap();
        assert_eq!(Outcome::read(dir.path()), None);
    }
}
