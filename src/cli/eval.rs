//! `vanc eval RUN_OR_CHECKPOINT`: how well a network does, class by class.

use super::arguments::{self, choice, count, path, word};
use super::command::{Command, Run};
use super::output::{Failure, print};
use super::trained::{TARGET, Trained};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{self, Format, Split, Wanted, Which};
use crate::paint::{self, Paint, Tone};
use crate::table::{self, Cell, Column, Table};
use crate::text::{counted, decimal, percent};
use crate::train::confusion::{Confusion, Scores};
use crate::train::device::{self, use_threads};
use crate::train::evaluate::evaluate;
use crate::train::progress::Progress;
use crate::train::run_progress::Sums;
use clap::ArgMatches;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Classes up to which the whole confusion matrix is printed.
const MATRIX: usize = 20;
/// Mistakes that are printed instead where there are more.
const MISTAKES: usize = 20;
/// Columns that a class name has on the narrowest terminal.
const NAME: usize = 12;
/// Classes above which it is told how often the right one is among the first five.
const TOP_FIVE: usize = 10;

pub(super) const COMMAND: Command = Command {
    name: "eval",
    about: "Test a trained network: loss, accuracy, confusion matrix",
    flags: &[
        (None, flags::EVAL),
        (None, flags::MACHINE),
        (None, flags::FORMAT),
    ],
    run: Run::Other(&[TARGET], run_command),
};

fn run_command(matches: &ArgMatches) -> Result<(), Failure> {
    let target = path(matches, "RUN").unwrap_or(Path::new("."));
    let training = arguments::options(target, &[], matches)?;
    use_threads(training.threads)?;
    let report = run(&Options {
        target: target.to_owned(),
        which: choice(matches, "checkpoint", Which::parse)?,
        data: word(matches, "data").map(str::to_owned),
        data_dir: training.data_dir,
        batch: count(matches, "batch"),
        split: choice(matches, "split", Split::parse)?,
        memory: training.memory,
        on: training.on,
    })?;
    let color = std::io::stdout().is_terminal() && console::colors_enabled();
    print(&match choice(matches, "format", Format::parse)? {
        Format::Text => report.to_text(color, paint::width()),
        Format::Json => format!("{:#}\n", report.to_json()),
    })
}

/// Options of an evaluation: its target, its data and its device.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A run folder or a checkpoint file.
    pub target: PathBuf,
    /// `--checkpoint`: which one of a run folder.
    pub which: Which,
    /// `--data`: other data than the network was trained on.
    pub data: Option<String>,
    /// `--data-dir`; by default where the training found it.
    pub data_dir: Option<PathBuf>,
    /// `--batch`: images at a time; by default the training's.
    pub batch: Option<usize>,
    /// `--split`.
    pub split: Split,
    /// `--memory`: bytes to use at most; by default what there are.
    pub memory: Option<u64>,
    /// Engine and device that run the network.
    pub on: Wanted,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Report {
    /// The checkpoint used.
    pub path: PathBuf,
    /// Name of the model.
    pub model: String,
    /// Steps it was trained for.
    pub step: u64,
    /// The data it was evaluated on.
    pub data: String,
    /// Difference between this data and that of the training, if there is one.
    pub warning: Option<String>,
    /// Files of the data that were passed over or are missing, if there are any.
    pub left_out: Option<String>,
    /// Split of the data that was evaluated.
    pub split: Split,
    /// Class names.
    pub classes: Vec<String>,
    /// Sums over the images.
    pub sums: Sums,
    /// Confusion matrix: which class was taken for which.
    pub confusion: Confusion,
}

/// Evaluates a checkpoint.
///
/// # Errors
/// Where the checkpoint or its data cannot be read, do not fit each other, or the device cannot
/// run the network.
pub fn run(options: &Options) -> Result<Report> {
    let trained = Trained::read(&options.target, options.which, options.data.as_deref())?;
    let mut progress = Progress::new(false);
    let loader = progress.loader(trained.model.train.data.kind.keyword());
    let other = options.data.is_some();
    let (dataset, warning) =
        trained.dataset(options.data_dir.as_deref(), other, options.split, &loader)?;
    let choice = device::choose(options.on)?;
    let warning = match (warning, choice.note) {
        (Some(warning), Some(note)) => Some(format!("{warning}; {note}")),
        (warning, note) => warning.or(note),
    };
    let batch = options.batch.unwrap_or(trained.model.train.batch);
    let images = batch.min(dataset.test.len());
    let mut engine = trained.engine(&choice.runner, images, options.memory)?;
    let mut confusion = Confusion::default();
    let mut done = 0;
    let sums = evaluate(engine.as_mut(), &dataset, batch, &mut |predictions| {
        done += predictions.len();
        progress.evaluating(done, dataset.test.len());
        predictions.iter().for_each(|p| confusion.add(p));
        ControlFlow::Continue(())
    })?;
    progress.clear();
    let sums = sums.unwrap_or_default();
    if !sums.loss.is_finite() {
        return Err(Error::new(format!(
            "{}: the loss of the {} is {}",
            trained.path.shown(),
            counted(sums.images, "image"),
            sums.mean_loss()
        ))
        .help("its weights are finite, but the network's outputs are not: it has diverged"));
    }
    Ok(Report {
        path: trained.path,
        model: trained.model.name,
        step: trained.checkpoint.meta.progress.step,
        data: dataset.name,
        warning,
        left_out: dataset.left_out,
        split: options.split,
        classes: dataset.classes,
        sums,
        confusion,
    })
}

