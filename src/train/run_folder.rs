//! The folder of a run: which one, what is in it, and in which order it is written.
//!
//! Killing the process at any moment leaves a folder that `--resume` can use:
//! - a run exists once `checkpoints/last.safetensors` does, which is written after the
//!   source, the settings and the empty log; before that, `--resume` begins again;
//! - `last` is written after the log lines it counts on are on the disk; lines it does
//!   not know of are cut off and made again;
//! - each checkpoint is two files, of which a whole pair is there at any moment: see
//!   [`checkpoint`];
//! - `best` is written before the `last` that counts on it, and made again if that
//!   `last` never came;
//! - `--force` removes `best`, then `last`, before it writes anything.

use super::checkpoint::{self, Checkpoint};
use super::confusion::Record;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::files::{self, write_atomic, write_error};
use crate::text::quote;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Folder that default run folders are in.
const RUNS: &str = "runs";

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    /// Held for as long as the process trains here.
    _lock: File,
}

/// Start of a run: its folder and what it begins with.
#[derive(Debug)]
pub enum RunStart {
    /// A new run, in the first of these folders that [`begin`] can make.
    New {
        /// `--out`, or the model's name under `runs`.
        dir: PathBuf,
        /// Whether a taken `dir` is left for `dir-2`, `dir-3`, ….
        numbered: bool,
        /// Whether a run that is there is dropped.
        force: bool,
    },
    /// A run that goes on at its last checkpoint.
    Resumed {
        /// Folder of the run.
        folder: RunFolder,
        /// Last checkpoint of the run.
        checkpoint: Box<Checkpoint>,
    },
}

/// Returns the path of the last checkpoint of the run in `dir`.
pub fn last(dir: &Path) -> PathBuf {
    dir.join("checkpoints").join("last.safetensors")
}

/// Returns the path of the checkpoint with the best test accuracy of the run in `dir`.
pub fn best(dir: &Path) -> PathBuf {
    dir.join("checkpoints").join("best.safetensors")
}

/// Returns the path of the log of the run in `dir`.
pub fn metrics(dir: &Path) -> PathBuf {
    dir.join("metrics.jsonl")
}

/// Returns the path of the settings of the run in `dir`.
pub fn config(dir: &Path) -> PathBuf {
    dir.join("config.json")
}

/// Returns the path of the confusion matrix of the last evaluation of the run in `dir`.
fn confusion(dir: &Path) -> PathBuf {
    dir.join("confusion.json")
}

/// Replaces the confusion matrix of the last evaluation of the run in `dir`.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_confusion(dir: &Path, record: &Record) -> Result<()> {
    let text = serde_json::to_string(record)
        .map_err(|e| Error::new(format!("cannot write the confusion matrix: {e}")))?;
    write_atomic(&confusion(dir), text.as_bytes())
}

/// Reads the confusion matrix of the last evaluation of the run in `dir`, where it is there and
/// whole.
pub fn read_confusion(dir: &Path) -> Option<Record> {
    serde_json::from_slice(&files::read(&confusion(dir)).ok()?).ok()
}

/// Returns the path of the source of the run in `dir`.
pub fn source(dir: &Path) -> PathBuf {
    dir.join("model.van")
}

/// Writes the command that goes on with the run in `dir`.
pub fn go_on(dir: &Path) -> String {
    format!("vanc train --resume {}", quote(&dir.display().to_string()))
}

/// Whether `dir` holds a run, or what is left of one: its source and its settings.
pub fn is_run(dir: &Path) -> bool {
    source(dir).is_file() && config(dir).is_file()
}

/// Whether a process is training in `dir`, as far as the file system tells.
pub fn is_training(dir: &Path) -> bool {
    let Ok(file) = files::open(&lock(dir)) else {
        return false;
    };
    match file.try_lock_shared() {
        Ok(()) => false,
        // A file system without locks does not tell.
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
    }
}

/// Returns the path of the mark of a folder that is ours, and what its process holds.
pub fn lock(dir: &Path) -> PathBuf {
    dir.join(".lock")
}

impl RunFolder {
    /// Returns the path of the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_settings(&self, settings: &str) -> Result<()> {
        write_atomic(&config(&self.dir), settings.as_bytes())
    }

    /// Takes an existing folder for this process.
    fn take(dir: &Path) -> Result<RunFolder> {
        let path = lock(dir);
        let file = files::create(&path).map_err(|e| write_error(&path, e))?;
        let mut locked = file.try_lock();
        if matches!(locked, Err(TryLockError::WouldBlock)) {
            // `is_training` holds it for a moment.
            std::thread::sleep(Duration::from_millis(50));
            locked = file.try_lock();
        }
        match locked {
            // A file system without locks is used without them.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(RunFolder {
                dir: dir.to_owned(),
                _lock: file,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::new(format!(
                "another process is training in {}",
                dir.shown()
            ))
            .help("wait for it, end it, or name another folder with --out")),
        }
    }
}

/// Finds where a run of model `name` starts, by `--out`, `--resume` and `--force`.
/// Makes nothing yet.
///
/// # Errors
/// Where the folder holds a run that is not to be replaced, another process trains in it, or
/// its last checkpoint cannot be read.
pub fn choose(name: &str, out: Option<&Path>, resume: bool, force: bool) -> Result<RunStart> {
    let default = || Path::new(RUNS).join(name);
    let dir = match out {
        Some(dir) => dir.to_owned(),
        None if resume => newest(&default()).unwrap_or_else(default),
        None => default(),
    };
    if resume && dir.is_dir() && has_run(&dir) {
        let folder = RunFolder::take(&dir)?;
        let checkpoint = Box::new(read_last(&dir)?);
        return Ok(RunStart::Resumed { folder, checkpoint });
    }
    if out.is_some() && !force {
        refuse(&dir)?;
    }
    let numbered = out.is_none() && !force && !resume;
    Ok(RunStart::New {
        dir,
        numbered,
        force,
    })
}

