//! How long a step of training takes, and what it is spent on.

use super::timing::{WARM_UP, goes_on, random_batch};
use crate::engines::cpu::{Cpu, CpuEngine};
use crate::engines::{Engine, Images, Order, StepContext, init};
use crate::error::{Error, Result};
use crate::flags::Options;
use crate::ir::{Model, Shape};
use crate::memory;
use crate::paint::Paint;
use crate::plan::{Cost, Plan, Purpose};
use crate::table::{self, Column, Table};
use crate::tensor::Batch;
use crate::train::device::{self, Runner, use_threads};
use serde_json::{Value, json};
use std::time::Instant;

/// Steps that an engine which makes its batches is given at once.
const TOGETHER: usize = 20;

/// Measurements of one benchmark.
pub(super) struct Report {
    engine: String,
    batch: usize,
    /// Timed steps.
    steps: usize,
    /// Median of the steps.
    seconds_per_step: f64,
    /// Floating-point operations of a step, as the direct method does them.
    flops: u64,
    planned_bytes: u64,
    peak_bytes: Option<u64>,
    /// Why the engine is not where it might have been expected.
    note: Option<String>,
    profile: Vec<Share>,
}

/// Time that one kind of step takes in one layer.
struct Share {
    path: String,
    name: &'static str,
    /// Mean of the timed steps.
    seconds: f64,
    flops: u64,
}

/// Trains `model` on one batch of random images that stays in memory, for as many steps as
/// are asked for or as take five seconds; with `profile`, times each step of the plan.
pub(super) fn measure(model: &Model, options: &Options, profile: bool) -> Result<Report> {
    use_threads(options.threads)?;
    let device::Choice { runner, note } = device::choose(options.on)?;
    runner.check_memory(model, model.train.batch, Purpose::Training, options.memory)?;
    let tensors = init::initial(model, model.train.seed);
    let batch = random_batch(model, model.train.batch);
    let plan = Plan::new(
        model,
        model.train.batch,
        Purpose::Training,
        &Cpu::here().with_winograd(options.on.winograd),
    )?;
    let flops = |step| Cost::of_step(&plan, step).flops;
    let mut report = Report {
        engine: String::new(),
        batch: model.train.batch,
        steps: 0,
        seconds_per_step: 0.0,
        flops: plan.steps().map(flops).sum(),
        planned_bytes: runner.needed_memory(model, model.train.batch, Purpose::Training)? as u64,
        note,
        peak_bytes: None,
        profile: Vec::new(),
    };
    let on_cpu = if let Runner::Cpu(cpu) = &runner {
        Some(*cpu)
    } else {
        None
    };
    match (on_cpu, profile) {
        (Some(cpu), true) => {
            let mut engine = CpuEngine::new(model, &tensors, cpu)?;
            drop(tensors);
            engine.time_steps();
            time(&mut engine, &batch, model.input, options, &mut report)?;
            let runs = (report.steps + WARM_UP) as f64;
            let times = plan.steps().zip(engine.times());
            report.profile = times
                .map(|(step, &seconds)| Share {
                    path: step.path.clone(),
                    name: step.action.name(),
                    seconds: seconds / runs,
                    flops: flops(step),
                })
                .collect();
        }
        (None, true) => {
            return Err(Error::new(
                "--profile: only the compiled engine on the CPU times its steps",
            )
            .help("leave --profile out, or give --device cpu without --engine"));
        }
        (Some(_) | None, false) => {
            let mut engine = runner.build(model, &tensors)?;
            drop(tensors);
            time(engine.as_mut(), &batch, model.input, options, &mut report)?;
        }
    }
    report.peak_bytes = memory::peak();
    Ok(report)
}

/// Times steps. An engine that holds images is given several at once, as in training,
/// and each counts as its share of them.
fn time(
    engine: &mut dyn Engine,
    batch: &Batch,
    shape: Shape,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let context = |step| StepContext {
        // Too small to diverge, large enough to be done in full.
        rate: 1e-6,
        seed: 0,
        step,
    };
    let pixels: Vec<u8> = batch
        .images
        .iter()
        .map(|x| (x * 127.0 + 128.0) as u8)
        .collect();
    let is_resident = make_resident(engine, &pixels, batch, shape)?;
    let (mut step, together) = (0, if is_resident { TOGETHER } else { 1 });
    let mut some = || -> Result<f64> {
        let start = Instant::now();
        let steps = step..step + together as u64;
        step = steps.end;
        if is_resident && let Some(mut resident) = engine.resident() {
            for step in steps {
                resident.queue(0, context(step))?;
            }
            resident.outcomes()?;
        } else {
            for step in steps {
                engine.step(batch, context(step))?;
            }
        }
        Ok(start.elapsed().as_secs_f64() / together as f64)
    };
    for _ in 0..WARM_UP {
        some()?;
    }
    let mut seconds = Vec::new();
    let start = Instant::now();
    let wanted = options
        .max_steps
        .map(|steps| (steps.max(1) as usize).div_ceil(together));
    while goes_on(seconds.len(), wanted, start) {
        seconds.push(some()?);
    }
    seconds.sort_by(f64::total_cmp);
    report.engine = engine.name();
    report.steps = seconds.len() * together;
    report.seconds_per_step = seconds.get(seconds.len() / 2).copied().unwrap_or(0.0);
    Ok(())
}

