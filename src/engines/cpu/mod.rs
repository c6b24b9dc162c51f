//! The compiled CPU engine: runs a [`Plan`] on one arena, without allocating in a step.
//!
//! A plan is made for each batch size that comes up (the training batch, the last one
//! of an epoch, those of evaluation) and kept. Between steps the network's tensors,
//! their gradients and the optimizer's slots stay in PyTorch's layouts; everything else lives in
//! the arena for as long as the plan says.

mod clock;
mod convolution;
mod dirac;
pub mod kernels;
mod loss;
mod map;
mod map_step;
mod memory;
mod narrow_mlp;
mod parallel;
mod pass;
mod pooling;
mod reshape;
mod run;
mod update;

use self::kernels::Pool;
use self::memory::Memory;
use self::narrow_mlp::NarrowMlp;
use self::pass::Passes;
use self::run::{Found, Inputs};
use super::skips::Skips;
use super::state::State;
use super::{Engine, Outcome, SkipState, StepContext, batch};
use crate::error::Result;
use crate::ir::{Model, Role, Slot, TensorSpec};
use crate::plan::{Kind, Method, Plan, Purpose, Step, Target, Window};
use crate::tensor::{Batch, Tensor};

/// Number of plans that are kept; more batch sizes than these are not expected in one run.
const PLANS: usize = 8;

/// Target of plans for this engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// Number of threads that it will run on.
    pub threads: usize,
    /// Whether convolutions may be by Winograd's method: less work, larger rounding errors
    /// ([`kernels::winograd`]).
    pub winograd: bool,
}

impl Cpu {
    /// Makes a target on as many threads as the rest of the program uses.
    pub fn here() -> Self {
        Cpu {
            threads: rayon::current_num_threads(),
            winograd: true,
        }
    }

    /// Allows or forbids Winograd's method.
    pub fn with_winograd(self, winograd: bool) -> Self {
        Cpu { winograd, ..self }
    }
}

impl Target for Cpu {
    fn lanes(&self) -> usize {
        kernels::LANES
    }

    fn method(&self, channels: usize, window: Window) -> Method {
        convolution::method(channels, window, self.winograd)
    }

    fn workspace(&self, plan: &Plan, step: &Step) -> usize {
        run::workspace(plan, step, self.threads)
    }

    fn scratch(&self, plan: &Plan) -> usize {
        narrow_mlp::scratch(plan, self.threads)
    }
}

/// Plan with what its run needs.
struct Ready {
    plan: Plan,
    passes: Passes,
    /// Schedule of one fork a step, where the network is narrow.
    narrow_mlp: Option<NarrowMlp>,
}

/// Network on the CPU.
pub struct CpuEngine {
    target: Cpu,
    pool: Pool,
    model: Model,
    specs: Vec<TensorSpec>,
    memory: Memory,
    plans: Vec<Ready>,
    skips: Skips,
    /// Gradients ∂C/∂α of the last step, a skip each.
    alpha_gradients: Vec<Vec<f32>>,
    /// Seconds that each step of the training plan has taken, where they are wanted.
    times: Option<Vec<f64>>,
}

/// Starts `model` on the CPU from `tensors` (see [`Engine::load`];
/// [`super::init::initial`] makes them).
///
/// # Errors
/// If a tensor is missing, unknown, there twice or of another shape, or there is no
/// memory or thread left.
pub fn cpu(model: &Model, tensors: &[Tensor], target: Cpu) -> Result<Box<dyn Engine>> {
    Ok(Box::new(CpuEngine::new(model, tensors, target)?))
}

/// Starts `model` on the CPU from `tensors`, without what only training keeps: that is made
/// where a step of training comes after all.
///
/// # Errors
/// As [`cpu`].
pub fn to_evaluate(model: &Model, tensors: &[Tensor], target: Cpu) -> Result<Box<dyn Engine>> {
    Ok(Box::new(CpuEngine::to_evaluate(model, tensors, target)?))
}

/// Counts the bytes that steps of `model` with batches of `images` take at their peak.
///
/// # Errors
/// As of [`Plan::new`].
pub fn memory(model: &Model, images: usize, purpose: Purpose, target: Cpu) -> Result<f64> {
    let plan = Plan::new(model, images, purpose, &target)?;
    Ok(plan.peak_bytes() as f64)
}

impl CpuEngine {
    /// Starts `model` on the CPU from `tensors`, as [`cpu`] does.
    ///
    /// # Errors
    /// As [`cpu`].
    pub fn new(model: &Model, tensors: &[Tensor], target: Cpu) -> Result<Self> {
        let mut engine = CpuEngine::to_evaluate(model, tensors, target)?;
        engine.load(tensors)?;
        Ok(engine)
    }

