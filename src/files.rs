//! Files that are replaced whole: whenever the machine stops, they are either as before or as
//! after. And files that are read: a pipe in the place of one is refused, not waited for.

use crate::error::{Error, Result};
use crate::escape::Shown;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Opens the file at `path` for reading.
///
/// # Errors
/// As [`open_with`].
pub fn open(path: &Path) -> std::io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Makes the file at `path`, empty.
///
/// # Errors
/// As [`open_with`].
pub fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    open_with(path, options.write(true).create(true).truncate(true))
}

/// Opens the file at `path` with these options. A pipe, a socket, a device or a folder in its
/// place is refused before it is opened: to open or to read a pipe may wait for ever.
///
/// # Errors
/// When it cannot be opened, or something else than a file is there.
pub fn open_with(path: &Path, options: &OpenOptions) -> std::io::Result<File> {
    // What cannot be looked at cannot be opened either, and then the system says why.
    if let Some(what) = std::fs::metadata(path).ok().as_ref().and_then(special) {
        return Err(std::io::Error::other(format!("it is {what}, not a file")));
    }
    options.open(path)
}

/// Reads the file at `path` whole.
///
/// # Errors
/// When it cannot be read, or something else than a file is there.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the first `length` bytes of the file at `path`, or all if there are fewer.
///
/// # Errors
/// When it cannot be read, or something else than a file is there.
pub fn read_head(path: &Path, length: usize) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    open(path)?.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Reads the file at `path` as UTF-8.
///
/// # Errors
/// When it cannot be read or is no such text, or something else than a file is there.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Names what is there, if it is no file.
pub fn special(there: &Metadata) -> Option<&'static str> {
    if there.is_file() {
        return None;
    }
    if there.is_dir() {
        return Some("a folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = there.file_type();
        if kind.is_fifo() {
            return Some("a pipe (FIFO)");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

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
    replace(path, &temporary, bytes, None).map_err(|e| write_error(path, e))
}

/// Replaces an existing file of a person's, or what it is a link to, with its permissions. Others
/// may do so at the same moment, so the temporary file is of this process.
///
/// # Errors
/// As [`write_atomic`]; they name the file and not the temporary one.
pub fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = path.canonicalize().and_then(|target| {
        let permissions = std::fs::metadata(&target)?.permissions();
        let temporary = target.with_file_name(format!(".vanc-{}.tmp", std::process::id()));
        replace(&target, &temporary, bytes, Some(permissions))
    });
    written.map_err(|e| {
        use ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let is_locked = matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem);
        let failure = Error::io("write", path, e);
        match is_locked {
            true => failure.help("its folder must be writable, since it is replaced whole"),
            false => failure,
        }
    })
}

/// A new file that is written aside, and takes its name once it is whole; until then, and where
/// it is dropped before, nothing is there.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Aside {
    /// Begins the file at `path`. The one it is written in is of this process.
    ///
    /// # Errors
    /// When something is there already, or its folder cannot be written.
    pub fn new(path: &Path) -> Result<Aside> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::new(format!("{} is there already", path.shown()))
                .help("remove it, or name another file"));
        }
        if path.file_name().is_none() {
            return Err(Error::new(format!("{} names no file", path.shown())));
        }
        let temporary = path.with_file_name(format!(".vanc-{}.tmp", std::process::id()));
        let file = create(&temporary).map_err(|e| Error::io("write", path, e))?;
        Ok(Aside {
            path: path.to_owned(),
            temporary,
            file: BufWriter::new(file),
        })
    }

    /// Writes more of the file.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|e| Error::io("write", &self.path, e))
    }

    /// Flushes the file to the disk and gives it its name.
    ///
    /// # Errors
    /// When it cannot be flushed or renamed.
    pub fn finish(mut self) -> Result<()> {
        let mut finish = || {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            std::fs::rename(&self.temporary, &self.path)?;
            sync_folder(&self.path)
        };
        finish().map_err(|e| Error::io("write", &self.path, e))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // It has its name, or is of no use.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// Writes `bytes` to `temporary`, flushes it to the disk, and renames it to `path`.
fn replace(
    path: &Path,
    temporary: &Path,
    bytes: &[u8],
    permissions: Option<Permissions>,
) -> std::io::Result<()> {
    let write = || {
        let mut file = create(temporary)?;
        file.write_all(bytes)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.sync_all()?;
        std::fs::rename(temporary, path)?;
        sync_folder(path)
    };
    write().inspect_err(|_| {
        // A full disk needs its room back.
        let _ = std::fs::remove_file(temporary);
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
