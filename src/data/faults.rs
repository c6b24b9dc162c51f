//! Failures of several files of a dataset, told in one report.

use crate::error::{Error, Result};

/// Failures that are told before the rest is only counted.
const TOLD: usize = 5;

/// Begins a further line of advice.
pub(super) const LINE: &str = "\n        ";

/// Failures so far, in the order of the files.
#[derive(Default)]
pub(super) struct Faults(Vec<Error>);

impl Faults {
    /// Keeps the failure of `result`, if it is one.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Makes the failure of the dataset `name`, if any of its files has failed. Of each kind of
    /// failure the advice is given once.
    pub fn error(&self, name: &str) -> Option<Error> {
        let Faults(errors) = self;
        let (first, rest) = errors.split_first()?;
        if rest.is_empty() {
            return Some(first.clone());
        }
        let mut message = format!("{} files of {name} cannot be used:", errors.len());
        for error in errors.iter().take(TOLD) {
            message.push_str(&format!("\n    {}", error.message));
        }
        if errors.len() > TOLD {
            message.push_str(&format!("\n    and {} more", errors.len() - TOLD));
        }
        let mut advice: Vec<&str> = Vec::new();
        for help in errors.iter().filter_map(|error| error.help.as_deref()) {
            if !advice.contains(&help) {
                advice.push(help);
            }
        }
        Some(Error::new(message).help(advice.join(LINE)))
    }

    /// Ends with that failure, if there is one.
    pub fn report(&self, name: &str) -> Result<()> {
        self.error(name).map_or(Ok(()), Err)
    }
}
