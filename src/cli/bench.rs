//! `vanc bench FILE`: how long a step of training takes, or an evaluation.

mod inference;
mod timing;
mod training;

use super::arguments::{self, choice, of_run, word};
use super::command::{Command, Given, Run};
use super::output::{Failure, print};
use crate::check::Override;
use crate::flags::{self, Format};
use crate::paint;

pub(super) const COMMAND: Command = Command {
    name: "bench",
    about: "Measure how long a step of training takes, or an evaluation",
    flags: &[
        (Some("Settings of `train { … }`"), flags::SETTINGS),
        (Some("Run"), flags::BENCH),
        (Some("Run"), flags::MACHINE),
        (Some("Run"), flags::FORMAT),
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
        options.overrides = of_run(run, &options.overrides)?;
    }
    let model = source.model(&Override::list(&options.overrides), true)?;
    let format = choice(matches, "format", Format::parse)?;
    if matches.get_flag("inference") {
        let batch = word(matches, "batch").map(|_| model.train.batch);
        let report = inference::measure(&model, source.run.as_deref(), &options, batch)?;
        return print(&match format {
            Format::Text => report.to_text(paint::width()),
            Format::Json => format!("{:#}\n", report.to_json()),
        });
    }
    let report = training::measure(&model, &options, matches.get_flag("profile"))?;
    print(&match format {
        Format::Text => report.to_text(paint::width()),
        Format::Json => format!("{:#}\n", report.to_json()),
    })
}
