//! `vanc sweep FILE`: a grid of runs of `vanc train`, several at once.

mod check;
mod request;

use super::arguments::{path, word};
use super::command::{Command, Given, Run};
use super::output::{FAILED, Failure, print, stopped};
use crate::error::{Error, Result};
use crate::flags::{self, ScriptTarget};
use crate::memory;
use crate::stop::Stop;
use crate::sweep::emit::Script;
use crate::sweep::folder::SweepFolder;
use crate::sweep::grid;
use crate::sweep::outcome::Outcome;
use crate::sweep::progress::Progress;
use crate::sweep::results::{self, Tally};
use crate::sweep::runner::{self, Ended, Task, Work};
use crate::sweep::shard::MAX_SHARDS;
use crate::text::{counted, quote};
use crate::train::device::use_threads;
use check::{Checked, check, read_data};
use clap::ArgMatches;
use request::SweepRequest;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Parts of a script unless `--shards` says otherwise.
const SHARDS: usize = 100;

/// Bytes of a process beside its network and its images.
const PROCESS: f64 = 64e6;

pub(super) const COMMAND: Command = Command {
    name: "sweep",
    about: "Train the network of a file for each combination of values and seeds",
    flags: &[
        (Some("Grid"), flags::GRID),
        (Some("Settings of `train { … }`"), flags::SETTINGS),
        (Some("Data"), flags::IMAGES),
        (Some("Run"), flags::PARTS),
        (Some("Run"), flags::LENGTH),
        (Some("Run"), flags::MACHINE),
        (Some("Run"), flags::QUIET),
    ],
    run: Run::File(run),
};

fn run(given: Given) -> Result<(), Failure> {
    let Given {
        args,
        source,
        params,
        matches,
    } = given;
    let request = SweepRequest::read(source, params, matches)?;
    if let Some(target) = target(matches)? {
        check(source, params, &request.settings)?;
        return print(&script(args, &request, matches)?.text(target));
    }
    use_threads(matches.get_one("threads").copied())?;
    let checked = check(source, params, &request.settings)?;
    let images = read_data(&checked, path(matches, "data-dir"))?;
    let shared = request.shard.is_some();
    let folder = SweepFolder::open(&request.out, &request.settings, source.text(), shared)?;
    let mut progress = Progress::new(request.quiet);
    let ended = sweep(&request, &checked, images, &folder, &mut progress);
    progress.clear();
    let (ended, signal) = ended?;
    let tally = results::write(folder.dir())?;
    if let Some(signal) = signal {
        let words = args.iter().skip(1).map(|arg| quote(&arg.to_string_lossy()));
        let words: Vec<String> = words.collect();
        progress.note(&format!(
            "stopped with {} of {} runs done; to go on:\n\n    vanc {}\n",
            tally.done,
            tally.done + tally.failed + tally.missing,
            words.join(" ")
        ));
        return Err(Failure::Said(stopped(signal)));
    }
    progress.note(&summary(&request, &tally));
    match ended.failed + ended.stopped {
        0 => Ok(()),
        _ => Err(Failure::Said(ExitCode::from(FAILED))),
    }
}

/// Does what is missing of the sweep, or of its shard, until a signal comes.
fn sweep(
    request: &SweepRequest,
    checked: &[Checked],
    images: usize,
    folder: &SweepFolder,
    progress: &mut Progress,
) -> Result<(Ended, Option<i32>)> {
    // The runner says what the first signal does.
    let stop = Stop::default();
    stop.on_signals("")?;
    let runs = request.settings.grid.runs();
    let all = runs.len();
    let (tasks, mine) = tasks(request, checked, runs, folder);
    let jobs = jobs(request, checked, images).min(tasks.len().max(1));
    let threads = (request.threads / jobs).max(1);
    let work = Work {
        folder,
        jobs,
        threads,
        flags: flags(request, jobs),
    };
    let runs: Vec<&grid::Run> = tasks.iter().map(|task| &task.run).collect();
    let facts = facts(request, all, mine, tasks.len(), &work);
    progress.heading(
        &request.settings.file,
        &facts,
        &request.settings.grid,
        &runs,
    );
    // So that they are there to be looked at from the start.
    results::write(folder.dir())?;
    let ended = runner::run(&work, tasks, &stop, progress)?;
    Ok((ended, stop.requested().filter(|_| ended.stopped > 0)))
}

/// Lists the runs to do, the first seed of every combination first, and how many of the grid are
/// this shard's.
fn tasks(
    request: &SweepRequest,
    checked: &[Checked],
    runs: Vec<grid::Run>,
    folder: &SweepFolder,
) -> (Vec<Task>, usize) {
    let SweepRequest {
        settings, shard, ..
    } = request;
    let seeds = settings.grid.seeds.len().max(1);
    let mine = runs
        .into_iter()
        .enumerate()
        .filter(|(place, _)| shard.is_none_or(|shard| shard.takes(*place)));
    let mine: Vec<(usize, grid::Run)> = mine.collect();
    let count = mine.len();
    let mut missing: Vec<(usize, grid::Run)> = mine
        .into_iter()
        .filter(|(_, run)| {
            let outcome = Outcome::read(&folder.run(&run.name));
            !matches!(outcome, Some(Outcome::Done(_)))
        })
        .collect();
    missing.sort_by_key(|(place, _)| place % seeds);
    let tasks = missing.into_iter().map(|(place, run)| Task {
        flags: settings.flags(&run.values, run.seed),
        epochs: checked
            .get(place / seeds)
            .map_or(1, |checked| checked.epochs),
        run,
    });
    (tasks.collect(), count)
}

