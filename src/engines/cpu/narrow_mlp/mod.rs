//! Narrow MLPs: a whole step of training in one fork.
//!
//! A layer of fifty units takes a thread some microseconds, no more than it takes to
//! hand its output to another one. So a thread keeps the same images from the first
//! layer to their gradients, with weights blocked for itself alone, and threads meet
//! only where something is summed over the batch: once a batch norm in each direction,
//! and for the gradients of weights, whose lines are then shared out for SGD.

mod schedule;
mod sum_tree;
mod thread_tuner;

use self::schedule::{LINE, Phase, Schedule, Task, Work, sums_len};
use self::sum_tree::SumTree;
use self::thread_tuner::ThreadTuner;
use super::clock::Clock;
use super::kernels::dense::{self, DenseGeometry};
use super::kernels::{Barrier, Moments, Pool, Shared, WeightSums, moments};
use super::memory::BufferViews;
use super::pass::{self, Passes};
use super::run::{self, Found, Inputs};
use super::update;
use crate::error::Result;
use crate::plan::{Action, ConvPass, Convolution, Id, Kind, Plan, Step};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Instant;

/// Plan of a narrow MLP, with what its threads share.
pub(super) struct NarrowMlp {
    schedule: Schedule,
    /// Pool of one thread that each thread runs its kernels on.
    own: Vec<Mutex<Pool>>,
    /// Findings of the loss in each part of the batch.
    found: Vec<Mutex<Found>>,
    /// Barriers of all threads, and of one.
    barriers: [Barrier; 2],
    tuner: ThreadTuner,
}

/// Counts the floats of scratch that a plan wants for a whole step, 0 if it is not narrow.
pub(super) fn scratch(plan: &Plan, threads: usize) -> usize {
    let schedule = Schedule::new(plan, &Passes::new(plan));
    schedule.map_or(0, |s| s.sums + threads * s.scratch)
}

impl NarrowMlp {
    /// Prepares `plan` with its passes for the threads of `pool`, if it is narrow.
    pub fn new(plan: &Plan, passes: &Passes, pool: &Pool) -> Result<Option<NarrowMlp>> {
        let Some(schedule) = Schedule::new(plan, passes) else {
            return Ok(None);
        };
        let one = |_| Pool::with_isa(1, pool.isa()).map(Mutex::new);
        let parts = plan.batch.div_ceil(schedule.images);
        Ok(Some(NarrowMlp {
            own: (0..pool.threads()).map(one).collect::<Result<_>>()?,
            found: (0..parts).map(|_| Mutex::default()).collect(),
            barriers: [pool.threads(), 1].map(|threads| Barrier::new(pool, threads)),
            tuner: ThreadTuner::new(pool.threads()),
            schedule,
        }))
    }

    /// Runs a step as [`run::all`], the times being those of the first thread.
    ///
    /// # Safety
    /// As of [`run::all`].
    pub unsafe fn run(
        &mut self,
        pool: &Pool,
        views: BufferViews,
        inputs: &Inputs,
        moves: bool,
        times: Option<&mut Vec<f64>>,
    ) -> Found {
        let Some(scratch) = views.plan.scratch else {
            return Found::default();
        };
        let start = Instant::now();
        let (threads, times) = (self.tuner.threads(), Mutex::new(times));
        let barrier = &self.barriers[usize::from(threads == 1)];
        // SAFETY: the views are the caller's alone, and only the threads below use this,
        // each its own part or as scheduled.
        let scratch = Shared::new(unsafe { views.write(scratch) });
        let job = |thread: usize| {
            let own = self.own[thread].lock().unwrap_or_else(|e| e.into_inner());
            let from = self.schedule.sums + thread * self.schedule.scratch;
            let parts = self.found.len();
            let mut times = (thread == 0).then(|| times.lock().ok()).flatten();
            let mut worker = Worker {
                narrow_mlp: self,
                barrier,
                clock: Clock::new(times.as_mut().and_then(|times| times.as_deref_mut())),
                pool: &own,
                views,
                inputs,
                thread,
                threads,
                parts: thread * parts / threads..(thread + 1) * parts / threads,
                sums: scratch,
                // SAFETY: a thread's own part.
                scratch: unsafe { scratch.range(from, self.schedule.scratch) },
            };
            barrier.attend(|| worker.run(moves));
        };
        match threads {
            1 => pool.alone(&job),
            _ => pool.run(&job),
        }
        let found = self.found();
        self.tuner.took(start.elapsed());
        found
    }

