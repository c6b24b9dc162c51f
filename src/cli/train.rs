//! `vanc train FILE`: trains the network of a file.

use super::arguments;
use super::command::{Command, Given, Run};
use super::output::{Failure, stopped};
use crate::flags;
use crate::train::session::Ending;
use crate::train::setup::Setup;

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
    let options = arguments::options(&source.path, params, matches)?;
    let model = source.model(&arguments::overrides(params, matches), true)?;
    match Setup::new(source.text(), &model, &options)?.run()? {
        Ending::Finished => Ok(()),
        Ending::Stopped(signal) => Err(Failure::Said(stopped(signal))),
    }
}
