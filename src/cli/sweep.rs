//! `vanc sweep FILE`: a grid of runs of `vanc train`, several at once.

mod check;
mod request;
mod script;

use super::arguments::path;
use super::command::{Command, Given, Run};
use super::output::{FAILED, Failure, print, stopped};
use crate::error::Result;
use crate::flags;
use crate::memory;
use crate::stop::Stop;
use crate::sweep::folder::SweepFolder;
use crate::sweep::grid;
use crate::sweep::outcome::Outcome;
use crate::sweep::progress::Progress;
use crate::sweep::results::{self, Tally};
use crate::sweep::runner::{self, Ended, Task, Work};
use crate::text::{counted, quote};
use crate::train::device::use_threads;
use check::{Checked, check, measure, read_data};
use request::SweepRequest;
use std::ffi::OsString;
use std::process::ExitCode;

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
        (Some("Script"), flags::SCRIPT),
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
    if let Some(target) = script::target(matches)? {
        // The parts run elsewhere: what this machine has is not asked.
        check(source, params, &request.settings, |_, _| Ok(()))?;
        return print(&script::script(args, &request, matches)?.text(target));
    }
    use_threads(matches.get_one("threads").copied())?;
    let checked = check(source, params, &request.settings, measure)?;
    let images = read_data(&checked, path(matches, "data-dir"))?;
    let shared = request.shard.is_some();
    let folder = SweepFolder::open(&request.out, &request.settings, source.text(), shared)?;
    let mut progress = Progress::new(request.quiet);
    let ended = sweep(&request, &checked, images, &folder, &mut progress);
    progress.clear();
    let (ended, signal) = ended?;
    let tally = results::write(folder.dir())?;
    if let Some(signal) = signal {
        let runs = tally.done + tally.failed + tally.missing;
        progress.note(&format!(
            "stopped with {} of {runs} runs done; to go on{}",
            tally.done,
            go_on(args)
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

/// Says how to go on with the sweep that `args` asked for.
fn go_on(args: &[OsString]) -> String {
    if std::env::var_os("SLURM_JOB_ID").is_some() {
        return ", submit the job's script again with sbatch\n".into();
    }
    let words = args.iter().skip(1).map(|arg| quote(&arg.to_string_lossy()));
    let words: Vec<String> = words.collect();
    format!(":\n\n    vanc {}\n", words.join(" "))
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
