//! The facts above the table of a run: network, data, training, engine, folder.

use super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::describe::{count, totals};
use crate::engines::Engine;
use crate::escape::Shown;
use crate::ir::Model;
use crate::text::{counted, plural};
use std::path::Path;

/// Lists named facts of a run of `model` in `dir` that has reached `progress`.
pub(super) fn facts(
    model: &Model,
    dataset: &Dataset,
    engine: &dyn Engine,
    dir: &Path,
    progress: &RunProgress,
) -> Vec<(&'static str, String)> {
    let train = &model.train;
    let totals = totals(model);
    let images = dataset.train.len();
    let threads = rayon::current_num_threads();
    let mut facts = vec![
        (
            "network",
            format!(
                "{} deep, {} {}",
                counted(totals.depth, "layer"),
                count(totals.parameters),
                plural(totals.parameters, "parameter"),
            ),
        ),
        (
            "data",
            format!(
                "{}: {images} training and {} of {}, {}",
                dataset.name,
                counted(dataset.test.len(), "test image"),
                dataset.shape,
                counted(dataset.classes.len(), "class"),
            ),
        ),
    ];
    facts.extend(dataset.left_out.clone().map(|line| ("left out", line)));
    facts.extend([
        (
            "training",
            format!(
                "{} of {}, batch {}, rate {} ({}), {}",
                counted(train.epochs, "epoch"),
                counted(images.div_ceil(train.batch.max(1)), "step"),
                train.batch,
                train.optimizer.rate(),
                train.schedule,
                train.optimizer.summary()
            ),
        ),
        (
            "engine",
            format!("{}, {}", engine.name(), counted(threads, "thread")),
        ),
        ("run", dir.shown()),
    ]);
    if progress.step > 0 {
        let RunProgress { step, epoch, .. } = progress;
        let reached = format!("after step {step}, {} done", counted(*epoch, "epoch"));
        facts.push(("resumed", reached));
    }
    facts
}