/// Runs at a time: as was said, or one a thread as far as memory goes. Small networks use
/// one core better than several, and a run's numbers do not depend on its threads.
fn jobs(request: &SweepRequest, checked: &[Checked], images: usize) -> usize {
    if let Some(jobs) = request.jobs {
        return jobs;
    }
    let most = checked.iter().map(|c| c.memory).fold(0.0, f64::max) + images as f64 + PROCESS;
    let limit = request
        .memory
        .map(|bytes| bytes as f64)
        .or_else(memory::available);
    let fit = limit.map_or(usize::MAX, |limit| (limit / most) as usize);
    let side_by_side = checked.iter().map(|checked| match checked.runner.card() {
        // They would share it, and each would take longer.
        Some(_) => 1,
        None => request.threads,
    });
    side_by_side.min().unwrap_or(1).min(fit).max(1)
}

/// Lists a run's share of the memory, and the flags handed on as they are.
fn flags(request: &SweepRequest, jobs: usize) -> Vec<OsString> {
    let mut flags = Vec::new();
    if let Some(bytes) = request.memory {
        flags.push(format!("--memory={}", (bytes / jobs as u64).max(1)).into());
    }
    flags.extend(request.handed_on.iter().cloned());
    flags
}

/// Lists the facts that are shown above the runs.
fn facts(request: &SweepRequest, all: usize, mine: usize, left: usize, work: &Work) -> Vec<Fact> {
    let grid = &request.settings.grid;
    let axes = grid
        .axes
        .iter()
        .map(|axis| (axis.name.as_str(), axis.values.len()));
    let parts = axes.chain([("seed", grid.seeds.len())]);
    let parts: Vec<String> = parts.map(|(name, n)| format!("{name} ({n})")).collect();
    let mut whole = format!("{} = {}", parts.join(" × "), counted(all, "run"));
    if mine < all {
        whole.push_str(&format!(", {mine} of them in this shard"));
    }
    if left < mine {
        whole.push_str(&format!(", {left} of them left to do"));
    }
    let threads = counted(work.threads, "thread");
    vec![
        ("grid", whole),
        (
            "at once",
            format!("{}, {threads} each", counted(work.jobs, "run")),
        ),
        ("folder", work.folder.dir().display().to_string()),
    ]
}

/// A name and what is to be said under it.
type Fact = (&'static str, String);

/// Summarizes the whole grid at the end, and says where the results are.
fn summary(request: &SweepRequest, tally: &Tally) -> String {
    let Tally {
        done,
        failed,
        missing,
    } = *tally;
    let dir = request.out.display().to_string();
    let mut text = format!(
        "\n  {}: {done} done",
        counted(done + failed + missing, "run")
    );
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    if missing > 0 {
        text.push_str(&format!(", {missing} missing"));
    }
    text.push_str(&format!("\n  results  {dir}/results.{{csv,jsonl}}\n"));
    if failed > 0 {
        text.push_str(&format!(
            "  failures {dir}/runs/*/log.txt; the same command tries them again\n"
        ));
    }
    text.push_str(&format!("  report   vanc report {}\n", quote(&dir)));
    text
}

/// Reads the kind of script that `--emit` asks for.
fn target(matches: &ArgMatches) -> Result<Option<ScriptTarget>> {
    let target = word(matches, "emit").map(ScriptTarget::parse).transpose()?;
    let given = |name: &str| matches.contains_id(name);
    if target.is_some() && given("shard") {
        return Err(
            Error::new("--emit prints a script for all parts, and --shard does one")
                .help("give --emit --shards N for a script with N parts"),
        );
    }
    if target.is_none() && given("shards") {
        return Err(Error::new(
            "--shards says in how many parts a script is, and none is asked for",
        )
        .help("give --shard I/N to do a part, or --emit for a script"));
    }
    Ok(target)
}

/// Returns the script that does what `args` say in parts.
fn script(args: &[OsString], request: &SweepRequest, matches: &ArgMatches) -> Result<Script> {
    let runs = request.settings.grid.runs().len();
    let shards = match matches.get_one::<u64>("shards") {
        None => runs.min(SHARDS),
        Some(&n) => usize::try_from(n)
            .ok()
            .filter(|n| (1..=MAX_SHARDS).contains(n))
            .ok_or_else(|| {
                Error::new(format!(
                    "--shards {n}: there must be between 1 and {MAX_SHARDS}"
                ))
            })?,
    };
    let here = |e: std::io::Error| Error::new(format!("cannot find this program's place: {e}"));
    let program = std::env::current_exe().map_err(here)?;
    let words = args
        .iter()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned());
    let mut words = words.peekable();
    let mut command = vec![program.display().to_string()];
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        match name {
            "--emit" | "--shards" if word == name => drop(words.next()),
            "--emit" | "--shards" => {}
            _ => command.push(word),
        }
    }
    let stem = Path::new(&request.settings.file).with_extension("");
    Ok(Script {
        name: format!("sweep-{}", stem.display()),
        cwd: std::env::current_dir().map_err(here)?,
        command,
        shards,
        threads: matches.get_one::<u64>("threads").copied(),
    })
}
