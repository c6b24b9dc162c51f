//! Schedule of a plan's steps: each thread's share of them, and where threads must meet.

use super::super::kernels::{WeightSums, padded};
use super::super::{map::Map, pass::Passes, run};
use crate::plan::{Action, ConvPass, Convolution, Id, Kind, Plan, Purpose, Step, Storage};
use std::ops::Range;

/// Number of elements of the largest weight of a narrow MLP: every thread blocks its own
/// copy.
const WEIGHT: usize = 1 << 16;
/// Number of elements of the largest weight whose gradient is summed part by part; of
/// larger ones, a thread takes some rows of the gradient over the whole batch.
const SUMMED: usize = 1 << 14;
/// Least number of images of a part of the batch, unless there are fewer.
const IMAGES: usize = 64;
/// Largest number of parts of the batch.
const PARTS: usize = 16;
/// Number of rows of a tensor that stay together: few, so that threads have equal shares
/// of fifty.
pub const LINE: usize = 4;
/// Number of places for sums that wait for a barrier: small ones, and those of weights.
const SMALL: usize = 8;
const LARGE: usize = 2;

/// Plan cut into phases. Within one, no thread waits for another.
pub struct Schedule {
    /// Phases of the forward steps with the loss, the backward steps, and the update.
    pub phases: [Vec<Phase>; 3],
    /// Number of images of a part; sums are merged part by part, so that the bits do not
    /// depend on the number of threads.
    pub images: usize,
    /// Number of floats for sums.
    pub sums: usize,
    /// Number of floats of a thread's scratch.
    pub scratch: usize,
}

/// Phase between two barriers.
#[derive(Default)]
pub struct Phase {
    /// Tasks of which each thread does its share, in order.
    pub together: Vec<Task>,
    /// Tasks that one thread does then, when all have met.
    pub alone: Vec<Task>,
}

/// Work on the step with this index.
#[derive(Clone, Copy)]
pub struct Task {
    pub step: usize,
    pub work: Work,
}

/// Share of the work of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Images of a thread, all that can be done of each by itself; given the totals at
    /// this place.
    Images(Option<usize>),
    /// Sums over each part of a thread's images, to this place.
    Sums(usize),
    /// Merge of the sums of all parts at this place.
    Merge(usize),
    /// Rows of a tensor; where a place is given, from the sums of all parts there.
    Lines(Option<usize>),
    /// Whole of the step, by one thread.
    Whole,
}

impl Schedule {
    /// Makes a schedule, where everything in the plan, whose passes are given, is narrow.
    pub fn new(plan: &Plan, passes: &Passes) -> Option<Schedule> {
        if plan.purpose != Purpose::Training || !plan.steps().all(|step| is_narrow(plan, step)) {
            return None;
        }
        let images = plan.batch.div_ceil(PARTS).max(IMAGES);
        let parts = plan.batch.div_ceil(images);
        let (mut small, mut large, mut scratch) = (0, 0, 0);
        for step in plan.steps() {
            match is_weight_gradient(step) {
                true => large = large.max(parts * sums_len(plan, passes, step)),
                false => small = small.max((parts + 1) * sums_len(plan, passes, step)),
            }
            scratch = scratch.max(run::workspace(plan, step, 1));
        }
        let mut maker = Maker {
            plan,
            passes,
            small: Ring::new(0, small, SMALL),
            large: Ring::new(SMALL * small, large, LARGE),
            parts,
            phases: Vec::new(),
            now: Phase::default(),
            accesses: Vec::new(),
            deferred: Vec::new(),
        };
        let mut steps = plan.steps().enumerate();
        let counts = [&plan.forward, &plan.backward, &plan.update].map(Vec::len);
        let phases = counts.map(|count| {
            steps
                .by_ref()
                .take(count)
                .for_each(|(at, step)| maker.step(at, step));
            maker.finish();
            std::mem::take(&mut maker.phases)
        });
        Some(Schedule {
            phases,
            images,
            sums: SMALL * small + LARGE * large,
            scratch,
        })
    }
}

/// Sharing of an action among the threads.
enum Sharing {
    /// Sharing by images.
    Images,
    /// Sharing by images, of which only sums are wanted.
    Sums,
    /// Sharing by rows of a tensor.
    Lines,
    /// No sharing: one thread does it.
    Whole,
}

/// Finds how the threads share out `action`, if they can.
fn sharing(action: &Action) -> Option<Sharing> {
    match action {
        Action::Convolve(c) => Some(match c.pass {
            ConvPass::Forward { .. } | ConvPass::Input { .. } => Sharing::Images,
            ConvPass::Weight { .. } => Sharing::Lines,
        }),
        Action::Pointwise(_) | Action::PointwiseGradient(_) | Action::Loss { .. } => {
            Some(Sharing::Images)
        }
        Action::Map(map) => map.kind.is_shared_by_images().then_some(Sharing::Images),
        Action::Statistics { .. } => Some(Sharing::Sums),
        Action::Update { .. } => Some(Sharing::Lines),
        Action::Dirac { .. } | Action::DiracGradient { .. } | Action::MoveStatistics { .. } => {
            Some(Sharing::Whole)
        }
    }
}

