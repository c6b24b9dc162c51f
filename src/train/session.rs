//! The loop: steps, evaluations, log lines and checkpoints, from wherever a run is.

use super::checkpoint::{Checkpoint, Meta};
use super::confusion::{Confusion, Record};
use super::evaluate::{Prediction, evaluate};
use super::guessing;
use super::metrics::{Line, Metrics, SkipLine, Split, mean_over};
use super::prefetch::prefetch;
use super::progress::{Progress, StepReport};
use super::run_folder::{self, RunFolder};
use super::run_progress::{RunProgress, Sums, Tested};
use super::tensorboard::{self, Events, Preface};
use crate::data::{Dataset, Epoch, Sampler};
use crate::engines::{Engine, Images, MOST_QUEUED, Order, Outcome, Resident, StepContext};
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::stop::Stop;
use crate::tensor::Batch;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds of steps that an engine which makes its batches is given at once.
const MOMENT: f64 = 0.2;

/// Work of a training session.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The images.
    pub dataset: &'a Dataset,
    /// Order and augmentation of the images.
    pub sampler: &'a Sampler,
    /// Learning rate of a step, counted from 0.
    pub rate: &'a dyn Fn(u64) -> f64,
    /// Passes over the training split.
    pub epochs: u64,
    /// Steps after which the run ends, if its epochs have not before.
    pub max_steps: Option<u64>,
    /// Steps between lines of the log, beside one an epoch.
    pub log_every: Option<u64>,
    /// Wall time between checkpoints, beside one an epoch.
    pub save_every: Duration,
    /// Whether the log is written for TensorBoard too.
    pub tensorboard: bool,
    /// Beginning of that log.
    pub preface: &'a Preface<'a>,
}

/// End of a run, as planned or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that was asked for is done.
    Finished,
    /// A signal, by its number, stopped it; the checkpoint is at its last step.
    Stopped(i32),
}

/// A run under way.
pub struct Session<'a> {
    task: Task<'a>,
    engine: &'a mut dyn Engine,
    /// Whether it keeps the training images, and makes the batches.
    is_resident: bool,
    dir: &'a Path,
    metrics: Metrics,
    events: Option<Events>,
    meta: Meta,
    stop: &'a Stop,
    progress: &'a mut Progress,
    /// Lines at the ends of epochs and of the run, those of earlier sessions included.
    history: Vec<Line>,
    /// Steps in an epoch.
    epoch_steps: u64,
    /// Step that the last checkpoint was written at.
    saved: u64,
    saved_at: Instant,
    ticked_at: Instant,
}

impl<'a> Session<'a> {
    /// Takes up a run in `folder` at `meta`'s progress, which `engine` already has.
    /// At step 0 the first checkpoint is written.
    ///
    /// # Errors
    /// Where `meta` is not at a step of its epoch, the log or a checkpoint cannot be written, or
    /// the engine fails.
    pub fn new(
        task: Task<'a>,
        engine: &'a mut dyn Engine,
        folder: &'a RunFolder,
        meta: Meta,
        stop: &'a Stop,
        progress: &'a mut Progress,
    ) -> Result<Self> {
        let dir = folder.dir();
        let epoch_steps = task.sampler.steps(task.dataset.train.len()) as u64;
        let done = &meta.progress;
        let in_epoch = done
            .step
            .checked_sub(done.epoch.saturating_mul(epoch_steps));
        if epoch_steps == 0 || in_epoch.is_none_or(|steps| steps > epoch_steps) {
            return Err(Error::new(format!(
                "{}: step {} is not in epoch {} of {epoch_steps} steps",
                run_folder::last(dir).shown(),
                done.step,
                done.epoch + 1
            )));
        }
        let (metrics, kept) = Metrics::open(&run_folder::metrics(dir), done.logged)?;
        let lines = kept.lines;
        if let Some(note) = kept.note {
            progress.note(&note);
        }
        if lines.last().map(|line| line.step) != done.logged {
            progress.note("metrics.jsonl has lost lines from before the checkpoint");
        }
        // Once begun, it goes on with the run.
        let goes_on = done.step > 0 && tensorboard::path(dir).exists();
        let events = match task.tensorboard || goes_on {
            true => Some(Events::open(dir, task.preface, &lines)?),
            false => Events::remove(dir).map(|()| None)?,
        };
        let now = Instant::now();
        let is_resident = match engine.resident() {
            Some(mut resident) => resident.make_resident(&Images {
                shape: task.dataset.shape,
                pixels: &task.dataset.train.pixels,
                labels: &task.dataset.train.labels,
                mean: &task.dataset.mean,
                deviation: &task.dataset.std,
                batch: task.sampler.batch,
                augment: &task.sampler.augment,
            })?,
            None => false,
        };
        let mut session = Session {
            task,
            is_resident,
            engine,
            dir,
            metrics,
            events,
            stop,
            progress,
            history: lines.into_iter().filter(ends_an_epoch).collect(),
            epoch_steps,
            saved: meta.progress.step,
            saved_at: now,
            ticked_at: now,
            meta,
        };
        if session.meta.progress.step == 0 {
            let skips = session.skips()?;
            session.meta.progress.first_residual = mean_over(&skips, |s| s.alpha_residual);
            session.save(false)?;
        }
        Ok(session)
    }

