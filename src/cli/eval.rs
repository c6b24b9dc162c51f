//! `vanc eval RUN_OR_CHECKPOINT`: how well a network does, class by class.

use super::arguments::{self, choice, count, path, word};
use super::command::{Command, Operand, OperandKind, Run};
use super::output::{Failure, print};
use crate::check::{self, Override, OverrideTarget};
use crate::data::{self, Dataset, Request};
use crate::diag::{Sources, Style};
use crate::error::{Error, Result};
use crate::flags::{self, Format, Split, Wanted, Which};
use crate::ir::Model;
use crate::paint::Paint;
use crate::plan::Purpose;
use crate::text::{decimal, percent};
use crate::train::checkpoint::Checkpoint;
use crate::train::confusion::Confusion;
use crate::train::device::{self, use_threads};
use crate::train::evaluate::evaluate;
use crate::train::progress::Progress;
use crate::train::run_folder;
use crate::train::run_progress::Sums;
use clap::ArgMatches;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// Classes up to which the whole confusion matrix is printed.
const MATRIX: usize = 20;
/// Mistakes that are printed instead where there are more.
const MISTAKES: usize = 20;
/// Columns that a class name may take.
const NAME: usize = 16;

pub(super) const COMMAND: Command = Command {
    name: "eval",
    about: "Test a trained network: loss, accuracy, confusion matrix",
    flags: &[
        (None, flags::EVAL),
        (None, flags::MACHINE),
        (None, flags::FORMAT),
    ],
    run: Run::Other(Some(TARGET), run_command),
};

const TARGET: Operand = Operand {
    name: "RUN",
    help: "A run folder, or a checkpoint in one",
    kind: OperandKind::Path,
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
        Format::Text => report.to_text(color),
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
    let path = checkpoint(options)?;
    let checkpoint = Checkpoint::read_weights(&path).map_err(|e| or_best(e, options))?;
    let model = model(&checkpoint, options, &path)?;
    let mut progress = Progress::new(false);
    let (dataset, warning) = load_data(&model, &checkpoint, options, &progress)?;
    let choice = device::choose(options.on)?;
    let warning = match (warning, choice.note) {
        (Some(warning), Some(note)) => Some(format!("{warning}; {note}")),
        (warning, note) => warning.or(note),
    };
    let batch = options.batch.unwrap_or(model.train.batch);
    let images = batch.min(dataset.test.len());
    choice
        .runner
        .check_memory(&model, images, Purpose::Evaluation, options.memory)?;
    let mut engine = choice
        .runner
        .build(&model, &checkpoint.tensors_to_run(&model))
        .map_err(|e| within(e, &path))?;
    let mut confusion = Confusion::default();
    let mut done = 0;
    let sums = evaluate(engine.as_mut(), &dataset, batch, &mut |predictions| {
        done += predictions.len();
        progress.evaluating(done, dataset.test.len());
        predictions.iter().for_each(|p| confusion.add(p));
        ControlFlow::Continue(())
    })?;
    progress.clear();
    Ok(Report {
        path,
        model: model.name,
        step: checkpoint.meta.progress.step,
        data: dataset.name,
        warning,
        left_out: dataset.left_out,
        split: options.split,
        classes: dataset.classes,
        sums: sums.unwrap_or_default(),
        confusion,
    })
}

/// Finds the file that is meant.
fn checkpoint(options: &Options) -> Result<PathBuf> {
    let target = &options.target;
    let what = "give the folder of a run of `vanc train`, or a checkpoint file";
    if !target.exists() {
        return Err(Error::new(format!("{} is not there", target.display())).help(what));
    }
    if !target.is_dir() {
        return Ok(target.clone());
    }
    let path = match options.which {
        Which::Last => run_folder::last(target),
        Which::Best => run_folder::best(target),
    };
    if path.exists() {
        return Ok(path);
    }
    Err(Error::new(format!("{} is not there", path.display())).help(
        match run_folder::last(target).exists() {
            true => "the run has not come to the end of an epoch; use --checkpoint last",
            false => what,
        },
    ))
}

/// Adds to the failure of a run's last checkpoint that its best one can be used, if it can.
fn or_best(failure: Error, options: &Options) -> Error {
    let best = run_folder::best(&options.target);
    match options.which {
        Which::Last if Checkpoint::read_weights(&best).is_ok() => {
            failure.help("the best checkpoint is whole; test that with --checkpoint best")
        }
        Which::Last | Which::Best => failure,
    }
}

/// Makes the model that the checkpoint's source and flags make.
fn model(checkpoint: &Checkpoint, options: &Options, path: &Path) -> Result<Model> {
    let mut overrides = Override::list(&checkpoint.meta.overrides);
    if let Some(data) = &options.data {
        overrides.retain(|flag| flag.target != OverrideTarget::Setting || flag.name != "data");
        overrides.push(Override {
            target: OverrideTarget::Setting,
            name: "data".into(),
            value: data.clone(),
        });
    }
    let name = format!("the model in {}", path.display());
    let mut sources = Sources::new(name, checkpoint.meta.source.as_str());
    check::recheck(&mut sources, &overrides, true).map_err(|mistakes| {
        let style = Style {
            color: false,
            width: 100,
        };
        let mistakes = mistakes.iter().map(|m| m.render(&sources, style));
        Error::new(format!(
            "{} holds a model that this vanc does not take:\n{}",
            path.display(),
            mistakes.collect::<String>()
        ))
    })
}

