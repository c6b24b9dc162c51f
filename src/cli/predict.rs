//! `vanc predict RUN INPUT…`: the most probable classes of images.

mod form;
mod images;
mod rank;
mod sink;

use super::arguments::{self, choice, count, path, word};
use super::command::{Command, Operand, OperandKind, Run};
use super::output::{FAILED, Failure, complain, fail, stopped};
use super::trained::{TARGET, Trained};
use crate::engines::Engine;
use crate::error::{Error, Result};
use crate::flags::{self, PredictionFormat, Resize, Split, Which};
use crate::stop::Stop;
use crate::train::device::{self, use_threads};
use crate::train::prefetch::prefetch;
use clap::ArgMatches;
use form::Form;
use images::Images;
use rank::rank;
use sink::Sink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Answer to the first signal.
const STOPPING: &str = "\nending; once more to leave at once\n";

pub(super) const COMMAND: Command = Command {
    name: "predict",
    about: "Classify image files by a trained network",
    flags: &[(None, flags::PREDICT), (None, flags::MACHINE)],
    run: Run::Other(&[TARGET, INPUT], run),
};

const INPUT: Operand = Operand {
    name: "INPUT",
    help: "Image files (PNG, JPEG), and folders in which and below which they are",
    kind: OperandKind::AnyPaths,
};

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let target = path(matches, "RUN").unwrap_or(Path::new("."));
    let options = arguments::options(target, &[], matches)?;
    let inputs = matches.get_many::<PathBuf>("INPUT").into_iter().flatten();
    let inputs: Vec<PathBuf> = inputs.cloned().collect();
    let split = word(matches, "split").map(Split::parse).transpose()?;
    let data = word(matches, "data");
    let of_dataset = split.is_some() || data.is_some() || options.data_dir.is_some();
    let resize = word(matches, "resize").map(Resize::parse).transpose()?;
    check_source(&inputs, of_dataset, resize)?;
    let batch = count(matches, "batch");
    if batch == Some(0) {
        return Err(Error::new("--batch 0: there must be at least one image").into());
    }
    use_threads(options.threads)?;
    let sink = Sink::new(path(matches, "out"))?;
    let which = choice(matches, "checkpoint", Which::parse)?;
    let trained = Trained::read(target, which, data)?;
    let top = top(matches, trained.model.output.elements())?;
    let device = device::choose(options.on)?;
    note(device.note.as_deref());
    let images = match of_dataset {
        true => {
            let dir = options.data_dir.as_deref();
            let split = split.unwrap_or(Split::Test);
            let (images, warning) = Images::load(&trained, dir, data.is_some(), split)?;
            note(warning.as_deref());
            images
        }
        false => Images::find(&inputs, &trained, resize)?,
    };
    let batch = batch.unwrap_or(trained.model.train.batch);
    let batch = batch.min(images.len()).max(1);
    let format = choice(matches, "format", PredictionFormat::parse)?;
    let mut work = Work {
        form: Form::new(format, &images, &trained, top, sink.width()),
        sink,
        stop: Stop::default(),
        top,
        failed: 0,
        advice: Vec::new(),
    };
    work.tell(&images);
    if images.len() == 0 {
        work.sink.discard();
        return work.refuse("nothing was predicted".into());
    }
    let mut engine = trained.engine(&device.runner, batch, options.memory)?;
    work.stop.on_signals(STOPPING)?;
    work.sink.begin(images.len());
    work.sink.write(&work.form.head())?;
    work.predict(&images, engine.as_mut(), batch)?;
    work.end()
}

/// Refuses a command line that names no images, or images of two kinds.
fn check_source(inputs: &[PathBuf], of_dataset: bool, resize: Option<Resize>) -> Result<()> {
    let give = "give image files or folders, or --split test for the run's dataset";
    match (inputs.is_empty(), of_dataset, resize) {
        (true, false, _) => Err(Error::new("there is nothing to predict").help(give)),
        (false, true, _) => Err(
            Error::new("files are predicted or a dataset, but both are named")
                .help("leave out the files, or --data, --data-dir and --split"),
        ),
        (true, true, Some(_)) => Err(Error::new(
            "--resize fits image files, and a dataset is predicted",
        )
        .help("leave it out, or give the image files")),
        _ => Ok(()),
    }
}

