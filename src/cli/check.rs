//! `vanc check FILE`: every mistake, or what the file is.

use super::arguments::param_overrides;
use super::describe::print;
use super::source::Source;
use super::{FAILED, Failure, report};
use crate::check::ParamInfo;
use crate::describe::{count, totals};
use clap::ArgMatches;
use std::process::ExitCode;

pub(super) fn run(
    source: &mut Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let json = matches
        .get_one::<String>("format")
        .is_some_and(|f| f == "json");
    match source.model(&param_overrides(params, matches), false) {
        Ok(model) => {
            if !json {
                let totals = totals(&model);
                print(&format!(
                    "{}: sound. Model {}, {} layers deep, {} parameters\n",
                    source.path.display(),
                    model.name,
                    totals.depth,
                    count(totals.parameters),
                ))?;
            }
            Ok(())
        }
        Err(Failure::Mistakes(mistakes)) => {
            report(&mistakes, source, json);
            Err(Failure::Said(ExitCode::from(FAILED)))
        }
        Err(other) => Err(other),
    }
}
