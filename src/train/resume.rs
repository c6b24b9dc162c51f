//! Settings of a run that goes on.

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::run_folder::{self, RunFolder};
use crate::error::{Error, Result};
use crate::text::different_line;

/// Returns the settings of a resumed run: this command's, where they agree with those it began
/// with in all that may not change.
///
/// # Errors
/// Where they do not; the message names what differs.
pub(super) fn resumed_settings(
    mut settings: Config,
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    source: &str,
) -> Result<Config> {
    let dir = folder.dir();
    let began_as = |config: Option<&Config>| match config.and_then(Config::command) {
        Some(command) => format!("it began with\n    {command}\n"),
        None => String::new(),
    };
    let started = Config::of_run(dir)?;
    let mut differences = Vec::new();
    if let Some(started) = &started {
        differences = settings.differences(started);
        settings.keep_start_of(started);
    }
    if checkpoint.meta.source != source {
        let line = different_line(&checkpoint.meta.source, source);
        differences.insert(0, format!("the file has changed in line {line}"));
    }
    if differences.is_empty() {
        return Ok(settings);
    }
    Err(Error::new(format!(
        "the run in {} cannot go on under other settings: {}",
        dir.display(),
        differences.join("; ")
    ))
    .help(format!(
        "{}give --resume with the run's own settings and file (a copy is {}), \
         or begin another run in another folder with --out",
        began_as(started.as_ref()),
        run_folder::source(dir).display(),
    )))
}