/// Reads `--top`, for a network of so many classes.
fn top(matches: &ArgMatches, classes: usize) -> Result<usize> {
    let top = count(matches, "top").unwrap_or(1);
    match top {
        0 => Err(Error::new("--top 0: there must be at least one class")),
        top if top > classes => Err(Error::new(format!(
            "--top {top}: the network has {classes} classes"
        ))
        .help(format!("give --top {classes} for all of them"))),
        top => Ok(top),
    }
}

fn note(text: Option<&str>) {
    if let Some(text) = text {
        complain(&format!("note: {text}\n"));
    }
}

/// Predictions under way.
struct Work<'a> {
    form: Form<'a>,
    sink: Sink,
    stop: Stop,
    top: usize,
    /// Images and inputs that could not be predicted.
    failed: usize,
    /// Advice for them, each once.
    advice: Vec<String>,
}

impl Work<'_> {
    /// Tells what was found beside the images.
    fn tell(&mut self, images: &Images) {
        if let Images::Files { found, .. } = images {
            let left_out = found.left_out.as_ref();
            note(
                left_out
                    .map(|line| format!("passed over: {line}"))
                    .as_deref(),
            );
            if found.repeated > 0 {
                let words = match found.repeated {
                    1 => "1 file is named more than once, and predicted once".into(),
                    n => format!("{n} files are named more than once, and predicted once"),
                };
                note(Some(&words));
            }
            found.failures.iter().for_each(|error| self.fail(error));
        }
    }

    /// Predicts all images, or until a signal or the end of whom they are written to.
    fn predict(
        &mut self,
        images: &Images,
        engine: &mut dyn Engine,
        batch: usize,
    ) -> Result<(), Failure> {
        let starts = (0..images.len()).step_by(batch);
        prefetch(
            starts,
            |start| images.batch(start, batch),
            |batches| {
                for batch in batches {
                    if let Some(signal) = self.stop.requested() {
                        self.sink.clear();
                        return Err(Failure::Said(stopped(signal)));
                    }
                    let size = batch.names.len() + batch.failures.len();
                    self.batch(&batch, engine)?;
                    self.sink.advance(size);
                    if self.sink.is_closed() {
                        break;
                    }
                }
                Ok(())
            },
        )
    }

    fn batch(&mut self, batch: &images::Named, engine: &mut dyn Engine) -> Result<()> {
        batch.failures.iter().for_each(|error| self.fail(error));
        if batch.names.is_empty() {
            return Ok(());
        }
        let logits = engine.logits(&batch.batch)?;
        let classes = logits.len() / batch.names.len();
        let mut text = String::new();
        for (name, row) in batch.names.iter().zip(logits.chunks_exact(classes.max(1))) {
            match rank(row, self.top) {
                Some(ranks) => ranks
                    .iter()
                    .zip(1..)
                    .for_each(|(&(class, probability), at)| {
                        text.push_str(&self.form.row(name, at, class, probability));
                    }),
                None => self.fail(
                    &Error::new(format!("{name}: the network's numbers overflow"))
                        .help("its weights are those of a training that diverged"),
                ),
            }
        }
        self.sink.write(&text)
    }

    /// Tells in a line of an image that cannot be predicted.
    fn fail(&mut self, error: &Error) {
        self.failed += 1;
        let red = console::Style::new().red().bold().for_stderr();
        // Some errors have a line a part.
        let message = error.message.replace('\n', " ");
        let line = format!("{} {message}\n", red.apply_to("error:"));
        self.sink.beside(|| complain(&line));
        let advice = error.help.as_ref();
        self.advice
            .extend(advice.filter(|help| !self.advice.contains(help)).cloned());
    }

    /// Ends the list. Where some images are not in it, the command has failed.
    fn end(mut self) -> Result<(), Failure> {
        self.sink.clear();
        self.sink.write(&self.form.foot())?;
        let message = match self.failed {
            0 => return Ok(self.sink.finish()?),
            1 => "1 input was not predicted".into(),
            n => format!("{n} inputs were not predicted"),
        };
        self.refuse(message)
    }

    /// Ends with a failure, and the advice for all that was told.
    fn refuse(self, message: String) -> Result<(), Failure> {
        let help = (!self.advice.is_empty()).then(|| self.advice.join("\n        "));
        self.sink.finish()?;
        fail(&Error { message, help }, FAILED);
        Err(Failure::Said(ExitCode::from(FAILED)))
    }
}