    /// Runs to the end, or until it is stopped.
    ///
    /// # Errors
    /// Where the loss is not finite, the engine fails, or the log or a checkpoint cannot be
    /// written.
    pub fn run(&mut self) -> Result<Ending> {
        while !self.is_done() {
            if let Some(signal) = self.stop.requested() {
                self.save(false)?;
                return Ok(Ending::Stopped(signal));
            }
            if self.awaits_evaluation() {
                self.evaluate()?;
            } else {
                self.train_epoch()?;
            }
        }
        if let Some(events) = &mut self.events
            && let Some(record) = run_folder::read_confusion(self.dir)
        {
            events.finish(&record, self.meta.progress.seconds)?;
        }
        Ok(Ending::Finished)
    }

    /// Returns how far the run has come, and the lines at the ends of epochs and of the run,
    /// those of earlier sessions included.
    pub fn into_results(self) -> (RunProgress, Vec<Line>) {
        (self.meta.progress, self.history)
    }

    /// Returns the step that the run ends at.
    fn target(&self) -> u64 {
        let all = self.task.epochs.saturating_mul(self.epoch_steps);
        all.min(self.task.max_steps.unwrap_or(u64::MAX))
    }

    /// Counts the steps of the epoch under way that are done.
    fn in_epoch(&self) -> u64 {
        self.meta.progress.step - self.meta.progress.epoch * self.epoch_steps
    }

    fn is_tested(&self) -> bool {
        let done = &self.meta.progress;
        done.tested.is_some_and(|t| t.step == done.step)
    }

    fn is_done(&self) -> bool {
        self.meta.progress.step >= self.target() && self.is_tested()
    }

    fn awaits_evaluation(&self) -> bool {
        let last_of_run = self.meta.progress.step >= self.target() && !self.is_tested();
        last_of_run || self.in_epoch() == self.epoch_steps
    }

    /// Trains for the steps that are left of the epoch, or of the run.
    fn train_epoch(&mut self) -> Result<()> {
        let Task {
            dataset, sampler, ..
        } = self.task;
        let RunProgress { epoch, step, .. } = self.meta.progress;
        let start = epoch * self.epoch_steps;
        let end = (start + self.epoch_steps).min(self.target());
        let indices = (step - start) as usize..(end - start) as usize;
        let epoch = sampler.epoch(dataset.train.len(), epoch);
        let indices = self.train_resident(&epoch, indices)?;
        if indices.is_empty() || self.stop.requested().is_some() {
            return Ok(());
        }
        let make = |index| epoch.batch(dataset, index);
        prefetch(indices, make, |batches| {
            let mut begun = Instant::now();
            for batch in batches {
                self.step(&batch, begun)?;
                if self.stop.requested().is_some() {
                    break;
                }
                begun = Instant::now();
            }
            Ok(())
        })
    }

