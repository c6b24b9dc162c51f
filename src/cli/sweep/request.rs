//! What the command line asks of a sweep.

use crate::check::{self, ParamInfo};
use crate::cli::arguments::{self, decisive};
use crate::cli::source::Source;
use crate::diag::Sources;
use crate::error::{Error, Result};
use crate::ir::Train;
use crate::suggest::nearest;
use crate::sweep::grid::{Axis, Grid, parse_seed, parse_seeds};
use crate::sweep::settings::Settings;
use crate::sweep::shard::Shard;
use crate::train::memory;
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
    /// Whether each run writes its log for TensorBoard too.
    pub tensorboard: bool,
    /// Flags of every run that change none of its numbers.
    pub free: Vec<(String, OsString)>,
}

impl SweepRequest {
    pub fn read(
        source: &Source,
        params: &[ParamInfo],
        matches: &ArgMatches,
    ) -> Result<SweepRequest> {
        let word = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let number = |name: &str| matches.get_one::<u64>(name).copied();
        let name = source
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let jobs = match number("jobs") {
            Some(jobs) if !(1..=MOST_JOBS).contains(&jobs) => {
                return Err(Error::new(format!(
                    "--jobs {jobs}: there must be between 1 and {MOST_JOBS}"
                ))
                .help("leave --jobs out for a run a thread"));
            }
            jobs => jobs.map(|jobs| jobs as usize),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = number("threads").map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let out = matches.get_one::<PathBuf>("out").cloned();
        let stem = Path::new(name.as_ref()).with_extension("");
        Ok(SweepRequest {
            settings: settings(source, params, matches, name.to_string())?,
            out: out.unwrap_or_else(|| Path::new(SWEEPS).join(stem)),
            threads: threads.unwrap_or_else(cores),
            jobs,
            memory: word("memory").map(memory::parse).transpose()?,
            shard: word("shard").map(Shard::parse).transpose()?,
            quiet: matches.get_flag("quiet"),
            tensorboard: matches.get_flag("tensorboard"),
            free: arguments::free(matches),
        })
    }
}

fn settings(
    source: &Source,
    params: &[ParamInfo],
    matches: &ArgMatches,
    file: String,
) -> Result<Settings> {
    let vary = matches.get_many::<String>("vary").into_iter().flatten();
    let axes = vary
        .map(|text| Axis::parse(text))
        .collect::<Result<Vec<_>>>()?;
    let mut options = BTreeMap::new();
    for (name, id) in decisive(params) {
        let Some(value) = matches.get_raw(&id).and_then(|mut values| values.next()) else {
            continue;
        };
        let value = value.to_str().ok_or_else(|| {
            Error::new(format!("--{name} {}: this is not UTF-8", value.display()))
        })?;
        options.insert(name, value.to_string());
    }
    let seed = options.remove("seed");
    refuse_names(&axes, params, &options)?;
    let seeds = match (matches.get_one::<String>("seeds"), seed) {
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
    let grid = Grid { axes, seeds };
    grid.check()?;
    Ok(Settings::new(file, grid, options))
}

/// The seed of the file; where its defaults are not sound, that of a file without one.
fn seed_of_file(source: &Source) -> u64 {
    let mut sources = Sources::new("", source.text());
    let model = check::check(&mut sources, &[], false);
    model.map_or_else(|_| Train::default().seed, |model| model.train.seed)
}

/// Refuses axes that are no flag of `vanc train`, or one that is given a value besides.
fn refuse_names(
    axes: &[Axis],
    params: &[ParamInfo],
    options: &BTreeMap<String, String>,
) -> Result<()> {
    let known: Vec<String> = decisive(params).into_iter().map(|(name, _)| name).collect();
    let known = || {
        known
            .iter()
            .map(String::as_str)
            .filter(|name| *name != "seed")
    };
    for Axis { name, .. } in axes {
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
        if options.contains_key(name) {
            return Err(
                Error::new(format!("--vary {name} and --{name} both say what it is"))
                    .help("give one of them"),
            );
        }
    }
    Ok(())
}
