//! The flags of every command, the params of the file among them.

use crate::check::{Knob, Override, Target};
use crate::error::Error;
use clap::builder::{PathBufValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

const EXAMPLE: &str = "Example: vanc train examples/quickstart.van";

/// The whole command line, for a file with these params.
pub(super) fn command(knobs: &[Knob]) -> Command {
    Command::new("vanc")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A small language for neural networks, and the compiler that trains them")
        .after_help(EXAMPLE)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check(knobs))
        .subcommand(describe(knobs))
        .subcommand(fmt())
}

fn check(knobs: &[Knob]) -> Command {
    Command::new("check")
        .about("Report every mistake in a file")
        .arg(file())
        .arg(format(&["text", "json"]))
        .args(params(knobs))
}

fn describe(knobs: &[Knob]) -> Command {
    Command::new("describe")
        .about("Show the network of a file")
        .arg(file())
        .arg(format(&["text", "json", "dot"]))
        .arg(switch("all", "Show every repeat by itself, folding none"))
        .args(params(knobs))
}

fn fmt() -> Command {
    Command::new("fmt")
        .about("Write files in their canonical form")
        .arg(file().num_args(1..))
        .arg(switch(
            "check",
            "Change nothing; fail if a file is not in its canonical form",
        ))
}

fn file() -> Arg {
    Arg::new("FILE")
        .required(true)
        .value_parser(PathBufValueParser::new())
        .help("The .van file")
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn format(formats: &[&'static str]) -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(formats.to_vec()))
        .default_value("text")
        .help("How to print it")
}

/// A flag for each param of the file.
fn params(knobs: &[Knob]) -> Vec<Arg> {
    let args = knobs.iter().map(|knob| {
        let range = knob
            .range
            .as_ref()
            .map(|range| format!(" in {range}"))
            .unwrap_or_default();
        let doc = knob.doc.clone().unwrap_or_default();
        Arg::new(format!("param:{}", knob.name))
            .long(knob.name.clone())
            .value_name(knob.kind.to_uppercase())
            .allow_hyphen_values(true)
            .help_heading("Params of the file")
            .help(
                format!("{doc} [default: {}{range}]", knob.default)
                    .trim()
                    .to_string(),
            )
    });
    args.collect()
}

/// The params that the command line sets.
pub(super) fn param_overrides(knobs: &[Knob], matches: &ArgMatches) -> Vec<Override> {
    let set = knobs.iter().filter_map(|knob| {
        let value = matches.get_one::<String>(&format!("param:{}", knob.name))?;
        Some(Override {
            target: Target::Param,
            name: knob.name.clone(),
            value: value.clone(),
        })
    });
    set.collect()
}

/// Why a command that takes a `.van` file has none.
pub(super) fn missing_file(matches: &ArgMatches) -> Error {
    let given = matches
        .try_get_one::<std::path::PathBuf>("FILE")
        .ok()
        .flatten();
    match given {
        Some(path) => Error::new(format!(
            "{} is not named like a `.van` file",
            path.display()
        ))
        .help("give a file whose name ends in `.van`"),
        None => Error::new("no file given").help(EXAMPLE),
    }
}
