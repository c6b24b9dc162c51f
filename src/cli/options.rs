//! From flags to what `train` and `eval` take.

use super::arguments::{param_overrides, setting_overrides};
use super::bench;
use super::device::Wanted;
use super::eval::{self, Which};
use crate::check::{Override, ParamInfo};
use crate::engines::cuda::Precision;
use crate::error::{Error, Result};
use crate::train::memory;
use crate::train::metrics::Split;
use crate::train::options::{Device, EngineKind, Options, Order, Overrides};
use clap::ArgMatches;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `train` is asked to do with the file at `path`.
pub(super) fn train(path: &Path, params: &[ParamInfo], matches: &ArgMatches) -> Result<Options> {
    let pairs = |overrides: Vec<Override>| -> Vec<(String, String)> {
        overrides.into_iter().map(|o| (o.name, o.value)).collect()
    };
    let mut options = Options::new(path);
    options.overrides = Overrides {
        params: pairs(param_overrides(params, matches)),
        settings: pairs(setting_overrides(matches)),
    };
    options.data_dir = path_of(matches, "data-dir");
    options.out = path_of(matches, "out");
    options.weights = path_of(matches, "weights");
    options.threads = threads(matches);
    options.memory = word(matches, "memory").map(memory::parse).transpose()?;
    options.max_steps = matches.get_one("max-steps").copied();
    options.log_every = matches.get_one("log-every").copied();
    options.augment = word(matches, "augment") != Some("off");
    options.tensorboard = matches.get_flag("tensorboard");
    options.resume = matches.get_flag("resume");
    options.force = matches.get_flag("force");
    options.stop_on_eof = matches.get_flag("stop-on-eof");
    options.quiet = matches.get_flag("quiet");
    let wanted = wanted(matches)?;
    (options.engine, options.device) = (wanted.engine, wanted.device);
    options.precision = wanted.precision;
    options.winograd = wanted.winograd;
    if let Some(name) = word(matches, "order") {
        options.order = Order::parse(name)?;
    }
    if let Some(&seconds) = matches.get_one::<f64>("save-every") {
        options.save_every = Duration::try_from_secs_f64(seconds).map_err(|_| {
            Error::new(format!("--save-every {seconds}: there is no such time"))
                .help("give seconds, 0 or more")
        })?;
    }
    Ok(options)
}

/// What `bench` is asked to do.
pub(super) fn bench(matches: &ArgMatches) -> Result<bench::Options> {
    Ok(bench::Options {
        on: wanted(matches)?,
        threads: number_of(matches, "threads"),
        memory: word(matches, "memory").map(memory::parse).transpose()?,
        steps: matches.get_one("max-steps").copied(),
        profile: matches.get_flag("profile"),
    })
}

/// `--engine`, `--device` and `--precision`.
fn wanted(matches: &ArgMatches) -> Result<Wanted> {
    let engine = word(matches, "engine").map(EngineKind::parse).transpose()?;
    let device = word(matches, "device").map(Device::parse).transpose()?;
    let precision = word(matches, "precision").map(Precision::parse);
    Ok(Wanted {
        engine: engine.unwrap_or_default(),
        device: device.unwrap_or_default(),
        precision: precision.transpose()?,
        winograd: winograd(matches),
    })
}

/// What `eval` is asked to do.
pub(super) fn eval(matches: &ArgMatches) -> Result<eval::Options> {
    Ok(eval::Options {
        target: path_of(matches, "RUN").unwrap_or_default(),
        which: match word(matches, "checkpoint") {
            Some("best") => Which::Best,
            _ => Which::Last,
        },
        data: matches.get_one("data").cloned(),
        data_dir: path_of(matches, "data-dir"),
        batch: number_of(matches, "batch"),
        split: match word(matches, "split") {
            Some("train") => Split::Train,
            _ => Split::Test,
        },
        memory: word(matches, "memory").map(memory::parse).transpose()?,
        on: wanted(matches)?,
    })
}

/// Whether convolutions may be by Winograd's method.
pub(super) fn winograd(matches: &ArgMatches) -> bool {
    !matches.get_flag("no-winograd")
}

/// How many threads to use, if that was said.
pub(super) fn threads(matches: &ArgMatches) -> Option<usize> {
    number_of(matches, "threads")
}

fn word<'m>(matches: &'m ArgMatches, flag: &str) -> Option<&'m str> {
    matches.get_one::<String>(flag).map(String::as_str)
}

pub(super) fn path_of(matches: &ArgMatches, flag: &str) -> Option<PathBuf> {
    matches.get_one::<PathBuf>(flag).cloned()
}

/// A count; one that the machine could not count to becomes the largest it can.
fn number_of(matches: &ArgMatches, flag: &str) -> Option<usize> {
    let number = matches.get_one::<u64>(flag)?;
    Some(usize::try_from(*number).unwrap_or(usize::MAX))
}
