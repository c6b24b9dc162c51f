//! Progress of a sweep, as a person sees it: a live table on a terminal, a line a run in a pipe,
//! nothing with `--quiet`.

use super::grid::{Grid, Run};
use super::outcome::Outcome;
use crate::files;
use crate::paint::Paint;
use crate::text::{decimal, duration, percent};
use crate::train::metrics::Line;
use crate::train::run_folder;
use console::{Term, measure_text_width};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two looks at the logs of the runs.
const REDRAW: Duration = Duration::from_millis(250);

/// Time between two looks in a pipe, where each adds lines.
const RELOG: Duration = Duration::from_secs(60);

/// Runs under way that a look in a pipe names.
const NAMED: usize = 4;

/// Bytes at the end of a log in which its last line, a test's, is.
const TAIL: u64 = 4096;

/// Display of a sweep's progress.
pub struct Progress {
    mode: Mode,
    /// The names of the axes and `seed`, and the width of the column of each.
    columns: Vec<(String, usize)>,
    /// Runs that have ended, of so many.
    count: usize,
    total: usize,
    failed: usize,
    begun: Instant,
    drawn: Option<Instant>,
    /// Runs that were said to be another process's.
    said: HashSet<String>,
}

enum Mode {
    Quiet,
    Plain(Box<dyn Write>),
    Terminal {
        bars: MultiProgress,
        all: ProgressBar,
    },
}

/// A run's row in the live table.
pub struct Tag {
    bar: Option<ProgressBar>,
    /// The run in words.
    label: String,
    epochs: u64,
    metrics: PathBuf,
}

impl Tag {
    /// Draws the run's row.
    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        match last_line(&self.metrics) {
            Some(line) => {
                bar.set_position(line.epoch);
                bar.set_message(now(&line));
            }
            None => bar.tick(),
        }
    }
}

impl Progress {
    /// Makes a display on standard output: a table if that is a terminal, else lines; or nothing.
    pub fn new(quiet: bool) -> Self {
        let mode = if quiet {
            Mode::Quiet
        } else if Term::stdout().is_term() {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
            let all = bars.add(ProgressBar::new(0));
            Mode::Terminal { bars, all }
        } else {
            Mode::Plain(Box::new(std::io::stdout()))
        };
        Progress {
            mode,
            columns: Vec::new(),
            count: 0,
            total: 0,
            failed: 0,
            begun: Instant::now(),
            drawn: None,
            said: HashSet::new(),
        }
    }

    fn paint(&self) -> Paint {
        match self.mode {
            Mode::Terminal { .. } => Paint(console::colors_enabled()),
            Mode::Plain(_) | Mode::Quiet => Paint(false),
        }
    }

    /// Prints lines that stay. That nobody reads them is no reason to stop.
    pub fn note(&mut self, text: &str) {
        match &mut self.mode {
            Mode::Quiet => {}
            Mode::Plain(writer) => {
                let _ = writeln!(writer, "{text}").and_then(|()| writer.flush());
            }
            Mode::Terminal { bars, .. } => bars.suspend(|| {
                let _ = writeln!(std::io::stdout(), "{text}");
            }),
        }
    }

    /// Shows what the sweep is about: a title, named facts, and the runs to do.
    pub fn heading(&mut self, title: &str, facts: &[(&str, String)], grid: &Grid, runs: &[&Run]) {
        let paint = self.paint();
        self.total = runs.len();
        let names = grid
            .axes
            .iter()
            .map(|axis| axis.name.as_str())
            .chain(["seed"]);
        let wide = |column: usize, name: &str| {
            let cells = runs.iter().filter_map(|run| cells(run).nth(column));
            let widths = cells.map(|cell| measure_text_width(&cell));
            widths.fold(measure_text_width(name), usize::max)
        };
        let names = names.enumerate();
        self.columns = names
            .map(|(i, name)| (name.to_string(), wide(i, name)))
            .collect();
        let mut text = format!("\n  {}\n\n", paint.bold(title));
        for (name, fact) in facts {
            text.push_str(&format!("  {}{fact}\n", paint.dim(&format!("{name:<8}"))));
        }
        self.note(&text);
        if let (Mode::Terminal { all, .. }, true) = (&self.mode, self.total > 0) {
            all.set_style(style(
                "\n  {bar:24.green/black.bright} {pos}/{len} runs  {msg}",
            ));
            all.set_length(self.total as u64);
            let names = self.columns.iter().map(|(name, _)| name.clone());
            let head = format!(
                "{}{:>8}{:>11}{:>11}{:>12}{:>14}",
                self.padded(names),
                "epochs",
                "test acc.",
                "best",
                "α residual",
                "time"
            );
            self.row(&paint.dim(&head));
        }
    }

