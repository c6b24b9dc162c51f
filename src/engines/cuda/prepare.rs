//! A plan made ready to run: placed in memory, its products chosen, its graphs captured.

use super::Precision;
use super::gpu::Gpu;
use super::memory::Memory;
use super::products::{Bench, Libraries, Product};
use super::run::{Run, Target};
use super::update::{self, Statistics};
use crate::error::{Error, Result};
use crate::ir::{Model, Train};
use crate::plan::{Place, Plan, Purpose};
use cudarc::driver::CudaGraph;

/// Elements that a kernel can count.
const ELEMENTS: usize = i32::MAX as usize;

/// A plan made ready.
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What computes each step, in the order of [`Plan::steps`].
    products: Vec<Option<Product>>,
    statistics: Option<Statistics>,
    /// The forward steps, and in training the backward ones.
    passes: Option<CudaGraph>,
    /// The same with the update.
    step: Option<CudaGraph>,
}

/// What is on the card beside plans.
pub struct Here<'a> {
    /// The card.
    pub gpu: &'a Gpu,
    /// Its libraries.
    pub with: &'a Libraries,
    /// How numbers are multiplied.
    pub precision: Precision,
}

impl Prepared {
    /// A plan for `images` images, without a place yet: see [`Self::place`].
    pub fn new(here: &Here, model: &Model, images: usize, purpose: Purpose) -> Result<Prepared> {
        let target = Target {
            precision: here.precision,
        };
        let plan = Plan::new(model, images, purpose, &target);
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
            .map(|step| Product::of(&plan, &step.action, here.with))
            .collect::<Result<_>>()?;
        Ok(Prepared {
            plan,
            products,
            statistics: None,
            passes: None,
            step: None,
        })
    }

    /// Bytes of a library's scratch memory.
    pub fn workspace(&self) -> usize {
        let each = self.products.iter().flatten().map(Product::workspace);
        each.max().unwrap_or(0)
    }

    /// Takes its place in `memory`, where room was made for it.
    pub fn place(&mut self, gpu: &Gpu, memory: &Memory) -> Result<()> {
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

    /// Queues forward and backward steps one by one.
    fn pass(&self, here: &Here, memory: &Memory) -> Result<()> {
        let run = self.run(here, memory);
        let steps = self.plan.forward.iter().chain(&self.plan.backward);
        for (step, product) in steps.zip(&self.products) {
            run.step(step, product.as_ref())?;
        }
        Ok(())
    }

    /// Queues the forward steps, and in training the backward ones, as one graph.
    pub fn launch_passes(&mut self, here: &Here, memory: &Memory) -> Result<()> {
        if self.passes.is_none() {
            self.warm_up(here, memory)?;
            let graph = here.gpu.capture(|| self.pass(here, memory))?;
            self.passes = Some(graph);
        }
        launch(self.passes.as_ref())
    }

    /// Queues a whole step of training as one graph.
    pub fn launch_step(&mut self, here: &Here, memory: &Memory, train: &Train) -> Result<()> {
        if self.step.is_none() {
            self.warm_up(here, memory)?;
            let graph = here.gpu.capture(|| {
                self.pass(here, memory)?;
                update::update(here.gpu, memory, train)?;
                match &self.statistics {
                    Some(statistics) => statistics.update(here.gpu, memory),
                    None => Ok(()),
                }
            })?;
            self.step = Some(graph);
        }
        launch(self.step.as_ref())
    }

    /// Runs the steps once as they are, before they are captured: libraries load their
    /// kernels then, and what fails is known by its name. It moves no tensor.
    fn warm_up(&self, here: &Here, memory: &Memory) -> Result<()> {
        self.pass(here, memory)?;
        here.gpu.wait()
    }

    /// The arena's floats of the logits.
    pub fn logits_at(&self, memory: &Memory) -> u64 {
        debug_assert!(matches!(
            self.plan.buffer(self.plan.logits).place,
            Place::Arena { .. }
        ));
        memory.at(&self.plan, self.plan.logits)
    }
}

fn launch(graph: Option<&CudaGraph>) -> Result<()> {
    let Some(graph) = graph else { return Ok(()) };
    graph
        .launch()
        .map_err(|e| super::card::failed("the step does not start", &e))
}
