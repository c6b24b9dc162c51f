//! Runs as child processes, several at once.
//!
//! A child ends itself when its standard input does (`--stop-on-eof`). The sweep holds the
//! other end of that pipe and never writes to it: to stop a child it closes the pipe, and
//! where the sweep is killed the system does.

use super::folder::SweepFolder;
use super::grid::Run;
use super::outcome::{Numbers, Outcome};
use super::progress::{Progress, Tag};
use super::run_lock::{RunLock, log};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::stop::{Stop, asks_to_stop};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time between two looks at the children.
const TICK: Duration = Duration::from_millis(20);

/// Time between two tries at runs that another process has.
const RETRY: Duration = Duration::from_millis(500);

/// Time after which the results are written again, if a run has ended.
const RESULTS: Duration = Duration::from_secs(10);

/// Settings that every run is given.
#[derive(Debug)]
pub struct Work<'a> {
    /// Folder that the runs are in.
    pub folder: &'a SweepFolder,
    /// Runs at a time.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
    /// Flags beside those of [`Task::flags`].
    pub flags: Vec<OsString>,
}

/// A run that is to be done.
#[derive(Clone, Debug)]
pub struct Task {
    /// The run's place in the grid.
    pub run: Run,
    /// The flags that make it what it is.
    pub flags: Vec<String>,
    /// Epochs that it will train for.
    pub epochs: u64,
}

/// Numbers of tasks that were not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Tasks that failed.
    pub failed: usize,
    /// Tasks that were stopped, or not begun.
    pub stopped: usize,
}

/// A run under way.
struct Job {
    task: Task,
    lock: RunLock,
    child: Child,
    tag: Tag,
}

/// The sweep under way.
struct Runner<'a> {
    work: &'a Work<'a>,
    program: PathBuf,
    progress: &'a mut Progress,
    queue: VecDeque<Task>,
    /// Tasks that another process has; they are tried again at `retried_at`.
    taken: VecDeque<Task>,
    retried_at: Instant,
    jobs: Vec<Job>,
    /// Time the results were last written at; `changed` says whether a run has ended since.
    results_at: Instant,
    changed: bool,
    ended: Ended,
}

/// Does the tasks in their order, until they are done or a signal stops them.
///
/// # Errors
/// Where a run cannot be begun or written down at all; the others are stopped first.
pub fn run(work: &Work, tasks: Vec<Task>, stop: &Stop, progress: &mut Progress) -> Result<Ended> {
    let mut runner = Runner {
        work,
        program: this_program()?,
        progress,
        queue: tasks.into(),
        taken: VecDeque::new(),
        retried_at: Instant::now(),
        jobs: Vec::new(),
        results_at: Instant::now(),
        changed: false,
        ended: Ended::default(),
    };
    let outcome = runner.go(stop);
    // After a failure too, no child is left behind.
    let finished = runner.finish();
    outcome.and(finished)?;
    Ok(runner.ended)
}

