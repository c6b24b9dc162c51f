//! `vanc bench --inference`: how long a network takes to classify images.

use super::timing::{WARM_UP, goes_on, random_batch};
use crate::engines::init;
use crate::error::{Error, Result};
use crate::escape::Shown;
use crate::flags::Options;
use crate::ir::Model;
use crate::memory;
use crate::paint::Paint;
use crate::plan::Purpose;
use crate::table::{self, Column, Table};
use crate::tensor::Tensor;
use crate::train::checkpoint::Checkpoint;
use crate::train::device::{self, use_threads};
use crate::train::run_folder;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

/// Sizes of the batches that are measured unless one is asked for.
const BATCHES: [usize; 2] = [1, 128];

/// Measurements of a network that classifies images.
pub(super) struct Report {
    engine: String,
    batches: Vec<Latency>,
    peak_bytes: Option<u64>,
    /// Why the engine is not where it might have been expected.
    note: Option<String>,
}

/// Time that batches of one size take, from images on the host to logits there.
struct Latency {
    batch: usize,
    /// Batches timed.
    repeats: usize,
    median: f64,
    /// Seconds that 99 of 100 batches take at most.
    percentile_99: f64,
    planned_bytes: u64,
}

/// Classifies random images by `model`, with the weights of the `run` that it is of or those that
/// a training begins with, in batches of one size or of each of [`BATCHES`].
pub(super) fn measure(
    model: &Model,
    run: Option<&Path>,
    options: &Options,
    batch: Option<usize>,
) -> Result<Report> {
    use_threads(options.threads)?;
    let device::Choice { runner, note } = device::choose(options.on)?;
    let batches = batch.map_or(BATCHES.to_vec(), |batch| vec![batch]);
    let largest = batches.iter().copied().max().unwrap_or(1);
    runner.check_memory(model, largest, Purpose::Evaluation, options.memory)?;
    let mut engine = runner.build_to_evaluate(model, &tensors(model, run)?)?;
    let mut report = Report {
        engine: engine.name(),
        batches: Vec::new(),
        peak_bytes: None,
        note,
    };
    let wanted = options.max_steps.map(|steps| steps.max(1) as usize);
    for batch in batches {
        let images = random_batch(model, batch);
        let mut time = || -> Result<f64> {
            let start = Instant::now();
            engine.logits(&images)?;
            Ok(start.elapsed().as_secs_f64())
        };
        for _ in 0..WARM_UP {
            time()?;
        }
        let (mut seconds, start) = (Vec::new(), Instant::now());
        while goes_on(seconds.len(), wanted, start) {
            seconds.push(time()?);
        }
        let planned = runner.needed_memory(model, batch, Purpose::Evaluation)?;
        report
            .batches
            .push(Latency::new(batch, seconds, planned as u64));
    }
    report.peak_bytes = memory::peak();
    Ok(report)
}

/// Returns the weights of the run's last checkpoint, or those that a training begins with.
fn tensors(model: &Model, run: Option<&Path>) -> Result<Vec<Tensor>> {
    let Some(path) = run.map(run_folder::last).filter(|path| path.exists()) else {
        return Ok(init::initial(model, model.train.seed));
    };
    let tensors = Checkpoint::read_weights(&path)?.tensors_to_run(model);
    let fits = |name: &str, shape: &[usize]| {
        let mut found = tensors.iter();
        found.any(|tensor| tensor.name == name && tensor.shape == shape)
    };
    let specs = model.tensors();
    match specs.iter().find(|spec| !fits(&spec.name, &spec.shape)) {
        None => Ok(tensors),
        Some(spec) => Err(Error::new(format!(
            "the tensor `{}` of {} is not as the network has it",
            spec.name,
            path.shown()
        ))
        .help("leave out the flags that change the network, or give the file in place of the run")),
    }
}

impl Latency {
    fn new(batch: usize, mut seconds: Vec<f64>, planned_bytes: u64) -> Latency {
        seconds.sort_by(f64::total_cmp);
        let n = seconds.len();
        let at = |index: usize| seconds.get(index).copied().unwrap_or(0.0);
        Latency {
            batch,
            repeats: n,
            median: at(n / 2),
            // The smallest that 99 of 100 do not exceed.
            percentile_99: at((n * 99).div_ceil(100).saturating_sub(1)),
            planned_bytes,
        }
    }

    fn images_per_second(&self) -> f64 {
        self.batch as f64 / self.median
    }
}

impl Report {
    /// Formats the measurements as JSON, for programs.
    pub fn to_json(&self) -> Value {
        let batch = |latency: &Latency| {
            json!({
                "batch": latency.batch,
                "repeats": latency.repeats,
                "seconds_median": latency.median,
                "seconds_percentile_99": latency.percentile_99,
                "images_per_second": latency.images_per_second(),
                "planned_bytes": latency.planned_bytes,
            })
        };
        json!({
            "engine": self.engine,
            "inference": self.batches.iter().map(batch).collect::<Vec<_>>(),
            "peak_bytes": self.peak_bytes,
        })
    }

    /// Formats the measurements as text, for people at a terminal of `room` columns.
    pub fn to_text(&self, room: Option<usize>) -> String {
        let size = |bytes: u64| memory::gibibytes(bytes as f64);
        let peak = self.peak_bytes.map_or("unknown".into(), size);
        let facts = [
            ("engine", self.engine.clone()),
            ("memory", format!("{peak} at the peak of the process")),
        ];
        let mut out = table::facts(facts, 0, Paint(false), room);
        let mut table = Table::new(vec![
            Column::numbers("batch"),
            Column::numbers("median ms"),
            Column::numbers("99 % ms"),
            Column::numbers("images/s"),
            Column::numbers("planned").rank(1),
            Column::numbers("repeats").rank(2),
        ]);
        for latency in &self.batches {
            table.row([
                latency.batch.to_string(),
                format!("{:.3}", latency.median * 1e3),
                format!("{:.3}", latency.percentile_99 * 1e3),
                format!("{:.1}", latency.images_per_second()),
                size(latency.planned_bytes),
                latency.repeats.to_string(),
            ]);
        }
        out.push_str(&format!("\n{}", table.text(Paint(false), room)));
        if let Some(note) = &self.note {
            out.push_str(&format!("\n{}\n", table::indented(note, 0, room)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_one_of_the_times() {
        let latency = |n: usize| Latency::new(2, (1..=n).rev().map(|x| x as f64).collect(), 0);
        let found = latency(200);
        assert_eq!((found.median, found.percentile_99), (101.0, 198.0));
        assert_eq!(found.images_per_second(), 2.0 / 101.0);
        assert_eq!(latency(1).percentile_99, 1.0);
        assert_eq!(latency(5).percentile_99, 5.0);
    }
}
