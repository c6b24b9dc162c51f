//! The flags of every command, the params of the file among them.

use crate::check::{Override, OverrideTarget, ParamInfo};
use crate::engines::cuda::Precision;
use crate::error::Error;
use crate::ir::train::{DATASET_LIST, INIT_LIST, LOSS_LIST, SCHEDULE_LIST};
use crate::train::options::{EngineKind, Order};
use clap::builder::{PathBufValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;

const EXAMPLE: &str = "Example: vanc train examples/quickstart.van";

/// The whole command line, for a file with these params.
pub(super) fn command(params: &[ParamInfo]) -> Command {
    Command::new("vanc")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A small language for neural networks, and the compiler that trains them")
        .after_help(EXAMPLE)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check(params))
        .subcommand(describe(params))
        .subcommand(fmt())
        .subcommand(train(params))
        .subcommand(sweep(params))
        .subcommand(eval())
        .subcommand(report())
        .subcommand(watch())
        .subcommand(bench(params))
        .subcommand(data())
}

fn check(params: &[ParamInfo]) -> Command {
    Command::new("check")
        .about("Report every mistake in a file")
        .arg(file())
        .arg(format(&["text", "json"]))
        .args(param_args(params))
}

fn describe(params: &[ParamInfo]) -> Command {
    Command::new("describe")
        .about("Show the network of a file")
        .arg(file())
        .arg(format(&["text", "json", "dot"]))
        .arg(switch("all", "Show every repeat by itself, folding none"))
        .arg(switch("plan", "Show the steps and buffers of training"))
        .arg(number("batch", "N", "Images in a step of the plan"))
        .arg(no_winograd())
        .args(param_args(params))
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

fn train(params: &[ParamInfo]) -> Command {
    Command::new("train")
        .about("Train the network of a file")
        .arg(file())
        .args(param_args(params))
        .args(settings())
        .next_help_heading("Data")
        .args(images())
        .next_help_heading("Run")
        .arg(path("out", "DIR", "The run folder [default: runs/MODEL]"))
        .arg(switch(
            "resume",
            "Go on from the run folder's last checkpoint",
        ))
        .arg(switch(
            "force",
            "Begin again in a folder that holds a run, dropping it",
        ))
        .args(length())
        .args(machine())
        .arg(switch(
            "stop-on-eof",
            "Save and end when standard input ends, as with the program that started this one",
        ))
        .arg(switch("quiet", "Print nothing but errors"))
}

fn sweep(params: &[ParamInfo]) -> Command {
    Command::new("sweep")
        .about("Train the network of a file for each combination of values and seeds")
        .arg(file())
        .next_help_heading("Grid")
        .arg(
            text(
                "vary",
                "NAME=VALUE,…",
                "Train with each value of a param, a setting or a flag of train; \
                 given again, with each combination",
            )
            .action(ArgAction::Append),
        )
        .arg(text(
            "seeds",
            "N",
            "Seeds 0 to N−1, or a list like 3,5,8 [default: the file's seed]",
        ))
        .args(param_args(params))
        .args(settings())
        .next_help_heading("Data")
        .args(images())
        .next_help_heading("Run")
        .arg(path(
            "out",
            "DIR",
            "The sweep's folder [default: sweeps/FILE]",
        ))
        .arg(number(
            "jobs",
            "N",
            "Runs at a time [default: one a thread, as memory allows]",
        ))
        .arg(text(
            "shard",
            "I/N",
            "Do only the I-th of N parts of the grid, beside the other parts",
        ))
        .arg(choice(
            "emit",
            &["slurm", "shell"],
            "Print a script that does the sweep in parts; run nothing",
        ))
        .arg(number(
            "shards",
            "N",
            "Parts of that script [default: one a run, 100 at most]",
        ))
        .args(length())
        .args(machine())
        .arg(switch("quiet", "Print nothing but errors"))
}

/// Where the images are and how they come.
fn images() -> [Arg; 3] {
    [
        path(
            "data-dir",
            "DIR",
            "The folder of the dataset [default: in that of `vanc data list`]",
        ),
        choice("order", &Order::NAMES, "Order of the training images"),
        choice(
            "augment",
            &["on", "off"],
            "Whether training images are varied as declared",
        ),
    ]
}

/// Where training begins and ends, and how often it is written down.
fn length() -> [Arg; 5] {
    [
        path(
            "weights",
            "FILE",
            "Start from the tensors of a safetensors file",
        ),
        number("max-steps", "N", "End after so many steps"),
        number(
            "log-every",
            "N",
            "Log every so many steps, beside once an epoch",
        ),
        Arg::new("save-every")
            .long("save-every")
            .value_name("SECONDS")
            .value_parser(value_parser!(f64))
            .help("Seconds between checkpoints, beside one an epoch [default: 60]"),
        switch(
            "tensorboard",
            "Write the log as TensorBoard event files too",
        ),
    ]
}

fn bench(params: &[ParamInfo]) -> Command {
    Command::new("bench")
        .about("Measure how long a step of training takes")
        .arg(file())
        .args(param_args(params))
        .args(settings())
        .next_help_heading("Run")
        .arg(number(
            "max-steps",
            "N",
            "Steps to time [default: as many as take five seconds]",
        ))
        .arg(switch("profile", "Show what each step of the plan takes"))
        .args(machine())
        .arg(format(&["text", "json"]))
}

fn data() -> Command {
    let data_dir = || {
        path(
            "data-dir",
            "DIR",
            "The folder of the datasets [default: $VANC_DATA, else the platform's folder for data]",
        )
    };
    let fetch = Command::new("fetch")
        .about("Download datasets, going on where an earlier fetch stopped")
        .arg(
            Arg::new("NAME")
                .required(true)
                .num_args(1..)
                .value_parser(PossibleValuesParser::new(super::data::names()))
                .help("The datasets"),
        )
        .arg(data_dir())
        .arg(text(
            "from",
            "URL",
            "A folder with the files, in place of the public mirrors",
        ))
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(f64))
                .help("How long a mirror may send nothing [default: 30]"),
        )
        .arg(
            Arg::new("retries")
                .long("retries")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Tries in vain after each mirror had one [default: 3]"),
        )
        .arg(switch("force", "Fetch again what is there"))
        .arg(switch("quiet", "Print nothing but errors"));
    let list = Command::new("list")
        .about("Show which datasets are there")
        .arg(data_dir())
        .arg(format(&["text", "json"]));
    Command::new("data")
        .about("Fetch datasets, and show which are there")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(fetch)
        .subcommand(list)
}