/// Tells whether a step makes the gradient of a linear layer's weight.
pub fn is_weight_gradient(step: &Step) -> bool {
    matches!(
        step.action,
        Action::Convolve(Convolution {
            pass: ConvPass::Weight { .. },
            ..
        })
    )
}

/// Tells whether every activation is a vector, every weight small, and the work one that
/// can be shared out.
fn is_narrow(plan: &Plan, step: &Step) -> bool {
    let mut ids = step.reads.iter().chain(&step.writes);
    let is_small = |id: &Id| match plan.buffer(*id).kind {
        Kind::Map(shape) => shape.positions() == 1,
        Kind::Tensor(_) => plan.buffer(*id).elements <= WEIGHT,
        Kind::Rows(..) | Kind::Scratch => true,
    };
    // A larger kernel reads zeros around a vector: most of its weights meet nothing else.
    let is_product = !matches!(&step.action, Action::Convolve(c) if c.window.kernel != (1, 1));
    sharing(&step.action).is_some() && is_product && ids.all(is_small)
}

/// Counts the floats of a step's sums over a part.
pub fn sums_len(plan: &Plan, passes: &Passes, step: &Step) -> usize {
    let channels = |id| Map::of_buffer(plan, id).channels;
    match &step.action {
        Action::Convolve(c) => match c.pass {
            ConvPass::Forward {
                statistics: Some(_),
                ..
            } => 4 * padded(channels(c.y)),
            ConvPass::Weight { .. } if is_summed(plan, c.weight) => {
                WeightSums::new(channels(c.x), channels(c.y)).floats()
            }
            ConvPass::Forward { .. } | ConvPass::Input { .. } | ConvPass::Weight { .. } => 0,
        },
        Action::Statistics { x, .. } => 4 * padded(channels(*x)),
        Action::PointwiseGradient(g) => passes.of_backward(g).sums_len(g, channels(g.dy)),
        Action::Pointwise(_)
        | Action::Map(_)
        | Action::Dirac { .. }
        | Action::DiracGradient { .. }
        | Action::Loss { .. }
        | Action::Update { .. }
        | Action::MoveStatistics { .. } => 0,
    }
}

/// Finds where the sums over parts `from..to` are split in two, so that the order of the
/// additions is that of the parts alone. Threads' shares of the parts are mostly sums of
/// such a tree, and only those need to be handed over.
pub fn middle(parts: &Range<usize>) -> usize {
    parts.start + parts.len() / 2
}

/// Tells whether the gradient of a weight is summed part by part.
fn is_summed(plan: &Plan, dweight: Id) -> bool {
    plan.buffer(dweight).elements <= SUMMED
}

/// Places of equal size that are used in turn.
struct Ring {
    start: usize,
    size: usize,
    count: usize,
    next: usize,
}

impl Ring {
    fn new(start: usize, size: usize, count: usize) -> Ring {
        Ring {
            start,
            size,
            count,
            next: 0,
        }
    }

    fn take(&mut self) -> usize {
        let at = self.start + self.next * self.size;
        self.next = (self.next + 1) % self.count;
        at
    }
}

/// Piece of memory.
#[derive(Clone, Copy, PartialEq)]
enum Space {
    Kept(Storage),
    Arena,
    Sums,
}

/// Part of a piece of memory that a thread touches.
#[derive(Clone, Copy, PartialEq)]
enum Share {
    /// Rows of the thread's images.
    Images,
    /// Sums of the thread's parts.
    Parts,
    /// Lines of the thread.
    Lines,
    /// Whole piece, by any thread.
    All,
}

/// Use of memory in the phase at hand.
#[derive(Clone, Copy)]
struct Access {
    space: Space,
    start: usize,
    len: usize,
    share: Share,
    writes: bool,
}

impl Access {
    /// Tells whether two threads could meet at one float, one of them writing.
    fn conflicts(&self, other: &Access) -> bool {
        let overlap = self.space == other.space
            && self.start < other.start + other.len
            && other.start < self.start + self.len;
        let same = self.share != Share::All
            && self.share == other.share
            && (self.start, self.len) == (other.start, other.len);
        overlap && (self.writes || other.writes) && !same
    }
}

struct Maker<'a> {
    plan: &'a Plan,
    passes: &'a Passes,
    small: Ring,
    large: Ring,
    parts: usize,
    phases: Vec<Phase>,
    now: Phase,
    accesses: Vec<Access>,
    /// Tasks that nothing waits for, so that they can wait for the next barrier.
    deferred: Vec<(Task, Vec<Access>)>,
}

