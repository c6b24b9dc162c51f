//! The folder of a sweep: whose it is, and what is in it.

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::{self, write_atomic, write_error};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of a sweep under way.
#[derive(Debug)]
pub struct SweepFolder {
    dir: PathBuf,
    file: PathBuf,
    /// Held for as long as the sweep is.
    _lock: File,
}

/// Returns the path of the settings of the sweep in `dir`.
pub fn settings(dir: &Path) -> PathBuf {
    dir.join("sweep.json")
}

/// Returns the folder of the run called `name` of the sweep in `dir`.
pub fn run(dir: &Path, name: &str) -> PathBuf {
    dir.join(RUNS).join(name)
}

/// Returns the path of the table of results, as comma-separated values (RFC 4180).
pub fn results_csv(dir: &Path) -> PathBuf {
    dir.join("results.csv")
}

/// Returns the path of the table of results as JSON, an object a line.
pub fn results_jsonl(dir: &Path) -> PathBuf {
    dir.join("results.jsonl")
}

const RUNS: &str = "runs";

/// Lock file that a sweep's process holds, and the mark of a folder that is ours.
const LOCK: &str = ".sweep.lock";

/// Lock file that is held while files that sweeps have in common are written.
const WRITING: &str = ".sweep.writing";

impl SweepFolder {
    /// Takes `dir`, which is made, for a sweep with these settings over the file with
    /// the text `source`; with `shared`, beside others that share it. `changes` are those of the file
    /// since the sweep there was begun.
    ///
    /// # Errors
    /// Where another sweep is under way that does not share, and where the folder holds
    /// a sweep that is no part of this one, or files of something else.
    pub fn open(
        dir: &Path,
        now: &Settings,
        source: &str,
        shared: bool,
        changes: &Changes,
    ) -> Result<SweepFolder> {
        look(dir, now, source, changes)?;
        std::fs::create_dir_all(dir).map_err(|e| write_error(dir, e))?;
        let lock = take(dir, shared)?;
        let file = dir.join(&now.file);
        alone(dir, || {
            if look(dir, now, source, changes)?.as_ref() != Some(now) {
                write_atomic(&file, source.as_bytes())?;
                write_atomic(&settings(dir), now.to_text()?.as_bytes())?;
            }
            Ok(())
        })?;
        Ok(SweepFolder {
            dir: dir.to_owned(),
            file,
            _lock: lock,
        })
    }

    /// Returns the path of the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of the copy of the file that is trained.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the folder of the run called `name`.
    pub fn run(&self, name: &str) -> PathBuf {
        run(&self.dir, name)
    }
}

/// Takes the lock of a sweep on its folder.
fn take(dir: &Path, shared: bool) -> Result<File> {
    let path = dir.join(LOCK);
    let file = files::create(&path).map_err(|e| write_error(&path, e))?;
    let taken = match shared {
        true => file.try_lock_shared(),
        false => file.try_lock(),
    };
    match taken {
        // A file system without locks is used without them.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(
                Error::new(format!("another sweep is under way in {}", dir.shown())).help(
                    "wait for it, end it, or name another folder with --out; \
             to work together in one folder, start each with its --shard",
                ),
            )
        }
    }
}

/// Does `work` while no other sweep does the same in `dir`.
pub(super) fn alone<T>(dir: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let path = dir.join(WRITING);
    let file = files::create(&path).map_err(|e| write_error(&path, e))?;
    // A file system without locks is used without them.
    let _ = file.lock();
    work()
}

/// Refuses a folder that holds no sweep, but something that a sweep would overwrite.
fn refuse_foreign(dir: &Path, now: &Settings, source: &str) -> Result<()> {
    if settings(dir).exists() || dir.join(LOCK).exists() {
        return Ok(());
    }
    let copy = dir.join(&now.file);
    let is_other = files::read(&copy).is_ok_and(|text| text != source.as_bytes());
    let results = [results_csv(dir), results_jsonl(dir)];
    let mut theirs = results
        .into_iter()
        .chain([dir.join(RUNS)])
        .filter(|path| path.exists());
    match theirs.next().or(is_other.then_some(copy)) {
        None => Ok(()),
        Some(path) => Err(Error::new(format!(
            "{} holds no sweep, but {} is there, which a sweep would write to",
            dir.shown(),
            path.shown()
        ))
        .help("name another folder with --out")),
    }
}

/// Function that says how the file differs from the text that a sweep was begun with, in all that
/// is not only the way it is written.
pub type Changes<'a> = dyn Fn(&Settings, &str) -> Vec<String> + 'a;

/// Reads the settings of the sweep in `dir`, if one is there, and changes nothing.
///
/// # Errors
/// Where the folder holds a sweep that is no part of the one with the settings `now`, or files of
/// something else.
pub fn look(
    dir: &Path,
    now: &Settings,
    source: &str,
    changes: &Changes,
) -> Result<Option<Settings>> {
    refuse_foreign(dir, now, source)?;
    let path = settings(dir);
    if !path.exists() {
        return Ok(None);
    }
    let begun = Settings::read(&path)?;
    let mut differences = now.differences(&begun);
    if begun.file == now.file {
        let copy = dir.join(&begun.file);
        let text = files::read_text(&copy).map_err(|e| Error::io("read", &copy, e))?;
        if text != source {
            differences.splice(0..0, changes(&begun, &text));
        }
    }
    if differences.is_empty() {
        return Ok(Some(begun));
    }
    Err(Error::new(format!(
        "{} holds another sweep: {}",
        dir.shown(),
        differences.join("; ")
    ))
    .help(format!(
        "name another folder with --out, or give the settings in {}; \
         only values and seeds may be added to a sweep",
        path.shown()
    )))
}
