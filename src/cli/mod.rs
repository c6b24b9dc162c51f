//! The command line: one file a command; the only place that chains the parts.

mod arguments;
mod bench;
mod check;
mod data;
mod describe;
mod device;
pub mod eval;
mod fmt;
mod options;
#[cfg(feature = "report")]
mod report;
mod source;
mod sweep;
pub mod train;
mod unbuilt;
#[cfg(feature = "watch")]
mod watch;
mod worker;

use crate::check::ParamInfo;
use crate::diag::{Code, Diagnostic, MAX_REPORTS, Style};
use crate::error::Error;
use crate::train::session::Ending;
use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use source::Source;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
#[cfg(not(feature = "report"))]
use unbuilt::report;
#[cfg(not(feature = "watch"))]
use unbuilt::watch;

/// Why a command did not do what it was asked to.
enum Failure {
    /// Mistakes in the file, drawn with its source.
    Mistakes(Vec<Diagnostic>),
    /// Anything else.
    Error(Error),
    /// The command has said it itself.
    Said(ExitCode),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

/// Exit code for a wrong file or a failed run.
const FAILED: u8 = 1;
/// Exit code for a wrong command line.
const MISUSED: u8 = 2;

/// Runs the program with its arguments, the first its own name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let mut source = match Source::of_arguments(&args) {
        Ok(source) => source,
        Err(error) => return fail(&error, FAILED),
    };
    let params = match &mut source {
        Some(source) => match source.params() {
            Ok(params) => params,
            Err(mistakes) => {
                let json = args
                    .windows(2)
                    .any(|w| w[0] == "--format" && w[1] == "json");
                report(
                    &mistakes,
                    source,
                    json || args.iter().any(|a| a == "--format=json"),
                );
                return ExitCode::from(FAILED);
            }
        },
        None => Vec::new(),
    };
    let command = arguments::command(&params);
    let matches = match command.try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return refuse(error, &params, source.as_ref()),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return ExitCode::from(MISUSED);
    };
    let result = match (name, &mut source) {
        ("check", Some(source)) => check::run(source, &params, matches),
        ("describe", Some(source)) => describe::run(source, &params, matches),
        ("fmt", _) => fmt::run(matches),
        ("train", Some(source)) => train_file(source, &params, matches),
        ("sweep", Some(source)) => sweep::run(&args, source, &params, matches),
        ("eval", _) => evaluate(matches),
        ("data", _) => data::run(matches),
        ("report", _) => report::run(matches),
        ("watch", _) => watch::run(matches),
        ("bench", Some(source)) => bench_file(source, &params, matches),
        _ => Err(Failure::Error(arguments::missing_file(matches))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said(code)) => code,
        Err(Failure::Error(error)) => fail(&error, FAILED),
        Err(Failure::Mistakes(mistakes)) => {
            if let Some(source) = &source {
                report(&mistakes, source, false);
            }
            ExitCode::from(FAILED)
        }
    }
}

fn train_file(
    source: &mut Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let options = options::train(&source.path, params, matches)?;
    let mut overrides = arguments::param_overrides(params, matches);
    overrides.extend(arguments::setting_overrides(matches));
    let model = source.model(&overrides, true)?;
    match train::run(source.text(), &model, &options)? {
        Ending::Finished => Ok(()),
        Ending::Stopped(signal) => Err(Failure::Said(stopped(signal))),
    }
}

/// The exit code of a program that a signal ended, as a shell reports it.
fn stopped(signal: i32) -> ExitCode {
    ExitCode::from(128u8.wrapping_add(signal as u8))
}

fn bench_file(
    source: &mut Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let options = options::bench(matches)?;
    let mut overrides = arguments::param_overrides(params, matches);
    overrides.extend(arguments::setting_overrides(matches));
    let report = bench::run(&source.model(&overrides, true)?, &options)?;
    describe::print(
        &match matches.get_one::<String>("format").map(String::as_str) {
            Some("json") => format!("{:#}\n", report.to_json()),
            _ => report.to_text(),
        },
    )
}

fn evaluate(matches: &ArgMatches) -> Result<(), Failure> {
    train::use_threads(options::threads(matches))?;
    let report = eval::run(&options::eval(matches)?)?;
    describe::print(
        &match matches.get_one::<String>("format").map(String::as_str) {
            Some("json") => format!("{:#}\n", report.to_json()),
            _ => report.to_text(std::io::stdout().is_terminal() && console::colors_enabled()),
        },
    )
}

fn fail(error: &Error, code: u8) -> ExitCode {
    let red = console::Style::new().red().bold().for_stderr();
    let cyan = console::Style::new().cyan().for_stderr();
    let mut text = format!("{} {}\n", red.apply_to("error:"), error.message);
    if let Some(help) = &error.help {
        text.push_str(&format!("  {} {help}\n", cyan.apply_to("help:")));
    }
    complain(&text);
    ExitCode::from(code)
}

/// Writes mistakes to the terminal, or as JSON lines to standard output.
fn report(mistakes: &[Diagnostic], source: &Source, json: bool) {
    if json {
        let lines = mistakes
            .iter()
            .map(|m| format!("{}\n", m.to_json(&source.sources)));
        let _ = describe::print(&lines.collect::<String>());
        return;
    }
    let screens = mistakes.iter().map(|m| m.render(&source.sources, style()));
    let many = match mistakes.len() {
        1 => "1 mistake".to_string(),
        MAX_REPORTS => format!("{MAX_REPORTS} mistakes or more"),
        n => format!("{n} mistakes"),
    };
    complain(&format!(
        "{}\n{}: {many}\n",
        screens.collect::<Vec<_>>().join("\n"),
        source.path.display(),
    ));
}

/// Writes to standard error. There is nobody to tell where that fails.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// How reports are drawn on standard error.
fn style() -> Style {
    let terminal = std::io::stderr().is_terminal();
    Style {
        color: terminal && console::colors_enabled_stderr(),
        width: match terminal {
            true => usize::from(console::Term::stderr().size().1).clamp(60, 120),
            false => 100,
        },
    }
}

/// Answers a command line that clap does not take. A flag that no command has may be
/// meant for a param of the file: then the nearest is shown where it is declared.
fn refuse(error: clap::Error, params: &[ParamInfo], source: Option<&Source>) -> ExitCode {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.trim_start_matches('-').to_string(),
        _ => String::new(),
    };
    let flag = unknown.split('=').next().unwrap_or_default();
    let near = crate::suggest::nearest(flag, params.iter().map(|param| param.name.as_str()));
    let declared = params
        .iter()
        .find(|param| Some(param.name.as_str()) == near);
    if let (ErrorKind::UnknownArgument, Some(param), Some(source)) =
        (error.kind(), declared, source)
    {
        let message = format!("the file has no param `{flag}`, and no command a flag `--{flag}`");
        let label = format!("did you mean `--{}`?", param.name);
        let report = Diagnostic::new(Code::Name, message, param.span, label).help(format!(
            "write `--{}`; `--help` shows every param and flag",
            param.name
        ));
        complain(&report.render(&source.sources, style()));
        return ExitCode::from(MISUSED);
    }
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(MISUSED),
    }
}
