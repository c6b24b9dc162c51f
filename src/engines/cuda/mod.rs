//! The compiled engine on an NVIDIA GPU: runs a [`Plan`] as one captured graph a step.
//!
//! Weights, the optimizer's slots, α, λ and statistics live on the card, and the training images do
//! where they fit; a step on those copies nothing from or to the host. Convolutions are
//! cuDNN's and dense layers cuBLAS's where the libraries are found, all else (and those,
//! where they are not) is in `kernels/*.cu`, compiled by NVRTC for the card and kept on
//! disk. Several processes can train one network together, a card each ([`engine_in`]).
//! Nothing of CUDA is needed to build this, or to run the program without a GPU.

mod blas;
mod card;
mod compile;
mod context;
mod dnn;
mod equations;
mod exchange;
mod gpu;
mod held;
mod images;
mod layout;
mod libraries;
mod map;
mod memory;
mod narrow_mlp;
mod nccl;
mod pass;
mod prelude;
mod prepare;
mod print;
mod products;
mod run;
mod source;
mod sources;
mod step;
mod update;

pub use crate::flags::Precision;
pub use card::{Card, Missing, count, find};
pub use exchange::Part;
pub use libraries::{FOLDERS, Library};
pub use nccl::{Group, GroupId};

use self::blas::Blas;
use self::dnn::Dnn;
use self::exchange::Exchange;
use self::gpu::Gpu;
use self::held::Held;
use self::images::ResidentImages;
use self::memory::{Memory, from_card, to_card};
use self::pass::PassKernels;
use self::prepare::{Graph, Here, Prepared};
use self::products::Libraries;
use self::sources::SOURCES;
use super::skips::{self, Skips};
use super::state::State;
use super::{Engine, Images, Order, Outcome, Resident, SkipState, StepContext, batch};
use crate::error::{Error, Result};
use crate::ir::{Model, Role, Slot, TensorSpec};
use crate::plan::{Kind, Plan, Purpose};
use crate::tensor::{Batch, Tensor};

/// Number of plans that are kept; more batch sizes than these are not expected in one run.
const PLANS: usize = 8;

/// Network on a GPU.
pub struct CudaEngine {
    name: String,
    model: Model,
    specs: Vec<TensorSpec>,
    precision: Precision,
    plans: Vec<Prepared>,
    /// Variable skips of the network; their α and λ are on the card.
    skips: Skips,
    /// Steps that the sums of ∂C/∂α cover, with `every: epoch`.
    summed: u32,
    resident: Option<ResidentImages>,
    /// Exchange with the other processes that train the network, if there are any.
    exchange: Option<Exchange>,
    /// Steps whose outcomes were not read yet.
    queued: usize,
    with: Libraries,
    passes: PassKernels,
    memory: Memory,
    gpu: Gpu,
}

/// Work that a plan is run for.
#[derive(Clone, Copy)]
enum Work {
    /// Steps one by one.
    Alone,
    /// Logits or gradients.
    Passes,
    /// A step of training.
    Step,
}

/// Finds the GPU number `ordinal`, or the first, if it can be used.
///
/// # Errors
/// If there is no such GPU, it cannot be used, or a library that every network needs is
/// missing.
pub fn usable(ordinal: Option<usize>) -> Result<Card, Missing> {
    let card = find(ordinal)?;
    Library::Nvrtc.load().map_err(Missing::Unusable)?;
    Ok(card)
}

/// Starts `model` on `card` from `tensors` (see [`Engine::load`]).
///
/// # Errors
/// If a tensor is missing, unknown, there twice or of another shape, or the card fails.
pub fn engine(
    card: &Card,
    precision: Precision,
    model: &Model,
    tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    Ok(Box::new(CudaEngine::new(card, precision, model, tensors)?))
}

/// Starts `model` on `card` from `tensors`, without what only training keeps: that is made where
/// a step of training comes after all.
///
/// # Errors
/// As [`engine`].
pub fn to_evaluate(
    card: &Card,
    precision: Precision,
    model: &Model,
    tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    let engine = CudaEngine::to_evaluate(card, precision, model, tensors)?;
    Ok(Box::new(engine))
}

/// Starts `model` on `card` in one process of a `group`, of which each is given `tensors`
/// and from then on the same calls of [`Engine::step`], [`Resident::queue`] and
/// [`Engine::end_epoch`], with whole batches; each computes its [`Part`] of them. Returns
/// once all have met.
///
/// # Errors
/// As [`engine`], and if NCCL is missing or the processes do not meet.
pub fn engine_in(
    group: &Group,
    card: &Card,
    precision: Precision,
    model: &Model,
    tensors: &[Tensor],
) -> Result<Box<dyn Engine>> {
    let mut engine = CudaEngine::new(card, precision, model, tensors)?;
    let exchange = Exchange::join(&engine.gpu, &engine.memory, &model.train, group)?;
    engine.exchange = Some(exchange);
    Ok(Box::new(engine))
}

