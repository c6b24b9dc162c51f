//! `vanc sweep FILE`: a grid of runs of `vanc train`, several at once.

mod check;
mod dry_run;
mod meaning;
mod request;
mod script;

use super::arguments::path;
use super::command::{Command, Given, Run};
use super::output::{FAILED, Failure, print, stopped};
use crate::error::Result;
use crate::escape::Shown;
use crate::flags;
use crate::memory;
use crate::stop::Stop;
use crate::sweep::folder::{self, SweepFolder};
use crate::sweep::grid;
use crate::sweep::outcome::Outcome;
use crate::sweep::progress::Progress;
use crate::sweep::results::{self, Tally};
use crate::sweep::runner::{self, Ended, Task, Work};
use crate::sweep::settings::Settings;
use crate::text::{counted, quote};
use crate::train::device::use_threads;
use check::{Checked, check, measure, read_data};
use request::{SweepRequest, file};
use std::ffi::OsString;
use std::path::Path;
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
    let mut request = SweepRequest::read(source, params, matches)?;
    let file = file(source, params);
    if let Some(target) = script::target(matches)? {
        // The parts run elsewhere: what this machine has is not asked.
        check(file, &request.settings, |_, _| Ok(()))?;
        return print(&script::script(args, &request, matches)?.text(target));
    }
    use_threads(matches.get_one("threads").copied())?;
    let checked = check(file, &request.settings, measure)?;
    let path_of_begun = folder::settings(&request.out);
    if path_of_begun.exists() {
        let settings = request.settings.clone();
        let is_same = |name: &str, a: &str, b: &str| file.is_same(&settings, name, a, b);
        let begun = Settings::read(&path_of_begun)?;
        request.settings.spell_as(&begun, &is_same);
    }
    let changes = |begun: &Settings, text: &str| file.changes(begun, text);
    if matches.get_flag("dry-run") {
        folder::look(&request.out, &request.settings, source.text(), &changes)?;
        return print(&dry(&request));
    }
    let images = read_data(&checked, path(matches, "data-dir"))?;
    let shared = request.shard.is_some();
    let folder = SweepFolder::open(
        &request.out,
        &request.settings,
        source.text(),
        shared,
        &changes,
    )?;
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
    let (mine, all) = mine(request);
    let (count, tasks) = (mine.len(), tasks(request, checked, mine, folder));
    let jobs = jobs(request, checked, images).min(tasks.len().max(1));
    let threads = (request.threads / jobs).max(1);
    let work = Work {
        folder,
        jobs,
        threads,
        flags: flags(request, jobs),
    };
    let runs: Vec<&grid::Run> = tasks.iter().map(|task| &task.run).collect();
    let mut facts = vec![("grid", grid_fact(request, all, count, tasks.len()))];
    facts.extend(doubles(request));
    facts.extend([
        (
            "at once",
            format!("{}, {threads} each", counted(work.jobs, "run")),
        ),
        ("folder", folder.dir().shown()),
    ]);
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

/// Lists the runs of the sweep, or of its shard, with their places in the grid; and counts those
/// of the grid.
fn mine(request: &SweepRequest) -> (Vec<(usize, grid::Run)>, usize) {
    let runs = request.settings.grid.runs();
    let all = runs.len();
    let takes = |place| request.shard.is_none_or(|shard| shard.takes(place));
    let mine = runs.into_iter().enumerate();
    (mine.filter(|(place, _)| takes(*place)).collect(), all)
}

/// Whether the run of that name in the sweep's folder `dir` is done.
fn is_done(dir: &Path, run: &grid::Run) -> bool {
    let outcome = Outcome::read(&folder::run(dir, &run.name));
    matches!(outcome, Some(Outcome::Done(_)))
}

