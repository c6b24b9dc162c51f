//! Script of `--emit`: the same sweep in parts.

use super::request::SweepRequest;
use crate::cli::arguments::word;
use crate::error::{Error, Result};
use crate::flags::{self, Device, ScriptTarget};
use crate::memory;
use crate::sweep::emit::{MAX_SHARDS, Resources, Script};
use clap::ArgMatches;
use std::ffi::OsString;
use std::path::Path;

/// Parts of a script unless `--shards` says otherwise.
const SHARDS: usize = 100;

/// Reads the kind of script that `--emit` asks for.
pub(super) fn target(matches: &ArgMatches) -> Result<Option<ScriptTarget>> {
    let target = word(matches, flags::EMIT)
        .map(ScriptTarget::parse)
        .transpose()?;
    let given = |name: &str| matches.contains_id(name);
    if target.is_some() && given("shard") {
        return Err(
            Error::new("--emit prints a script for all parts, and --shard does one")
                .help("give --emit --shards N for a script with N parts"),
        );
    }
    if target.is_some() && matches.get_flag("dry-run") {
        return Err(
            Error::new("--emit prints a script, and --dry-run the runs of the grid")
                .help("give one of them"),
        );
    }
    let others = || flags::SCRIPT.iter().filter(|flag| flag.name != flags::EMIT);
    match target {
        Some(ScriptTarget::Slurm) => {}
        Some(ScriptTarget::Shell) => {
            let slurms = others().filter(|flag| flag.name != "shards");
            if let Some(flag) = slurms.into_iter().find(|flag| given(flag.name)) {
                return Err(Error::new(format!(
                    "--{} is said to Slurm, and the script is for a shell",
                    flag.name
                ))
                .help("give --emit slurm, or leave it out"));
            }
        }
        None => {
            if let Some(flag) = others().find(|flag| given(flag.name)) {
                return Err(Error::new(format!(
                    "--{} is about a script, and none is asked for",
                    flag.name
                ))
                .help("give --emit slurm for a script; --shard I/N does a part"));
            }
        }
    }
    Ok(target)
}

/// Returns the script that does what `args` say in parts.
pub(super) fn script(
    args: &[OsString],
    request: &SweepRequest,
    matches: &ArgMatches,
) -> Result<Script> {
    let here = |e: std::io::Error| Error::new(format!("cannot find this program's place: {e}"));
    let program = std::env::current_exe().map_err(here)?;
    let stem = Path::new(&request.settings.file).with_extension("");
    Ok(Script {
        name: format!("sweep-{}", stem.display()),
        cwd: std::env::current_dir().map_err(here)?,
        program: program.display().to_string(),
        words: words(args),
        out: request.out.clone(),
        shards: shards(request, matches)?,
        threads: matches.get_one::<u64>("threads").copied(),
        resources: resources(matches)?,
    })
}

/// Counts the parts.
fn shards(request: &SweepRequest, matches: &ArgMatches) -> Result<usize> {
    let runs = request.settings.grid.runs().len();
    let Some(&n) = matches.get_one::<u64>("shards") else {
        return Ok(runs.min(SHARDS));
    };
    let shards = usize::try_from(n).ok();
    let shards = shards.filter(|n| (1..=MAX_SHARDS).contains(n));
    shards.ok_or_else(|| {
        Error::new(format!(
            "--shards {n}: there must be between 1 and {MAX_SHARDS}"
        ))
    })
}

/// Reads what Slurm is to give a part. One on a GPU needs one.
fn resources(matches: &ArgMatches) -> Result<Resources> {
    let text = |name: &str| word(matches, name).map(str::to_owned);
    let device = word(matches, "device").map(Device::parse).transpose()?;
    let needed = matches!(device, Some(Device::Cuda(_))).then_some(1);
    let resources = Resources {
        partition: text("partition"),
        time: text("time"),
        memory: word(matches, "mem")
            .map(|size| memory::parse_flag("mem", size))
            .transpose()?,
        gpus: matches.get_one::<u32>("gpus-per-task").copied().or(needed),
    };
    resources.check()?;
    Ok(resources)
}

/// Lists the words of the command that the parts are given too.
fn words(args: &[OsString]) -> Vec<String> {
    let is_scripts = |word: &str| {
        let name = word.strip_prefix("--");
        name.is_some_and(|name| flags::SCRIPT.iter().any(|flag| flag.name == name))
    };
    let all = args.iter().skip(1);
    let mut all = all.map(|arg| arg.to_string_lossy().into_owned());
    let mut words = Vec::new();
    while let Some(word) = all.next() {
        match word.split_once('=') {
            Some((name, _)) if is_scripts(name) => {}
            None if is_scripts(&word) => drop(all.next()),
            Some(_) | None => words.push(word),
        }
    }
    words
}
