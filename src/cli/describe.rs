//! `vanc describe FILE`: the network as a table, JSON or DOT.

use super::Failure;
use super::arguments::param_overrides;
use super::source::Source;
use crate::check::Knob;
use crate::describe::{dot, json, table};
use crate::error::Error;
use clap::ArgMatches;
use std::io::{ErrorKind, Write};

pub(super) fn run(
    source: &mut Source,
    knobs: &[Knob],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let model = source.model(&param_overrides(knobs, matches), false)?;
    let text = match matches.get_one::<String>("format").map(String::as_str) {
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
