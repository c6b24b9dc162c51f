//! Datasets from the network.
//!
//! The [`CATALOG`] says what is published where. [`fetch`] puts the files of a [`Dataset`]
//! into a folder; a build without the feature `fetch` knows the catalog alone.

mod catalog;
#[cfg(feature = "fetch")]
mod transfer;

pub use catalog::CATALOG;
#[cfg(feature = "fetch")]
pub use transfer::{Event, Options, Watch, fetch, tidy};

use std::path::{Path, PathBuf};

/// A dataset as it is published.
#[derive(Clone, Copy, Debug)]
pub struct Dataset<'a> {
    /// Name of the dataset in `data:` and `--data`.
    pub name: &'a str,
    /// Folder for its files, below the data folder.
    pub folder: &'a str,
    /// URLs of folders that hold the files, the best first.
    pub mirrors: &'a [&'a str],
    /// Files to download.
    pub files: &'a [File<'a>],
}

/// A file of a dataset as it is published.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Name of the file in a mirror's folder.
    pub name: &'a str,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: &'a str,
    /// Wanted members of a `.tar.gz`. If there are none, the file is kept as it is.
    pub members: &'a [Member<'a>],
}

/// A file in an archive.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Path in the archive. The file is put into the dataset's folder under the last part of
    /// the path.
    pub path: &'a str,
    /// Length in bytes.
    pub bytes: u64,
}

impl<'a> Member<'a> {
    /// Name in the dataset's folder.
    fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

impl<'a> File<'a> {
    /// Files that it leaves in the dataset's folder: names and lengths.
    pub fn placed(&self) -> Vec<(&'a str, u64)> {
        match self.members {
            [] => vec![(self.name, self.bytes)],
            members => members.iter().map(|m| (m.name(), m.bytes)).collect(),
        }
    }

    /// Path that the bytes are written to until the file is complete.
    pub fn part(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.part", self.name))
    }
}
