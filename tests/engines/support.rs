//! Helpers of the engine tests: models from text, states at no special point, random batches.

use dfdx::tensor::Cpu;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::OnceLock;
use vanc::check::{Override, OverrideTarget, check};
use vanc::diag::{Sources, Style};
use vanc::engines::cuda::{Card, Precision};
use vanc::engines::dfdx::DfdxEngine;
use vanc::engines::{Engine, StepContext, init};
use vanc::ir::{Model, Role, Shape};
use vanc::tensor::{Batch, Tensor};

/// Context of the step in the tests.
pub const AT: StepContext = StepContext {
    rate: 0.1,
    seed: 5,
    step: 3,
};

/// Spacing of weights and pixels. They are multiples of it, and central differences step by
/// it, so that stepped weights are exact in the f32 that engines exchange.
pub const GRID: f32 = 1.0 / 65536.0;

/// Checks a file with the given input (`3, 7, 5`) and layers, and settings as if from flags.
pub fn model(input: &str, layers: &str, settings: &[(&str, &str)]) -> Model {
    let text = format!("model m {{ input image({input})\n{layers} }}");
    let mut sources = Sources::new("test.van", text.as_str());
    let overrides: Vec<Override> = settings
        .iter()
        .map(|(name, value)| Override {
            target: OverrideTarget::Setting,
            name: name.to_string(),
            value: value.to_string(),
        })
        .collect();
    check(&mut sources, &overrides, false).unwrap_or_else(|mistakes| {
        let style = Style {
            color: false,
            width: 100,
        };
        let shown = mistakes.iter().map(|m| m.render(&sources, style));
        panic!("{}", shown.collect::<String>())
    })
}

/// Generator of numbers in [−1, 1) on the grid.
pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn next(&mut self) -> f32 {
        (self.0.next_u64() >> 47) as f32 * GRID - 1.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }
}

/// Makes a starting state in which nothing has a special value: weights are on the grid,
/// biases are not 0, α is inside (0, 1), running variances are positive.
pub fn state(model: &Model, seed: u64) -> Vec<Tensor> {
    let mut draw = Draw::new(seed);
    let specs = model.tensors();
    let mut tensors = init::initial(model, seed);
    for (spec, tensor) in specs.iter().zip(&mut tensors) {
        for x in &mut tensor.data {
            let noise = draw.next();
            *x = match spec.role {
                Role::Weight if spec.shape.len() > 1 => *x,
                Role::Weight | Role::RunningVar => 1.0 + 0.5 * noise,
                Role::Alpha | Role::Coefficient => 0.5 + 0.25 * noise,
                Role::Bias | Role::Multiplier | Role::DiracA | Role::DiracB | Role::RunningMean => {
                    *x + 0.25 * noise
                }
            };
            *x = (*x / GRID).round() * GRID;
        }
    }
    tensors
}

/// Makes `count` random images with random labels.
pub fn batch(model: &Model, count: usize, seed: u64) -> Batch {
    let mut draw = Draw::new(seed);
    let pixels = count * model.input.elements();
    let classes = match model.output {
        Shape::Flat(classes) => classes,
        Shape::Image { .. } => model.output.elements(),
    };
    Batch {
        images: (0..pixels).map(|_| draw.next()).collect(),
        labels: (0..count).map(|_| draw.below(classes) as u32).collect(),
    }
}

/// Function that makes an engine that trains in f32.
pub type Make = fn(&Model, &[Tensor]) -> Box<dyn Engine>;

/// Lists every engine that this machine can run.
pub fn engines() -> Vec<Make> {
    let mut engines: Vec<Make> = vec![dfdx, cpu];
    if card().is_some() {
        engines.push(cuda);
    }
    engines
}

/// Finds the GPU; without one, says once that its tests are skipped.
pub fn card() -> Option<&'static Card> {
    static CARD: OnceLock<Option<Card>> = OnceLock::new();
    let find = || match vanc::engines::cuda::usable(None) {
        Ok(card) => Some(card),
        Err(missing) => {
            let error = vanc::error::Error::from(missing);
            eprintln!("the CUDA engine is skipped: {}", error.message);
            None
        }
    };
    CARD.get_or_init(find).as_ref()
}

/// Makes the compiled engine on the GPU, in single precision. There must be a [`card`].
pub fn cuda(model: &Model, tensors: &[Tensor]) -> Box<dyn Engine> {
    let card = card().unwrap();
    vanc::engines::cuda::engine(card, Precision::F32, model, tensors).unwrap()
}

/// Makes the reference engine, as it trains.
pub fn dfdx(model: &Model, tensors: &[Tensor]) -> Box<dyn Engine> {
    vanc::engines::dfdx::cpu(model, tensors).unwrap()
}

/// Makes the compiled engine.
pub fn cpu(model: &Model, tensors: &[Tensor]) -> Box<dyn Engine> {
    vanc::engines::cpu::cpu(model, tensors, vanc::engines::cpu::Cpu::here()).unwrap()
}

/// Makes the reference engine in f64, for central differences.
pub fn double(model: &Model, tensors: &[Tensor]) -> DfdxEngine<f64, Cpu> {
    DfdxEngine::new("double", Cpu::default(), model, tensors).unwrap()
}