impl Report {
    /// Writes the report for programs.
    pub fn to_json(&self) -> Value {
        let n = self.classes.len();
        let (images, scores) = (self.confusion.images(n), self.confusion.scores(n));
        let classes = self.classes.iter().zip(images).zip(&scores);
        let classes = classes.map(|((name, images), scores)| {
            json!({
                "name": name,
                "images": images,
                "accuracy": scores.recall,
                "precision": scores.precision,
                "recall": scores.recall,
                "f1": scores.f1,
            })
        });
        let mut report = json!({
            "checkpoint": self.path,
            "model": self.model,
            "step": self.step,
            "data": self.data,
            "warning": self.warning,
            "left_out": self.left_out,
            "split": self.split,
            "images": self.sums.images,
            "loss": self.sums.mean_loss(),
            "accuracy": self.sums.accuracy(),
            "top_5": self.confusion.top_five().filter(|_| n > TOP_FIVE),
            "mean": Scores::mean(&scores),
            "classes": classes.collect::<Vec<_>>(),
        });
        // [label][class] where that is of a size to be read, else the pairs that occur.
        if n <= MATRIX {
            let row = |label| {
                (0..n)
                    .map(|class| self.confusion.count(label, class))
                    .collect()
            };
            report["confusion"] = json!((0..n).map(row).collect::<Vec<Vec<u64>>>());
        }
        let mistakes = self.confusion.mistakes();
        report["mistakes"] = mistakes
            .iter()
            .map(|m| {
                json!({
                    "label": self.classes.get(m.label),
                    "predicted": self.classes.get(m.class),
                    "images": m.images,
                })
            })
            .collect();
        report
    }

    /// Writes the report for people, at a terminal of `room` columns if there is one.
    pub fn to_text(&self, color: bool, room: Option<usize>) -> String {
        let paint = Paint(color);
        let split = match self.split {
            Split::Train => "training image",
            Split::Test => "test image",
        };
        let mut facts = vec![
            (
                "checkpoint",
                format!("{}, of step {}", self.path.shown(), self.step),
            ),
            (
                "data",
                format!("{}, {}", self.data, counted(self.sums.images, split)),
            ),
        ];
        facts.extend(self.left_out.clone().map(|line| ("left out", line)));
        facts.extend([
            ("loss", decimal(self.sums.mean_loss())),
            ("accuracy", paint.good(&percent(self.sums.accuracy()))),
        ]);
        if self.classes.len() > TOP_FIVE {
            let five = self
                .confusion
                .top_five()
                .map(|share| ("top 5", percent(share)));
            facts.extend(five);
        }
        let mut text = format!("\n  {}\n\n", paint.bold(&self.model));
        text.push_str(&table::facts(facts, 2, paint, room));
        if let Some(warning) = &self.warning {
            let warning = format!("warning: {warning}");
            text.push_str(&format!("\n{}\n", table::indented(&warning, 2, room)));
        }
        text.push('\n');
        text.push_str(&format!("{}\n", self.scores().text(paint, room)));
        let matrix = (self.classes.len() <= MATRIX).then(|| self.matrix());
        match matrix {
            Some(matrix) if matrix.layout(room).note().is_none() => {
                let words = "A row for the images of each class, a column for each class that \
                             they were taken for:";
                text.push_str(&format!("{}\n\n", table::indented(words, 2, room)));
                text.push_str(&matrix.text(paint, room));
            }
            wide => {
                text.push_str(&self.mistakes(paint, room));
                if wide.is_some() {
                    let words = "The confusion matrix is too wide for this terminal. A pipe gets \
                                 it, and so does --format json.";
                    let words = table::indented(words, 2, room);
                    text.push_str(&format!("\n{}\n", paint.dim(&words)));
                }
            }
        }
        text
    }