/// What runs the network, and on how much of the machine.
fn machine() -> Vec<Arg> {
    let mut args = vec![
        number("threads", "N", "Threads to use [default: one a core]"),
        text(
            "memory",
            "SIZE",
            "Memory to use at most, like 4GiB [default: what the machine has]",
        ),
    ];
    args.extend(runner());
    args
}

/// What runs the network, and where.
fn runner() -> [Arg; 4] {
    [
        choice("engine", &EngineKind::NAMES, "What runs the network"),
        text(
            "device",
            "DEVICE",
            "Where it runs: auto, cpu, cuda, or cuda:N for one of several GPUs",
        ),
        choice(
            "precision",
            &Precision::NAMES,
            "Numbers on a GPU [default: tf32]",
        ),
        no_winograd(),
    ]
}

fn no_winograd() -> Arg {
    switch(
        "no-winograd",
        "Compute 3x3 convolutions by their definition: about twice the time, and a rounding \
         error of 2.6e-7 of the result (rms) instead of 9e-7",
    )
}

fn eval() -> Command {
    Command::new("eval")
        .about("Test a trained network: loss, accuracy, confusion matrix")
        .arg(
            Arg::new("RUN")
                .required(true)
                .value_parser(PathBufValueParser::new())
                .help("A run folder, or a checkpoint in one"),
        )
        .arg(
            choice(
                "checkpoint",
                &["last", "best"],
                "Which checkpoint of a run folder",
            )
            .default_value("last"),
        )
        .arg(choice("split", &["test", "train"], "Which images").default_value("test"))
        .arg(text("data", "KIND", "Another dataset than the run's"))
        .arg(path("data-dir", "DIR", "The folder of the dataset"))
        .arg(number(
            "batch",
            "N",
            "Images at a time [default: the run's]",
        ))
        .args(machine())
        .arg(format(&["text", "json"]))
}

fn report() -> Command {
    Command::new("report")
        .about("Draw the figures and tables of a sweep or a run, as one HTML page")
        .arg(
            Arg::new("DIR")
                .required(true)
                .value_parser(PathBufValueParser::new())
                .help("The folder of a sweep or of a run"),
        )
        .arg(path("out", "FILE", "The page [default: DIR/report.html]").short('o'))
        .arg(path(
            "compare",
            "FILE",
            "Published results to be shown beside those of a sweep (JSON)",
        ))
}

fn watch() -> Command {
    Command::new("watch")
        .about("Show the curves of a run in the terminal as they grow")
        .arg(
            Arg::new("RUN")
                .required(true)
                .value_parser(PathBufValueParser::new())
                .help("The folder of a run, also of one that has just begun"),
        )
}