/// Loads the images, standardised as the training's were. The split that is asked for takes the
/// place of the test split. Where they are not the training's, says so.
fn load_data(
    model: &Model,
    checkpoint: &Checkpoint,
    options: &Options,
    progress: &Progress,
) -> Result<(Dataset, Option<String>)> {
    let trained_on = &checkpoint.meta.data;
    let kind = model.train.data.kind;
    let there = match options.data {
        None => trained_on.dir.as_deref(),
        Some(_) => None,
    };
    let request = Request {
        kind,
        dir: options.data_dir.as_deref().or(there),
        input: model.input,
        classes: model.output.elements(),
        trained: true,
    };
    let mut dataset = data::load(&request, &progress.loader(kind.keyword()))?;
    let warning = trained_on.check(&dataset).err().map(|e| e.message);
    dataset.mean.clone_from(&trained_on.mean);
    dataset.std.clone_from(&trained_on.std);
    if options.split == Split::Train {
        std::mem::swap(&mut dataset.train, &mut dataset.test);
    }
    Ok((dataset, warning))
}

fn within(error: Error, path: &Path) -> Error {
    Error {
        message: format!("cannot use {}: {}", path.display(), error.message),
        help: error.help,
    }
}

impl Report {
    /// Writes the report for programs.
    pub fn to_json(&self) -> Value {
        let classes = self.classes.iter().enumerate().map(|(i, name)| {
            json!({
                "name": name,
                "images": self.confusion.images(i),
                "accuracy": self.confusion.accuracy(i),
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
            "classes": classes.collect::<Vec<_>>(),
        });
        let n = self.classes.len();
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

    /// Writes the report for people.
    pub fn to_text(&self, color: bool) -> String {
        let paint = Paint(color);
        let split = match self.split {
            Split::Train => "training",
            Split::Test => "test",
        };
        let mut lines = vec![
            String::new(),
            format!("  {}", paint.bold(&self.model)),
            String::new(),
        ];
        let mut facts = vec![
            (
                "checkpoint",
                format!("{}, of step {}", self.path.display(), self.step),
            ),
            (
                "data",
                format!("{}, {} {split} images", self.data, self.sums.images),
            ),
        ];
        facts.extend(self.left_out.clone().map(|line| ("left out", line)));
        facts.extend([
            ("loss", decimal(self.sums.mean_loss())),
            ("accuracy", paint.good(&percent(self.sums.accuracy()))),
        ]);
        for (name, fact) in facts {
            lines.push(format!("  {}{fact}", paint.dim(&format!("{name:<12}"))));
        }
        if let Some(warning) = &self.warning {
            lines.push(format!("\n  warning: {warning}"));
        }
        lines.push(String::new());
        if self.classes.len() <= MATRIX {
            self.matrix(paint, &mut lines);
        } else {
            self.accuracies(paint, &mut lines);
            self.mistakes(paint, &mut lines);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Writes a row a class: its accuracy, and how many of its images were taken for each.
    fn matrix(&self, paint: Paint, lines: &mut Vec<String>) {
        let names = self.names();
        let width = names.iter().map(|n| n.width()).max().unwrap_or(0).max(5);
        let n = self.classes.len();
        let most = (0..n).map(|i| self.confusion.images(i)).max().unwrap_or(0);
        let column = most.to_string().len().max(n.to_string().len()).max(3) + 1;
        let heads: String = (0..n).map(|i| format!("{i:>column$}")).collect();
        lines.push(paint.dim(&format!(
            "  {:>3} {} {:>9} {heads}   ← taken for",
            "",
            pad("class", width),
            "accuracy"
        )));
        for (label, name) in names.iter().enumerate() {
            let cells = (0..n).map(|class| {
                let images = self.confusion.count(label, class);
                let cell = format!(
                    "{:>column$}",
                    if images == 0 {
                        "·".into()
                    } else {
                        images.to_string()
                    }
                );
                match (class == label, images) {
                    (true, _) => paint.good(&cell),
                    (false, 0) => paint.dim(&cell),
                    (false, _) => cell,
                }
            });
            lines.push(format!(
                "  {label:>3} {} {:>9} {}",
                pad(name, width),
                self.share(label),
                cells.collect::<String>()
            ));
        }
    }

    fn accuracies(&self, paint: Paint, lines: &mut Vec<String>) {
        let names = self.names();
        let width = names.iter().map(|n| n.width()).max().unwrap_or(0).max(5);
        lines.push(paint.dim(&format!(
            "  {:>6} {} {:>9} {:>8}",
            "",
            pad("class", width),
            "accuracy",
            "images"
        )));
        for (label, name) in names.iter().enumerate() {
            lines.push(format!(
                "  {label:>6} {} {:>9} {:>8}",
                pad(name, width),
                self.share(label),
                self.confusion.images(label)
            ));
        }
        lines.push(String::new());
    }

    fn mistakes(&self, paint: Paint, lines: &mut Vec<String>) {
        let names = self.names();
        let name = |class: usize| names.get(class).map_or("?", String::as_str);
        lines.push(paint.dim("  taken for another most often"));
        for m in self.confusion.mistakes().iter().take(MISTAKES) {
            lines.push(format!(
                "  {:>6} {} → {}",
                m.images,
                name(m.label),
                name(m.class)
            ));
        }
    }

    fn share(&self, label: usize) -> String {
        self.confusion.accuracy(label).map_or("–".into(), percent)
    }

    /// Lists the class names, the long ones cut.
    fn names(&self) -> Vec<String> {
        let cut = |name: &String| match name.chars().count() > NAME {
            true => name.chars().take(NAME - 1).chain(['…']).collect(),
            false => name.clone(),
        };
        self.classes.iter().map(cut).collect()
    }
}

/// Pads `text` with blanks up to `width` columns.
fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
