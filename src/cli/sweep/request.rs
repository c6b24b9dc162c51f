//! Request for a sweep, as the command line states it.

use super::meaning::File;
use crate::check::{self, ParamInfo};
use crate::cli::arguments::{count, given, path, word};
use crate::cli::command::param_id;
use crate::cli::source::Source;
use crate::diag::Sources;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{Flag, InSweep, OnOff, Options, TRAIN, Value};
use crate::ir::Train;
use crate::memory;
use crate::suggest::nearest;
use crate::sweep::grid::{Axis, Grid, parse_seed, parse_seeds};
use crate::sweep::settings::{Settings, is_switch};
use crate::sweep::shard::Shard;
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Folder that default sweep folders are in.
const SWEEPS: &str = "sweeps";

/// Runs at a time at most.
const MOST_JOBS: u64 = 4096;

/// A sweep, and how much of the machine it is given.
pub(super) struct SweepRequest {
    pub settings: Settings,
    /// The sweep's folder.
    pub out: PathBuf,
    /// Threads for all runs together.
    pub threads: usize,
    /// Runs at a time, if that was said.
    pub jobs: Option<usize>,
    /// Bytes for all runs together, if that was said.
    pub memory: Option<u64>,
    pub shard: Option<Shard>,
    pub quiet: bool,
    /// Flags of every run that change none of its numbers.
    pub handed_on: Vec<OsString>,
    /// Values that were dropped, as others mean the same.
    pub doubles: Vec<String>,
}

impl SweepRequest {
    pub fn read(
        source: &Source,
        params: &[ParamInfo],
        matches: &ArgMatches,
    ) -> Result<SweepRequest> {
        let name = source
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let jobs = match matches.get_one("jobs").copied() {
            Some(jobs) if !(1..=MOST_JOBS).contains(&jobs) => {
                return Err(Error::new(format!(
                    "--jobs {jobs}: there must be between 1 and {MOST_JOBS}"
                ))
                .help("leave --jobs out for a run a thread"));
            }
            jobs => jobs.map(|jobs| jobs as usize),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let stem = Path::new(name.as_ref()).with_extension("");
        let mut settings = settings(source, params, matches, name.to_string())?;
        let doubles = file(source, params).drop_doubles(&mut settings);
        settings.grid.check()?;
        Ok(SweepRequest {
            settings,
            doubles,
            out: match path(matches, "out") {
                Some(out) => out.to_owned(),
                None => Path::new(SWEEPS).join(stem),
            },
            threads: count(matches, "threads").unwrap_or_else(cores),
            jobs,
            memory: word(matches, "memory").map(memory::parse).transpose()?,
            shard: word(matches, "shard").map(Shard::parse).transpose()?,
            quiet: matches.get_flag("quiet"),
            handed_on: handed_on(matches),
        })
    }
}

/// Makes the file as a run would read it.
pub(super) fn file<'a>(source: &'a Source, params: &'a [ParamInfo]) -> File<'a> {
    File {
        path: &source.path,
        text: source.text(),
        params,
    }
}

/// Lists the flags of `vanc train` that a sweep treats so.
fn treated(sweep: InSweep) -> impl Iterator<Item = &'static Flag<Options>> {
    let flags = TRAIN.iter().copied().flatten();
    flags.filter(move |flag| flag.sweep == sweep)
}

/// Lists the names of the axes that can be varied.
fn axes(params: &[ParamInfo]) -> impl Iterator<Item = &str> {
    let params = params.iter().map(|param| param.name.as_str());
    params.chain(treated(InSweep::Axis).map(|flag| flag.name))
}

/// Lists the flags that were given of those that every run is given as they are.
fn handed_on(matches: &ArgMatches) -> Vec<OsString> {
    let flag = |flag: &'static Flag<Options>| {
        let value = given(matches, flag)?;
        let mut word = OsString::from(format!("--{}", flag.name));
        if flag.value != Value::Switch {
            word.push("=");
            word.push(value);
        }
        Some(word)
    };
    treated(InSweep::HandedOn).filter_map(flag).collect()
}

fn settings(
    source: &Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
    file: String,
) -> Result<Settings> {
    let vary = matches.get_many::<String>("vary").into_iter().flatten();
    let varied = vary
        .map(|text| Axis::parse(text))
        .collect::<Result<Vec<_>>>()?;
    let mut options = BTreeMap::new();
    for param in params {
        if let Some(value) = matches.get_one::<String>(&param_id(param)) {
            options.insert(param.name.clone(), value.clone());
        }
    }
    for flag in treated(InSweep::Axis) {
        let name = flag.name;
        let value = match given(matches, flag) {
            Some(_) if flag.value == Value::Switch => OnOff::On.name(),
            Some(value) => value.to_str().ok_or_else(|| {
                Error::new(format!("--{name} {}: this is not UTF-8", value.shown()))
            })?,
            None => continue,
        };
        options.insert(name.into(), value.into());
    }
    let seed = options.remove("seed");
    refuse_names(&varied, params, &options)?;
    let seeds = match (word(matches, "seeds"), seed) {
        (Some(_), Some(_)) => {
            return Err(Error::new("--seeds and --seed both say which seeds")
                .help("give the seeds as a list: --seeds 3,5,8"));
        }
        (Some(seeds), None) => parse_seeds(seeds)?,
        (None, Some(seed)) => vec![parse_seed(&seed).ok_or_else(|| {
            Error::new(format!(
                "--seed {seed}: this is no whole number from 0 to 2⁶³ − 1"
            ))
        })?],
        (None, None) => vec![seed_of_file(source)],
    };
    let grid = Grid {
        axes: varied,
        seeds,
    };
    grid.check_size()?;
    Ok(Settings::new(file, grid, options))
}

/// Finds the seed of the file; where its defaults are not sound, that of a file without one.
fn seed_of_file(source: &Source) -> u64 {
    let mut sources = Sources::new("", source.text());
    let model = check::check(&mut sources, &[], false);
    model.map_or_else(|_| Train::default().seed, |model| model.train.seed)
}

/// Refuses axes that are no flag of `vanc train`, or one that is given a value besides.
fn refuse_names(
    varied: &[Axis],
    params: &[ParamInfo],
    options: &BTreeMap<String, String>,
) -> Result<()> {
    let known = || axes(params).filter(|name| *name != "seed");
    for Axis { name, values } in varied {
        if name == "seed" || name == "seeds" {
            return Err(
                Error::new(format!("--vary {name}: seeds have a flag of their own"))
                    .help("give --seeds 10 for the seeds 0 to 9, or --seeds 3,5,8"),
            );
        }
        if !known().any(|known| known == name) {
            let help = match nearest(name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "what can be varied: {}",
                    known().collect::<Vec<_>>().join(", ")
                ),
            };
            return Err(Error::new(format!(
                "--vary {name}: the file has no param `{name}`, and training no setting"
            ))
            .help(help));
        }
        let is_state = |value: &String| OnOff::parse(value).is_ok();
        if is_switch(name) && !values.iter().all(is_state) {
            return Err(
                Error::new(format!("--vary {name}: it is a switch, on or off"))
                    .help(format!("write it like --vary {name}=on,off")),
            );
        }
        if options.contains_key(name) {
            return Err(
                Error::new(format!("--vary {name} and --{name} both say what it is"))
                    .help("give one of them"),
            );
        }
    }
    Ok(())
}