/// Counts the bytes of the card that steps of `model` with batches of `images` take,
/// without libraries' scratch memory.
///
/// # Errors
/// As of [`Plan::new`].
pub fn memory(model: &Model, images: usize, purpose: Purpose, precision: Precision) -> Result<f64> {
    let target = run::CudaTarget { precision };
    let plan = Plan::new(model, images, purpose, &target)?;
    Ok(plan.peak_bytes() as f64)
}

impl CudaEngine {
    /// Starts `model` on `card` from `tensors`, as [`engine`] does.
    ///
    /// # Errors
    /// As [`engine`].
    pub fn new(
        card: &Card,
        precision: Precision,
        model: &Model,
        tensors: &[Tensor],
    ) -> Result<Self> {
        let mut engine = CudaEngine::to_evaluate(card, precision, model, tensors)?;
        engine.keep_training()?;
        let state = State::read(&engine.specs, tensors)?;
        engine.fill(&state)?;
        Ok(engine)
    }

    /// Starts `model` on `card` from `tensors`, as [`to_evaluate`] does.
    ///
    /// # Errors
    /// As [`engine`].
    pub fn to_evaluate(
        card: &Card,
        precision: Precision,
        model: &Model,
        tensors: &[Tensor],
    ) -> Result<Self> {
        let specs = model.tensors();
        let state = State::read(&specs, tensors)?;
        let gpu = Gpu::new(card, precision == Precision::Bf16, SOURCES)?;
        // Where a library is not there its work is done by kernels of our own.
        let is_there = |library: Library| library.load().is_ok();
        let has_blas = is_there(Library::Cublas);
        let has_dnn = has_blas && is_there(Library::Cudnn);
        let with = Libraries {
            blas: has_blas.then(|| Blas::start(&gpu, precision)).transpose()?,
            dnn: has_dnn.then(|| Dnn::start(&gpu, precision)).transpose()?,
        };
        let mut engine = CudaEngine {
            name: name(card, precision, &with),
            memory: Memory::new(&gpu, &specs)?,
            skips: Skips::read(model, &specs, &state),
            model: model.clone(),
            precision,
            plans: Vec::new(),
            summed: 0,
            resident: None,
            exchange: None,
            queued: 0,
            with,
            passes: PassKernels::default(),
            specs: specs.clone(),
            gpu,
        };
        engine.fill(&state)?;
        Ok(engine)
    }

    /// Copies `state` to the card; slots and sums that are missing become 0.
    fn fill(&mut self, state: &State) -> Result<()> {
        let rows = &self.memory.rows;
        let mut tensors = vec![0.0; rows.total];
        let slots = self.model.train.optimizer.slots();
        let mut kept = vec![vec![0.0; rows.optimized]; self.memory.slots.len()];
        let mut sums = vec![0.0; rows.alphas.len()];
        let mut ranges = vec![[0.0_f32; 2]; rows.optimized - rows.decayed];
        let mut held = vec![Held::padding(); rows.alphas.len()];
        let mut skips = self.skips.iter();
        for ((spec, offset), from) in self.specs.iter().zip(&rows.offsets).zip(&state.network) {
            let (len, offset) = (from.data.len(), *offset);
            to_card(spec, &from.data, &mut tensors[offset..][..len]);
            for (&slot, row) in slots.iter().zip(&mut kept) {
                if let Some(from) = state.slot(slot, &spec.name) {
                    to_card(spec, &from.data, &mut row[offset..][..len]);
                }
            }
            if let Some(range) = spec.start.range().filter(|_| spec.is_optimized()) {
                let range = range.map(|end| end as f32);
                ranges[offset - rows.decayed..][..len].fill(range);
            }
            if spec.role == Role::Alpha
                && let Some((_, skip)) = skips.next()
            {
                let start = offset - rows.alphas.start;
                sums[start..][..len].copy_from_slice(&skip.gradient_sum);
                held[start..][..len].fill(Held::new(skip.held, skip.frozen));
            }
        }
        self.summed = self.skips.multipliers.steps;
        let memory = &self.memory;
        self.gpu.upload(&tensors, memory.tensors.at)?;
        for (row, buffer) in kept.iter().zip(&memory.slots) {
            self.gpu.upload(row, buffer.at)?;
        }
        self.gpu.upload(&sums, memory.sums.at)?;
        self.gpu.upload(&ranges, memory.ranges.at)?;
        self.gpu.upload(&held, memory.held.at)
    }

    /// Makes room for what training keeps, where there is none yet.
    fn keep_training(&mut self) -> Result<()> {
        let slots = self.model.train.optimizer.slots().len();
        self.memory.keep_training(&self.gpu, slots)
    }

