//! A run at one moment, read from the files in its folder.

use super::config::Config;
use super::history::{self, Epoch};
use super::metrics::{self, Line};
use super::run_folder;
use crate::error::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Stage of a run's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The process has not begun to write.
    Waiting,
    /// A process is training.
    Training,
    /// The run ended as planned.
    Finished,
    /// The process ended before the run was complete.
    Stopped,
}

/// A run at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Folder of the run.
    pub dir: PathBuf,
    /// Settings of the run.
    pub config: Option<Config>,
    /// Name of the model.
    pub model: Option<String>,
    /// Stage that it is in.
    pub state: State,
    /// Epochs that the run is to take.
    pub epochs: Option<u64>,
    /// Steps that the run is to take, if they are limited.
    pub max_steps: Option<u64>,
    /// Epochs completed so far.
    pub history: Vec<Epoch>,
    /// Last line of the log.
    pub last: Option<Line>,
    /// Damage to the log, for a person.
    pub damage: Option<String>,
}

impl Snapshot {
    /// Looks at the run in `dir`. A file that is not there is taken for an empty one; what a writing process has half written is left out.
    ///
    /// # Errors
    ///
    /// When its files cannot be read, or its settings are damaged. Damaged lines of the log are left
    /// out, and [`Snapshot::damage`] says so.
    pub fn read(dir: &Path) -> Result<Snapshot> {
        // First, for a run may end between this look and those at its files.
        let live = run_folder::is_training(dir);
        let config = match run_folder::config(dir) {
            path if path.exists() => Some(Config::read(&path)?),
            _ => None,
        };
        let (lines, damage) = match run_folder::metrics(dir) {
            path if path.exists() => {
                let log = metrics::read_log(&path)?;
                let damage = log.note(&path);
                (log.lines, damage)
            }
            _ => (Vec::new(), None),
        };
        let number = |value: Option<&Value>| value.and_then(Value::as_u64);
        let setting = |key: &str| config.as_ref().and_then(|config| config.get(key));
        let mut run = Snapshot {
            dir: dir.to_owned(),
            model: setting("model").and_then(Value::as_str).map(String::from),
            state: State::Waiting,
            epochs: number(setting("train").and_then(|train| train.get("epochs"))),
            max_steps: number(setting("max_steps")),
            history: history::epochs(&lines),
            last: lines.last().cloned(),
            damage,
            config,
        };
        run.state = match (run.is_finished(), live, &run.config) {
            (true, _, _) => State::Finished,
            (false, true, _) => State::Training,
            (false, false, Some(_)) => State::Stopped,
            (false, false, None) => State::Waiting,
        };
        Ok(run)
    }

    /// Whether the last test is the one at the end of the run.
    fn is_finished(&self) -> bool {
        let tested = self.history.last().filter(|epoch| epoch.test.is_some());
        let Some((end, last)) = tested.zip(self.last.as_ref()) else {
            return false;
        };
        // Steps of a further epoch may have been logged since.
        let at_end = end.step == last.step;
        let whole = self
            .epochs
            .is_some_and(|epochs| end.step >= self.steps_of(epochs));
        at_end && (whole || self.max_steps.is_some_and(|most| end.step >= most))
    }

    /// Steps in `epochs` whole epochs; `u64::MAX` while the steps of an epoch are unknown.
    fn steps_of(&self, epochs: u64) -> u64 {
        // The end of an epoch tells how many steps one has; the end of a run may be
        // that of no epoch, and a test before the first step is that of none.
        let mut trained = self.history.iter().filter(|epoch| epoch.step > 0);
        let first = trained.next();
        let several = trained.next().is_some();
        let whole = |first: &&Epoch| several || self.max_steps.is_none_or(|most| first.step < most);
        match first.filter(whole) {
            Some(first) => (first.step / first.epoch.max(1)).saturating_mul(epochs),
            None => u64::MAX,
        }
    }

    /// Step that the run ends at, if known.
    pub fn target(&self) -> Option<u64> {
        let of_epochs = self.epochs.map(|epochs| self.steps_of(epochs));
        of_epochs
            .into_iter()
            .chain(self.max_steps)
            .min()
            .filter(|&steps| steps < u64::MAX)
    }

    /// Step of the last line, and seconds trained until then.
    pub fn position(&self) -> (u64, f64) {
        self.last
            .as_ref()
            .map_or((0, 0.0), |line| (line.step, line.seconds))
    }

    /// Says how far the run is, for a person: `step 7 of 40`.
    pub fn reached(&self) -> String {
        let (step, _) = self.position();
        match self.target() {
            Some(target) => format!("step {step} of {target}"),
            None => format!("step {step}"),
        }
    }

    /// Estimated seconds left, at the mean speed so far.
    pub fn left(&self) -> Option<f64> {
        let (step, seconds) = self.position();
        let left = self.target()?.saturating_sub(step);
        (step > 0).then(|| seconds / step as f64 * left as f64)
    }
}
