//! `vanc`: a small language for neural networks, and the compiler that trains them.
//!
//! A `.van` text declares a network and its training. The checker proves every shape and
//! every value in it before anything runs; the result, a [`Model`](ir::Model), is plain
//! data that all later stages read. The program `vanc` is [`cli`] alone, so all that it
//! does can be done from here too.
//!
//! # From text to weights
//!
//! ```text
//!  .van text
//!     │  syntax     grammar; pest stays inside
//!     ▼
//!  syntax tree
//!     │  check      names, types, values, shapes; mistakes become diag::Diagnostics
//!     ▼
//!  ir::Model ─────▶ describe      table, JSON, Graphviz; parameters and multiply-adds
//!     │
//!     │  plan       steps over buffers in one arena, gradient steps by rule
//!     ▼
//!  engines          cpu and cuda run plans; dfdx, the reference, runs the Model itself
//!     ▲    │
//!     │    └─ state: weights, α, λ, momentum, running statistics
//!     │
//!   train ◀── data      images and labels, in batches
//!     │   ◀── schedule  η by step; α and λ of variable skips
//!     ▼
//!  run folder: checkpoints, log ─────▶ report, watch
//!
//!   sweep starts a training for each combination of values and seed;
//!   world makes several processes train one network, each on a GPU of its own.
//! ```
//!
//! Arrows point one way: [`syntax`] and [`ir`] know nothing of each other, and [`check`]
//! alone makes one of the other; engines know the model and its plan, not the text; nothing
//! uses [`cli`]. Data and engines meet in [`tensor`], options of a training are in
//! [`flags`], and failures outside the language are [`error::Error`]s.
//!
//! # Example
//!
//! Ten drawn shapes, and a network with a skip that is phased out while it trains.
//!
//! ```
//! use vanc::data::{Request, Sampler, load};
//! use vanc::diag::Sources;
//! use vanc::engines::{Engine, StepContext, cpu, init};
//!
//! let text = "
//!     model shapes {
//!         input image(1, 28, 28)
//!         linear(32) relu
//!         skip variable { linear(32) relu }
//!         linear(10)
//!     }
//!     train {
//!         data: synthetic(train: 256, test: 64)
//!         optimizer: sgd(rate: 0.05, momentum: 0.9)
//!         batch: 32
//!     }";
//!
//! // Text to model. No value is replaced by a flag, and the network is to be trained.
//! let mut sources = Sources::new("shapes.van", text);
//! let model = vanc::check::check(&mut sources, &[], true).expect("no mistakes");
//! assert_eq!(model.output.elements(), 10);
//!
//! // Cost: 784·32 + 32 numbers, 32·32 + 32 and an α for each of 32 neurons, 32·10 + 10.
//! let totals = vanc::describe::totals(&model);
//! assert_eq!((totals.depth, totals.parameters), (3, 25_120 + 1_088 + 330));
//!
//! // Images, as bytes, and the order in which an epoch takes them.
//! let request = Request {
//!     kind: model.train.data.kind,
//!     dir: None,
//!     input: model.input,
//!     classes: model.output.elements(),
//!     trained: None,
//! };
//! let dataset = load(&request, &|_done, _total| {})?;
//! let sampler = Sampler {
//!     seed: 0,
//!     batch: model.train.batch,
//!     shuffle: true,
//!     augment: Vec::new(),
//! };
//!
//! // Engine with weights drawn from seed 0, and three epochs of eight steps.
//! let mut engine = cpu::cpu(&model, &init::initial(&model, 0), cpu::Cpu::here())?;
//! let mut losses = Vec::new();
//! for number in 0..3 {
//!     let epoch = sampler.epoch(dataset.train.len(), number);
//!     for index in 0..epoch.steps() {
//!         let context = StepContext {
//!             rate: model.train.optimizer.rate(),
//!             seed: 0,
//!             step: losses.len() as u64,
//!         };
//!         let outcome = engine.step(&epoch.batch(&dataset, index), context)?;
//!         losses.push(outcome.loss);
//!     }
//! }
//! let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
//! assert!(mean(&losses[16..]) < 0.8 * mean(&losses[..8]), "{losses:?}");
//! # Ok::<(), vanc::error::Error>(())
//! ```

pub mod check;
pub mod cli;
pub mod data;
pub mod describe;
pub mod diag;
pub mod engines;
pub mod error;
pub mod escape;
pub mod fetch;
mod files;
pub mod flags;
pub mod foreign;
pub mod ir;
mod memory;
mod paint;
pub mod plan;
mod random;
#[cfg(feature = "report")]
pub mod report;
pub mod schedule;
pub mod span;
pub mod stop;
mod suggest;
pub mod sweep;
pub mod syntax;
mod table;
pub mod tensor;
pub mod text;
pub mod train;
#[cfg(feature = "watch")]
pub mod watch;
mod words;
pub mod world;
