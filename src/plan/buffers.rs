//! Buffers: what they hold, how long they live, and where in the arena they are.

use super::step::Step;
use super::{Plan, Target};
use crate::ir::Shape;

/// A buffer of a plan, by its index in [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub usize);

/// Floats with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// What it is, for tables: a tensor's name, or the path of the layer that makes it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// How many floats.
    pub elements: usize,
    /// Where they are.
    pub storage: Storage,
}

/// What a buffer holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Activations: images × positions × padded channels.
    Map(Shape),
    /// A tensor of this shape in PyTorch's layout.
    Tensor(Vec<usize>),
    /// So many rows of this many channels, padded.
    Rows(usize, usize),
    /// Whatever a kernel wants.
    Scratch,
}

/// Where a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The tensor of the network with this index.
    Tensor(usize),
    /// Its gradient.
    Gradient(usize),
    /// Its velocity.
    Velocity(usize),
    /// In the arena, for as long as it is used.
    Arena {
        /// Floats before it.
        offset: usize,
    },
}

/// Offsets are multiples of this many floats: a cache line.
const ALIGNMENT: usize = 16;

impl Plan {
    /// A new buffer, which [`place`] will find room for.
    pub(super) fn add_buffer(&mut self, name: &str, kind: Kind) -> Id {
        let elements = match &kind {
            // A batch that no memory holds is to be refused, not to overflow.
            Kind::Map(shape) => self
                .batch
                .saturating_mul(shape.positions())
                .saturating_mul(self.padded(shape.channels())),
            Kind::Tensor(shape) => shape.iter().product(),
            Kind::Rows(rows, channels) => rows * self.padded(*channels),
            Kind::Scratch => 0,
        };
        let storage = Storage::Arena { offset: 0 };
        self.push_buffer(name, kind, elements, storage)
    }

    /// A new buffer that is kept between steps.
    pub(super) fn add_kept(&mut self, name: &str, shape: &[usize], storage: Storage) -> Id {
        let elements = shape.iter().product();
        self.push_buffer(name, Kind::Tensor(shape.to_vec()), elements, storage)
    }

    fn push_buffer(&mut self, name: &str, kind: Kind, elements: usize, storage: Storage) -> Id {
        self.buffers.push(Buffer {
            name: name.to_string(),
            kind,
            elements,
            storage,
        });
        Id(self.buffers.len() - 1)
    }

    /// Shape of the activations in a buffer; a point for any other.
    pub fn shape(&self, id: Id) -> Shape {
        match self.buffer(id).kind {
            Kind::Map(shape) => shape,
            Kind::Rows(_, channels) => Shape::Flat(channels),
            Kind::Tensor(_) | Kind::Scratch => Shape::Flat(1),
        }
    }

    /// Outputs, inputs, and rows and columns of the windows of a weight.
    pub fn filters(&self, weight: Id) -> (usize, usize, (usize, usize)) {
        match &self.buffer(weight).kind {
            Kind::Tensor(shape) => match shape[..] {
                [o, i, h, w] => (o, i, (h, w)),
                [o, i] => (o, i, (1, 1)),
                _ => (1, shape.iter().product(), (1, 1)),
            },
            Kind::Map(_) | Kind::Rows(..) | Kind::Scratch => (0, 0, (1, 1)),
        }
    }
}

/// The steps during which a buffer holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    first: usize,
    last: usize,
}

impl Life {
    fn meets(self, other: Life) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Gives each step its scratch memory and each buffer its place in the arena: the
/// largest first, each at the lowest offset that is free during its life.
pub(super) fn place(plan: &mut Plan, target: &dyn Target) {
    add_workspaces(plan, target);
    let lives = lives(plan);
    let mut order: Vec<usize> = (0..plan.buffers.len())
        .filter(|&index| lives[index].is_some())
        .collect();
    // The sort is stable, so that the result depends on the plan alone.
    order.sort_by_key(|&index| std::cmp::Reverse(plan.buffers[index].elements));
    let mut placed: Vec<(usize, usize, Life)> = Vec::new();
    for index in order {
        let Some(life) = lives[index] else { continue };
        let size = plan.buffers[index].elements.div_ceil(ALIGNMENT);
        let size = size.saturating_mul(ALIGNMENT);
        let mut offset = 0_usize;
        for &(start, end, other) in &placed {
            if life.meets(other) && start < offset.saturating_add(size) {
                offset = offset.max(end);
            }
        }
        let at = placed.partition_point(|&(start, ..)| start < offset);
        placed.insert(at, (offset, offset.saturating_add(size), life));
        plan.buffers[index].storage = Storage::Arena { offset };
        plan.arena = plan.arena.max(offset.saturating_add(size));
    }
    add_scratch(plan, target);
}

/// What is wanted all the time comes after everything else.
fn add_scratch(plan: &mut Plan, target: &dyn Target) {
    let elements = target.scratch(plan);
    if elements > 0 {
        let storage = Storage::Arena { offset: plan.arena };
        let id = plan.push_buffer("scratch", Kind::Scratch, elements, storage);
        plan.scratch = Some(id);
        let size = elements.next_multiple_of(ALIGNMENT);
        plan.arena = plan.arena.saturating_add(size);
    }
}

fn add_workspaces(plan: &mut Plan, target: &dyn Target) {
    let sizes = |steps: &[Step]| -> Vec<usize> {
        let size = |step: &Step| target.workspace(plan, &step.action);
        steps.iter().map(size).collect()
    };
    let sizes = [&plan.forward, &plan.backward, &plan.update].map(|steps| sizes(steps));
    let give = |steps: &mut [Step], sizes: &[usize], buffers: &mut Vec<Buffer>| {
        for (step, &elements) in steps.iter_mut().zip(sizes) {
            if elements > 0 {
                step.workspace = Some(Id(buffers.len()));
                buffers.push(Buffer {
                    name: format!("{} (scratch)", step.path),
                    kind: Kind::Scratch,
                    elements,
                    storage: Storage::Arena { offset: 0 },
                });
            }
        }
    };
    give(&mut plan.forward, &sizes[0], &mut plan.buffers);
    give(&mut plan.backward, &sizes[1], &mut plan.buffers);
    give(&mut plan.update, &sizes[2], &mut plan.buffers);
}

/// From the first to the last step that names each buffer of the arena. The images are
/// there before the first step, the logits are read after the last of the forward ones.
fn lives(plan: &Plan) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; plan.buffers.len()];
    let mut note = |id: Id, at: usize| {
        if let Storage::Arena { .. } = plan.buffer(id).storage {
            let life = lives[id.0].get_or_insert(Life {
                first: at,
                last: at,
            });
            life.first = life.first.min(at);
            life.last = life.last.max(at);
        }
    };
    note(plan.input, 0);
    for (at, step) in plan.steps().enumerate() {
        let (reads, writes) = (step.action.reads(), step.action.writes());
        for id in reads.into_iter().chain(writes).chain(step.workspace) {
            note(id, at);
        }
    }
    note(plan.logits, plan.forward.len().saturating_sub(1));
    lives
}

#[cfg(test)]
mod tests;