impl Runner<'_> {
    fn go(&mut self, stop: &Stop) -> Result<()> {
        while stop.requested().is_none() {
            self.reap()?;
            self.fill()?;
            if self.jobs.is_empty() && self.taken.is_empty() {
                break;
            }
            self.progress.tick(self.jobs.iter().map(|job| &job.tag));
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// Asks the children to stop, if there are any, and waits for them.
    fn finish(&mut self) -> Result<()> {
        self.ended.stopped += self.queue.len() + self.taken.len();
        for job in &mut self.jobs {
            drop(job.child.stdin.take());
        }
        if !self.jobs.is_empty() {
            let runs = match self.jobs.len() {
                1 => "the run under way is".to_string(),
                n => format!("the {n} runs under way are"),
            };
            self.progress.note(&format!(
                "{runs} stopped and saved; once more to leave at once"
            ));
        }
        let mut failure = Ok(());
        while !self.jobs.is_empty() {
            failure = failure.and(self.reap());
            std::thread::sleep(TICK);
        }
        failure
    }

    /// Begins runs as long as there is room for them.
    fn fill(&mut self) -> Result<()> {
        if self.retried_at.elapsed() >= RETRY {
            self.retried_at = Instant::now();
            self.queue.append(&mut self.taken);
        }
        while self.jobs.len() < self.work.jobs
            && let Some(task) = self.queue.pop_front()
        {
            self.begin(task)?;
        }
        Ok(())
    }

    fn begin(&mut self, task: Task) -> Result<()> {
        let dir = self.work.folder.run(&task.run.name);
        let Some(lock) = RunLock::take(&dir)? else {
            self.progress.taken(&task.run);
            self.taken.push_back(task);
            return Ok(());
        };
        if let Some(done @ Outcome::Done(_)) = Outcome::read(&dir) {
            // Another sweep has done it since this one looked.
            self.progress.ended(&task.run, Some(&done));
            return Ok(());
        }
        let child = self.command(&task, &dir, &lock)?.spawn().map_err(|e| {
            Error::new(format!("cannot start {}: {e}", self.program.shown()))
                .help("give fewer --jobs, if the system has too many processes")
        })?;
        let tag = self.progress.begun(&task.run, &dir, task.epochs);
        self.jobs.push(Job {
            task,
            lock,
            child,
            tag,
        });
        Ok(())
    }

    fn command(&self, task: &Task, dir: &Path, lock: &RunLock) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .arg("train")
            .arg(self.work.folder.file())
            .args(&task.flags)
            .arg(format!("--threads={}", self.work.threads))
            .args(&self.work.flags)
            .args(["--resume", "--stop-on-eof", "--out"])
            .arg(dir)
            .env("NO_COLOR", "1")
            // A run is one process, also where the sweep was started as one of several.
            .envs([("RANK", "0"), ("WORLD_SIZE", "1")])
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::piped())
            .stdout(lock.output()?)
            .stderr(lock.output()?);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "vanc");
        Ok(command)
    }

    /// Takes note of the runs that have ended.
    fn reap(&mut self) -> Result<()> {
        let mut index = 0;
        while let Some(job) = self.jobs.get_mut(index) {
            match job.child.try_wait() {
                Ok(None) => index += 1,
                Ok(Some(status)) => {
                    let job = self.jobs.remove(index);
                    self.note(job, status)?;
                }
                Err(e) => {
                    self.jobs.remove(index);
                    return Err(Error::new(format!("cannot wait for a run: {e}")));
                }
            }
        }
        if self.changed && self.results_at.elapsed() >= RESULTS {
            super::results::write(self.work.folder.dir())?;
            self.results_at = Instant::now();
            self.changed = false;
        }
        Ok(())
    }

    /// Takes note of a run whose process has ended with `status`.
    fn note(&mut self, mut job: Job, status: ExitStatus) -> Result<()> {
        self.progress.left(job.tag);
        let run = &job.task.run;
        if was_stopped(status) {
            self.ended.stopped += 1;
            self.progress.ended(run, None);
            return Ok(());
        }
        let dir = self.work.folder.run(&run.name);
        let outcome = match status.success() {
            true => match Numbers::read(&dir)? {
                Some(numbers) => Outcome::Done(numbers),
                None => failed(
                    Some(format!("it left no results; see {}", log(&dir).shown())),
                    status,
                ),
            },
            false => failed(job.lock.error(), status),
        };
        if let Outcome::Failed { .. } = outcome {
            self.ended.failed += 1;
        }
        outcome.write(&dir)?;
        self.changed = true;
        self.progress.ended(run, Some(&outcome));
        Ok(())
    }
}

fn failed(error: Option<String>, status: ExitStatus) -> Outcome {
    let error = match error {
        Some(error) => format!("{error} ({status})"),
        None => status.to_string(),
    };
    Outcome::Failed { error }
}

/// Whether a signal that asks for it, or the end of its input, ended a run: then it can go on.
fn was_stopped(status: ExitStatus) -> bool {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None::<i32>;
    let number = status.code().map(|code| code - 128).or(signal);
    number.is_some_and(asks_to_stop)
}

/// Finds the path of this very program, where the system can tell even if its file was replaced
/// since.
fn this_program() -> Result<PathBuf> {
    let linux = PathBuf::from("/proc/self/exe");
    if linux.exists() {
        return Ok(linux);
    }
    std::env::current_exe().map_err(|e| Error::new(format!("cannot find this program: {e}")))
}
