//! `vanc describe FILE`: the network as a table, JSON or DOT.

use super::Failure;
use super::arguments::param_overrides;
use super::options;
use super::source::Source;
use crate::check::ParamInfo;
use crate::describe::{dot, json, plan_json, plan_table, table};
use crate::engines::cpu::Cpu;
use crate::error::Error;
use crate::plan::{Plan, Purpose};
use clap::ArgMatches;
use std::io::{ErrorKind, Write};

pub(super) fn run(
    source: &mut Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let model = source.model(&param_overrides(params, matches), false)?;
    let format = matches.get_one::<String>("format").map(String::as_str);
    if matches.get_flag("plan") {
        let batch = matches.get_one::<u64>("batch").copied();
        let batch = batch.map_or(model.train.batch, |batch| batch.max(1) as usize);
        let cpu = Cpu::here().with_winograd(options::winograd(matches));
        let plan = Plan::new(&model, batch, Purpose::Training, &cpu)?;
        return print(&match format {
            Some("json") => format!("{:#}\n", plan_json(&plan)),
            Some("dot") => {
                return Err(Error::new("--plan: a plan has no DOT form")
                    .help("leave --format out, or give --format json")
                    .into());
            }
            _ => plan_table(&plan, matches.get_flag("all")),
        });
    }
    let text = match format {
        Some("json") => format!("{:#}\n", json(&model)),
        Some("dot") => dot(&model),
        _ => table(&model, matches.get_flag("all")),
    };
    print(&text)
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write to standard output: {e}")).into())
        }
        _ => Ok(()),
    }
}
