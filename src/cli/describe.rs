//! `vanc describe FILE`: the network as a table, JSON or DOT.

use super::arguments::{choice, count, param_overrides};
use super::command::{Command, Given, Run};
use super::output::{Failure, print};
use crate::describe::{dot, json, plan_json, plan_table, table};
use crate::engines::cpu::Cpu;
use crate::error::Error;
use crate::flags::{self, NetworkFormat};
use crate::paint;
use crate::plan::{Plan, Purpose};

pub(super) const COMMAND: Command = Command {
    name: "describe",
    about: "Show the network of a file",
    flags: &[(None, flags::DESCRIBE)],
    run: Run::File(run),
};

fn run(given: Given) -> Result<(), Failure> {
    let Given {
        source,
        params,
        matches,
        ..
    } = given;
    let model = source.model(&param_overrides(params, matches), false)?;
    let format = choice(matches, "format", NetworkFormat::parse)?;
    let all = matches.get_flag("all");
    if matches.get_flag("plan") {
        let batch = count(matches, "batch").map(|batch| batch.max(1));
        let batch = batch.unwrap_or(model.train.batch);
        let cpu = Cpu::here().with_winograd(!matches.get_flag("no-winograd"));
        let plan = Plan::new(&model, batch, Purpose::Training, &cpu)?;
        return print(&match format {
            NetworkFormat::Text => plan_table(&plan, all, paint::width()),
            NetworkFormat::Json => format!("{:#}\n", plan_json(&plan)),
            NetworkFormat::Dot => {
                return Err(Error::new("--plan: a plan has no DOT form")
                    .help("leave --format out, or give --format json")
                    .into());
            }
        });
    }
    print(&match format {
        NetworkFormat::Text => table(&model, all, paint::width()),
        NetworkFormat::Json => format!("{:#}\n", json(&model)),
        NetworkFormat::Dot => dot(&model),
    })
}