/// Lists the runs to do, the first seed of every combination first.
fn tasks(
    request: &SweepRequest,
    checked: &[Checked],
    mine: Vec<(usize, grid::Run)>,
    folder: &SweepFolder,
) -> Vec<Task> {
    let settings = &request.settings;
    let seeds = settings.grid.seeds.len().max(1);
    let mut missing = mine;
    missing.retain(|(_, run)| !is_done(folder.dir(), run));
    missing.sort_by_key(|(place, _)| place % seeds);
    let tasks = missing.into_iter().map(|(place, run)| Task {
        flags: settings.flags(&run.values, run.seed),
        epochs: checked
            .get(place / seeds)
            .map_or(1, |checked| checked.epochs),
        run,
    });
    tasks.collect()
}

/// Writes what the sweep would do.
fn dry(request: &SweepRequest) -> String {
    let (mine, all) = mine(request);
    let dir = &request.out;
    let runs: Vec<&grid::Run> = mine.iter().map(|(_, run)| run).collect();
    let left = runs.iter().filter(|run| !is_done(dir, run)).count();
    let mut facts = vec![("grid", grid_fact(request, all, runs.len(), left))];
    facts.extend(doubles(request));
    facts.push(("folder", dir.shown()));
    let settings = &request.settings;
    dry_run::text(&settings.file, &facts, &settings.grid, &runs, dir)
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

/// Writes what the grid is, of `all` runs, `mine` of them in this shard and `left` to do.
fn grid_fact(request: &SweepRequest, all: usize, mine: usize, left: usize) -> String {
    let grid = &request.settings.grid;
    let axes = grid
        .axes
        .iter()
        .map(|axis| (axis.name.as_str(), axis.values.len()));
    let parts = axes.chain([("seed", grid.seeds.len())]);
    let parts: Vec<String> = parts.map(|(name, n)| format!("{name} ({n})")).collect();
    let mut whole = format!("{} = {}", parts.join(" × "), counted(all, "run"));
    match request.shard {
        Some(shard) if mine == 0 => whole.push_str(&format!(", none of them in {shard}")),
        _ if mine < all => whole.push_str(&format!(", {mine} of them in this shard")),
        _ => {}
    }
    if left < mine {
        whole.push_str(&format!(", {left} of them left to do"));
    }
    whole
}

/// Lists the values that others say already.
fn doubles(request: &SweepRequest) -> impl Iterator<Item = Fact> {
    request.doubles.iter().map(|said| ("once", said.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::Source;
    use crate::flags::Value;

    /// Checks that a flag which the command takes for the runs is given to them.
    #[test]
    fn every_flag_of_a_run_reaches_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.van");
        std::fs::write(&file, "model x { input image(1, 28, 28) linear(10) }").unwrap();
        let source = Source::read(&file).unwrap();
        let groups = [
            flags::SETTINGS,
            flags::IMAGES,
            flags::LENGTH,
            flags::MACHINE,
        ];
        for flag in groups.into_iter().flatten() {
            let value = match (flag.name, flag.value) {
                ("memory", _) => Some("1GiB"),
                (_, Value::Switch) => None,
                (_, Value::Choice(words)) => words.last().copied(),
                (_, Value::Text(_) | Value::Texts(_) | Value::Path(_)) => Some("3"),
                (_, Value::Number(_) | Value::Count(_) | Value::Seconds) => Some("3"),
            };
            let given = format!("--{}", flag.name);
            let words = ["sweep", "x.van", &given].into_iter().chain(value);
            let matches = COMMAND
                .to_clap(&[], None)
                .try_get_matches_from(words)
                .unwrap();
            let request = SweepRequest::read(&source, &[], &matches).unwrap();
            // They are shared out among the runs.
            if flag.name == "threads" {
                assert_eq!(request.threads, 3);
                continue;
            }
            let mut words = request.settings.flags(&[], 3);
            let handed_on = super::flags(&request, 1);
            words.extend(handed_on.iter().map(|word| word.to_string_lossy().into()));
            let is_there = |word: &String| word.split('=').next() == Some(&given);
            assert!(words.iter().any(is_there), "{given}: {words:?}");
        }
    }
}
