//! Failures outside the language: files, datasets, checkpoints, engines.
//!
//! Mistakes in a `.van` file are [`crate::diag::Diagnostic`]s, which point at the
//! source; everything else is an [`Error`], which says what went wrong, where, and
//! what to do.

use crate::escape::Shown;
use std::fmt;

/// A failure with a way forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The failure and its place, as one sentence without a full stop.
    pub message: String,
    /// Advice on what to do about it.
    pub help: Option<String>,
}

/// The result of work that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes a failure with this message and no advice.
    pub fn new(message: impl Into<String>) -> Self {
        Error {
            message: message.into(),
            help: None,
        }
    }

    /// Adds advice on what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A part of the program that this build lacks, and the feature that brings it.
    pub fn unbuilt(part: &str, feature: &str) -> Self {
        Error::new(format!("{part}: this build was made without it")).help(format!(
            "build vanc with the feature: `cargo build --release --features {feature}`"
        ))
    }

    /// Makes the failure of an operation on a file: `cannot read PATH: no such file`.
    pub fn io(doing: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        Error::new(format!("cannot {doing} {}: {error}", path.shown()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
