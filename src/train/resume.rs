//! Settings of a run that goes on.

use super::checkpoint::{Checkpoint, Meta};
use super::config::Config;
use super::difference::of_models;
use super::run_folder::{self, RunFolder};
use super::run_progress::RunProgress;
use crate::check::{self, Override};
use crate::diag::Sources;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{Options, Overrides};
use crate::ir::Model;
use std::path::Path;

/// Name of the setting that a resumed run may change, by its flag.
const EPOCHS: &str = "epochs";

/// Takes over the flags of the run in `dir` that the command line does not give. A limit that the
/// run has reached by `step` counts no more: who resumes it wants it to go on.
///
/// # Errors
/// Where the settings of the run cannot be read.
pub(super) fn keep_flags(options: &mut Options, dir: &Path, step: u64) -> Result<()> {
    let Some(config) = Config::of_run(dir)? else {
        return Ok(());
    };
    let asked = options.max_steps;
    for (flag, value) in config.flags() {
        options.keep(flag, &value).map_err(|error| Error {
            message: format!("{}: {}", run_folder::config(dir).shown(), error.message),
            ..error
        })?;
    }
    if asked.is_none() {
        options.max_steps = options.max_steps.filter(|&most| most > step);
    }
    Ok(())
}

/// Returns the settings of a resumed run of `model`, which `options` and a file make: this
/// command's, where they mean what those it began with mean in all that may not change.
///
/// # Errors
/// Where they do not; the message names what differs.
pub(super) fn resumed_settings(
    mut settings: Config,
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    model: &Model,
    options: &Options,
) -> Result<Config> {
    let dir = folder.dir();
    let started = Config::of_run(dir)?;
    let mut differences = Vec::new();
    let in_the_run = "in the run";
    match begun(&checkpoint.meta) {
        Some(there) => {
            let others = of_models(&there, model);
            let said = others.iter().map(|difference| {
                difference.said(in_the_run, &difference.source(&options.overrides))
            });
            differences.extend(said);
            refuse_epochs(
                dir,
                &there,
                model,
                &options.overrides,
                differences.is_empty(),
            )?;
        }
        None => differences.push(
            "the file of the run is not sound for this version, which cannot compare it".into(),
        ),
    }
    if let Some(started) = &started {
        let flags = settings.differences(started).into_iter();
        differences.extend(flags.map(|difference| difference.said(in_the_run, "here")));
        settings.keep_start_of(started);
    }
    if differences.is_empty() {
        return Ok(settings);
    }
    let began = match started.as_ref().and_then(Config::command) {
        Some(command) => format!("it began with\n    {command}\n"),
        None => String::new(),
    };
    Err(Error::new(format!(
        "the run in {} cannot go on under other settings: {}",
        dir.shown(),
        differences.join("; ")
    ))
    .help(format!(
        "{began}to go on as it was:\n    {}\nor begin another run in another folder with --out",
        run_folder::go_on(dir)
    )))
}

/// Makes the network that a run began with, but with the epochs of its file; nothing where that is
/// not sound for this version.
fn begun(meta: &Meta) -> Option<Model> {
    let made = |overrides: &Overrides| {
        let mut sources = Sources::new("", meta.source.as_str());
        check::check(&mut sources, &Override::list(overrides), true).ok()
    };
    let mut of_file = meta.overrides.clone();
    of_file.settings.retain(|(name, _)| name != EPOCHS);
    // The file may be sound only with the epochs that the command gave.
    made(&of_file).or_else(|| made(&meta.overrides))
}

/// Refuses epochs that are others in the file than in that of the run, where `only` they are: it
/// may be an oversight, and the flag says that it is none.
fn refuse_epochs(
    dir: &Path,
    there: &Model,
    here: &Model,
    given: &Overrides,
    only: bool,
) -> Result<()> {
    let (old, new) = (there.train.epochs, here.train.epochs);
    if !only || old == new || given.settings.iter().any(|(name, _)| name == EPOCHS) {
        return Ok(());
    }
    Err(Error::new(format!(
        "epochs: {old} in the file of the run in {}, {new} in the file now",
        dir.shown()
    ))
    .help(format!("give --epochs {new} to train for so many")))
}

/// Refuses an end of the run in `dir` that it is already past.
///
/// # Errors
/// Where it has done more epochs, of so many `steps`, or more steps than are asked for.
pub(super) fn refuse_past(
    dir: &Path,
    done: &RunProgress,
    steps: usize,
    epochs: usize,
    max_steps: Option<u64>,
) -> Result<()> {
    let past = |did: String, wanted: String, flag: &str| {
        let dir = dir.shown();
        Err(Error::new(format!(
            "the run in {dir} is past that: it has done {did}, {wanted}"
        ))
        .help(format!("give a larger {flag} to train on, or leave it out")))
    };
    if done.step > (epochs as u64).saturating_mul(steps as u64) {
        let did = match done.step > done.epoch * steps as u64 {
            true => format!("{} epochs and a part of another", done.epoch),
            false => format!("{} epochs", done.epoch),
        };
        return past(did, format!("and is to do {epochs}"), "--epochs");
    }
    match max_steps.filter(|&most| done.step > most) {
        Some(most) => past(
            format!("{} steps", done.step),
            format!("and is to do {most}"),
            "--max-steps",
        ),
        None => Ok(()),
    }
}