/// Gives the batch's images to the engine to keep; whether it does.
fn make_resident(
    engine: &mut dyn Engine,
    pixels: &[u8],
    batch: &Batch,
    shape: Shape,
) -> Result<bool> {
    let each = vec![0.5; shape.channels()];
    let images = Images {
        shape,
        pixels,
        labels: &batch.labels,
        mean: &each,
        deviation: &each,
        batch: batch.len(),
        augment: &[],
    };
    let Some(mut resident) = engine.resident() else {
        return Ok(false);
    };
    let is_resident = resident.make_resident(&images)?;
    if is_resident {
        resident.begin_epoch(&Order {
            images: (0..batch.len() as u32).collect(),
            changes: Vec::new(),
        })?;
    }
    Ok(is_resident)
}

impl Report {
    fn images_per_second(&self) -> f64 {
        self.batch as f64 / self.seconds_per_step
    }

    fn gflops(&self) -> f64 {
        self.flops as f64 / self.seconds_per_step / 1e9
    }

    /// Formats the measurements as JSON, for programs.
    pub fn to_json(&self) -> Value {
        let mut report = json!({
            "engine": self.engine,
            "batch": self.batch,
            "steps": self.steps,
            "seconds_per_step": self.seconds_per_step,
            "images_per_second": self.images_per_second(),
            "gflops": self.gflops(),
            "planned_bytes": self.planned_bytes,
            "peak_bytes": self.peak_bytes,
        });
        if !self.profile.is_empty() {
            let share = |share: &Share| {
                json!({
                    "path": share.path,
                    "step": share.name,
                    "seconds": share.seconds,
                    "flops": share.flops,
                })
            };
            report["profile"] = self.profile.iter().map(share).collect();
        }
        report
    }

    /// Formats the measurements as text, for people at a terminal of `room` columns.
    pub fn to_text(&self, room: Option<usize>) -> String {
        let size = |bytes: u64| memory::gibibytes(bytes as f64);
        let facts = [
            ("engine", self.engine.clone()),
            ("batch", self.batch.to_string()),
            (
                "step",
                format!(
                    "{:.3} ms, the median of {}",
                    self.seconds_per_step * 1e3,
                    self.steps
                ),
            ),
            (
                "images",
                format!("{:.1} a second", self.images_per_second()),
            ),
            ("arithmetic", format!("{:.1} GFLOP/s", self.gflops())),
            (
                "memory",
                format!(
                    "{} planned, {} at the peak of the process",
                    size(self.planned_bytes),
                    self.peak_bytes.map_or("unknown".into(), size)
                ),
            ),
        ];
        let mut out = table::facts(facts, 0, Paint(false), room);
        if let Some(note) = &self.note {
            out.push_str(&format!("\n{}\n", table::indented(note, 0, room)));
        }
        if !self.profile.is_empty() {
            out.push_str(&self.profile_text(room));
        }
        out
    }

    /// Sums a kind of step, then every step, the longest first.
    fn profile_text(&self, room: Option<usize>) -> String {
        let total: f64 = self.profile.iter().map(|share| share.seconds).sum();
        let mut kinds: Vec<Share> = Vec::new();
        for share in &self.profile {
            match kinds.iter_mut().find(|kind| kind.name == share.name) {
                Some(kind) => {
                    kind.seconds += share.seconds;
                    kind.flops += share.flops;
                }
                None => kinds.push(Share {
                    path: String::new(),
                    ..*share
                }),
            }
        }
        let mut out = String::new();
        let mut list = |mut shares: Vec<&Share>, named: &str| {
            shares.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
            let mut table = Table::new(vec![
                Column::numbers("ms a step"),
                Column::numbers("share").rank(2),
                Column::numbers("GFLOP/s").rank(1),
                Column::words("work").at_least(16),
                Column::words(named).at_least(12),
            ]);
            for share in shares {
                let speed = match share.flops {
                    0 => String::new(),
                    flops => format!("{:.1}", flops as f64 / share.seconds / 1e9),
                };
                table.row([
                    format!("{:.3}", share.seconds * 1e3),
                    format!("{:.1} %", 100.0 * share.seconds / total),
                    speed,
                    share.name.to_string(),
                    share.path.clone(),
                ]);
            }
            out.push_str(&format!("\n{}", table.text(Paint(false), room)));
        };
        list(kinds.iter().collect(), "");
        list(self.profile.iter().collect(), "path");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::diag::Sources;
    use crate::flags::{Device, EngineKind};

    #[test]
    fn a_report_adds_up() {
        let text = "model m { input image(1, 8, 8) conv(4, kernel: 3) batch_norm relu linear(2) }";
        let model = check(&mut Sources::new("test.van", text), &[], false);
        let model = model.unwrap_or_else(|_| panic!("{text} has mistakes"));
        let mut options = Options::new("test.van");
        options.on.device = Device::Cpu;
        (options.memory, options.max_steps) = (Some(1 << 30), Some(2));
        let report = measure(&model, &options, true).unwrap().to_json();
        assert_eq!(report["steps"], 2);
        let profile = report["profile"].as_array().unwrap();
        let flops: u64 = profile.iter().filter_map(|s| s["flops"].as_u64()).sum();
        let seconds = report["seconds_per_step"].as_f64().unwrap();
        let speed = report["gflops"].as_f64().unwrap();
        assert!((flops as f64 / seconds / 1e9 - speed).abs() < 1e-6 * speed);
        options.memory = Some(1000);
        let refused = measure(&model, &options, true).err().unwrap();
        assert!(refused.message.contains("allowed"), "{refused}");
        (options.memory, options.on.engine) = (None, EngineKind::Dfdx);
        let refused = measure(&model, &options, true).err().unwrap();
        assert!(refused.message.contains("--profile"), "{refused}");
    }
}