    /// Adds up what all parts found.
    fn found(&self) -> Found {
        let mut all = Found::default();
        for part in &self.found {
            let part = part.lock().unwrap_or_else(|e| e.into_inner());
            all.loss += part.loss;
            all.correct += part.correct;
        }
        all
    }
}

/// Thread of a step.
struct Worker<'a> {
    narrow_mlp: &'a NarrowMlp,
    barrier: &'a Barrier,
    /// Clock of the first thread; the others have none.
    clock: Clock<'a>,
    /// Pool of this thread alone.
    pool: &'a Pool,
    views: BufferViews<'a>,
    inputs: &'a Inputs<'a>,
    thread: usize,
    threads: usize,
    /// Parts of the batch that the thread has.
    parts: Range<usize>,
    sums: Shared<'a>,
    scratch: &'a mut [f32],
}

impl<'a> Worker<'a> {
    fn run(&mut self, moves: bool) {
        let [forward, backward, update] = &self.narrow_mlp.schedule.phases;
        let mine = self.views_of_parts(self.parts.clone());
        // SAFETY: this thread's images, which nobody else uses before the next barrier.
        unsafe { run::images(self.pool, &mine, self.inputs) };
        self.phases(forward);
        if !self.narrow_mlp.found().loss.is_finite() {
            return;
        }
        self.phases(backward);
        if moves {
            self.phases(update);
        }
    }

    fn phases(&mut self, phases: &[Phase]) {
        for phase in phases {
            for task in &phase.together {
                self.task(task);
            }
            let barrier = self.barrier;
            barrier.wait(|| phase.alone.iter().for_each(|task| self.task(task)));
        }
    }

    fn task(&mut self, task: &Task) {
        let plan = self.views.plan;
        let Some(step) = plan.steps().nth(task.step) else {
            return;
        };
        // SAFETY: the schedule lets no two threads at the same floats, one of them
        // writing, without a barrier in between.
        unsafe {
            match task.work {
                Work::Images(totals) => self.images(step, totals),
                Work::Sums(at) => {
                    for part in self.parts.clone() {
                        self.sum(step, part, at);
                    }
                    if schedule::is_weight_gradient(step) {
                        let all = 0..self.narrow_mlp.found.len();
                        let len = self.sums_len(step);
                        sum_tree::fold(&self.sums, &self.parts, at, len, all);
                    }
                }
                Work::Merge(at) => self.merge(step, at),
                Work::Lines(at) => self.lines(step, at),
                Work::Whole => {
                    if task.step % self.threads == self.thread {
                        self.step(step, self.views, &mut Found::default());
                    }
                }
            }
        }
        self.clock.tick(task.step);
    }