    /// Returns the index of a plan for this batch, made if need be.
    fn plan_for(&mut self, part: Part, purpose: Purpose) -> Result<usize> {
        let fits = |p: &Prepared| p.part == part && p.plan.purpose == purpose;
        if let Some(index) = self.plans.iter().position(fits) {
            return Ok(index);
        }
        if purpose == Purpose::Training {
            self.keep_training()?;
        }
        let mut prepared = Prepared::new(&self.here(), &self.model, part, purpose)?;
        let workspace = prepared.workspace();
        let moved = self.memory.reserve(&self.gpu, &prepared.plan, workspace)?;
        if moved {
            // Their graphs point where memory was.
            self.plans.clear();
        }
        if self.plans.len() == PLANS {
            // Its graph may still be running.
            self.gpu.wait()?;
            self.plans.remove(0);
        }
        let (gpu, passes) = (&mut self.gpu, &mut self.passes);
        prepared.place(gpu, passes, self.precision, &self.memory)?;
        self.plans.push(prepared);
        Ok(self.plans.len() - 1)
    }

    fn here(&self) -> Here<'_> {
        Here {
            gpu: &self.gpu,
            with: &self.with,
            passes: &self.passes,
            precision: self.precision,
        }
    }

    /// Puts the images of a `part` where a plan wants them, for `work`.
    fn place(&mut self, batch: &Batch, part: Part, purpose: Purpose, work: Work) -> Result<usize> {
        let index = self.plan_for(part, purpose)?;
        self.capture(index, work)?;
        images::place(&self.gpu, &mut self.memory, &self.plans[index].plan, batch)?;
        Ok(index)
    }

    /// Puts all images of a batch where a plan wants them, for `work`.
    fn place_all(&mut self, batch: &Batch, purpose: Purpose, work: Work) -> Result<usize> {
        batch::validate(&self.model, batch)?;
        self.place(batch, Part::whole(batch.len()), purpose, work)
    }

    /// Captures the graph that `work` needs.
    fn capture(&mut self, index: usize, work: Work) -> Result<()> {
        let here = Here {
            gpu: &self.gpu,
            with: &self.with,
            passes: &self.passes,
            precision: self.precision,
        };
        match work {
            Work::Alone => Ok(()),
            Work::Step if self.exchange.is_none() => {
                let graph = Graph::Step(&self.model.train);
                self.plans[index].capture(&here, &self.memory, graph)
            }
            // What moves tensors is in the graph of the exchange.
            Work::Passes | Work::Step => {
                self.plans[index].capture(&here, &self.memory, Graph::Passes)
            }
        }
    }

    /// Reads activations of a buffer of `plan`, as floats.
    fn activations(&self, at: u64, count: usize) -> Result<Vec<f32>> {
        match self.precision {
            Precision::F32 | Precision::Tf32 => self.gpu.download(at, count),
            Precision::Bf16 => {
                let bits: Vec<u16> = self.gpu.download(at, count)?;
                let wide = bits
                    .into_iter()
                    .map(|bits| half::bf16::from_bits(bits).to_f32());
                Ok(wide.collect())
            }
        }
    }

    /// Reads the tensors of a row whose role is `wanted`, called by what they are of, or
    /// by what a slot makes of it.
    fn named(
        &self,
        row: &[f32],
        slot: Option<Slot>,
        wanted: fn(&TensorSpec) -> bool,
    ) -> Vec<Tensor> {
        let places = self.specs.iter().zip(&self.memory.rows.offsets);
        let places = places.filter(|(spec, _)| wanted(spec));
        let tensor = |(spec, offset): (&TensorSpec, &usize)| {
            let name = slot.map_or_else(|| spec.name.clone(), |slot| slot.tensor(&spec.name));
            let mut tensor = Tensor::full(name, &spec.shape, 0.0);
            let len = tensor.data.len();
            from_card(spec, &row[*offset..][..len], &mut tensor.data);
            tensor
        };
        places.map(tensor).collect()
    }

    fn row(&self, row: &gpu::Buffer, floats: usize) -> Result<Vec<f32>> {
        self.gpu.download(row.at, floats)
    }
}

fn name(card: &Card, precision: Precision, with: &Libraries) -> String {
    let numbers = match precision {
        Precision::F32 => "f32",
        Precision::Tf32 => "TF32",
        Precision::Bf16 => "bfloat16",
    };
    let convolutions = match &with.dnn {
        Some(dnn) => format!("cuDNN {}", dnn.version()),
        None => format!("no {}: slower convolutions", Library::Cudnn.file()),
    };
    format!("cuda ({}, {numbers}, {convolutions})", card.name)
}

