//! Failures to write.

use crate::error::Error;
use std::io::ErrorKind;
use std::path::Path;

/// The failure to write `path`, with advice that depends on its cause.
pub(super) fn write_error(doing: &str, path: &Path, error: std::io::Error) -> Error {
    use ErrorKind::{
        NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let kind = error.kind();
    let failure = Error::io(doing, path, error);
    if matches!(kind, StorageFull | QuotaExceeded) {
        failure.help("make room on the disk; the same command goes on with what is there")
    } else if matches!(kind, PermissionDenied | ReadOnlyFilesystem | NotADirectory) {
        failure.help(
            "name a folder that can be written with --data-dir DIR or the environment \
             variable VANC_DATA",
        )
    } else {
        failure
    }
}