impl Maker<'_> {
    /// Ends the phase at hand; the next one begins with what was deferred.
    fn meet(&mut self) {
        self.accesses.clear();
        self.phases.push(std::mem::take(&mut self.now));
        for (task, accesses) in self.deferred.drain(..) {
            self.accesses.extend(accesses);
            self.now.together.push(task);
        }
    }

    /// Ends the phase at hand, and all that was deferred.
    fn finish(&mut self) {
        while !self.now.together.is_empty() || !self.deferred.is_empty() {
            self.meet();
        }
    }

    fn step(&mut self, step: usize, what: &Step) {
        let sums = sums_len(self.plan, self.passes, what);
        let task = |work| Task { step, work };
        match sharing(&what.action) {
            None => debug_assert!(false, "{} is not narrow", what.action.name()),
            Some(Sharing::Whole) => self.together(task(Work::Whole), what),
            Some(Sharing::Lines) if sums == 0 => self.together(task(Work::Lines(None)), what),
            Some(Sharing::Lines) => {
                let at = self.large.take();
                self.together(task(Work::Sums(at)), what);
                let lines = task(Work::Lines(Some(at)));
                self.deferred.push((lines, self.accesses(lines.work, what)));
            }
            Some(Sharing::Sums) => {
                self.sums(step, what);
            }
            Some(Sharing::Images) => {
                if let Action::PointwiseGradient(g) = &what.action {
                    let at = (sums > 0).then(|| self.sums(step, what));
                    let totals = at.filter(|_| g.pass.norm.is_some());
                    self.together(task(Work::Images(totals)), what);
                } else {
                    self.together(task(Work::Images(None)), what);
                    if sums > 0 {
                        self.sums(step, what);
                    }
                }
            }
        }
    }

    /// Adds a task that sums over the images, put together at the next barrier, and gives
    /// the place of the sums.
    fn sums(&mut self, step: usize, what: &Step) -> usize {
        let at = self.small.take();
        let [sums, merge] = [Work::Sums(at), Work::Merge(at)].map(|work| Task { step, work });
        self.together(sums, what);
        self.alone(merge, what);
        at
    }

    /// Adds a task to the phase, or after a barrier to the next one.
    fn together(&mut self, task: Task, what: &Step) {
        let wanted = self.accesses(task.work, what);
        let conflict = |b: &Access| wanted.iter().any(|a| a.conflicts(b));
        if self
            .deferred
            .iter()
            .any(|(_, all)| all.iter().any(conflict))
        {
            self.meet();
        }
        if self.accesses.iter().any(conflict) {
            self.meet();
        }
        self.accesses.extend(wanted);
        self.now.together.push(task);
    }

    /// Adds a task for the barrier that ends the phase.
    fn alone(&mut self, task: Task, what: &Step) {
        let wanted = self.accesses(task.work, what);
        self.accesses.extend(wanted);
        self.now.alone.push(task);
    }

    /// Lists the memory that a task uses, scratch apart.
    fn accesses(&self, work: Work, what: &Step) -> Vec<Access> {
        let action = &what.action;
        let sums = |at, len, share, writes| Access {
            space: Space::Sums,
            start: at,
            len,
            share,
            writes,
        };
        let len = sums_len(self.plan, self.passes, what);
        let (parts, total) = (self.parts * len, (self.parts + 1) * len);
        let is_map = |id: &Id| matches!(self.plan.buffer(*id).kind, Kind::Map(_));
        let share = |id| match is_map(&id) {
            true => Share::Images,
            false => Share::All,
        };
        let read = |id| self.access(id, share(id), false);
        let write = |id| self.access(id, share(id), true);
        let (reads, writes) = (what.reads.iter().copied(), what.writes.iter().copied());
        match work {
            Work::Images(totals) => {
                let mut all: Vec<Access> = reads.map(read).collect();
                all.extend(writes.filter(is_map).map(write));
                all.extend(totals.map(|at| sums(at + parts, len, Share::All, false)));
                all
            }
            Work::Sums(at) => {
                let mut all: Vec<Access> = reads.map(read).collect();
                if let Action::Convolve(c) = action {
                    all.push(read(c.y));
                }
                all.push(sums(at, parts, Share::Parts, true));
                all
            }
            Work::Merge(at) => {
                let tensors = writes.filter(|id| !is_map(id));
                let mut all: Vec<Access> = tensors.map(write).collect();
                all.push(sums(at, total, Share::All, true));
                all
            }
            Work::Lines(Some(at)) => {
                let lines = |id| self.access(id, Share::Lines, true);
                let mut all: Vec<Access> = writes.map(lines).collect();
                all.push(sums(at, parts, Share::All, false));
                all
            }
            Work::Lines(None) => {
                let part = |id| match is_map(&id) {
                    true => Share::All,
                    false => Share::Lines,
                };
                let reads = reads.map(|id| self.access(id, part(id), false));
                reads
                    .chain(writes.map(|id| self.access(id, part(id), true)))
                    .collect()
            }
            Work::Whole => {
                let reads = reads.map(|id| self.access(id, Share::All, false));
                reads
                    .chain(writes.map(|id| self.access(id, Share::All, true)))
                    .collect()
            }
        }
    }

    fn access(&self, id: Id, share: Share, writes: bool) -> Access {
        let buffer = self.plan.buffer(id);
        let (space, start) = match buffer.storage {
            Storage::Arena { offset } => (Space::Arena, offset),
            kept @ (Storage::Tensor(_) | Storage::Gradient(_) | Storage::Slot { .. }) => {
                (Space::Kept(kept), 0)
            }
        };
        Access {
            space,
            start,
            len: buffer.elements,
            share,
            writes,
        }
    }
}