    /// Views the images of some parts.
    fn views_of_parts(&self, parts: Range<usize>) -> BufferViews<'a> {
        let batch = self.views.plan.batch;
        let start = |part: usize| (part * self.narrow_mlp.schedule.images).min(batch);
        self.views.of_images(start(parts.start)..start(parts.end))
    }

    /// Runs a step on the buffers of `views`.
    ///
    /// # Safety
    /// No other thread uses what the step writes of these views, or writes what it reads.
    unsafe fn step(&mut self, step: &Step, views: BufferViews, found: &mut Found) {
        // SAFETY: the scratch is this thread's own, the rest the caller's promise.
        unsafe { run::step_in(self.pool, step, &views, self.scratch, self.inputs, found) };
    }

    /// Counts the floats of the sums of a step over a part.
    fn sums_len(&self, step: &Step) -> usize {
        sums_len(self.views.plan, self.inputs.passes, step)
    }

    /// Runs what can be done of each of this thread's images by itself.
    ///
    /// # Safety
    /// As of [`Self::step`] with views of this thread's images.
    unsafe fn images(&mut self, step: &Step, totals: Option<usize>) {
        let views = self.views_of_parts(self.parts.clone());
        // SAFETY: buffers of this thread's images, and what nobody writes now.
        unsafe {
            if let Action::Convolve(c) = &step.action {
                let alone = c.with_statistics(None);
                run::convolve(self.pool, &views, &alone, self.scratch);
            } else if let Action::PointwiseGradient(g) = &step.action {
                let pass = self.inputs.passes.of_backward(g);
                let len = self.sums_len(step);
                let totals = totals.map_or(&mut [][..], |at| {
                    self.sums.range(at + self.narrow_mlp.found.len() * len, len)
                });
                let totals = (&*totals, views.plan.batch);
                pass::apply(self.pool, pass, &views, g, totals, self.scratch);
            } else if let Action::Loss { .. } = step.action {
                for part in self.parts.clone() {
                    let mut found = Found::default();
                    self.step(step, self.views_of_parts(part..part + 1), &mut found);
                    let place = &self.narrow_mlp.found[part];
                    *place.lock().unwrap_or_else(|e| e.into_inner()) = found;
                }
            } else {
                self.step(step, views, &mut Found::default());
            }
        }
    }

    /// Writes a step's sums over one part to its place among those at `at`.
    ///
    /// # Safety
    /// No other thread uses these sums of the part, or writes what the step reads of it.
    unsafe fn sum(&mut self, step: &Step, part: usize, at: usize) {
        let views = self.views_of_parts(part..part + 1);
        let len = self.sums_len(step);
        // SAFETY: the part's own sums, its images, and what nobody writes now.
        unsafe {
            let sums = self.sums.range(at + part * len, len);
            match &step.action {
                Action::Convolve(Convolution {
                    pass: ConvPass::Forward { .. },
                    y: x,
                    ..
                })
                | Action::Statistics { x, .. } => {
                    let map = views.map(*x);
                    moments::sum(self.pool, views.read(*x), map.rows(), map.stride, sums);
                }
                Action::PointwiseGradient(g) => {
                    let pass = self.inputs.passes.of_backward(g);
                    pass::sum(self.pool, pass, &views, g, sums, self.scratch);
                }
                Action::Convolve(Convolution {
                    pass: ConvPass::Weight { bias },
                    x,
                    y: dy,
                    ..
                }) => {
                    let layout = WeightSums::new(views.map(*x).channels, views.map(*dy).channels);
                    let (x, dy) = (views.read(*x), views.read(*dy));
                    layout.fill(self.pool, x, dy, bias.is_some(), sums);
                }
                Action::Convolve(_)
                | Action::Dirac { .. }
                | Action::DiracGradient { .. }
                | Action::Pointwise(_)
                | Action::Map(_)
                | Action::Loss { .. }
                | Action::Update { .. }
                | Action::MoveStatistics { .. } => {
                    unreachable!("{} has no sums", step.action.name())
                }
            }
        }
    }

    /// Puts the sums of all parts at `at` together.
    ///
    /// # Safety
    /// No other thread uses these sums, or what the step writes.
    unsafe fn merge(&mut self, step: &Step, at: usize) {
        let (views, parts) = (self.views, self.narrow_mlp.found.len());
        let len = self.sums_len(step);
        // SAFETY: all threads are waiting.
        unsafe {
            let sums = &*self.sums.range(at, parts * len);
            let totals = self.sums.range(at + parts * len, len);
            match &step.action {
                Action::Convolve(Convolution {
                    pass:
                        ConvPass::Forward {
                            statistics: Some(y),
                            ..
                        },
                    y: x,
                    ..
                })
                | Action::Statistics { x, y } => {
                    let map = views.map(*x);
                    let (mean, variance) = views.write(*y).split_at_mut(map.stride);
                    let moments = Moments {
                        mean: &mut mean[..map.channels],
                        variance: &mut variance[..map.channels],
                    };
                    moments::merge(sums, moments);
                }
                Action::PointwiseGradient(g) => {
                    let pass = self.inputs.passes.of_backward(g);
                    let sums = (sums, totals);
                    pass::merge(self.pool, pass, &views, g, sums, self.scratch);
                }
                Action::Convolve(_)
                | Action::Dirac { .. }
                | Action::DiracGradient { .. }
                | Action::Pointwise(_)
                | Action::Map(_)
                | Action::Loss { .. }
                | Action::Update { .. }
                | Action::MoveStatistics { .. } => {
                    unreachable!("{} has no sums", step.action.name())
                }
            }
        }
    }

    /// Returns the share of `len` elements, in rows of `row`, that this thread has of a
    /// tensor.
    fn share(&self, len: usize, row: usize) -> Range<usize> {
        let lines = len.div_ceil(row * LINE);
        let start = |thread: usize| (thread * lines / self.threads * LINE * row).min(len);
        start(self.thread)..start(self.thread + 1)
    }

    /// Writes this thread's lines of what a step writes.
    ///
    /// # Safety
    /// No other thread uses these lines, or writes what the step reads.
    unsafe fn lines(&mut self, step: &Step, at: Option<usize>) {
        let plan = self.views.plan;
        let row = |id: Id| match &plan.buffer(id).kind {
            Kind::Tensor(shape) => shape.iter().skip(1).product(),
            Kind::Map(_) | Kind::Rows(..) | Kind::Scratch => 1,
        };
        let share = |id: Id| self.share(plan.buffer(id).elements, row(id));
        // SAFETY: this thread's lines, and what nobody writes now.
        unsafe {
            match &step.action {
                Action::Update {
                    optimizer,
                    range,
                    weight,
                    gradient,
                    slots,
                } => {
                    let part = share(*weight);
                    let own = |id: &Id| self.views.part(*id, part.clone());
                    let (w, g) = (own(weight), &*own(gradient));
                    let slots = slots.iter().map(own);
                    let rule = (optimizer, *range);
                    update::update(self.pool, rule, self.inputs.at, (w, g), slots);
                }
                Action::Convolve(Convolution {
                    pass: ConvPass::Weight { bias: dbias },
                    x,
                    weight: dweight,
                    y: dy,
                    ..
                }) => {
                    let (part, outputs) = (share(*dweight), plan.shape(*dy).channels());
                    let dw = self.views.part(*dweight, part.clone());
                    let db = dbias.map(|id| self.views.part(id, share(id)));
                    let Some(at) = at else {
                        let g = DenseGeometry {
                            batch: plan.batch,
                            inputs: plan.shape(*x).channels(),
                            outputs,
                        };
                        let (x, dy) = (self.views.read(*x), self.views.read(*dy));
                        let first = part.start / row(*dweight);
                        dense::weight_gradient(self.pool, &g, x, dy, first, dw, db, self.scratch);
                        return;
                    };
                    let layout = WeightSums::new(plan.shape(*x).channels(), outputs);
                    let (len, parts) = (layout.floats(), self.narrow_mlp.found.len());
                    let tree = SumTree {
                        sums: &*self.sums.range(at, parts * len),
                        len,
                        parts,
                        threads: self.threads,
                    };
                    let width = row(*dweight);
                    let rows = part.start / width..part.end / width;
                    tree.weight_lines(&layout, rows.clone(), dw);
                    if let Some(db) = db {
                        tree.add_up(layout.bias(rows).start, db);
                    }
                }
                Action::Convolve(_)
                | Action::Dirac { .. }
                | Action::DiracGradient { .. }
                | Action::Statistics { .. }
                | Action::Pointwise(_)
                | Action::PointwiseGradient(_)
                | Action::Map(_)
                | Action::Loss { .. }
                | Action::MoveStatistics { .. } => {
                    unreachable!("{} has no lines", step.action.name())
                }
            }
        }
    }
}