    /// Makes the table with a row a class: how many of its images were taken for each. Of its
    /// columns none is of use without the others.
    fn matrix(&self) -> Table {
        let n = self.classes.len();
        let mut columns = vec![Column::numbers(""), Column::words("class").at_least(NAME)];
        columns.extend((0..n).map(|class| Column::numbers(class.to_string()).rank(1)));
        let mut table = Table::new(columns);
        table.indent = 2;
        for (label, name) in self.classes.iter().enumerate() {
            let counts = (0..n).map(|class| {
                let images = self.confusion.count(label, class);
                match (class == label, images) {
                    (true, 0) => Cell::new("·", Tone::Good),
                    (true, _) => Cell::new(images.to_string(), Tone::Good),
                    (false, 0) => Cell::new("·", Tone::Dim),
                    (false, _) => images.to_string().into(),
                }
            });
            let first = [label.to_string(), name.clone()];
            table.row(first.map(Cell::from).into_iter().chain(counts));
        }
        table
    }

    /// Makes the table with a row a class: its scores and its images; and of the mean of several.
    fn scores(&self) -> Table {
        let mut table = Table::new(vec![
            Column::numbers("").rank(1),
            Column::words("class").at_least(NAME),
            Column::numbers("precision"),
            Column::numbers("recall"),
            Column::numbers("F1"),
            Column::numbers("images").rank(2),
        ]);
        table.indent = 2;
        let n = self.classes.len();
        let (images, scores) = (self.confusion.images(n), self.confusion.scores(n));
        let cells = |scores: &Scores| {
            let shares = [scores.precision, scores.recall, scores.f1];
            shares.map(|share| share.map_or("–".into(), percent))
        };
        let rows = self.classes.iter().zip(&images).zip(&scores).enumerate();
        for (label, ((name, images), scores)) in rows {
            let [precision, recall, f1] = cells(scores);
            let first = [label.to_string(), name.clone()];
            table.row(
                first
                    .into_iter()
                    .chain([precision, recall, f1, images.to_string()]),
            );
        }
        if n > 1 {
            let [precision, recall, f1] = cells(&Scores::mean(&scores));
            let sum = images.iter().sum::<u64>().to_string();
            table.row([String::new(), "mean".into(), precision, recall, f1, sum]);
        }
        table
    }

    /// Lists the pairs of classes that were mistaken most often, and says how many more there are.
    fn mistakes(&self, paint: Paint, room: Option<usize>) -> String {
        let mistakes = self.confusion.mistakes();
        if mistakes.is_empty() {
            return "  No image was taken for another class.\n".into();
        }
        let name = |class: usize| self.classes.get(class).map_or("?", String::as_str);
        let mut table = Table::new(vec![
            Column::numbers("images"),
            Column::words("of class").at_least(NAME),
            Column::words("taken for").at_least(NAME),
        ]);
        table.indent = 2;
        for m in mistakes.iter().take(MISTAKES) {
            table.row([m.images.to_string().as_str(), name(m.label), name(m.class)]);
        }
        let mut text = table.text(paint, room);
        let more = mistakes.len().saturating_sub(MISTAKES);
        if more > 0 {
            let words = format!(
                "{} not shown; --format json has them all.",
                counted(more, "rarer pair")
            );
            let words = table::indented(&words, 2, room);
            text.push_str(&format!("{}\n", paint.dim(&words)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::evaluate::Prediction;
    use unicode_width::UnicodeWidthStr;

    /// A report over `n` classes, of whose images every third is mistaken.
    fn report(n: usize) -> Report {
        let mut confusion = Confusion::default();
        let mut sums = Sums::default();
        for image in 0..n * 50 {
            let (label, class) = (image % n, (image + image % 3 / 2 * (image / n % n)) % n);
            let loss = 0.0;
            let rank = usize::from(label != class);
            confusion.add(&Prediction {
                label,
                class,
                rank,
                loss,
            });
            sums.images += 1;
            sums.correct += u64::from(label == class);
        }
        let name = |i| format!("a class with a rather long name that ends in {i}");
        Report {
            left_out: None,
            path: "runs/net/checkpoints/last.safetensors".into(),
            model: "net".into(),
            step: 63,
            data: "folder".into(),
            warning: Some("its images are others than those that it was trained on".into()),
            split: Split::Test,
            classes: (0..n).map(name).collect(),
            sums,
            confusion,
        }
    }

    #[test]
    fn classes_fit_the_terminal() {
        let text = |n, room| report(n).to_text(false, room);
        insta::assert_snapshot!("classes_of_ten_80", text(10, Some(80)));
        insta::assert_snapshot!("classes_of_ten_60", text(10, Some(60)));
        insta::assert_snapshot!("classes_of_thirty_60", text(30, Some(60)));
        for n in [0, 1, 2, 10, 20, 21, 150] {
            for room in [60, 80, 120] {
                for line in text(n, Some(room)).lines() {
                    assert!(line.width() <= room, "{room}: {line}");
                }
            }
            for room in [0, 1, 20] {
                text(n, Some(room));
            }
        }
        assert!(text(20, None).contains("a class with a rather long name that ends in 19"));
        assert!(!text(20, None).contains("too wide"));
    }
}
