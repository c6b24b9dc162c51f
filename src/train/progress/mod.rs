//! Progress of a run, as a person sees it: a bar and a table on a terminal, plain lines in a
//! pipe, nothing with `--quiet`.

mod lines;
mod summary;

pub use summary::Summary;

use super::metrics::Line;
use super::run_progress::Sums;
use crate::paint::Paint;
use crate::text;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// Time between two looks at the network for the bar.
const REDRAW: Duration = Duration::from_millis(200);

/// Display of a run's progress.
pub struct Progress {
    mode: Mode,
    /// Whether the head of the table is there.
    headed: bool,
    drawn: Option<Instant>,
    /// Steps left when the bar was first drawn, and when that was.
    start: Option<(u64, Instant)>,
}

enum Mode {
    Quiet,
    Plain(Box<dyn Write>),
    Terminal(ProgressBar),
}

/// The epoch under way, for the bar.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Epoch under way, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Steps of the epoch that are done.
    pub step: u64,
    /// Steps in the epoch.
    pub steps: u64,
    /// Steps left in the run.
    pub left: u64,
    /// Loss and accuracy over the epoch.
    pub sums: Sums,
    /// Mean (1−α)² over variable skips.
    pub residual: Option<f64>,
    /// Steps a second, without evaluations.
    pub steps_per_second: f64,
}

impl Progress {
    /// Makes a display on standard output: a bar if that is a terminal, else lines; or nothing.
    pub fn new(quiet: bool) -> Self {
        if quiet {
            Progress::with(Mode::Quiet)
        } else if Term::stdout().is_term() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            Progress::with(Mode::Terminal(bar))
        } else {
            Progress::plain(Box::new(std::io::stdout()))
        }
    }

    /// Makes a display of plain lines to `writer`.
    pub fn plain(writer: Box<dyn Write>) -> Self {
        Progress::with(Mode::Plain(writer))
    }

    fn with(mode: Mode) -> Self {
        Progress {
            mode,
            headed: false,
            drawn: None,
            start: None,
        }
    }

    fn paint(&self) -> Paint {
        match self.mode {
            Mode::Terminal(_) => Paint(console::colors_enabled()),
            Mode::Plain(_) | Mode::Quiet => Paint(false),
        }
    }

    /// Prints a line that stays. That nobody reads it is no reason to stop training.
    fn print(&mut self, text: &str) {
        match &mut self.mode {
            Mode::Quiet => {}
            Mode::Plain(writer) => {
                let _ = writeln!(writer, "{text}").and_then(|()| writer.flush());
            }
            Mode::Terminal(bar) => bar.suspend(|| {
                let _ = writeln!(std::io::stdout(), "{text}");
            }),
        }
    }

    /// Prints what a run is about: a title and named facts.
    pub fn heading(&mut self, title: &str, facts: &[(&str, String)]) {
        let paint = self.paint();
        self.print(&format!("\n  {}\n", paint.bold(title)));
        for (name, fact) in facts {
            let name = paint.dim(&format!("{name:<10}"));
            self.print(&format!("  {name}{fact}"));
        }
        self.print("");
    }

    /// Prints a remark.
    pub fn note(&mut self, text: &str) {
        self.print(text);
    }

    /// Makes the function that shows how far the loading of `what` has come.
    pub fn loader(&self, what: &'static str) -> impl Fn(usize, usize) + Sync + use<> {
        let bar = match &self.mode {
            Mode::Terminal(bar) => {
                bar.set_style(style(
                    "  {prefix:.dim} {bar:24.cyan/black.bright} {pos}/{len}",
                ));
                bar.set_prefix(what);
                Some(bar.clone())
            }
            Mode::Quiet | Mode::Plain(_) => None,
        };
        move |done, total| {
            if let Some(bar) = &bar {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                if done >= total {
                    bar.suspend(|| {});
                }
            }
        }
    }

    /// Whether [`Progress::step`] would show anything now.
    pub fn wants_step(&self) -> bool {
        match self.mode {
            Mode::Terminal(_) => self.drawn.is_none_or(|at| at.elapsed() >= REDRAW),
            Mode::Quiet | Mode::Plain(_) => false,
        }
    }

    /// Redraws the bar.
    pub fn step(&mut self, report: &StepReport) {
        let Mode::Terminal(bar) = &self.mode else {
            return;
        };
        self.drawn = Some(Instant::now());
        let (left, since) = *self.start.get_or_insert((report.left, Instant::now()));
        bar.set_style(style(
            "  {prefix:>9} {bar:24.green/black.bright} {pos}/{len}  {wide_msg}",
        ));
        bar.set_prefix(format!("{}/{}", report.epoch, report.epochs));
        bar.set_length(report.steps);
        bar.set_position(report.step);
        bar.set_message(message(report, left, since.elapsed()));
    }

    /// Shows how far an evaluation is.
    pub fn evaluating(&mut self, done: usize, total: usize) {
        if let Mode::Terminal(bar) = &self.mode {
            bar.set_message(format!(
                "testing {}",
                text::percent(done as f64 / total as f64)
            ));
        }
    }

    /// Shows a line of the log within an epoch in a pipe, where there is no bar.
    pub fn line(&mut self, line: &Line, epochs: u64) {
        if let Mode::Plain(_) = self.mode {
            self.print(&lines::plain_line(line, epochs));
        }
    }

    /// Shows the end of an epoch or of the run.
    pub fn epoch(&mut self, train: Option<&Line>, test: &Line, epochs: u64, better: bool) {
        let paint = self.paint();
        match self.mode {
            Mode::Quiet => {}
            Mode::Plain(_) => self.print(&lines::plain_epoch(train, test, epochs)),
            Mode::Terminal(_) => {
                if !std::mem::replace(&mut self.headed, true) {
                    self.print(&paint.dim(&lines::head(test.alpha_residual.is_some())));
                }
                self.print(&lines::row(train, test, epochs, better, paint));
            }
        }
        self.drawn = None;
    }

    /// Shows the table at the end.
    pub fn summary(&mut self, summary: &Summary) {
        self.clear();
        let lines = summary.lines(self.paint());
        self.print(&lines.join("\n"));
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Mode::Terminal(bar) = &self.mode {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Writes loss, accuracy, residual, speed and time left. `left` steps were left `elapsed` ago.
fn message(report: &StepReport, left: u64, elapsed: Duration) -> String {
    let mut parts = vec![
        format!("loss {}", text::decimal(report.sums.mean_loss())),
        format!("acc {}", text::percent(report.sums.accuracy())),
    ];
    if let Some(residual) = report.residual {
        parts.push(format!("α {}", text::decimal(residual)));
    }
    parts.push(format!("{:.1} steps/s", report.steps_per_second));
    let done = left.saturating_sub(report.left);
    if done > 0 {
        // Evaluations and saving included.
        let seconds = elapsed.as_secs_f64() / done as f64 * report.left as f64;
        parts.push(format!("{} left", text::duration(seconds)));
    }
    parts.join("  ")
}
