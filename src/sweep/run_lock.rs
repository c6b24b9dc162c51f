//! A run's log, and the lock on it that says whose run it is.

use crate::error::{Error, Result};
use crate::files::{self, write_error};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Bytes of a log that are searched for an error at most.
const LONGEST: u64 = 1 << 20;

/// Returns the path of the log of the run in `dir`.
pub fn log(dir: &Path) -> PathBuf {
    dir.join("log.txt")
}

/// A run that is this process's to do, until this is dropped and every process that
/// was given [`RunLock::output`] has ended: the lock belongs to the open file, which they
/// share. So a run whose sweep was killed is not begun again beside itself.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
    /// Length of the log when this session began, in bytes.
    start: u64,
}

impl RunLock {
    /// Takes the run in `dir`, which is made; `None` where another process has it.
    pub fn take(dir: &Path) -> Result<Option<RunLock>> {
        std::fs::create_dir_all(dir).map_err(|e| write_error(dir, e))?;
        let path = log(dir);
        let opened = files::open_with(
            &path,
            OpenOptions::new().create(true).append(true).read(true),
        );
        let file = opened.map_err(|e| write_error(&path, e))?;
        match file.try_lock() {
            // A file system without locks is used without them.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
        }
        let length = file
            .metadata()
            .map_err(|e| Error::io("read", &path, e))?
            .len();
        Ok(Some(RunLock {
            file,
            path,
            start: length,
        }))
    }

    /// Opens the log, for a process to write to.
    pub fn output(&self) -> Result<Stdio> {
        let file = self.file.try_clone();
        Ok(file.map_err(|e| write_error(&self.path, e))?.into())
    }

    /// Finds the first line of the error that ended this session: the last one that is marked as
    /// one, else the last line at all, such as a panic's.
    pub fn error(&mut self) -> Option<String> {
        let end = self.file.seek(SeekFrom::End(0)).ok()?;
        let start = self.start.max(end.saturating_sub(LONGEST));
        self.file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        (&self.file).take(LONGEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = || {
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .rev()
        };
        let marked = lines().find_map(|line| line.strip_prefix("error: "));
        marked.or_else(|| lines().next()).map(String::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lock(dir: &Path) -> RunLock {
        RunLock::take(dir).unwrap().unwrap()
    }

    #[test]
    fn a_run_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("runs/a");
        let first = lock(&run);
        assert!(RunLock::take(&run).unwrap().is_none());
        drop(first);
        lock(&run);
    }

    /// Tests the state after `kill -9` of the sweep alone.
    #[cfg(unix)]
    #[test]
    fn a_process_that_is_left_keeps_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path());
        let mut child = std::process::Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(first.output().unwrap())
            .spawn()
            .unwrap();
        drop(first);
        assert!(RunLock::take(dir.path()).unwrap().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
        lock(dir.path());
    }

    #[test]
    fn the_error_is_this_sessions() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let log = OpenOptions::new()
                .append(true)
                .create(true)
                .open(log(dir.path()));
            log.unwrap().write_all(text.as_bytes()).unwrap();
        };
        write("error: an old one\n");
        let mut now = lock(dir.path());
        assert_eq!(now.error(), None);
        write("epoch 1/3\nerror: the loss is NaN\n  help: a lower rate\n");
        assert_eq!(now.error().as_deref(), Some("the loss is NaN"));
        drop(now);
        let mut now = lock(dir.path());
        write("thread 'main' panicked\n\n");
        assert_eq!(now.error().as_deref(), Some("thread 'main' panicked"));
    }
}
