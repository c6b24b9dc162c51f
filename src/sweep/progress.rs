//! Progress of a sweep, as a person sees it: a live table on a terminal, a line a run in a pipe,
//! nothing with `--quiet`.

use super::grid::{Grid, Run};
use super::outcome::{Numbers, Outcome};
use crate::files;
use crate::paint::{self, Paint, Tone};
use crate::table::{self, Column, Layout};
use crate::text::{decimal, duration, four_decimals, percent};
use crate::train::metrics::Line;
use crate::train::progress::fitted;
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
    /// The names of the axes and `seed`.
    names: Vec<String>,
    /// The table of runs, and the columns of the terminal that it was laid out for.
    layout: Layout,
    room: Option<usize>,
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
    /// Draws the run's row on a terminal of `room` columns.
    fn draw(&self, room: Option<usize>) {
        let Some(bar) = &self.bar else { return };
        match last_line(&self.metrics) {
            Some(line) => {
                bar.set_position(line.epoch);
                show(bar, &now(&line), room);
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
            names: Vec::new(),
            layout: Layout::new(Vec::new(), &[], 2, None),
            room: None,
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
        let axes = grid.axes.iter().map(|axis| axis.name.clone());
        self.names = axes.chain(["seed".to_string()]).collect();
        self.room = match self.mode {
            Mode::Terminal { .. } => paint::width(),
            Mode::Plain(_) | Mode::Quiet => None,
        };
        self.layout = layout(&self.names, runs, self.room);
        let facts = facts.iter().map(|(name, fact)| (name, fact.clone()));
        let facts = table::facts(facts, 2, paint, self.room);
        self.note(&format!("\n  {}\n\n{facts}", paint.bold(title)));
        if let (Mode::Terminal { all, .. }, true) = (&self.mode, self.total > 0) {
            all.set_style(style(
                "\n  {bar:24.green/black.bright} {pos}/{len} runs  {msg}",
            ));
            all.set_length(self.total as u64);
            let head = self.layout.head(paint);
            self.note(&head);
        }
    }

    /// Writes the cells of a run in the columns of the axes, and blanks up to the next.
    fn padded(&self, run: &Run) -> String {
        let widths = (0..self.names.len()).filter_map(|i| self.layout.width_of(i));
        let width = widths.fold(0, |all, width| all + 2 + width);
        let cells = self.layout.row(cells(run), Paint(false));
        let padding = width.saturating_sub(measure_text_width(&cells));
        cells + &" ".repeat(padding)
    }

    /// Writes a run as `depth=5 policy=plain seed=0`.
    fn label(&self, run: &Run) -> String {
        let pairs = self.names.iter().zip(cells(run));
        let pairs: Vec<String> = pairs.map(|(name, cell)| format!("{name}={cell}")).collect();
        pairs.join(" ")
    }

    /// Shows that a run begins, in the folder `dir`.
    pub fn begun(&mut self, run: &Run, dir: &Path, epochs: u64) -> Tag {
        let bar = match &self.mode {
            Mode::Terminal { bars, all } => {
                let bar = bars.insert_before(all, ProgressBar::new(epochs.max(1)));
                bar.set_prefix(self.padded(run));
                show(&bar, &[], self.room);
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
                tags.for_each(|tag| tag.draw(self.room));
                all.set_message(self.rest());
            }
        }
    }

    /// Prints how far some of the runs under way have come.
    fn log<'a>(&mut self, tags: impl Iterator<Item = &'a Tag>) {
        let tags: Vec<&Tag> = tags.collect();
        for tag in tags.iter().take(NAMED) {
            let state = match last_line(&tag.metrics) {
                Some(line) => format!(
                    "epoch {} of {}  {}",
                    line.epoch,
                    tag.epochs,
                    now(&line).join("  ")
                ),
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
                let row = self.row(run, outcome);
                self.note(&row);
            }
        }
        if let Mode::Terminal { all, .. } = &self.mode {
            all.set_position(self.count as u64);
            all.set_message(self.rest());
        }
    }

    /// Writes the row of a run that has ended. An error goes on over the columns of numbers, as
    /// far as there is room; its log has all of it.
    fn row(&self, run: &Run, outcome: Option<&Outcome>) -> String {
        let paint = self.paint();
        let words = match outcome {
            None => paint.dim("stopped"),
            Some(Outcome::Failed { error }) => format!("{} {error}", paint.bad("failed")),
            Some(Outcome::Done(n)) => {
                let axes = cells(run).map(table::Cell::from);
                return self.layout.row(axes.chain(numbers(n)), paint);
            }
        };
        let row = format!("{}  {words}", self.padded(run));
        console::truncate_str(&row, self.room.unwrap_or(usize::MAX), "…").into()
    }

    /// Takes the live part away, and says what the table leaves out.
    pub fn clear(&mut self) {
        let Mode::Terminal { bars, all } = &self.mode else {
            return;
        };
        all.finish_and_clear();
        let _ = bars.clear();
        if let (true, Some(note)) = (self.total > 0, self.layout.note()) {
            let note = self.paint().dim(&note);
            self.note(&note);
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

/// Lays out the table of `runs`: the axes `names`, then how each run ended. An axis on which all
/// are alike may be left out.
fn layout(names: &[String], runs: &[&Run], room: Option<usize>) -> Layout {
    let axes = names.iter().enumerate().map(|(i, name)| {
        let values = || runs.iter().filter_map(|run| cells(run).nth(i));
        let width = values().map(|cell| measure_text_width(&cell)).max();
        let alike = values().all(|value| Some(value) == values().next());
        let column = Column::words(name.as_str()).at_least(16);
        (column.rank(if alike { 5 } else { 0 }), width.unwrap_or(0))
    });
    let numbers = [
        (Column::numbers("epochs").rank(4), 6),
        (Column::numbers("test acc."), 8),
        (Column::numbers("best acc.").rank(1), 8),
        (Column::numbers("α residual").rank(2), 8),
        (Column::numbers("run time").rank(3), 11),
    ];
    let (columns, widths): (Vec<Column>, Vec<usize>) = axes.chain(numbers).unzip();
    Layout::new(columns, &widths, 2, room)
}

/// Lists the cells of a run that is done, after those of the axes.
fn numbers(n: &Numbers) -> [table::Cell; 5] {
    let residual = n.alpha_residual.map(four_decimals).unwrap_or_default();
    [
        n.epochs.to_string().into(),
        percent(n.test_accuracy).into(),
        percent(n.best_test_accuracy).into(),
        table::Cell::new(residual, Tone::Accent),
        table::Cell::new(duration(n.seconds), Tone::Dim),
    ]
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Fits a run's bar and what is said beside it into a terminal of `room` columns.
fn show(bar: &ProgressBar, parts: &[String], room: Option<usize>) {
    let epochs = bar.length().unwrap_or(0).to_string().len();
    let used = measure_text_width(&bar.prefix()) + 2 * epochs + 6;
    let (width, message) = fitted(parts, room.unwrap_or(usize::MAX).saturating_sub(used));
    bar.set_style(style(&format!(
        "{{prefix}}  {{bar:{width}.cyan/black.bright}} {{pos}}/{{len}}  {{wide_msg}}"
    )));
    bar.set_message(message);
}

/// Lists how far a run has come, the most important first.
fn now(line: &Line) -> Vec<String> {
    let mut parts = vec![format!("acc {}", percent(line.accuracy))];
    let residual = line.alpha_residual.map(|r| format!("α {}", decimal(r)));
    parts.extend(residual);
    parts.push(duration(line.seconds));
    parts
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

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> Vec<Run> {
        let policies = [
            "plain",
            "variable(lambda: 0, alpha: 0.5)",
            "variable(lambda: 0, alpha: 1)",
        ];
        let run = |(policy, seed): (&str, u64)| Run {
            values: vec!["30".into(), policy.into()],
            seed,
            name: format!("policy={policy},seed={seed}"),
        };
        let pairs = policies
            .iter()
            .flat_map(|policy| [(*policy, 0), (*policy, 1)]);
        pairs.map(run).collect()
    }

    fn table(room: Option<usize>) -> String {
        let runs = runs();
        let refs: Vec<&Run> = runs.iter().collect();
        let mut progress = Progress::new(true);
        progress.names = ["depth", "policy", "seed"].map(String::from).into();
        progress.layout = layout(&progress.names, &refs, room);
        progress.room = room;
        let mut lines = vec![progress.layout.head(Paint(false))];
        for (i, run) in runs.iter().enumerate() {
            let error = "the loss is NaN in step 7 (epoch 1); the first layer is skip0".into();
            let outcome = match i {
                0 => None,
                1 => Some(Outcome::Failed { error }),
                _ => Some(Outcome::Done(Numbers {
                    epochs: 100,
                    test_accuracy: 0.9731,
                    best_test_accuracy: 1.0,
                    alpha_residual: Some(1e-7),
                    seconds: 4000.0,
                    ..Numbers::default()
                })),
            };
            lines.push(progress.row(run, outcome.as_ref()));
        }
        lines.extend(progress.layout.note());
        lines.join("\n")
    }

    #[test]
    fn runs_fit_the_terminal() {
        insta::assert_snapshot!("runs_120", table(Some(120)));
        insta::assert_snapshot!("runs_80", table(Some(80)));
        insta::assert_snapshot!("runs_60", table(Some(60)));
        for room in 0..130 {
            for line in table(Some(room)).lines() {
                assert!(measure_text_width(line) <= room.max(12), "{room}: {line}");
            }
        }
    }
}
