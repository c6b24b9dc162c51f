//! Softmax regression with one variable skip, in plain Rust, and images to train it on.

use std::path::Path;
use std::time::Duration;
use vanc::data::{Dataset, Sampler, Split};
use vanc::engines::{Engine, GRADIENT_STEPS, GRADIENT_SUM_PREFIX, Outcome, SkipState, StepContext};
use vanc::error::{Error, Result};
use vanc::ir::{Augment, Shape};
use vanc::stop::Stop;
use vanc::tensor::{Batch, Tensor};
use vanc::train::checkpoint::{Checkpoint, DataMeta, FORMAT, Meta};
use vanc::train::progress::Progress;
use vanc::train::run_folder::{self, RunFolder, RunStart};
use vanc::train::run_progress::RunProgress;
use vanc::train::session::{Ending, Session, Task};
use vanc::train::tensorboard::Preface;

pub const CLASSES: usize = 3;
const SIDE: usize = 4;
const FEATURES: usize = SIDE * SIDE;
const SEED: u64 = 9;

/// Ways in which the engine misbehaves.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Step that ends in an error, as if the process died in it.
    pub dies_at: Option<u64>,
    /// Step whose loss is NaN.
    pub nan_at: Option<u64>,
    /// Step after which a weight is infinite though the loss was not.
    pub overflows_at: Option<u64>,
    /// Whether evaluation gives NaN.
    pub nan_in_test: bool,
    /// Step during which a signal comes.
    pub signal_at: Option<u64>,
    /// Batch, counted over all evaluations, during whose test a signal comes.
    pub signal_in_test: Option<usize>,
}

/// Engine that computes `logits = W·(x·(2 − α)) + b`, with dropout-like noise from (seed,
/// step), momentum on W and b, and α moved at the end of an epoch by the mean of its
/// gradients.
pub struct Softmax {
    weight: Tensor,
    bias: Tensor,
    alpha: Tensor,
    lambda: Tensor,
    velocity: Tensor,
    gradient_sum: Tensor,
    steps: Tensor,
    pub faults: Faults,
    stop: Stop,
    tested: usize,
}

impl Softmax {
    pub fn new(faults: Faults, stop: Stop) -> Self {
        let mut weight = Tensor::full("fc.weight", &[CLASSES, FEATURES], 0.0);
        for (i, w) in weight.data.iter_mut().enumerate() {
            *w = ((i * 37 % 101) as f32 / 101.0 - 0.5) * 0.1;
        }
        Softmax {
            velocity: Tensor::full("momentum/fc.weight", &[CLASSES, FEATURES], 0.0),
            bias: Tensor::full("fc.bias", &[CLASSES], 0.0),
            alpha: Tensor::full("skip0.alpha", &[1], 0.0),
            lambda: Tensor::full("skip0.lambda", &[1], -1.0),
            gradient_sum: Tensor::full(format!("{GRADIENT_SUM_PREFIX}skip0.alpha"), &[1], 0.0),
            steps: Tensor::full(GRADIENT_STEPS, &[1], 0.0),
            weight,
            faults,
            stop,
            tested: 0,
        }
    }

    fn tensors_mut(&mut self) -> [&mut Tensor; 7] {
        [
            &mut self.weight,
            &mut self.bias,
            &mut self.alpha,
            &mut self.lambda,
            &mut self.velocity,
            &mut self.gradient_sum,
            &mut self.steps,
        ]
    }

    fn forward(&self, image: &[f32], noise: f32) -> Vec<f32> {
        let gain = (2.0 - self.alpha.data[0]) * noise;
        let rows = self.weight.data.chunks(FEATURES).zip(&self.bias.data);
        rows.map(|(row, b)| b + gain * row.iter().zip(image).map(|(w, x)| w * x).sum::<f32>())
            .collect()
    }
}

