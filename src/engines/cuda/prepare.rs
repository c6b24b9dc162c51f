//! Plan made ready to run: placed in memory, its products chosen, its graphs captured.

use super::Precision;
use super::context::Run;
use super::exchange::Part;
use super::gpu::Gpu;
use super::memory::Memory;
use super::narrow_mlp::NarrowMlp;
use super::pass::PassKernels;
use super::products::{Bench, Libraries, Product};
use super::run::CudaTarget;
use super::update::{self, Statistics};
use crate::error::{Error, Result};
use crate::ir::{Model, Train};
use crate::plan::{Action, Plan, Purpose, Storage};
use cudarc::driver::CudaGraph;

/// Number of elements that a kernel can count.
const ELEMENTS: usize = i32::MAX as usize;

/// Plan made ready to run.
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// Images that the plan is for.
    pub part: Part,
    /// Product that computes each step, in the order of [`Plan::steps`].
    products: Vec<Option<Product>>,
    statistics: Option<Statistics>,
    /// End of a narrow MLP's plan.
    narrow_mlp: Option<NarrowMlp>,
    /// Captured [`Graph::Passes`].
    passes: Option<CudaGraph>,
    /// Captured [`Graph::Step`].
    step: Option<CudaGraph>,
}

/// Part of a plan that is captured.
#[derive(Clone, Copy)]
pub enum Graph<'a> {
    /// Forward steps, and in training the backward ones.
    Passes,
    /// Forward and backward steps with the update that these settings ask for.
    Step(&'a Train),
}

/// Parts of the engine on the card that plans run with.
pub struct Here<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Libraries that were found.
    pub with: &'a Libraries,
    /// Kernels of passes.
    pub passes: &'a PassKernels,
    /// Precision of products.
    pub precision: Precision,
}

impl Prepared {
    /// Makes a plan for these images, without a place yet: see [`Self::place`].
    pub fn new(here: &Here, model: &Model, part: Part, purpose: Purpose) -> Result<Prepared> {
        let images = part.images;
        let target = CudaTarget {
            precision: here.precision,
        };
        let plan = Plan::new(model, images, purpose, &target)?;
        let most = plan.buffers.iter().map(|b| b.elements).max().unwrap_or(0);
        if most > ELEMENTS {
            return Err(Error::new(format!(
                "a layer's output for {images} images has {most} elements, more than the \
                 engine for GPUs counts ({ELEMENTS})"
            ))
            .help("choose a smaller --batch"));
        }
        let products = plan
            .steps()
            .map(|step| Product::of_step(&plan, step, here.with))
            .collect();
        Ok(Prepared {
            plan,
            part,
            products,
            statistics: None,
            narrow_mlp: None,
            passes: None,
            step: None,
        })
    }

    /// Returns the bytes of a library's scratch memory.
    pub fn workspace(&self) -> usize {
        let each = self.products.iter().flatten().map(Product::workspace);
        each.max().unwrap_or(0)
    }

    /// Takes its place in `memory`, where room was made for it.
    pub fn place(
        &mut self,
        gpu: &mut Gpu,
        passes: &mut PassKernels,
        precision: Precision,
        memory: &Memory,
    ) -> Result<()> {
        passes.load(gpu, &self.plan)?;
        self.narrow_mlp = match precision {
            Precision::F32 | Precision::Tf32 => {
                NarrowMlp::new(gpu, memory, &self.plan, self.part.total)?
            }
            Precision::Bf16 => None,
        };
        self.statistics = match self.plan.purpose {
            Purpose::Training => Some(Statistics::new(gpu, memory, &self.plan)?),
            Purpose::Evaluation | Purpose::Inspection => None,
        };
        Ok(())
    }

