//! `vanc train FILE`: trains the network of a file; `vanc train --resume RUN` goes on with a run.

use super::arguments;
use super::command::{Command, Given, Run};
use super::output::{Failure, stopped};
use crate::check::Override;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{self, Options};
use crate::train::run_folder;
use crate::train::session::Ending;
use crate::train::setup::Setup;
use std::path::Path;

pub(super) const COMMAND: Command = Command {
    name: "train",
    about: "Train the network of a file",
    flags: &[
        (Some("Settings of `train { … }`"), flags::SETTINGS),
        (Some("Data"), flags::IMAGES),
        (Some("Run"), flags::FOLDER),
        (Some("Run"), flags::LENGTH),
        (Some("Run"), flags::MACHINE),
        (Some("Run"), flags::STOP),
        (Some("Run"), flags::QUIET),
    ],
    run: Run::File(run),
};

fn run(given: Given) -> Result<(), Failure> {
    let Given {
        source,
        params,
        matches,
        ..
    } = given;
    let mut options = arguments::options(&source.path, params, matches)?;
    if let Some(run) = &source.run {
        of_run(run, &mut options)?;
    }
    let model = source.model(&Override::list(&options.overrides), true)?;
    match Setup::new(source.text(), &model, &options)?.run()? {
        Ending::Finished => Ok(()),
        Ending::Stopped(signal) => Err(Failure::Said(stopped(signal))),
    }
}

/// Adds to the options what the run in the folder `run` has, which is named instead of a file: its
/// folder, and the flags that changed its model.
fn of_run(run: &Path, options: &mut Options) -> Result<()> {
    let shown = run.shown();
    if !options.resume {
        return Err(
            Error::new(format!("{shown} is the folder of a run, not a file")).help(format!(
                "to go on with the run:\n    {}",
                run_folder::go_on(run)
            )),
        );
    }
    if options.out.as_deref().is_some_and(|out| out != run) {
        return Err(
            Error::new(format!("--out is another folder than {shown}, the run's"))
                .help("leave out --out: a run goes on where it is"),
        );
    }
    options.out = Some(run.to_owned());
    options.overrides = arguments::of_run(run, &options.overrides)?;
    Ok(())
}