impl Engine for CudaEngine {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        self.train_on(batch, at)
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        if self.summed > 0 {
            let train = &self.model.train;
            update::end_epoch(&self.gpu, &self.memory, train, rate, self.summed)?;
            self.summed = 0;
        }
        Ok(())
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let index = self.place_all(batch, Purpose::Evaluation, Work::Passes)?;
        self.plans[index].launch(Graph::Passes)?;
        let logits = self.plans[index].logits_at(&self.memory);
        self.activations(logits, batch.len() * self.model.output.elements())
    }

    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        self.read_outcomes()?;
        let index = self.place_all(batch, Purpose::Training, Work::Passes)?;
        self.begin(at)?;
        self.plans[index].launch(Graph::Passes)?;
        let outcome = self.outcome()?;
        let mut row = self.row(&self.memory.gradients, self.memory.rows.alphas.end)?;
        if !outcome.loss.is_finite() {
            row.fill(0.0);
        }
        Ok((
            outcome,
            self.named(&row, None, |spec| spec.role.is_parameter()),
        ))
    }

    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>> {
        self.read_outcomes()?;
        let index = self.place_all(batch, Purpose::Inspection, Work::Alone)?;
        self.begin(at)?;
        self.queued = 0;
        let Prepared { plan, .. } = &self.plans[index];
        let mut found = None;
        self.plans[index].forward(&self.here(), &self.memory, |at| {
            let step = &plan.forward[at];
            for &id in &step.writes {
                let buffer = plan.buffer(id);
                let Kind::Map(shape) = buffer.kind else {
                    continue;
                };
                let count = plan.batch * shape.elements();
                let values = self.activations(self.memory.address(plan, id), count)?;
                if !values.iter().all(|x| x.is_finite()) {
                    found = Some(step.path.clone());
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(found)
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        let rows = &self.memory.rows;
        let alphas: Vec<f32> = self.gpu.download(self.memory.alphas(), rows.alphas.len())?;
        let lambdas: Vec<f32> = self
            .gpu
            .download(self.memory.lambdas(), rows.alphas.len())?;
        let places = self.specs.iter().zip(&rows.offsets);
        let places = places.filter(|(spec, _)| spec.role == Role::Alpha);
        let states = self.skips.iter().zip(places);
        let state = |((name, skip), (_, offset)): (
            (&str, &crate::schedule::SkipMultipliers),
            (_, &usize),
        )| {
            let range = offset - rows.alphas.start..offset - rows.alphas.start + skip.alpha.len();
            let alpha = alphas[range.clone()].to_vec();
            skips::state(name, skip, alpha, lambdas[range].to_vec())
        };
        Ok(states.map(state).collect())
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        let rows = &self.memory.rows;
        let row = self.row(&self.memory.tensors, rows.total)?;
        let mut tensors = self.named(&row, None, |_| true);
        let slots = self.model.train.optimizer.slots();
        for (&slot, kept) in slots.iter().zip(&self.memory.slots) {
            let row = self.row(kept, rows.optimized)?;
            tensors.extend(self.named(&row, Some(slot), TensorSpec::is_optimized));
        }
        let row = self.row(&self.memory.sums, rows.alphas.len())?;
        let places = self.specs.iter().zip(&rows.offsets);
        let alphas = places.filter(|(spec, _)| spec.role == Role::Alpha);
        let sums = alphas.map(|(spec, offset)| {
            let len: usize = spec.shape.iter().product();
            row[offset - rows.alphas.start..][..len].to_vec()
        });
        self.skips
            .save_these_sums(&self.specs, sums, self.summed, &mut tensors);
        Ok(tensors)
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        let specs = self.specs.clone();
        let state = State::read(&specs, tensors)?;
        self.read_outcomes()?;
        self.keep_training()?;
        self.skips = Skips::read(&self.model, &specs, &state);
        self.fill(&state)
    }

    fn resident(&mut self) -> Option<Box<dyn Resident + '_>> {
        Some(Box::new(self))
    }
}

impl Resident for &mut CudaEngine {
    fn make_resident(&mut self, images: &Images) -> Result<bool> {
        // A tenth stays free for libraries and for what else uses the card.
        let part = self.part(images.batch).images;
        let training = memory(&self.model, part, Purpose::Training, self.precision)?;
        let needed = training + images::room(images) as f64;
        if needed > 0.9 * self.gpu.free_memory()? as f64 {
            return Ok(false);
        }
        self.resident = Some(ResidentImages::new(&self.gpu, images)?);
        Ok(true)
    }

    fn begin_epoch(&mut self, order: &Order) -> Result<()> {
        match &mut self.resident {
            Some(resident) => resident.begin(&self.gpu, order),
            None => Err(Error::new("the GPU holds no images")),
        }
    }

    fn queue(&mut self, index: usize, at: StepContext) -> Result<()> {
        self.queue_step(index, at)
    }

    fn outcomes(&mut self) -> Result<Vec<Outcome>> {
        self.read_outcomes()
    }
}
