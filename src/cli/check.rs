//! `vanc check FILE`: every mistake, or what the file is.

use super::arguments::{choice, param_overrides};
use super::command::{Command, Given, Run};
use super::output::{FAILED, Failure, print, report};
use crate::describe::{count, skip_notes, totals};
use crate::escape::Shown;
use crate::flags::{self, Format};
use crate::text::{counted, plural};
use std::process::ExitCode;

pub(super) const COMMAND: Command = Command {
    name: "check",
    about: "Report every mistake in a file",
    flags: &[(None, flags::FORMAT)],
    run: Run::File(run),
};

fn run(given: Given) -> Result<(), Failure> {
    let Given {
        source,
        params,
        matches,
        ..
    } = given;
    let format = choice(matches, "format", Format::parse)?;
    match (
        source.model(&param_overrides(params, matches), false),
        format,
    ) {
        (Ok(model), Format::Text) => {
            let totals = totals(&model);
            let images = model.train.data.kind.train_images();
            let notes = images.map(|images| skip_notes(&model, images));
            print(&format!(
                "{}: sound. Model {}, {} deep, {} {}\n{}",
                source.path.shown(),
                model.name,
                counted(totals.depth, "layer"),
                count(totals.parameters),
                plural(totals.parameters, "parameter"),
                notes
                    .into_iter()
                    .flatten()
                    .map(|note| note + "\n")
                    .collect::<String>(),
            ))
        }
        (Ok(_), Format::Json) => Ok(()),
        (Err(Failure::Mistakes(mistakes)), _) => {
            let json = format == Format::Json;
            report(&mistakes, &source.path, &source.sources, json);
            Err(Failure::Said(ExitCode::from(FAILED)))
        }
        (Err(other), _) => Err(other),
    }
}
