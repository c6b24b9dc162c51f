//! Files that are replaced whole: whenever the machine stops, they are either as before or as
//! after.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Replaces the file at `path` by `bytes`: writes them to a temporary file beside it, flushes
/// that to the disk, and renames it.
///
/// One process writes at a time, so the temporary name is a fixed one; a file that a killed
/// process left under it is overwritten by the next write.
///
/// # Errors
/// When the temporary file cannot be written, flushed or renamed (no space, no permission).
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_file_name(format!(
        ".{}.tmp",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path))
        .and_then(|()| sync_folder(path));
    written.map_err(|e| {
        // A full disk needs its room back.
        let _ = std::fs::remove_file(&temporary);
        write_error(path, e)
    })
}

/// The failure to write `path`, with advice that depends on its cause.
pub fn write_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kind = error.kind();
    let failure = Error::io("write", path, error);
    if matches!(kind, StorageFull | QuotaExceeded) {
        failure.help("make room on the disk; --resume goes on from the last checkpoint")
    } else if matches!(kind, PermissionDenied | ReadOnlyFilesystem) {
        failure.help("name a folder that can be written with --out DIR")
    } else {
        failure
    }
}

/// Renames the file at `from`, which is whole and on the disk, to `to`.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let renamed = std::fs::rename(from, to).and_then(|()| sync_folder(to));
    renamed.map_err(|e| write_error(to, e))
}

/// Removes the file at `path`, if it exists.
///
/// # Errors
/// When it exists and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path).map_err(|e| Error::io("remove", path, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", path, e)),
    }
}

/// Flushes the folder of `path`, and so the file's name, to the disk where the system can.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
