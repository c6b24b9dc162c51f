//! A row of the table of commands, and what clap makes of it.

use super::output::Failure;
use super::source::Source;
use crate::check::ParamInfo;
use crate::flags::{Flag, Options, Target, Value};
use crate::ir::Train;
use clap::builder::{PathBufValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use std::ffi::OsString;

/// A command.
pub(super) struct Command {
    pub name: &'static str,
    pub about: &'static str,
    /// Groups of its flags, in the order of the help, each with its heading there.
    pub flags: &'static [(Option<&'static str>, &'static [Flag<Options>])],
    pub run: Run,
}

/// Subject of a command, and the function that does its work.
pub(super) enum Run {
    /// A `.van` file, whose params are flags of the command.
    File(fn(Given) -> Result<(), Failure>),
    /// Something else, or nothing.
    Other(&'static [Operand], fn(&ArgMatches) -> Result<(), Failure>),
    /// Nothing; it is a group of commands.
    Group(&'static [Command]),
}

/// Input of a command that takes a `.van` file.
pub(super) struct Given<'a> {
    /// The whole command line.
    pub args: &'a [OsString],
    pub source: &'a mut Source,
    /// The params of the file.
    pub params: &'a [ParamInfo],
    pub matches: &'a ArgMatches,
}

/// An argument without a name.
pub(super) struct Operand {
    /// Name of the argument in the help.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: OperandKind,
}

/// Values that an [`Operand`] may have.
pub(super) enum OperandKind {
    Path,
    Paths,
    /// Any number of paths, or none.
    AnyPaths,
    /// Some of these words.
    Words(fn() -> Vec<&'static str>),
}

/// The file that most commands take.
const FILE: Operand = Operand {
    name: "FILE",
    help: "The .van file",
    kind: OperandKind::Path,
};

/// Refuses a command that this build was made without; `feature` brings it.
#[cfg(not(all(feature = "fetch", feature = "report", feature = "watch")))]
pub(super) fn unbuilt(command: &str, feature: &str) -> Result<(), Failure> {
    Err(crate::error::Error::unbuilt(command, feature).into())
}

impl Command {
    /// Whether it takes a `.van` file whose params are flags.
    pub fn takes_file(&self) -> bool {
        matches!(self.run, Run::File(_))
    }

    /// Lists the commands that it is a group of.
    pub fn commands(&self) -> &'static [Command] {
        match self.run {
            Run::File(_) | Run::Other(..) => &[],
            Run::Group(commands) => commands,
        }
    }

    /// Lists the names of its flags.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        self.all_flags().map(|flag| flag.name)
    }

    fn all_flags(&self) -> impl Iterator<Item = &'static Flag<Options>> {
        self.flags.iter().flat_map(|(_, flags)| flags.iter())
    }

    /// Whether the value of the flag `name` is a number of seconds.
    pub fn takes_seconds(&self, name: &str) -> bool {
        self.all_flags()
            .any(|flag| flag.name == name && flag.value == Value::Seconds)
    }

    /// Makes the command for clap, where it takes a file one with these params; `train` holds the
    /// file's settings, if they are known, for the help.
    pub fn to_clap(&self, params: &[ParamInfo], train: Option<&Train>) -> clap::Command {
        let command = clap::Command::new(self.name).about(self.about);
        let command = match &self.run {
            Run::File(_) => command.arg(FILE.to_clap()),
            Run::Other(operands, _) => command.args(operands.iter().map(Operand::to_clap)),
            Run::Group(commands) => command
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(commands.iter().map(|command| command.to_clap(&[], None))),
        };
        let flags = self
            .flags
            .iter()
            .flat_map(|(heading, flags)| flags.iter().map(move |flag| (*heading, flag)));
        let is_setting = |(_, flag): &(_, &Flag<Options>)| matches!(flag.target, Target::Setting);
        let flags: Vec<_> = flags.collect();
        // The params of the file come before its settings.
        let own = flags.iter().position(is_setting).unwrap_or(flags.len());
        let (before, after) = flags.split_at(own);
        let arg = |(heading, flag): &(Option<&'static str>, &'static Flag<Options>)| {
            flag_arg(flag, train).help_heading(*heading)
        };
        command
            .args(before.iter().map(arg))
            .args(params.iter().map(param_arg))
            .args(after.iter().map(arg))
    }
}

impl Operand {
    fn to_clap(&self) -> Arg {
        let arg = Arg::new(self.name).required(true).help(self.help);
        match self.kind {
            OperandKind::Path => arg.value_parser(PathBufValueParser::new()),
            OperandKind::Paths => arg.value_parser(PathBufValueParser::new()).num_args(1..),
            OperandKind::AnyPaths => arg
                .value_parser(PathBufValueParser::new())
                .num_args(0..)
                .required(false),
            OperandKind::Words(words) => arg
                .value_parser(PossibleValuesParser::new(words()))
                .num_args(1..),
        }
    }
}

/// Writes the value that a flag of `train { … }` has unless it is given.
fn setting_default(name: &str, train: &Train) -> Option<String> {
    if name == "rate" {
        return Some(train.optimizer.rate().to_string());
    }
    let mut settings = train.written().into_iter();
    Some(settings.find(|setting| setting.key == name)?.value())
}

fn flag_arg(flag: &'static Flag<Options>, train: Option<&Train>) -> Arg {
    let is_setting = matches!(flag.target, Target::Setting);
    let default = train.filter(|_| is_setting);
    let help = match default.and_then(|train| setting_default(flag.name, train)) {
        Some(default) => format!("{} [default: {default}]", flag.help),
        None => flag.help.to_string(),
    };
    let arg = Arg::new(flag.name).long(flag.name).help(help);
    let arg = match flag.value {
        Value::Switch => arg.action(ArgAction::SetTrue),
        Value::Text(value) => arg.value_name(value).allow_hyphen_values(true),
        Value::Texts(value) => arg
            .value_name(value)
            .allow_hyphen_values(true)
            .action(ArgAction::Append),
        Value::Path(value) => arg
            .value_name(value)
            .value_parser(PathBufValueParser::new()),
        Value::Number(value) => arg.value_name(value).value_parser(value_parser!(u64)),
        Value::Count(value) => arg.value_name(value).value_parser(value_parser!(u32)),
        Value::Seconds => arg.value_name("SECONDS").value_parser(value_parser!(f64)),
        Value::Choice(words) => arg
            .value_name(flag.name.to_uppercase())
            .value_parser(PossibleValuesParser::new(words)),
    };
    match flag.default {
        Some(value) => arg.default_value(value),
        None => arg,
    }
    .short(flag.letter)
}

/// Writes the id of the flag of a param: flags of commands have their names.
pub(super) fn param_id(param: &ParamInfo) -> String {
    format!("param:{}", param.name)
}

fn param_arg(param: &ParamInfo) -> Arg {
    let range = param
        .range
        .as_ref()
        .map(|range| format!(" in {range}"))
        .unwrap_or_default();
    let doc = param.doc.clone().unwrap_or_default();
    Arg::new(param_id(param))
        .long(param.name.clone())
        .value_name(param.kind.to_uppercase())
        .allow_hyphen_values(true)
        .help_heading("Params of the file")
        .help(
            format!("{doc} [default: {}{range}]", param.default)
                .trim()
                .to_string(),
        )
}
