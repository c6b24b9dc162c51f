//! Results that somebody has published, to be shown beside those of a sweep.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::Path;

/// A file of results, given by the user: no such numbers are in the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Where they are from: the paper and its table.
    pub source: String,
    /// The best test accuracy by policy and depth.
    pub best_test_accuracy: Vec<Entry>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As `--vary policy=…` calls it.
    pub policy: String,
    /// What the figures go along: layers, or the depth.
    pub depth: f64,
    /// In percent.
    pub mean: f64,
    /// In percent.
    pub deviation: Option<f64>,
}

impl Published {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Published> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(format!(
                "{} holds no published results: {e}",
                path.display()
            ))
            .help(
                "write {\"source\": \"paper and table\", \"best_test_accuracy\": \
                 [{\"policy\": \"plain\", \"depth\": 10, \"mean\": 12.3, \"deviation\": 0.4}]}",
            )
        })
    }

    /// The result of `policy` at `depth`, as it is written in a table.
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