    /// Starts `model` on the CPU from `tensors`, as [`to_evaluate`] does.
    ///
    /// # Errors
    /// As [`cpu`].
    pub fn to_evaluate(model: &Model, tensors: &[Tensor], target: Cpu) -> Result<Self> {
        let specs = model.tensors();
        let state = State::read(&specs, tensors)?;
        let skips = Skips::read(model, &specs, &state);
        let mut engine = CpuEngine {
            pool: Pool::new(target.threads)?,
            target,
            memory: Memory::new(&specs)?,
            alpha_gradients: alpha_gradients(&skips),
            model: model.clone(),
            specs,
            plans: Vec::new(),
            times: None,
            skips,
        };
        engine.fill(&state);
        Ok(engine)
    }

    /// Begins to add up the time that each step of the training plan takes.
    pub fn time_steps(&mut self) {
        self.times = Some(Vec::new());
    }

    /// Returns the seconds since [`Self::time_steps`] of each step, in the order of
    /// [`Plan::steps`].
    pub fn times(&self) -> &[f64] {
        self.times.as_deref().unwrap_or_default()
    }

    /// Makes room for what training keeps, where there is none yet.
    fn keep_training(&mut self) -> Result<()> {
        let slots = self.model.train.optimizer.slots().len();
        self.memory.keep_training(&self.specs, slots)
    }

    /// Copies `state` into the memory; slots that are missing become 0.
    fn fill(&mut self, state: &State) {
        let memory = &mut self.memory;
        for (tensor, from) in memory.tensors.iter_mut().zip(&state.network) {
            tensor.copy_from_slice(&from.data);
        }
        let slots = self.model.train.optimizer.slots();
        for (&slot, tensors) in slots.iter().zip(&mut memory.slots) {
            for (spec, tensor) in self.specs.iter().zip(tensors) {
                match state.slot(slot, &spec.name) {
                    Some(from) => tensor.copy_from_slice(&from.data),
                    None => tensor.fill(0.0),
                }
            }
        }
    }

    /// Returns the index among `self.plans` of one for this batch, made if need be.
    fn plan_for(&mut self, images: usize, purpose: Purpose) -> Result<usize> {
        let fits = |Ready { plan, .. }: &Ready| plan.batch == images && plan.purpose == purpose;
        if let Some(index) = self.plans.iter().position(fits) {
            return Ok(index);
        }
        if purpose == Purpose::Training {
            self.keep_training()?;
        }
        let plan = Plan::new(&self.model, images, purpose, &self.target)?;
        self.memory.reserve(&plan)?;
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        let passes = Passes::new(&plan);
        let narrow_mlp = NarrowMlp::new(&plan, &passes, &self.pool)?;
        self.plans.push(Ready {
            plan,
            passes,
            narrow_mlp,
        });
        Ok(self.plans.len() - 1)
    }

    /// Runs the steps of training; those that move tensors run only if `moves`.
    fn run(&mut self, batch: &Batch, at: StepContext, moves: bool) -> Result<Outcome> {
        batch::validate(&self.model, batch)?;
        let index = self.plan_for(batch.len(), Purpose::Training)?;
        let Ready {
            plan,
            passes,
            narrow_mlp,
        } = &mut self.plans[index];
        let inputs = Inputs::new(&self.model, batch, at, passes);
        if let Some(times) = &mut self.times {
            times.resize(plan.steps().count(), 0.0);
        }
        let (views, times) = (self.memory.views(plan, &batch.images), self.times.as_mut());
        // SAFETY: the engine's memory is borrowed for this run alone.
        let found = unsafe {
            match narrow_mlp {
                Some(narrow_mlp) => narrow_mlp.run(&self.pool, views, &inputs, moves, times),
                None => run::all(&self.pool, views, &inputs, moves, times),
            }
        };
        Ok(Outcome {
            loss: found.loss,
            correct: found.correct,
        })
    }

    /// Puts the multipliers' α and λ among the tensors.
    fn place_skips(&mut self) {
        let mut alphas = self.skips.iter();
        let mut lambdas = self.skips.iter();
        for (spec, tensor) in self.specs.iter().zip(&mut self.memory.tensors) {
            let from = match spec.role {
                Role::Alpha => alphas.next().map(|(_, skip)| &skip.alpha),
                Role::Multiplier => lambdas.next().map(|(_, skip)| &skip.lambda),
                Role::Weight
                | Role::Bias
                | Role::Coefficient
                | Role::DiracA
                | Role::DiracB
                | Role::RunningMean
                | Role::RunningVar => None,
            };
            if let Some(from) = from {
                tensor.copy_from_slice(from);
            }
        }
    }