    /// Pads the cells of a row in the columns of the axes.
    fn padded(&self, cells: impl Iterator<Item = String>) -> String {
        let cells = cells.zip(&self.columns).map(|(cell, (_, width))| {
            let padding = width.saturating_sub(measure_text_width(&cell));
            format!("  {cell}{}", " ".repeat(padding))
        });
        cells.collect()
    }

    /// Writes a run as `depth=5 policy=plain seed=0`.
    fn label(&self, run: &Run) -> String {
        let pairs = self.columns.iter().zip(cells(run));
        let pairs: Vec<String> = pairs
            .map(|((name, _), cell)| format!("{name}={cell}"))
            .collect();
        pairs.join(" ")
    }

    /// Prints a row of the table, as much as there is room for.
    fn row(&mut self, row: &str) {
        let width = usize::from(Term::stdout().size().1);
        self.note(&console::truncate_str(row, width, "…"));
    }

    /// Shows that a run begins, in the folder `dir`.
    pub fn begun(&mut self, run: &Run, dir: &Path, epochs: u64) -> Tag {
        let bar = match &self.mode {
            Mode::Terminal { bars, all } => {
                let bar = bars.insert_before(all, ProgressBar::new(epochs.max(1)));
                bar.set_style(style(
                    "{prefix}  {bar:16.cyan/black.bright} {pos}/{len}  {wide_msg}",
                ));
                bar.set_prefix(self.padded(cells(run)));
                Some(bar)
            }
            Mode::Plain(_) | Mode::Quiet => None,
        };
        Tag {
            bar,
            label: self.label(run),
            epochs,
            metrics: run_folder::metrics(dir),
        }
    }

