//! The command line: one file a command; the only place that chains the parts.

mod arguments;
mod bench;
mod check;
mod command;
mod data;
mod describe;
pub mod eval;
mod fmt;
mod output;
mod predict;
mod refuse;
mod report;
mod source;
mod sweep;
mod train;
mod trained;
mod watch;

use crate::check::ParamInfo;
use crate::diag::Diagnostic;
use crate::error::Error;
use crate::escape::Shown;
use crate::ir::Train;
use clap::ArgMatches;
use command::{Command, Given, Run};
use output::{FAILED, Failure, MISUSED, fail};
use source::Source;
use std::ffi::OsString;
use std::process::ExitCode;

/// The commands, in the order of the help.
const COMMANDS: &[Command] = &[
    check::COMMAND,
    describe::COMMAND,
    fmt::COMMAND,
    train::COMMAND,
    sweep::COMMAND,
    eval::COMMAND,
    predict::COMMAND,
    report::COMMAND,
    watch::COMMAND,
    bench::COMMAND,
    data::COMMAND,
];

const EXAMPLE: &str = "Example: vanc train examples/quickstart.van";

/// Runs the program with its arguments, the first its own name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let takes_file = COMMANDS.iter().filter(|command| command.takes_file());
    let source = match args.get(1) {
        Some(name) if takes_file.into_iter().any(|command| name == command.name) => {
            let found = Source::find(&args[2..]);
            match found {
                Ok(None)
                    if [train::COMMAND.name, bench::COMMAND.name]
                        .iter()
                        .any(|n| name == n) =>
                {
                    Source::find_in_run(&args[2..])
                }
                found => found,
            }
        }
        Some(_) | None => Ok(None),
    };
    let mut source = match source {
        Ok(source) => source,
        Err(error) => return fail(&error, FAILED),
    };
    let params = match source.as_ref().map(Source::params).transpose() {
        Ok(params) => params.unwrap_or_default(),
        Err(mistakes) => {
            draw(&mistakes, source.as_ref(), asks_for_json(&args));
            return ExitCode::from(FAILED);
        }
    };
    let asks_help = args.iter().any(|arg| arg == "--help" || arg == "-h");
    let train = source
        .as_mut()
        .filter(|_| asks_help)
        .and_then(Source::train);
    let matches = match program(&params, train.as_ref()).try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return refuse::refuse(&error, COMMANDS, &args, &params, source.as_ref()),
    };
    match run(COMMANDS, &args, source.as_mut(), &params, &matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said(code)) => code,
        Err(Failure::Error(error)) => fail(&error, FAILED),
        Err(Failure::Mistakes(mistakes)) => {
            draw(&mistakes, source.as_ref(), false);
            ExitCode::from(FAILED)
        }
    }
}

/// Makes the whole command line, for a file with these params and settings.
fn program(params: &[ParamInfo], train: Option<&Train>) -> clap::Command {
    clap::Command::new("vanc")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A small language for neural networks, and the compiler that trains them")
        .after_help(EXAMPLE)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(
            COMMANDS
                .iter()
                .map(|command| command.to_clap(params, train)),
        )
}

/// Runs the one of the `commands` that `matches` names.
fn run(
    commands: &[Command],
    args: &[OsString],
    source: Option<&mut Source>,
    params: &[ParamInfo],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let named = |name: &str| commands.iter().find(|command| command.name == name);
    let subcommand = matches.subcommand();
    let Some((command, matches)) = subcommand.and_then(|(n, m)| Some((named(n)?, m))) else {
        return Err(Failure::Said(ExitCode::from(MISUSED)));
    };
    match (&command.run, source) {
        (Run::File(run), Some(source)) => run(Given {
            args,
            source,
            params,
            matches,
        }),
        (Run::File(_), None) => Err(missing_file(matches).into()),
        (Run::Other(_, run), _) => run(matches),
        (Run::Group(commands), source) => self::run(commands, args, source, params, matches),
    }
}

/// Says why a command that takes a `.van` file has none.
fn missing_file(matches: &ArgMatches) -> Error {
    let resumes = matches!(matches.try_get_one("resume"), Ok(Some(&true)));
    match arguments::path(matches, "FILE") {
        Some(path) if resumes => Error::new(format!(
            "{} is neither the folder of a run nor named like a `.van` file",
            path.shown()
        ))
        .help("give the folder of a run, which holds config.json and model.van, or a file"),
        Some(path) => Error::new(format!("{} is not named like a `.van` file", path.shown()))
            .help("give a file whose name ends in `.van`"),
        None => Error::new("no file given").help(EXAMPLE),
    }
}

/// Whether mistakes are to be told as JSON, by a command line that is not yet understood.
fn asks_for_json(args: &[OsString]) -> bool {
    let two_words = |pair: &[OsString]| pair[0] == "--format" && pair[1] == "json";
    args.windows(2).any(two_words) || args.iter().any(|arg| arg == "--format=json")
}

fn draw(mistakes: &[Diagnostic], source: Option<&Source>, json: bool) {
    if let Some(source) = source {
        output::report(mistakes, &source.path, &source.sources, json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::is_flag;

    /// Refuses a param named like a flag, which would hide it.
    #[test]
    fn no_param_may_hide_a_flag() {
        let program = program(&[], None);
        for flag in program.get_subcommands().flat_map(|c| c.get_arguments()) {
            if let Some(name) = flag.get_long() {
                assert!(is_flag(name), "a param may be called --{name}");
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        program(&[], None).debug_assert();
    }
}