    /// Lists those of `tensors` that are of a wanted role, called by what they are of, or
    /// by what a slot makes of it.
    fn named(
        &self,
        tensors: &[Vec<f32>],
        slot: Option<Slot>,
        wanted: fn(&TensorSpec) -> bool,
    ) -> Vec<Tensor> {
        let pairs = self.specs.iter().zip(tensors);
        let wanted = pairs.filter(|(spec, _)| wanted(spec));
        wanted
            .map(|(spec, data)| Tensor {
                name: slot.map_or_else(|| spec.name.clone(), |slot| slot.tensor(&spec.name)),
                shape: spec.shape.clone(),
                data: data.clone(),
            })
            .collect()
    }
}

fn alpha_gradients(skips: &Skips) -> Vec<Vec<f32>> {
    let zeros = skips.iter().map(|(_, skip)| vec![0.0; skip.alpha.len()]);
    zeros.collect()
}

impl Engine for CpuEngine {
    fn name(&self) -> String {
        format!("cpu ({:?})", self.pool.isa())
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        let outcome = self.run(batch, at, true)?;
        if !outcome.loss.is_finite() {
            return Ok(outcome);
        }
        let gradients = self.specs.iter().zip(&self.memory.gradients);
        let of_alphas = gradients.filter(|(spec, _)| spec.role == Role::Alpha);
        for (to, (_, from)) in self.alpha_gradients.iter_mut().zip(of_alphas) {
            to.copy_from_slice(from);
        }
        self.skips.multipliers.step(at.rate, &self.alpha_gradients);
        self.place_skips();
        Ok(outcome)
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        self.skips.multipliers.end_epoch(rate);
        self.place_skips();
        Ok(())
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        batch::validate(&self.model, batch)?;
        let index = self.plan_for(batch.len(), Purpose::Evaluation)?;
        let Ready { plan, passes, .. } = &self.plans[index];
        let at = StepContext {
            rate: 0.0,
            seed: 0,
            step: 0,
        };
        let inputs = Inputs::new(&self.model, batch, at, passes);
        let views = self.memory.views(plan, &batch.images);
        // SAFETY: the engine's memory is borrowed for this run alone; after it, no step
        // runs any more.
        let logits = unsafe {
            run::all(&self.pool, views, &inputs, false, None);
            views.read(plan.logits)
        };
        let classes = self.model.output.elements();
        let rows = logits.chunks_exact(plan.padded(classes));
        Ok(rows.flat_map(|row| &row[..classes]).copied().collect())
    }

    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        let outcome = self.run(batch, at, false)?;
        if !outcome.loss.is_finite() {
            self.memory.gradients.iter_mut().for_each(|g| g.fill(0.0));
        }
        let tensors = self.named(&self.memory.gradients, None, |spec| {
            spec.role.is_parameter()
        });
        Ok((outcome, tensors))
    }

    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>> {
        batch::validate(&self.model, batch)?;
        let plan = Plan::new(&self.model, batch.len(), Purpose::Inspection, &self.target)?;
        self.memory.reserve(&plan)?;
        let passes = Passes::new(&plan);
        let inputs = Inputs::new(&self.model, batch, at, &passes);
        let views = self.memory.views(&plan, &batch.images);
        // SAFETY: the engine's memory is borrowed for this run alone.
        unsafe { run::images(&self.pool, &views, &inputs) };
        for step in &plan.forward {
            // SAFETY: the engine's memory is borrowed for this run alone, one step at a time.
            unsafe { run::step(&self.pool, step, &views, &inputs, &mut Found::default()) };
            for &id in &step.writes {
                let is_map = matches!(plan.buffer(id).kind, Kind::Map(_));
                // SAFETY: no step runs at the moment.
                let values = unsafe { views.read(id) };
                if is_map && !values.iter().all(|x| x.is_finite()) {
                    return Ok(Some(step.path.clone()));
                }
            }
        }
        Ok(None)
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        Ok(self.skips.states())
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        let mut tensors = self.named(&self.memory.tensors, None, |_| true);
        let slots = self.model.train.optimizer.slots();
        for (&slot, kept) in slots.iter().zip(&self.memory.slots) {
            tensors.extend(self.named(kept, Some(slot), TensorSpec::is_optimized));
        }
        self.skips.save_sums(&self.specs, &mut tensors);
        Ok(tensors)
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        let state = State::read(&self.specs, tensors)?;
        let slots = self.model.train.optimizer.slots().len();
        self.memory.keep_training(&self.specs, slots)?;
        self.skips = Skips::read(&self.model, &self.specs, &state);
        self.fill(&state);
        Ok(())
    }
}
