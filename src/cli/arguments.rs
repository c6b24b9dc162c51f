//! Arguments of the command line, read from the flags that clap found.

use super::command::param_id;
use crate::check::{Override, OverrideTarget, ParamInfo};
use crate::error::Result;
use crate::flags::{Flag, Options, Overrides, SETTINGS, Target, Value};
use crate::train::checkpoint::Checkpoint;
use crate::train::config::Config;
use crate::train::run_folder;
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Lists what changed the model of the run in the folder `run`, and what those `given` change
/// beside it.
pub(super) fn of_run(run: &Path, given: &Overrides) -> Result<Overrides> {
    let overrides = Config::read(&run_folder::config(run))?.overrides();
    let mut overrides = match overrides {
        Some(overrides) => overrides,
        // An older version has them only there.
        None => Checkpoint::read(&run_folder::last(run))?.meta.overrides,
    };
    replace(&mut overrides, given);
    Ok(overrides)
}

/// Replaces in `overrides` what those `given` say too, and adds the rest.
fn replace(overrides: &mut Overrides, given: &Overrides) {
    let lists = [
        (&mut overrides.params, &given.params),
        (&mut overrides.settings, &given.settings),
    ];
    for (list, given) in lists {
        list.retain(|(name, _)| given.iter().all(|(other, _)| other != name));
        list.extend(given.iter().cloned());
    }
}

/// Reads the options of a training on the file at `path`, as far as the command has their flags.
pub(super) fn options(path: &Path, params: &[ParamInfo], matches: &ArgMatches) -> Result<Options> {
    let pairs = |overrides: Vec<Override>| -> Vec<(String, String)> {
        overrides.into_iter().map(|o| (o.name, o.value)).collect()
    };
    let mut options = Options::new(path);
    options.overrides = Overrides {
        params: pairs(param_overrides(params, matches)),
        settings: pairs(setting_overrides(matches)),
    };
    for flag in Options::flags() {
        if let (Target::Part(set), Some(value)) = (&flag.target, given(matches, flag)) {
            set(&mut options, value)?;
            options.given.push(flag.name);
        }
    }
    Ok(options)
}

/// Returns the value that a flag was given; that of a switch is empty.
pub(super) fn given<'m>(matches: &'m ArgMatches, flag: &Flag<Options>) -> Option<&'m OsStr> {
    let value = matches.try_get_raw(flag.name).ok()??.next()?;
    let typed = matches.value_source(flag.name) == Some(ValueSource::CommandLine);
    typed.then(|| match flag.value {
        Value::Switch => OsStr::new(""),
        Value::Text(_)
        | Value::Texts(_)
        | Value::Path(_)
        | Value::Number(_)
        | Value::Count(_)
        | Value::Seconds
        | Value::Choice(_) => value,
    })
}

/// Lists the params that the command line sets.
pub(super) fn param_overrides(params: &[ParamInfo], matches: &ArgMatches) -> Vec<Override> {
    let set = params.iter().filter_map(|param| {
        let value = matches.get_one::<String>(&param_id(param))?;
        Some(Override {
            target: OverrideTarget::Param,
            name: param.name.clone(),
            value: value.clone(),
        })
    });
    set.collect()
}

fn setting_overrides(matches: &ArgMatches) -> Vec<Override> {
    let set = SETTINGS.iter().filter_map(|flag| {
        let value = matches.try_get_one::<String>(flag.name).ok()??;
        Some(Override {
            target: OverrideTarget::Setting,
            name: flag.name.into(),
            value: value.clone(),
        })
    });
    set.collect()
}

/// Returns the value of a flag that takes text or one of several words.
pub(super) fn word<'m>(matches: &'m ArgMatches, flag: &str) -> Option<&'m str> {
    matches.get_one::<String>(flag).map(String::as_str)
}

/// Returns the choice that a flag makes, or its default.
pub(super) fn choice<V>(
    matches: &ArgMatches,
    flag: &str,
    parse: fn(&str) -> Result<V>,
) -> Result<V> {
    parse(word(matches, flag).unwrap_or_default())
}

/// Returns the path that a flag or an operand names.
pub(super) fn path<'m>(matches: &'m ArgMatches, flag: &str) -> Option<&'m Path> {
    matches.get_one::<PathBuf>(flag).map(PathBuf::as_path)
}

/// Returns the count that a flag gives; one that the machine could not count to becomes the
/// largest it can.
pub(super) fn count(matches: &ArgMatches, flag: &str) -> Option<usize> {
    let number = matches.get_one::<u64>(flag)?;
    Some(usize::try_from(*number).unwrap_or(usize::MAX))
}