    /// Looks at the runs under way now and then, and draws them.
    pub fn tick<'a>(&mut self, tags: impl Iterator<Item = &'a Tag>) {
        let pause = match self.mode {
            Mode::Quiet => return,
            Mode::Plain(_) => RELOG,
            Mode::Terminal { .. } => REDRAW,
        };
        if self.drawn.get_or_insert_with(Instant::now).elapsed() < pause {
            return;
        }
        self.drawn = Some(Instant::now());
        match &self.mode {
            Mode::Quiet => {}
            Mode::Plain(_) => self.log(tags),
            Mode::Terminal { all, .. } => {
                tags.for_each(Tag::draw);
                all.set_message(self.rest());
            }
        }
    }

    /// Prints how far some of the runs under way have come.
    fn log<'a>(&mut self, tags: impl Iterator<Item = &'a Tag>) {
        let tags: Vec<&Tag> = tags.collect();
        for tag in tags.iter().take(NAMED) {
            let state = match last_line(&tag.metrics) {
                Some(line) => format!("epoch {} of {}  {}", line.epoch, tag.epochs, now(&line)),
                None => "in its first epoch".into(),
            };
            self.note(&format!("  {}: {state}", tag.label));
        }
        if tags.len() > NAMED {
            self.note(&format!("  and {} more under way", tags.len() - NAMED));
        }
    }

    /// Writes the failures and the time that is left.
    fn rest(&self) -> String {
        let failed = (self.failed > 0).then(|| {
            let failed = format!("{} failed", self.failed);
            format!("{}  ", self.paint().bad(&failed))
        });
        let left = (self.count > 0).then(|| {
            let each = self.begun.elapsed().as_secs_f64() / self.count as f64;
            let left = self.total.saturating_sub(self.count) as f64;
            format!("about {} left", duration(each * left))
        });
        failed.unwrap_or_default() + &left.unwrap_or_default()
    }

    /// Shows that another process has a run.
    pub fn taken(&mut self, run: &Run) {
        if self.said.insert(run.name.clone()) {
            let label = self.label(run);
            self.note(&format!(
                "  {label}: another process is at it; waiting for that"
            ));
        }
    }

    /// Shows that a run's process is no more.
    pub fn left(&mut self, tag: Tag) {
        if let (Mode::Terminal { bars, .. }, Some(bar)) = (&self.mode, tag.bar) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
    }

    /// Shows that a run has ended; without an outcome, it was stopped.
    pub fn ended(&mut self, run: &Run, outcome: Option<&Outcome>) {
        self.count += usize::from(outcome.is_some());
        self.failed += usize::from(matches!(outcome, Some(Outcome::Failed { .. })));
        match self.mode {
            Mode::Quiet => {}
            Mode::Plain(_) => {
                let what = plain(outcome);
                let line = format!("{}/{} {} {what}", self.count, self.total, self.label(run));
                self.note(&line);
            }
            Mode::Terminal { .. } => {
                let row = self.padded(cells(run)) + &columns(outcome, self.paint());
                self.row(&row);
            }
        }
        if let Mode::Terminal { all, .. } = &self.mode {
            all.set_position(self.count as u64);
            all.set_message(self.rest());
        }
    }

    /// Takes the live part away.
    pub fn clear(&mut self) {
        if let Mode::Terminal { bars, all } = &self.mode {
            all.finish_and_clear();
            let _ = bars.clear();
        }
    }
}

/// Lists a run's cells in the columns of the axes.
fn cells(run: &Run) -> impl Iterator<Item = String> {
    run.values.iter().cloned().chain([run.seed.to_string()])
}

/// Says how a run ended, for a pipe.
fn plain(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => "stopped".into(),
        Some(Outcome::Failed { error }) => format!("failed: {error}"),
        Some(Outcome::Done(n)) => {
            let residual = n.alpha_residual.map(decimal);
            let residual = residual.map(|r| format!(" alpha residual {r}"));
            format!(
                "test accuracy {} best {} in epoch {}{} time {}",
                percent(n.test_accuracy),
                percent(n.best_test_accuracy),
                n.best_epoch,
                residual.unwrap_or_default(),
                duration(n.seconds),
            )
        }
    }
}

/// Fills the columns after those of the axes: how a run ended.
fn columns(outcome: Option<&Outcome>, paint: Paint) -> String {
    match outcome {
        None => format!("  {}", paint.dim("stopped")),
        Some(Outcome::Failed { error }) => format!("  {} {error}", paint.bad("failed")),
        Some(Outcome::Done(n)) => {
            let residual = n.alpha_residual.map(decimal).unwrap_or_default();
            format!(
                "{:>8}{:>11}{:>11}{}{}",
                n.epochs,
                percent(n.test_accuracy),
                percent(n.best_test_accuracy),
                paint.accent(&format!("{residual:>12}")),
                paint.dim(&format!("{:>14}", duration(n.seconds))),
            )
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Says how far a run has come.
fn now(line: &Line) -> String {
    let residual = line.alpha_residual.map(|r| format!("  α {}", decimal(r)));
    format!(
        "acc {}{}  {}",
        percent(line.accuracy),
        residual.unwrap_or_default(),
        duration(line.seconds)
    )
}

/// Reads the last whole line of a log, if it is short.
fn last_line(path: &Path) -> Option<Line> {
    let mut file = files::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let whole = bytes.iter().rposition(|&b| b == b'\n')?;
    let line = bytes[..whole].rsplit(|&b| b == b'\n').next()?;
    serde_json::from_slice(line).ok()
}
