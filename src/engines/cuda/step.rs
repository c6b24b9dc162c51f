//! Step of training: on a batch of the host or of the images on the card, and of the
//! process's part of it where there are several.

use super::gpu::{Args, Grid};
use super::memory::{OUTCOME, OUTCOMES};
use super::prepare::Graph;
use super::{CudaEngine, Exchange, Part, Work};
use crate::engines::{Outcome, StepContext, batch};
use crate::error::{Error, Result};
use crate::ir::Every;
use crate::plan::Purpose;
use crate::tensor::Batch;

impl CudaEngine {
    /// Trains on a batch of the host, as [`crate::engines::Engine::step`].
    pub(super) fn train_on(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        self.read_outcomes()?;
        batch::validate(&self.model, batch)?;
        let part = self.part(batch.len());
        if part.images == 0 {
            self.join_in(at)?;
        } else {
            let (purpose, work) = (Purpose::Training, Work::Step);
            let index = match part == Part::whole(batch.len()) {
                true => self.place(batch, part, purpose, work)?,
                false => self.place(&part.take(batch), part, purpose, work)?,
            };
            self.begin(at)?;
            self.launch(index)?;
        }
        let outcome = self.outcome()?;
        if outcome.loss.is_finite() {
            self.count(1);
        }
        Ok(outcome)
    }

    /// Queues a step on resident images, as [`crate::engines::Resident::queue`].
    pub(super) fn queue_step(&mut self, index: usize, at: StepContext) -> Result<()> {
        if self.queued == OUTCOMES {
            return Err(Error::new("too many steps wait on the GPU"));
        }
        let Some(images) = self.resident.as_ref().map(|resident| resident.len(index)) else {
            return Err(Error::new("the GPU holds no images"));
        };
        if images == 0 {
            return Err(Error::new("a batch was asked for that is not in the epoch"));
        }
        let part = self.part(images);
        if part.images == 0 {
            self.join_in(at)?;
        } else {
            let plan = self.plan_for(part, Purpose::Training)?;
            self.capture(plan, Work::Step)?;
            self.begin(at)?;
            if let Some(resident) = &self.resident {
                let prepared = &self.plans[plan].plan;
                resident.place(&self.gpu, &self.memory, prepared, (index, part))?;
            }
            self.launch(plan)?;
        }
        self.count(1);
        Ok(())
    }

    /// Tells the card of a step. The first after outcomes were read lifts a halt.
    pub(super) fn begin(&mut self, at: StepContext) -> Result<()> {
        let args = Args::default().with(self.memory.control.at).with(at.rate);
        let args = args.with(at.seed).with(at.step).with(self.queued as u32);
        let restart = i32::from(self.queued == 0);
        let grid = Grid {
            blocks: [1; 3],
            threads: [1; 3],
        };
        // SAFETY: what the kernel takes.
        unsafe { self.gpu.launch("begin", grid, args.with(restart)) }?;
        self.queued += 1;
        Ok(())
    }

    /// Returns this process's part of a batch.
    pub(super) fn part(&self, images: usize) -> Part {
        let part = |exchange: &Exchange| exchange.part(images);
        self.exchange.as_ref().map_or(Part::whole(images), part)
    }

    /// Queues a step of training on the batch that is in its place.
    fn launch(&self, index: usize) -> Result<()> {
        let plan = &self.plans[index];
        let Some(exchange) = &self.exchange else {
            return plan.launch(Graph::Step(&self.model.train));
        };
        plan.launch(Graph::Passes)?;
        exchange.launch()?;
        plan.move_statistics(&self.gpu, &self.memory)
    }

    /// Queues a step of which this process has no image.
    fn join_in(&mut self, at: StepContext) -> Result<()> {
        let outcome = self.memory.outcomes.at + (self.queued * OUTCOME) as u64;
        self.gpu.clear(outcome, OUTCOME)?;
        let gradients = self.memory.rows.alphas.end * size_of::<f32>();
        self.gpu.clear(self.memory.gradients.at, gradients)?;
        self.begin(at)?;
        self.exchange.as_ref().map_or(Ok(()), Exchange::launch)
    }

    /// Reads the outcomes that wait, as [`crate::engines::Resident::outcomes`].
    pub(super) fn read_outcomes(&mut self) -> Result<Vec<Outcome>> {
        let words: Vec<u64> = self
            .gpu
            .download(self.memory.outcomes.at, self.queued * OUTCOME / 8)?;
        self.queued = 0;
        let outcome = |words: &[u64]| Outcome {
            loss: f64::from_bits(words[0]),
            correct: words[1] as usize,
        };
        Ok(words.chunks_exact(2).map(outcome).collect())
    }

    /// Reads the one outcome of a step that was run alone.
    pub(super) fn outcome(&mut self) -> Result<Outcome> {
        let mut found = self.read_outcomes()?;
        found
            .pop()
            .ok_or_else(|| Error::new("the GPU gave no outcome of the step"))
    }

    /// Counts a step that moved tensors.
    fn count(&mut self, steps: usize) {
        match self.model.train.constraint.every {
            Every::Step => {}
            Every::Epoch => self.summed = self.summed.saturating_add(steps as u32),
        }
    }
}
