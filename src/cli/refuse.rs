//! Answers to command lines that clap does not take.

use super::command::Command;
use super::output::{FAILED, MISUSED, complain, fail, style};
use super::source::Source;
use crate::check::ParamInfo;
use crate::diag::{Code, Diagnostic};
use crate::error::Error;
use crate::suggest::{Suggestion, suggestion};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::process::ExitCode;

/// Answers a command line that clap does not take, or that asks for help. A flag that no command
/// has may be meant for a param of the file: then the nearest is shown where it is declared.
pub(super) fn refuse(
    error: &clap::Error,
    commands: &'static [Command],
    args: &[OsString],
    params: &[ParamInfo],
    source: Option<&Source>,
) -> ExitCode {
    let mistake = Mistake {
        error,
        commands,
        chain: chain(commands, args),
        params,
    };
    if let Some(report) = source.and_then(|_| mistake.of_a_param()) {
        if let Some(source) = source {
            complain(&report.render(&source.sources, style()));
        }
        return ExitCode::from(MISUSED);
    }
    if let Some(error) = mistake.explained() {
        return fail(&error, MISUSED);
    }
    let printed = error.print();
    match (error.exit_code(), printed) {
        (0, Err(e)) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            let error = Error::new(format!("cannot write to standard output: {e}"));
            fail(&error, FAILED)
        }
        (0, _) => ExitCode::SUCCESS,
        _ => ExitCode::from(MISUSED),
    }
}

/// Writes in one line why clap does not take the flags of a run.
pub(super) fn explain(
    error: &clap::Error,
    command: &'static Command,
    params: &[ParamInfo],
) -> String {
    let mistake = Mistake {
        error,
        commands: &[],
        chain: vec![command],
        params,
    };
    let explained = mistake.explained().map(|error| error.to_string());
    explained.unwrap_or_else(|| error.to_string())
}

/// Lists the commands that the words of a command line name, each of the one before.
fn chain(mut commands: &'static [Command], args: &[OsString]) -> Vec<&'static Command> {
    let mut chain = Vec::new();
    for arg in args.iter().skip(1) {
        let Some(command) = commands.iter().find(|command| arg == command.name) else {
            break;
        };
        chain.push(command);
        commands = command.commands();
    }
    chain
}

/// A command line that clap does not take.
struct Mistake<'a> {
    error: &'a clap::Error,
    /// All commands.
    commands: &'static [Command],
    /// The command that was given, after those that it is one of.
    chain: Vec<&'static Command>,
    params: &'a [ParamInfo],
}