fn noise(at: StepContext, image: usize) -> f32 {
    let mixed = (at.seed ^ (at.step * 1000 + image as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    0.9 + 0.2 * (mixed >> 40) as f32 / (1u64 << 24) as f32
}

impl Engine for Softmax {
    fn name(&self) -> String {
        "softmax".into()
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        if self.faults.dies_at == Some(at.step) {
            return Err(Error::new("killed"));
        }
        if self.faults.signal_at == Some(at.step) {
            self.stop.request(2);
        }
        let mut gradient = vec![0.0; CLASSES * FEATURES];
        let (mut loss, mut correct, mut to_alpha) = (0.0, 0, 0.0);
        for (i, image) in batch.images.chunks(FEATURES).enumerate() {
            let noise = noise(at, i);
            let logits = self.forward(image, noise);
            let label = batch.labels[i] as usize;
            let largest = logits.iter().copied().fold(f32::MIN, f32::max);
            correct += usize::from(logits[label] == largest);
            let exp: Vec<f32> = logits.iter().map(|z| (z - largest).exp()).collect();
            let sum: f32 = exp.iter().sum();
            loss += f64::from(sum.ln() + largest - logits[label]);
            for class in 0..CLASSES {
                let d = (exp[class] / sum - f32::from(class == label)) / batch.len() as f32;
                self.bias.data[class] -= at.rate as f32 * d;
                for (g, x) in gradient[class * FEATURES..].iter_mut().zip(image) {
                    *g += d * x * (2.0 - self.alpha.data[0]) * noise;
                }
                to_alpha -= d * logits[class];
            }
        }
        loss /= batch.len() as f64;
        if self.faults.nan_at == Some(at.step) {
            loss = f64::NAN;
            return Ok(Outcome { loss, correct });
        }
        let moved = self.weight.data.iter_mut().zip(&mut self.velocity.data);
        for ((w, v), g) in moved.zip(gradient) {
            *v = 0.9 * *v + g;
            *w -= at.rate as f32 * *v;
        }
        self.gradient_sum.data[0] += to_alpha;
        self.steps.data[0] += 1.0;
        if self.faults.overflows_at == Some(at.step) {
            self.weight.data[0] = f32::INFINITY;
        }
        Ok(Outcome { loss, correct })
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        let mean = self.gradient_sum.data[0] / self.steps.data[0];
        let alpha = &mut self.alpha.data[0];
        *alpha = (*alpha - rate as f32 * (mean + self.lambda.data[0])).clamp(0.0, 1.0);
        self.lambda.data[0] += 0.1 * rate as f32 * (*alpha - 1.0);
        self.gradient_sum.data[0] = 0.0;
        self.steps.data[0] = 0.0;
        Ok(())
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        if self.faults.signal_in_test == Some(self.tested) {
            self.stop.request(15);
        }
        self.tested += 1;
        let images = batch.images.chunks(FEATURES);
        let mut logits: Vec<f32> = images.flat_map(|image| self.forward(image, 1.0)).collect();
        if self.faults.nan_in_test {
            logits[0] = f32::NAN;
        }
        Ok(logits)
    }

    fn gradients(&mut self, _: &Batch, _: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        Err(Error::new("the loop asks for no gradients"))
    }

    fn first_non_finite(&mut self, _: &Batch, _: StepContext) -> Result<Option<String>> {
        Ok(Some("fc".into()))
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        Ok(vec![SkipState {
            path: "skip0".into(),
            alpha: self.alpha.data.clone(),
            lambda: self.lambda.data.clone(),
            target: 1.0,
        }])
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        Ok(vec![
            self.weight.clone(),
            self.bias.clone(),
            self.alpha.clone(),
            self.lambda.clone(),
            self.velocity.clone(),
            self.gradient_sum.clone(),
            self.steps.clone(),
        ])
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        for own in self.tensors_mut() {
            let found = tensors.iter().find(|t| t.name == own.name);
            *own = found
                .ok_or_else(|| Error::new(format!("{} is missing", own.name)))?
                .clone();
        }
        Ok(())
    }
}

/// Makes 23 training and 11 test images whose class shows in their rows.
pub fn dataset() -> Dataset {
    let split = |images: usize, salt: usize| {
        let labels: Vec<u32> = (0..images).map(|i| (i % CLASSES) as u32).collect();
        let pixel = |i: usize, p: usize| {
            let lit = if p / SIDE == i % CLASSES { 60 } else { 0 };
            (lit + (i * 7919 + p * 104_729 + salt) % 160) as u8
        };
        let pixels = (0..images).flat_map(|i| (0..FEATURES).map(move |p| pixel(i, p)));
        Split {
            pixels: pixels.collect(),
            labels,
        }
    };
    Dataset {
        name: "rows".into(),
        shape: Shape::image(1, SIDE, SIDE),
        classes: ["top", "second", "third"].map(String::from).into(),
        train: split(23, 0),
        test: split(11, 5),
        mean: vec![0.4],
        std: vec![0.2],
        left_out: None,
    }
}

/// Settings of a run that tests vary.
#[derive(Clone, Copy)]
pub struct Setup {
    pub epochs: u64,
    pub max_steps: Option<u64>,
    pub log_every: Option<u64>,
    pub save_every: Duration,
    pub faults: Faults,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            epochs: 3,
            max_steps: None,
            log_every: Some(2),
            save_every: Duration::MAX,
            faults: Faults::default(),
        }
    }
}