    /// Returns the engine, if it keeps the training images.
    fn resident(&mut self) -> Option<Box<dyn Resident + '_>> {
        match self.is_resident {
            true => self.engine.resident(),
            false => None,
        }
    }

    /// Trains for the steps whose batches the engine makes: it is given as many as take a moment,
    /// then asked for what they found. Returns the indices of those that are left.
    fn train_resident(&mut self, epoch: &Epoch, mut indices: Range<usize>) -> Result<Range<usize>> {
        let dataset = self.task.dataset;
        let Some(mut resident) = self.resident() else {
            return Ok(indices);
        };
        resident.begin_epoch(&Order {
            images: epoch.order().iter().map(|&image| image as u32).collect(),
            changes: epoch.changes(),
        })?;
        drop(resident);
        let mut wanted = 1;
        while !indices.is_empty() && self.stop.requested().is_none() {
            let begun = Instant::now();
            // A line of the log is of the state after its step.
            let to_line = self.task.log_every.map_or(usize::MAX, |every| {
                (every - self.meta.progress.step % every) as usize
            });
            let count = indices.len().min(wanted).min(to_line).min(MOST_QUEUED);
            let first = self.meta.progress.step;
            let contexts: Vec<StepContext> = (first..first + count as u64)
                .map(|step| self.context(step))
                .collect();
            let Some(mut resident) = self.resident() else {
                break;
            };
            for (index, at) in indices.clone().zip(&contexts) {
                resident.queue(index, *at)?;
            }
            let outcomes = resident.outcomes()?;
            drop(resident);
            let mut last = 0.0;
            for (&at, outcome) in contexts.iter().zip(outcomes) {
                let index = indices.start;
                let images = epoch.images(index);
                if !outcome.loss.is_finite() {
                    let batch = epoch.batch(dataset, index);
                    return Err(self.diverged(&batch, at, outcome.loss));
                }
                self.add(outcome, images);
                indices.start += 1;
                last = at.rate;
            }
            let seconds = begun.elapsed().as_secs_f64();
            self.meta.progress.step_seconds += seconds;
            let each = seconds / count as f64;
            wanted = (MOMENT / each.max(1e-9)).clamp(1.0, MOST_QUEUED as f64) as usize;
            self.after_steps(last)?;
        }
        Ok(indices)
    }

    fn context(&self, step: u64) -> StepContext {
        StepContext {
            rate: (self.task.rate)(step),
            seed: self.meta.seed,
            step,
        }
    }

    /// Counts a step over so many images.
    fn add(&mut self, outcome: Outcome, images: usize) {
        let done = &mut self.meta.progress;
        done.step += 1;
        done.epoch_sums.add(outcome, images);
        done.window.add(outcome, images);
    }

    /// Trains on `batch`, which was waited for since `begun`.
    fn step(&mut self, batch: &Batch, begun: Instant) -> Result<()> {
        let context = self.context(self.meta.progress.step);
        let outcome = self.engine.step(batch, context)?;
        if !outcome.loss.is_finite() {
            return Err(self.diverged(batch, context, outcome.loss));
        }
        self.add(outcome, batch.len());
        self.meta.progress.step_seconds += begun.elapsed().as_secs_f64();
        self.after_steps(context.rate)
    }

    /// Does what is due after a step, or after several, the last at η = `rate`.
    fn after_steps(&mut self, rate: f64) -> Result<()> {
        let step = self.meta.progress.step;
        if self.in_epoch() == self.epoch_steps {
            self.engine.end_epoch(rate)?;
        }
        self.report_step()?;
        if self.awaits_evaluation() {
            return Ok(()); // which writes the line and the checkpoint
        }
        let every = self.task.log_every;
        if every.is_some_and(|every| step.is_multiple_of(every)) {
            let skips = self.skips()?;
            let line = self.train_line(&skips);
            self.append(&line)?;
            self.progress.line(&line, self.task.epochs);
            self.meta.progress.window = Sums::default();
        }
        if self.saved_at.elapsed() >= self.task.save_every {
            self.save(false)?;
        }
        Ok(())
    }

    fn report_step(&mut self) -> Result<()> {
        if !self.progress.wants_step() {
            return Ok(());
        }
        let skips = self.skips()?;
        let done = &self.meta.progress;
        self.progress.step(&StepReport {
            epoch: done.epoch + 1,
            epochs: self.task.epochs,
            step: self.in_epoch(),
            steps: self.epoch_steps,
            left: self.target().saturating_sub(done.step),
            sums: done.epoch_sums,
            residual: mean_over(&skips, |s| s.alpha_residual),
            steps_per_second: done.step as f64 / done.step_seconds,
        });
        Ok(())
    }

    /// Ends an epoch or the run: tests, logs, saves. When it is stopped nothing has changed.
    fn evaluate(&mut self) -> Result<()> {
        let (stop, progress) = (self.stop, &mut *self.progress);
        let mut done = 0;
        let mut confusion = Confusion::default();
        let total = self.task.dataset.test.len();
        let mut after = |predictions: &[Prediction]| {
            done += predictions.len();
            predictions.iter().for_each(|p| confusion.add(p));
            progress.evaluating(done, total);
            match stop.requested() {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        };
        let batch = self.task.sampler.batch;
        let Some(sums) = evaluate(self.engine, self.task.dataset, batch, &mut after)? else {
            return Ok(());
        };
        if !sums.loss.is_finite() {
            let what = format!("the test loss is {}", sums.mean_loss());
            return Err(self.bad(what));
        }
        let better = self.note_test(sums);
        self.log_evaluation(sums, better)?;
        let classes = &self.task.dataset.classes;
        let record = Record::new(self.meta.progress.step, classes, &confusion);
        run_folder::write_confusion(self.dir, &record)?;
        let epoch_ended = self.in_epoch() == self.epoch_steps;
        let done = &mut self.meta.progress;
        done.window = Sums::default();
        if epoch_ended {
            let remark = guessing::remark(done, self.task.epochs, classes.len());
            remark.iter().for_each(|text| self.progress.note(text));
            done.epoch += 1;
            done.epoch_sums = Sums::default();
        }
        self.save(better)
    }

    /// Whether this is the best evaluation so far.
    fn note_test(&mut self, sums: Sums) -> bool {
        let done = &mut self.meta.progress;
        let tested = Tested {
            step: done.step,
            epoch: done.epoch_of_step(self.epoch_steps),
            sums,
        };
        done.tested = Some(tested);
        let better = done
            .best
            .is_none_or(|best| sums.correct > best.sums.correct);
        if better {
            done.best = Some(tested);
        }
        better
    }

    fn log_evaluation(&mut self, test: Sums, better: bool) -> Result<()> {
        let skips = self.skips()?;
        let train = (!self.meta.progress.window.is_empty()).then(|| {
            let sums = self.meta.progress.epoch_sums;
            Line {
                epoch_loss: Some(sums.mean_loss()),
                epoch_accuracy: Some(sums.accuracy()),
                skips: (!skips.is_empty()).then(|| skips.clone()),
                ..self.train_line(&skips)
            }
        });
        let test = self.line(Split::Test, test, &skips);
        if let Some(train) = &train {
            self.append(train)?;
        }
        self.append(&test)?;
        self.progress
            .epoch(train.as_ref(), &test, self.task.epochs, better);
        self.history.extend(train);
        self.history.push(test);
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<()> {
        self.metrics.append(line)?;
        if let Some(events) = &mut self.events {
            events.append(line)?;
        }
        self.meta.progress.logged = Some(line.step);
        Ok(())
    }

    fn train_line(&mut self, skips: &[SkipLine]) -> Line {
        self.line(Split::Train, self.meta.progress.window, skips)
    }

    fn line(&mut self, split: Split, sums: Sums, skips: &[SkipLine]) -> Line {
        self.tick();
        let done = &self.meta.progress;
        Line {
            split,
            step: done.step,
            epoch: done.epoch_of_step(self.epoch_steps),
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(),
            rate: (self.task.rate)(done.step.saturating_sub(1)),
            alpha_residual: mean_over(skips, |s| s.alpha_residual),
            lambda_mean: mean_over(skips, |s| s.lambda_mean),
            seconds: done.seconds,
            epoch_loss: None,
            epoch_accuracy: None,
            skips: None,
        }
    }

    fn skips(&self) -> Result<Vec<SkipLine>> {
        Ok(self.engine.skips()?.iter().map(SkipLine::new).collect())
    }

    /// Brings the seconds up to now.
    fn tick(&mut self) {
        let now = Instant::now();
        self.meta.progress.seconds += (now - self.ticked_at).as_secs_f64();
        self.ticked_at = now;
    }

    /// Writes the last checkpoint, and before it, if `better`, the best one. Weights
    /// that are not finite are never written.
    fn save(&mut self, better: bool) -> Result<()> {
        self.tick();
        let tensors = self.engine.save()?;
        let bad = tensors
            .iter()
            .find(|tensor| !tensor.data.iter().all(|x| x.is_finite()));
        if let Some(tensor) = bad {
            let what = format!("{} is not finite", tensor.name);
            return Err(self.bad(what));
        }
        let checkpoint = Checkpoint {
            meta: self.meta.clone(),
            tensors,
        };
        let files = checkpoint.to_files()?;
        self.metrics.sync()?;
        if better {
            files.write(&run_folder::best(self.dir))?;
        }
        files.write(&run_folder::last(self.dir))?;
        self.saved = self.meta.progress.step;
        self.saved_at = Instant::now();
        Ok(())
    }

    /// Makes the error of a step whose loss is not finite.
    fn diverged(&mut self, batch: &Batch, at: StepContext, loss: f64) -> Error {
        let whose = match self.engine.first_non_finite(batch, at) {
            Ok(Some(path)) => format!("; the first layer whose output is not finite is {path}"),
            Ok(None) => "; every layer's output is finite, the loss itself overflows".into(),
            Err(e) => format!("; which layer went bad could not be found: {}", e.message),
        };
        let epoch = self.meta.progress.epoch + 1;
        let mut error = self.bad(format!("the loss is {loss}"));
        error.message = format!(
            "the loss is {loss} in step {} (epoch {epoch}){whose}",
            at.step + 1
        );
        error
    }

    /// Makes an error of numbers that are not finite, with the way back.
    fn bad(&self, what: String) -> Error {
        let step = self.meta.progress.step;
        let rate = (self.task.rate)(step.saturating_sub(1));
        let last = run_folder::last(self.dir);
        Error::new(format!("{what} after step {step}")).help(format!(
            "the last good checkpoint, {}, is of step {}; \
             train again with a lower --rate (here it was {rate}), \
             or go on from that checkpoint's weights with a lower one: --weights {} --rate …",
            last.shown(),
            self.saved,
            crate::text::quote(&last.display().to_string()),
        ))
    }
}

/// Whether a line is one that [`Session::history`] keeps.
fn ends_an_epoch(line: &Line) -> bool {
    line.split == Split::Test || line.epoch_loss.is_some()
}
