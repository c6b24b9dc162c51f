//! The run that is watched, and folders that hold none.

use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::sweep::folder;
use crate::train::run_folder;
use crate::train::snapshot::Snapshot;
use std::path::Path;

/// Looks at the run in `dir`. What a writing process has half written is left out.
///
/// # Errors
///
/// When `dir` is no folder of a run, nor one that a run may begin in, and when its files
/// cannot be read.
pub fn read(dir: &Path) -> Result<Snapshot> {
    refuse(dir)?;
    Snapshot::read(dir)
}

/// Refuses a folder that is neither a run's nor one that a run may begin in.
fn refuse(dir: &Path) -> Result<()> {
    let help = "give the folder of a run of vanc train, such as runs/quickstart";
    if folder::settings(dir).exists() {
        return Err(
            Error::new(format!("{} is a sweep, not a run", dir.shown())).help(format!(
                "give one of the folders in {}",
                dir.join("runs").shown()
            )),
        );
    }
    if !dir.exists() {
        return Err(Error::new(format!("{} is not there", dir.shown())).help(help));
    }
    if !dir.is_dir() {
        return Err(Error::new(format!("{} is no folder", dir.shown())).help(help));
    }
    let entries = std::fs::read_dir(dir).map_err(|e| Error::io("read", dir, e).help(help))?;
    let ours = [
        run_folder::config(dir),
        run_folder::metrics(dir),
        run_folder::lock(dir),
    ];
    // A sweep makes the folder of a run, and puts its log there, before the run begins.
    let sweep = dir.parent().and_then(Path::parent);
    let of_sweep = sweep.is_some_and(|sweep| folder::settings(sweep).exists());
    if !of_sweep && !ours.iter().any(|path| path.exists()) && entries.count() > 0 {
        return Err(Error::new(format!("{} holds no run", dir.shown())).help(help));
    }
    Ok(())
}