/// Number of steps in an epoch: 23 images in batches of 5, the last of 3.
pub const EPOCH_STEPS: u64 = 5;

/// Trains in `dir`, from its last checkpoint if it has one.
pub fn train(dir: &Path, setup: Setup) -> Result<Ending> {
    let stop = Stop::default();
    let dataset = dataset();
    let sampler = Sampler {
        seed: SEED,
        batch: 5,
        shuffle: true,
        augment: vec![Augment::PadCrop(1), Augment::FlipHorizontal],
    };
    let mut engine = Softmax::new(setup.faults, stop.clone());
    let (folder, meta) = match run_folder::choose("rows", Some(dir), true, false)? {
        RunStart::Resumed { folder, checkpoint } => {
            engine.load(&checkpoint.tensors)?;
            checkpoint.meta.data.check(&dataset)?;
            (folder, checkpoint.meta)
        }
        RunStart::New { .. } => (begin(dir)?, meta(&dataset)),
    };
    let task = Task {
        dataset: &dataset,
        sampler: &sampler,
        rate: &|step| 0.2 / (1.0 + step as f64),
        epochs: setup.epochs,
        max_steps: setup.max_steps,
        log_every: setup.log_every,
        save_every: setup.save_every,
        tensorboard: false,
        preface: &Preface::default(),
    };
    let mut progress = Progress::plain(Box::new(std::io::sink()));
    Session::new(task, &mut engine, &folder, meta, &stop, &mut progress)?.run()
}

pub fn begin(dir: &Path) -> Result<RunFolder> {
    run_folder::begin(dir, false, false, "model rows {}", "{}")
}

fn meta(dataset: &Dataset) -> Meta {
    Meta {
        format: FORMAT,
        version: "test".into(),
        model: "rows".into(),
        source: "model rows {}".into(),
        overrides: Default::default(),
        data: DataMeta::new(dataset, None),
        seed: SEED,
        progress: RunProgress::default(),
    }
}

/// Last checkpoint, without what depends on the clock.
pub fn last(dir: &Path) -> Checkpoint {
    timeless(&run_folder::last(dir))
}

/// Best checkpoint, without what depends on the clock.
pub fn best(dir: &Path) -> Checkpoint {
    timeless(&run_folder::best(dir))
}

fn timeless(path: &Path) -> Checkpoint {
    let mut checkpoint = Checkpoint::read(path).unwrap();
    checkpoint.meta.progress.seconds = 0.0;
    checkpoint.meta.progress.step_seconds = 0.0;
    checkpoint
}

/// Log, without seconds, line by line as written.
pub fn log(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run_folder::metrics(dir)).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let timeless = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let line_of = line.as_object_mut().unwrap();
        line_of.remove("seconds").unwrap();
        line_of.remove("check").unwrap();
        line.to_string()
    };
    text.lines().map(timeless).collect()
}
