//! Options of a fetch, and its progress.

use super::super::File;
use std::path::Path;
use std::time::Duration;

/// Options of a fetch.
#[derive(Clone, Debug)]
pub struct Options {
    /// URL of a folder with the files, in place of the dataset's mirrors.
    pub from: Option<String>,
    /// Longest time that a mirror may send nothing.
    pub stall: Duration,
    /// Number of further tries that may bring nothing in a row, after each mirror had one.
    pub retries: u32,
    /// Wait before the first further try; it doubles with each.
    pub pause: Duration,
    /// Whether to fetch files that are already there.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            from: None,
            stall: Duration::from_secs(30),
            retries: 3,
            pause: Duration::from_secs(1),
            force: false,
        }
    }
}

/// Progress of a fetch.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A file is started, or resumed.
    Begun {
        /// The file.
        file: &'a File<'a>,
        /// Path that its bytes are written to.
        part: &'a Path,
    },
    /// Progress of the file: the number of its bytes that are there.
    At(u64),
    /// All bytes are there, and their sum is being checked.
    Checking,
    /// The sum is right, and the archive is being unpacked.
    Unpacking,
    /// A mirror failed: the failure, and the reaction to it.
    Trouble(&'a str),
}

/// Callback that receives each [`Event`].
pub type Watch<'a> = &'a dyn Fn(Event);
