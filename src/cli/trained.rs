//! A trained network that a command takes: a run folder, or a checkpoint in one.

use super::command::{Operand, OperandKind};
use crate::check::{self, Override, OverrideTarget};
use crate::data::{self, Dataset, Request};
use crate::diag::{Sources, Style};
use crate::engines::Engine;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::{Split, Which};
use crate::ir::Model;
use crate::plan::Purpose;
use crate::train::checkpoint::Checkpoint;
use crate::train::device::Runner;
use crate::train::run_folder;
use std::path::{Path, PathBuf};

/// The operand that names a trained network.
pub(super) const TARGET: Operand = Operand {
    name: "RUN",
    help: "A run folder, or a checkpoint in one",
    kind: OperandKind::Path,
};

/// A trained network: its weights, and the model that its source makes.
pub(super) struct Trained {
    /// The checkpoint's file.
    pub path: PathBuf,
    pub checkpoint: Checkpoint,
    pub model: Model,
}

impl Trained {
    /// Reads the checkpoint at `target`, a file or the folder of a run; `data` names another
    /// dataset than the run's.
    pub fn read(target: &Path, which: Which, data: Option<&str>) -> Result<Trained> {
        let path = find(target, which)?;
        let checkpoint = Checkpoint::read_weights(&path).map_err(|e| or_best(e, target, which))?;
        let model = model(&checkpoint, data, &path)?;
        Ok(Trained {
            path,
            checkpoint,
            model,
        })
    }

    /// Loads the images, standardised as the training's were, from `dir` or where the training
    /// found them; `other` ones are not there. The split that is asked for takes the place of
    /// the test split. Where they are not the training's, says so.
    pub fn dataset(
        &self,
        dir: Option<&Path>,
        other: bool,
        split: Split,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(Dataset, Option<String>)> {
        let trained_on = &self.checkpoint.meta.data;
        let there = trained_on.dir.as_deref().filter(|_| !other);
        let request = Request {
            kind: self.model.train.data.kind,
            dir: dir.or(there),
            input: self.model.input,
            classes: self.model.output.elements(),
            trained: Some(&trained_on.classes),
        };
        let mut dataset = data::load(&request, progress)?;
        let warning = trained_on.check(&dataset).err().map(|e| e.message);
        dataset.mean.clone_from(&trained_on.mean);
        dataset.std.clone_from(&trained_on.std);
        if split == Split::Train {
            std::mem::swap(&mut dataset.train, &mut dataset.test);
        }
        Ok((dataset, warning))
    }

    /// Makes the engine that runs the network on batches of `images`, in `memory` bytes at most.
    pub fn engine(
        &self,
        runner: &Runner,
        images: usize,
        memory: Option<u64>,
    ) -> Result<Box<dyn Engine>> {
        let model = &self.model;
        runner.check_memory(model, images, Purpose::Evaluation, memory)?;
        let built = runner.build_to_evaluate(model, &self.checkpoint.tensors_to_run(model));
        built.map_err(|error| Error {
            message: format!("cannot use {}: {}", self.path.shown(), error.message),
            help: error.help,
        })
    }
}

/// Finds the file that is meant.
fn find(target: &Path, which: Which) -> Result<PathBuf> {
    let what = "give the folder of a run of `vanc train`, or a checkpoint file";
    if !target.exists() {
        return Err(Error::new(format!("{} is not there", target.shown())).help(what));
    }
    if !target.is_dir() {
        return Ok(target.to_owned());
    }
    let path = match which {
        Which::Last => run_folder::last(target),
        Which::Best => run_folder::best(target),
    };
    if path.exists() {
        return Ok(path);
    }
    Err(Error::new(format!("{} is not there", path.shown())).help(
        match run_folder::last(target).exists() {
            true => "the run has not come to the end of an epoch; use --checkpoint last",
            false => what,
        },
    ))
}

/// Adds to the failure of a run's last checkpoint that its best one can be used, if it can.
fn or_best(failure: Error, target: &Path, which: Which) -> Error {
    let best = run_folder::best(target);
    match which {
        Which::Last if Checkpoint::read_weights(&best).is_ok() => {
            failure.help("the best checkpoint is whole; test that with --checkpoint best")
        }
        Which::Last | Which::Best => failure,
    }
}

/// Makes the model that the checkpoint's source and flags make.
fn model(checkpoint: &Checkpoint, data: Option<&str>, path: &Path) -> Result<Model> {
    let mut overrides = Override::list(&checkpoint.meta.overrides);
    if let Some(data) = data {
        overrides.retain(|flag| flag.target != OverrideTarget::Setting || flag.name != "data");
        overrides.push(Override {
            target: OverrideTarget::Setting,
            name: "data".into(),
            value: data.to_owned(),
        });
    }
    let name = format!("the model in {}", path.shown());
    let mut sources = Sources::new(name, checkpoint.meta.source.as_str());
    check::recheck(&mut sources, &overrides, true).map_err(|mistakes| {
        let style = Style {
            color: false,
            width: 100,
        };
        let mistakes = mistakes.iter().map(|m| m.render(&sources, style));
        Error::new(format!(
            "{} holds a model that this vanc does not take:\n{}",
            path.shown(),
            mistakes.collect::<String>()
        ))
    })
}
