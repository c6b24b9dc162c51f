//! Progress of a run, as a person sees it: a bar and a table on a terminal, plain lines in a
//! pipe, nothing with `--quiet`.

mod lines;
mod summary;

pub use summary::Summary;

use super::metrics::Line;
use super::run_progress::Sums;
use crate::error::{Error, Result};
use crate::paint::{self, Paint};
use crate::table::{self, Layout};
use crate::text;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Time between two looks at the network for the bar.
const REDRAW: Duration = Duration::from_millis(200);

/// Time between two lines in a pipe while an epoch or a test takes long, so that a log shows life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Columns of a bar on a wide terminal, and on one where numbers need the room.
const BARS: [usize; 2] = [24, 10];

/// Display of a run's progress.
pub struct Progress {
    mode: Mode,
    /// The table of epochs, and the width of the terminal that it was laid out for.
    table: Option<(Layout, Option<usize>)>,
    /// Time between two looks at the network.
    pause: Duration,
    drawn: Option<Instant>,
    /// The first failure to write a line.
    unwritten: Option<std::io::Error>,
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
        let (pause, drawn) = match mode {
            Mode::Quiet | Mode::Terminal(_) => (REDRAW, None),
            Mode::Plain(_) => (SIGN_OF_LIFE, Some(Instant::now())),
        };
        Progress {
            mode,
            table: None,
            pause,
            drawn,
            unwritten: None,
            start: None,
        }
    }

    fn paint(&self) -> Paint {
        match self.mode {
            Mode::Terminal(_) => Paint(console::colors_enabled()),
            Mode::Plain(_) | Mode::Quiet => Paint(false),
        }
    }

    /// Returns the columns of the terminal, if there is one.
    fn room(&self) -> Option<usize> {
        match self.mode {
            Mode::Terminal(_) => paint::width(),
            Mode::Plain(_) | Mode::Quiet => None,
        }
    }

    /// Says whether all lines were written. A reader that has seen enough, such as `head`, is no
    /// failure.
    ///
    /// # Errors
    /// Where one was not.
    pub fn written(&mut self) -> Result<()> {
        match self.unwritten.take() {
            Some(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::new(format!("cannot write to standard output: {e}"))
                    .help("the run itself is complete in its folder"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Prints a line that stays. That nobody reads it is no reason to stop training.
    fn print(&mut self, text: &str) {
        match &mut self.mode {
            Mode::Quiet => {}
            Mode::Plain(writer) => {
                let written = writeln!(writer, "{text}").and_then(|()| writer.flush());
                self.unwritten = self.unwritten.take().or(written.err());
            }
            Mode::Terminal(bar) => bar.suspend(|| {
                let _ = writeln!(std::io::stdout(), "{text}");
            }),
        }
    }

    /// Prints what a run is about: a title and named facts.
    pub fn heading(&mut self, title: &str, facts: &[(&str, String)]) {
        let paint = self.paint();
        let facts = facts.iter().map(|(name, fact)| (name, fact.clone()));
        let facts = table::facts(facts, 2, paint, self.room());
        self.print(&format!("\n  {}\n\n{facts}", paint.bold(title)));
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
                counts(bar, done as u64, total as u64);
                if done >= total {
                    bar.suspend(|| {});
                }
            }
        }
    }

    /// Whether [`Progress::step`] would show anything now.
    pub fn wants_step(&self) -> bool {
        match self.mode {
            Mode::Terminal(_) | Mode::Plain(_) => {
                self.drawn.is_none_or(|at| at.elapsed() >= self.pause)
            }
            Mode::Quiet => false,
        }
    }

    /// Redraws the bar; in a pipe, writes a line.
    pub fn step(&mut self, report: &StepReport) {
        self.drawn = Some(Instant::now());
        let (left, since) = *self.start.get_or_insert((report.left, Instant::now()));
        let epoch = format!("{}/{}", report.epoch, report.epochs);
        let parts = parts(report, left, since.elapsed());
        match &self.mode {
            Mode::Quiet => {}
            Mode::Plain(_) => {
                let StepReport { step, steps, .. } = report;
                let line = parts.join(" ");
                self.print(&format!("epoch {epoch} at {step} of {steps} steps {line}"));
            }
            Mode::Terminal(bar) => {
                let room = self.room().unwrap_or(usize::MAX);
                let place = epoch.len() + 2 * report.steps.to_string().len();
                let (width, message) = fitted(&parts, room.saturating_sub(place + 8));
                bar.set_style(style(&format!(
                    "  {{prefix}} {{bar:{width}.green/black.bright}} {{pos}}/{{len}}  {{wide_msg}}"
                )));
                counts(bar, report.step, report.steps);
                bar.set_prefix(epoch);
                bar.set_message(message);
            }
        }
    }

    /// Shows how far an evaluation is.
    pub fn evaluating(&mut self, done: usize, total: usize) {
        let text = format!("testing {}", text::percent(done as f64 / total as f64));
        match &self.mode {
            Mode::Quiet => {}
            Mode::Plain(_) if !self.wants_step() => {}
            Mode::Plain(_) => {
                self.drawn = Some(Instant::now());
                self.print(&text);
            }
            Mode::Terminal(bar) => bar.set_message(text),
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
            Mode::Plain(_) => {
                self.print(&lines::plain_epoch(train, test, epochs));
                self.drawn = Some(Instant::now());
            }
            Mode::Terminal(_) => {
                self.drawn = None;
                let cells = lines::row(train, test, epochs, better);
                let layout = self.layout(test.alpha_residual.is_some(), epochs);
                self.print(&layout.row(cells, paint));
            }
        }
    }

    /// Returns the layout of the table of epochs. Under a terminal that has another width than
    /// before, the head is written again.
    fn layout(&mut self, skips: bool, epochs: u64) -> Layout {
        let room = self.room();
        match &self.table {
            Some((layout, same)) if *same == room => layout.clone(),
            Some(_) | None => {
                let layout = lines::layout(skips, epochs, room);
                self.print(&layout.head(self.paint()));
                self.table = Some((layout.clone(), room));
                layout
            }
        }
    }

    /// Shows the table at the end.
    pub fn summary(&mut self, summary: &Summary) {
        self.clear();
        let lines = summary.lines(self.paint(), self.room());
        self.print(&lines.join("\n"));
    }

    /// Takes the bar away, and explains the table of epochs if there is one.
    pub fn clear(&mut self) {
        if let Mode::Terminal(bar) = &self.mode {
            bar.finish_and_clear();
        }
        if let Some((layout, room)) = self.table.take() {
            let star = "★ marks the best test accuracy until then.";
            let lines = [Some(table::indented(star, 2, room)), layout.note()];
            for line in lines.into_iter().flatten() {
                self.print(&self.paint().dim(&line));
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Sets position and length in one drawing, so that none shows the one beside the other's last.
fn counts(bar: &ProgressBar, done: u64, total: u64) {
    bar.update(|state| {
        state.set_len(total);
        state.set_pos(done);
    });
}

/// Lists loss, accuracy, time left, residual and speed, the most important first. `left` steps were
/// left `elapsed` ago.
fn parts(report: &StepReport, left: u64, elapsed: Duration) -> Vec<String> {
    let mut parts = vec![
        format!("loss {}", text::decimal(report.sums.mean_loss())),
        format!("acc {}", text::percent(report.sums.accuracy())),
    ];
    let done = left.saturating_sub(report.left);
    if done > 0 {
        // Evaluations and saving included.
        let seconds = elapsed.as_secs_f64() / done as f64 * report.left as f64;
        parts.push(format!("{} left", text::duration(seconds)));
    }
    if let Some(residual) = report.residual {
        parts.push(format!("α {}", text::decimal(residual)));
    }
    parts.push(format!("{:.1} steps/s", report.steps_per_second));
    parts
}

/// Fits a bar and as many of `parts` as have room beside it into `room`: the width of the bar, and
/// the parts in a line.
pub fn fitted(parts: &[String], room: usize) -> (usize, String) {
    let bar = match room > BARS[0] + parts.iter().map(|p| p.width() + 2).sum::<usize>() {
        true => BARS[0],
        false => BARS[1].min(room).max(1),
    };
    let mut message = String::new();
    for part in parts {
        let gap = if message.is_empty() { "" } else { "  " };
        if bar + message.width() + gap.len() + part.width() > room {
            break;
        }
        message.push_str(gap);
        message.push_str(part);
    }
    (bar, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Writer whose text can be read while it is in use.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("whole").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn report() -> StepReport {
        StepReport {
            epoch: 1,
            epochs: 10,
            step: 40,
            steps: 100,
            left: 960,
            sums: Sums {
                loss: 32.0,
                correct: 48,
                images: 64,
            },
            residual: Some(0.25),
            steps_per_second: 12.5,
        }
    }

    /// Checks that a long epoch and a long test write a line into a pipe each pause, not each step.
    #[test]
    fn a_long_epoch_shows_life_in_a_pipe() {
        let shared = Shared::default();
        let mut progress = Progress::plain(Box::new(shared.clone()));
        assert!(!progress.wants_step(), "only {SIGN_OF_LIFE:?} later");
        progress.evaluating(1, 4);
        progress.pause = Duration::ZERO;
        assert!(progress.wants_step());
        progress.step(&report());
        progress.evaluating(1, 4);
        let text = String::from_utf8(shared.0.lock().expect("whole").clone()).expect("text");
        assert_eq!(
            text,
            "epoch 1/10 at 40 of 100 steps loss 0.5000 acc 75.00 % α 0.2500 12.5 steps/s\n\
             testing 25.00 %\n"
        );
    }

    #[test]
    fn what_is_said_beside_a_bar_has_room() {
        let parts = parts(&report(), 1000, Duration::from_secs(1));
        let words = [
            "loss 0.5000",
            "acc 75.00 %",
            "24.0 s left",
            "α 0.2500",
            "12.5 steps/s",
        ];
        assert_eq!(parts, words);
        for room in 0..200 {
            let (bar, message) = fitted(&parts, room);
            assert!(bar + message.width() <= room.max(1));
        }
        assert_eq!(fitted(&parts, 40), (10, words[..2].join("  ")));
        assert_eq!(fitted(&parts, 100), (24, words.join("  ")));
    }
}
