//! What a person sees of a sweep: a live table on a terminal, a line a run in a pipe,
//! nothing with `--quiet`.

use super::outcome::Outcome;
use crate::train::metrics::Line;
use crate::train::progress::text::{Paint, decimal, duration, percent};
use crate::train::run_folder;
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two looks at the logs of the runs.
const REDRAW: Duration = Duration::from_millis(250);

/// Bytes at the end of a log in which its last line, a test's, is.
const TAIL: u64 = 4096;

/// Where it is shown, and how.
pub struct Progress {
    mode: Mode,
    /// Columns of the runs' names.
    width: usize,
    /// Runs that have ended, of so many.
    count: usize,
    total: usize,
    failed: usize,
    begun: Instant,
    drawn: Cell<Option<Instant>>,
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
    metrics: PathBuf,
}

impl Progress {
    /// To standard output: a table if that is a terminal, else lines; or nothing.
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
            width: 0,
            count: 0,
            total: 0,
            failed: 0,
            begun: Instant::now(),
            drawn: Cell::new(None),
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

    /// What the sweep is about: a title, named facts, and the names of the runs to do.
    pub fn heading(&mut self, title: &str, facts: &[(&str, String)], labels: &[&str]) {
        let paint = self.paint();
        self.total = labels.len();
        let widths = labels
            .iter()
            .map(|label| console::measure_text_width(label));
        self.width = widths.max().unwrap_or(0);
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
            let head = format!(
                "  {:<width$}{:>8}{:>11}{:>11}{:>13}{:>14}",
                "run",
                "epochs",
                "test acc.",
                "best",
                "α residual",
                "time",
                width = self.width
            );
            self.note(&paint.dim(&head));
        }
    }

    /// A run begins, in the folder `dir`.
    pub fn begun(&mut self, label: &str, dir: &Path, epochs: u64) -> Tag {
        let bar = match &self.mode {
            Mode::Terminal { bars, all } => {
                let bar = bars.insert_before(all, ProgressBar::new(epochs.max(1)));
                bar.set_style(style(&format!(
                    "  {{prefix:{}}} {{bar:24.cyan/black.bright}} {{pos}}/{{len}}  {{wide_msg}}",
                    self.width
                )));
                bar.set_prefix(label.to_string());
                Some(bar)
            }
            Mode::Plain(_) | Mode::Quiet => None,
        };
        Tag {
            bar,
            metrics: run_folder::metrics(dir),
        }
    }

    /// Looks at the runs under way, and draws them.
    pub fn tick<'a>(&self, tags: impl Iterator<Item = &'a Tag>) {
        let Mode::Terminal { all, .. } = &self.mode else {
            return;
        };
        if self.drawn.get().is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        for tag in tags {
            let Some(bar) = &tag.bar else { continue };
            match last_line(&tag.metrics) {
                Some(line) => {
                    bar.set_position(line.epoch);
                    bar.set_message(now(&line));
                }
                None => bar.tick(),
            }
        }
        all.set_message(self.rest());
    }

    /// Failures and the time that is left.
    fn rest(&self) -> String {
        let failed = (self.failed > 0).then(|| {
            let style = console::Style::new().red().bold();
            format!("{}  ", style.apply_to(format!("{} failed", self.failed)))
        });
        let left = (self.count > 0).then(|| {
            let each = self.begun.elapsed().as_secs_f64() / self.count as f64;
            let left = self.total.saturating_sub(self.count) as f64;
            format!("about {} left", duration(each * left))
        });
        failed.unwrap_or_default() + &left.unwrap_or_default()
    }

    /// Another process has a run.
    pub fn taken(&mut self, label: &str) {
        if self.said.insert(label.to_string()) {
            self.note(&format!(
                "  {label}: another process is at it; waiting for that"
            ));
        }
    }

    /// A run's process is no more.
    pub fn left(&mut self, tag: Tag) {
        if let (Mode::Terminal { bars, .. }, Some(bar)) = (&self.mode, tag.bar) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
    }

    /// A run has ended; without an outcome, it was stopped.
    pub fn ended(&mut self, label: &str, outcome: Option<&Outcome>) {
        if outcome.is_some() {
            self.count += 1;
        }
        if let Some(Outcome::Failed { .. }) = outcome {
            self.failed += 1;
        }
        let row = match self.mode {
            Mode::Quiet => return,
            Mode::Plain(_) => self.plain(label, outcome),
            Mode::Terminal { .. } => self.row(label, outcome),
        };
        self.note(&row);
        if let Mode::Terminal { all, .. } = &self.mode {
            all.set_position(self.count as u64);
            all.set_message(self.rest());
        }
    }

    fn plain(&self, label: &str, outcome: Option<&Outcome>) -> String {
        let what = match outcome {
            None => "stopped".into(),
            Some(Outcome::Failed { error }) => format!("failed: {error}"),
            Some(Outcome::Done(n)) => format!(
                "test accuracy {} best {} in epoch {}{} time {}",
                percent(n.test_accuracy),
                percent(n.best_test_accuracy),
                n.best_epoch,
                n.alpha_residual
                    .map(|r| format!(" alpha residual {}", decimal(r)))
                    .unwrap_or_default(),
                duration(n.seconds),
            ),
        };
        format!("{}/{} {label} {what}", self.count, self.total)
    }

    fn row(&self, label: &str, outcome: Option<&Outcome>) -> String {
        let paint = self.paint();
        let padding = self
            .width
            .saturating_sub(console::measure_text_width(label));
        let label = format!("  {label}{}", " ".repeat(padding));
        match outcome {
            None => format!("{label}  {}", paint.dim("stopped")),
            Some(Outcome::Failed { error }) => {
                let red = console::Style::new().red().bold().force_styling(paint.0);
                format!("{label}  {} {error}", red.apply_to("failed"))
            }
            Some(Outcome::Done(n)) => format!(
                "{label}{:>8}{:>11}{:>11}{}{}",
                n.epochs,
                percent(n.test_accuracy),
                percent(n.best_test_accuracy),
                paint.accent(&format!(
                    "{:>13}",
                    n.alpha_residual.map(decimal).unwrap_or_default()
                )),
                paint.dim(&format!("{:>14}", duration(n.seconds))),
            ),
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Where a run is.
fn now(line: &Line) -> String {
    let residual = line.alpha_residual.map(|r| format!("  α {}", decimal(r)));
    format!(
        "acc {}{}  {}",
        percent(line.accuracy),
        residual.unwrap_or_default(),
        duration(line.seconds)
    )
}

/// The last whole line of a log, if it is short.
fn last_line(path: &Path) -> Option<Line> {
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let whole = bytes.iter().rposition(|&b| b == b'\n')?;
    let line = bytes[..whole].rsplit(|&b| b == b'\n').next()?;
    serde_json::from_slice(line).ok()
}