/// A flag for each setting of `train { … }`, and one for the optimizer's rate.
fn settings() -> Vec<Arg> {
    SETTINGS
        .iter()
        .map(|(name, value, help)| {
            text(name, value, help).help_heading("Settings of `train { … }`")
        })
        .collect()
}

const SETTINGS: [(&str, &str, &str); 10] = [
    ("data", "KIND", DATASET_LIST),
    ("epochs", "N", "Passes over the training images"),
    ("batch", "N", "Images in a step"),
    ("rate", "RATE", "Learning rate of the optimizer"),
    ("seed", "N", "Seed of every random stream"),
    ("loss", "LOSS", LOSS_LIST),
    ("init", "INIT", INIT_LIST),
    (
        "optimizer",
        "CALL",
        "Such as 'sgd(rate: 0.1, momentum: 0.9)'",
    ),
    ("schedule", "CALL", SCHEDULE_LIST),
    (
        "constraint",
        "CALL",
        "Such as 'lagrange(alpha_rate: 1, lambda_rate: 0.1, every: step)'",
    ),
];

/// The flags of `train`, beside params and settings, on which a run's numbers depend.
const DECISIVE: [&str; 6] = [
    "order",
    "augment",
    "weights",
    "max-steps",
    "engine",
    "device",
];

/// Those on which they do not.
const FREE: [&str; 3] = ["data-dir", "log-every", "save-every"];

/// The flags of `train` on which a run's numbers depend, each as its name and its id.
pub(super) fn decisive(params: &[ParamInfo]) -> Vec<(String, String)> {
    let param_ids = params.iter().map(|param| (param.name.clone(), id(param)));
    let settings = SETTINGS.iter().map(|(name, ..)| *name);
    let others = settings.chain(DECISIVE).map(|n| (n.into(), n.into()));
    param_ids.chain(others).collect()
}

/// The flags that were given of those that a sweep hands on to each run and that
/// change none of its numbers.
pub(super) fn free(matches: &ArgMatches) -> Vec<(String, OsString)> {
    let given = |name: &&str| {
        let value = matches.get_raw(name)?.next()?;
        Some((name.to_string(), value.to_owned()))
    };
    FREE.iter().filter_map(given).collect()
}

/// The settings that the command line replaces.
pub(super) fn setting_overrides(matches: &ArgMatches) -> Vec<Override> {
    let set = SETTINGS.iter().filter_map(|(name, ..)| {
        let value = matches.get_one::<String>(name)?;
        Some(Override {
            target: OverrideTarget::Setting,
            name: name.to_string(),
            value: value.clone(),
        })
    });
    set.collect()
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_hyphen_values(true)
        .help(help)
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(PathBufValueParser::new())
        .help(help)
}

fn number(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(value_parser!(u64))
        .help(help)
}

fn choice(name: &'static str, values: &'static [&'static str], help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(name.to_uppercase())
        .value_parser(PossibleValuesParser::new(values))
        .help(help)
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

/// What the flag of a param is known by: flags of commands have their names.
fn id(param: &ParamInfo) -> String {
    format!("param:{}", param.name)
}

/// A flag for each param of the file.
fn param_args(params: &[ParamInfo]) -> Vec<Arg> {
    let args = params.iter().map(|param| {
        let range = param
            .range
            .as_ref()
            .map(|range| format!(" in {range}"))
            .unwrap_or_default();
        let doc = param.doc.clone().unwrap_or_default();
        Arg::new(id(param))
            .long(param.name.clone())
            .value_name(param.kind.to_uppercase())
            .allow_hyphen_values(true)
            .help_heading("Params of the file")
            .help(
                format!("{doc} [default: {}{range}]", param.default)
                    .trim()
                    .to_string(),
            )
    });
    args.collect()
}

/// The params that the command line sets.
pub(super) fn param_overrides(params: &[ParamInfo], matches: &ArgMatches) -> Vec<Override> {
    let set = params.iter().filter_map(|param| {
        let value = matches.get_one::<String>(&id(param))?;
        Some(Override {
            target: OverrideTarget::Param,
            name: param.name.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::RESERVED;

    /// A param named like a flag would hide it.
    #[test]
    fn every_flag_is_reserved() {
        let command = command(&[]);
        for flag in command.get_subcommands().flat_map(|c| c.get_arguments()) {
            if let Some(name) = flag.get_long() {
                assert!(RESERVED.contains(&name), "--{name} is not reserved");
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        command(&[]).debug_assert();
    }
}