impl Mistake<'_> {
    /// Returns a part of what clap says about the mistake.
    fn context(&self, kind: ContextKind) -> &str {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => text,
            Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
            Some(_) | None => "",
        }
    }

    /// Writes the command as it is typed: `vanc data fetch`.
    fn command(&self) -> String {
        let names = self
            .chain
            .iter()
            .map(|command| format!(" {}", command.name));
        format!("vanc{}", names.collect::<String>())
    }

    /// Writes where all flags are shown.
    fn see_help(&self) -> String {
        format!("`{} --help` shows all that it takes", self.command())
    }

    /// Returns the name of the flag that is not known, without dashes and value.
    fn flag(&self) -> &str {
        let flag = self
            .context(ContextKind::InvalidArg)
            .trim_start_matches('-');
        flag.split(['=', ' ']).next().unwrap_or_default()
    }

    /// Reports a flag that is not known and near to a param of the file.
    fn of_a_param(&self) -> Option<Diagnostic> {
        if self.error.kind() != ErrorKind::UnknownArgument {
            return None;
        }
        let flag = self.flag();
        let flags = self.flags();
        let names = self.params.iter().map(|param| param.name.as_str());
        let near = match suggestion(flag, names.chain(flags))? {
            Suggestion::Name(near) => near,
            Suggestion::Advice(_) => return None,
        };
        let param = self.params.iter().find(|param| param.name == near)?;
        let message = format!("the file has no param `{flag}`, and no command a flag `--{flag}`");
        let label = format!("did you mean `--{}`?", param.name);
        let report = Diagnostic::new(Code::Name, message, param.span, label);
        Some(report.help(format!(
            "write `--{}`; `--help` shows every param and flag",
            param.name
        )))
    }

    /// Lists the flags of the command.
    fn flags(&self) -> Vec<&str> {
        let flags = self.chain.last().map(|command| command.flag_names());
        flags.into_iter().flatten().collect()
    }

    /// Explains the mistake; `None` for what is none, and for what clap may add.
    fn explained(&self) -> Option<Error> {
        let given = self.context(ContextKind::InvalidArg);
        let value = self.context(ContextKind::InvalidValue);
        let name = given.split(" <").next().unwrap_or_default();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "clap may add kinds of mistakes"
        )]
        Some(match self.error.kind() {
            ErrorKind::UnknownArgument if given.starts_with('-') => self.unknown_flag(),
            ErrorKind::UnknownArgument => {
                let message = format!("`{}` does not take `{given}`", self.command());
                Error::new(message).help(format!("remove it; {}", self.see_help()))
            }
            ErrorKind::InvalidSubcommand => self.unknown_command(),
            ErrorKind::MissingRequiredArgument => self.missing_operand(),
            ErrorKind::InvalidValue if value.is_empty() => {
                let message = format!("{name}: a value is missing");
                Error::new(message).help(format!("write `{given}`"))
            }
            ErrorKind::InvalidValue => self.unknown_value(name, value),
            ErrorKind::ValueValidation => {
                let flag = name.trim_start_matches('-');
                let seconds = self.chain.iter().any(|command| command.takes_seconds(flag));
                let wanted = match seconds {
                    true => "a number of seconds",
                    false => "a whole number from 0 on",
                };
                Error::new(format!("{name} {value}: this is not {wanted}"))
                    .help(format!("write `{given}`, with {wanted}"))
            }
            ErrorKind::ArgumentConflict => {
                Error::new(format!("{name} is given twice")).help("give it once")
            }
            ErrorKind::TooManyValues => {
                let message = format!("{name} takes no value, but is given `{value}`");
                Error::new(message).help(format!("write `{name}` alone"))
            }
            ErrorKind::InvalidUtf8 => Error::new("an argument is not UTF-8 text")
                .help("only paths may have bytes that are no text"),
            _ => return None,
        })
    }

    fn unknown_flag(&self) -> Error {
        let (flag, typed) = (self.flag(), self.context(ContextKind::InvalidArg));
        let typed = typed.split('=').next().unwrap_or_default();
        let params = self.params.iter().map(|param| param.name.as_str());
        let message = format!("`{}` has no flag `{typed}`", self.command());
        let help = match suggestion(flag, self.flags().into_iter().chain(params)) {
            Some(Suggestion::Name(near)) => format!("did you mean `--{near}`?"),
            Some(Suggestion::Advice(_)) | None => match self.commands_with(flag).as_slice() {
                [] => self.see_help(),
                commands => format!("it is a flag of {}", commands.join(", ")),
            },
        };
        Error::new(message).help(help)
    }

    fn unknown_command(&self) -> Error {
        let word = self.context(ContextKind::InvalidSubcommand);
        let commands = self
            .chain
            .last()
            .map_or(self.commands, |command| command.commands());
        let names: Vec<&str> = commands.iter().map(|command| command.name).collect();
        let error = Error::new(format!("`{}` has no command `{word}`", self.command()));
        error.help(match suggestion(word, names.iter().copied()) {
            Some(Suggestion::Name(near)) => format!("did you mean `{} {near}`?", self.command()),
            Some(Suggestion::Advice(_)) | None => format!("choose one of {}", names.join(", ")),
        })
    }

    fn missing_operand(&self) -> Error {
        let operand = self.context(ContextKind::InvalidArg);
        let operand = operand
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap_or_default();
        let noun = match operand {
            "FILE" => "file",
            "RUN" => "run folder",
            "DIR" => "folder",
            _ => "name",
        };
        let example = match operand {
            "FILE" => "examples/quickstart.van",
            "RUN" | "DIR" => "runs/quickstart",
            _ => "mnist",
        };
        let message = format!("`{}` needs a {noun}", self.command());
        Error::new(message).help(format!("for example: {} {example}", self.command()))
    }

    fn unknown_value(&self, name: &str, value: &str) -> Error {
        let known = match self.error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(known)) => known.as_slice(),
            Some(_) | None => &[],
        };
        let message = match name.starts_with('-') {
            true => format!("{name} has no choice `{value}`"),
            false => format!("`{}` knows no `{value}`", self.command()),
        };
        let help = match suggestion(value, known.iter().map(String::as_str)) {
            Some(Suggestion::Name(near)) => format!("did you mean `{near}`?"),
            Some(Suggestion::Advice(_)) | None => format!("choose one of {}", known.join(", ")),
        };
        Error::new(message).help(help)
    }

    /// Lists the commands that have a flag of that name.
    fn commands_with(&self, flag: &str) -> Vec<String> {
        let commands = self
            .commands
            .iter()
            .flat_map(|command| std::iter::once(command).chain(command.commands()));
        let having = commands.filter(|command| command.flag_names().any(|name| name == flag));
        having
            .map(|command| format!("`vanc {}`", command.name))
            .collect()
    }
}