    fn run<'a>(&'a self, here: &Here<'a>, memory: &'a Memory) -> Run<'a> {
        Run {
            gpu: here.gpu,
            memory,
            plan: &self.plan,
            part: self.part,
            passes: here.passes,
            bench: Bench {
                gpu: here.gpu,
                with: here.with,
                memory,
                precision: here.precision,
            },
        }
    }

    /// Queues the forward steps one by one, `after` each of them.
    pub fn forward(
        &self,
        here: &Here,
        memory: &Memory,
        mut after: impl FnMut(usize) -> Result<bool>,
    ) -> Result<()> {
        let run = self.run(here, memory);
        for (index, step) in self.plan.forward.iter().enumerate() {
            run.step(step, self.products[index].as_ref())?;
            if !after(index)? {
                break;
            }
        }
        Ok(())
    }

    /// Queues forward and backward steps; without an `outcome` those that tell of it are
    /// left out.
    fn pass(&self, here: &Here, memory: &Memory, outcome: bool) -> Result<()> {
        let run = self.run(here, memory);
        let (forward, backward) = (&self.plan.forward, &self.plan.backward);
        let (before, after) = match &self.narrow_mlp {
            Some(narrow_mlp) => (narrow_mlp.before, narrow_mlp.after),
            None => (forward.len(), 0),
        };
        for (step, product) in forward[..before].iter().zip(&self.products) {
            if outcome || !matches!(step.action, Action::Loss { .. }) {
                run.step(step, product.as_ref())?;
            }
        }
        if let Some(narrow_mlp) = &self.narrow_mlp {
            narrow_mlp.run(here.gpu, memory)?;
            if outcome {
                run.outcome()?;
            }
        }
        let products = &self.products[forward.len() + after..];
        for (step, product) in backward[after..].iter().zip(products) {
            run.step(step, product.as_ref())?;
        }
        Ok(())
    }

    /// Captures a graph, if that was not done yet. It must come before the batch is put
    /// in its place, which a run before the capture would write over.
    pub fn capture(&mut self, here: &Here, memory: &Memory, graph: Graph) -> Result<()> {
        let is_there = match graph {
            Graph::Passes => self.passes.is_some(),
            Graph::Step(_) => self.step.is_some(),
        };
        if is_there {
            return Ok(());
        }
        self.warm_up(here, memory)?;
        let captured = here.gpu.capture(|| {
            self.pass(here, memory, true)?;
            let Graph::Step(train) = graph else {
                return Ok(());
            };
            update::update(here.gpu, memory, train)?;
            self.move_statistics(here.gpu, memory)
        })?;
        match graph {
            Graph::Passes => self.passes = Some(captured),
            Graph::Step(_) => self.step = Some(captured),
        }
        Ok(())
    }

    /// Queues the update of the running statistics.
    pub fn move_statistics(&self, gpu: &Gpu, memory: &Memory) -> Result<()> {
        let queue = |statistics: &Statistics| statistics.update(gpu, memory);
        self.statistics.as_ref().map_or(Ok(()), queue)
    }

    /// Queues what was captured.
    pub fn launch(&self, graph: Graph) -> Result<()> {
        let graph = match graph {
            Graph::Passes => &self.passes,
            Graph::Step(_) => &self.step,
        };
        let missing = || Error::new("a step was to be run that was not captured");
        graph
            .as_ref()
            .ok_or_else(missing)?
            .launch()
            .map_err(|e| super::card::failed("the step does not start", &e))
    }

    /// Runs the steps once as they are: libraries load their kernels then, which they may
    /// not in a capture, and what fails is known by its name. It computes on what happens
    /// to be in the arena, moves no tensor and gives no outcome.
    fn warm_up(&self, here: &Here, memory: &Memory) -> Result<()> {
        self.pass(here, memory, false)?;
        here.gpu.wait()
    }

    /// Returns the address of the logits.
    pub fn logits_at(&self, memory: &Memory) -> u64 {
        debug_assert!(matches!(
            self.plan.buffer(self.plan.logits).storage,
            Storage::Arena { .. }
        ));
        memory.address(&self.plan, self.plan.logits)
    }
}