/// Makes the folder of a new run, with its source and settings.
///
/// # Errors
/// Where the folder cannot be made, another process trains in it, or a run has come to be there
/// meanwhile.
pub fn begin(
    dir: &Path,
    numbered: bool,
    force: bool,
    text: &str,
    settings: &str,
) -> Result<RunFolder> {
    let dir = make(dir, numbered)?;
    let folder = RunFolder::take(&dir)?;
    if !force && has_run(&dir) {
        // It came to be since `choose` looked.
        refuse(&dir)?;
    }
    checkpoint::remove_all(&best(&dir))?;
    checkpoint::remove_all(&last(&dir))?;
    files::remove(&confusion(&dir))?;
    let checkpoints = dir.join("checkpoints");
    std::fs::create_dir_all(&checkpoints).map_err(|e| write_error(&checkpoints, e))?;
    write_atomic(&source(&dir), text.as_bytes())?;
    write_atomic(&config(&dir), settings.as_bytes())?;
    Ok(folder)
}

/// Creates `dir`, or with `numbered` the first of `dir`, `dir-2`, … that is not there.
fn make(dir: &Path, numbered: bool) -> Result<PathBuf> {
    if !numbered {
        std::fs::create_dir_all(dir).map_err(|e| write_error(dir, e))?;
        return Ok(dir.to_owned());
    }
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent).map_err(|e| write_error(parent, e))?;
    }
    for number in 1u64.. {
        let dir = nth(dir, number);
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(write_error(&dir, e)),
        }
    }
    Err(Error::new(format!("every {}-N is taken", dir.shown())))
}

/// Numbers a folder: `dir`, `dir-2`, `dir-3`, ….
fn nth(dir: &Path, number: u64) -> PathBuf {
    match number {
        0 | 1 => dir.to_owned(),
        n => {
            let mut name = dir.file_name().unwrap_or_default().to_owned();
            name.push(format!("-{n}"));
            dir.with_file_name(name)
        }
    }
}

/// Finds the folder among `dir`, `dir-2`, … whose run was written to last, or, where none holds a
/// run, the first that was begun.
fn newest(dir: &Path) -> Option<PathBuf> {
    let name = dir.file_name()?.to_str()?;
    let entries = std::fs::read_dir(dir.parent()?).ok()?;
    let number = |entry: &std::fs::DirEntry| match entry.file_name().to_str()?.strip_prefix(name)? {
        "" => Some(1),
        rest => rest.strip_prefix('-')?.parse().ok().filter(|&n| n > 1),
    };
    let time = |dir: &Path| -> Option<SystemTime> {
        let modified = |path: PathBuf| path.metadata().and_then(|m| m.modified()).ok();
        modified(last(dir)).max(modified(best(dir)))
    };
    let mut numbers: Vec<u64> = entries.flatten().filter_map(|e| number(&e)).collect();
    numbers.sort_unstable();
    let ours = |n: &u64| has_run(&nth(dir, *n)) || lock(&nth(dir, *n)).exists();
    let mut found = numbers.into_iter().filter(ours).map(|n| nth(dir, n));
    let first = found.next()?;
    Some(found.fold(first, |a, b| {
        if time(&b) >= time(&a) && time(&b).is_some() {
            b
        } else {
            a
        }
    }))
}

fn has_run(dir: &Path) -> bool {
    last(dir).exists() || best(dir).exists()
}

/// Refuses to begin in a folder with a run or with files that would be overwritten.
fn refuse(dir: &Path) -> Result<()> {
    if has_run(dir) {
        return Err(
            Error::new(format!("{} already holds a run", dir.shown())).help(
                "give --resume to go on with it, --force to drop it and begin again, \
                 or another folder with --out",
            ),
        );
    }
    let theirs = [source(dir), config(dir), metrics(dir)];
    if !lock(dir).exists()
        && let Some(file) = theirs.iter().find(|path| path.exists())
    {
        return Err(Error::new(format!(
            "{} holds no run, but {} would be overwritten",
            dir.shown(),
            file.shown()
        ))
        .help("name another folder with --out, or give --force"));
    }
    Ok(())
}

/// Reads the last checkpoint; where it cannot be used, says whether the best one can.
fn read_last(dir: &Path) -> Result<Checkpoint> {
    let failure = if !last(dir).exists() {
        Error::new(format!("{} is not there", last(dir).shown()))
    } else {
        match Checkpoint::read(&last(dir)) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(failure) => failure,
        }
    };
    let help = match Checkpoint::read_with_state(&best(dir)) {
        Ok((checkpoint, state)) => {
            let copy = |from: &Path, to: &Path| {
                let [from, to] = [from, to].map(|path| quote(&path.display().to_string()));
                format!("\n    cp {from} {to}")
            };
            let (last, state) = (
                last(dir),
                state.map(|state| copy(&state, &checkpoint::state(&last(dir)))),
            );
            format!(
                "the best checkpoint, of epoch {}, is whole; to go on from it:{}{}",
                checkpoint.meta.progress.epoch,
                state.unwrap_or_default(),
                copy(&best(dir), &last),
            )
        }
        Err(_) => "no other checkpoint can be used; begin again with --force".into(),
    };
    Err(Error {
        message: failure.message,
        help: Some(help),
    })
}
