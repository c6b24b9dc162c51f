//! The facts above the table of a run: network, data, training, engine, folder.

use super::run_progress::RunProgress;
use crate::data::Dataset;
use crate::describe::{count, totals};
use crate::engines::Engine;
use crate::ir::Model;
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
    let plural = if threads == 1 { "" } else { "s" };
    let mut facts = vec![
        (
            "network",
            format!(
                "{} layers deep, {} parameters",
                totals.depth,
                count(totals.parameters)
            ),
        ),
        (
            "data",
            format!(
                "{}: {images} training and {} test images of {}, {} classes",
                dataset.name,
                dataset.test.len(),
                dataset.shape,
                dataset.classes.len()
            ),
        ),
    ];
    facts.extend(dataset.left_out.clone().map(|line| ("left out", line)));
    facts.extend([
        (
            "training",
            format!(
                "{} epochs of {} steps, batch {}, rate {} ({}), {}",
                train.epochs,
                images.div_ceil(train.batch.max(1)),
                train.batch,
                train.optimizer.rate(),
                train.schedule,
                train.optimizer.summary()
            ),
        ),
        (
            "engine",
            format!("{}, {threads} thread{plural}", engine.name()),
        ),
        ("run", dir.display().to_string()),
    ]);
    if progress.step > 0 {
        let RunProgress { step, epoch, .. } = progress;
        let reached = format!("after step {step}, {epoch} epochs done");
        facts.push(("resumed", reached));
    }
    facts
}
