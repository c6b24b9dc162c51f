//! Published results, to show beside those of a sweep.

use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files;
use serde::Deserialize;
use std::path::Path;

/// A file of results that the user gives; the program contains no such numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Origin of the results: the paper and its table.
    pub source: String,
    /// Best test accuracy by policy and depth.
    pub best_test_accuracy: Vec<Entry>,
}

/// The result of one policy at one depth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Policy, as `--vary policy=…` calls it.
    pub policy: String,
    /// Position along the figures: number of layers, or the depth.
    pub depth: f64,
    /// Mean accuracy in percent.
    pub mean: f64,
    /// Standard deviation of the accuracy in percent.
    pub deviation: Option<f64>,
}

impl Published {
    /// Reads a file of results.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no JSON of this form.
    pub fn read(path: &Path) -> Result<Published> {
        let bytes = files::read(path).map_err(|e| Error::io("read", path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(format!("{} holds no published results: {e}", path.shown())).help(
                "write {\"source\": \"paper and table\", \"best_test_accuracy\": \
                 [{\"policy\": \"plain\", \"depth\": 10, \"mean\": 12.3, \"deviation\": 0.4}]}",
            )
        })
    }

    /// Finds the result of `policy` at `depth`, formatted for a table.
    pub fn find(&self, policy: &str, depth: Option<f64>) -> Option<String> {
        let plain = |name: &str| name.split_whitespace().collect::<String>();
        let same = |entry: &&Entry| {
            plain(&entry.policy) == plain(policy) && depth.is_none_or(|d| d == entry.depth)
        };
        let entry = self.best_test_accuracy.iter().find(same)?;
        Some(match entry.deviation {
            Some(deviation) => format!("{:.2} ± {deviation:.2}", entry.mean),
            None => format!("{:.2}", entry.mean),
        })
    }
}
