//! A network laid out: its steps, and its buffers.

use super::buffer::{Buffer, Id, Kind, Storage};
use super::step::Step;
use crate::ir::{Shape, Slot};

/// Purpose of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Steps of training: batch statistics, dropout, gradients, updates.
    Training,
    /// Logits alone, with the running statistics.
    Evaluation,
    /// The forward steps of training, not fused, so that each layer's output is there
    /// to be looked at.
    Inspection,
}

/// A network laid out for batches of one size.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Images in a batch.
    pub batch: usize,
    /// Purpose that the plan was made for.
    pub purpose: Purpose,
    /// Number that channels are padded to a multiple of: see [`super::Target::lanes`].
    pub lanes: usize,
    /// Every buffer that a step names. The first are the tensors of
    /// [`crate::ir::Model::tensors`], in that order.
    pub buffers: Vec<Buffer>,
    /// Steps from the images to the logits, and in training to the loss.
    pub forward: Vec<Step>,
    /// Steps from the loss to the gradient of every parameter.
    pub backward: Vec<Step>,
    /// Steps that move tensors once all gradients are known: the optimizer and running
    /// statistics.
    pub update: Vec<Step>,
    /// Slots of the optimizer, for each tensor that it moves.
    pub slots: &'static [Slot],
    /// Shape of an image, which comes as height × width × channels.
    pub image: Shape,
    /// Buffer that the images go to.
    pub input: Id,
    /// Buffer that the logits come out in.
    pub logits: Id,
    /// Scratch memory from the first step to the last, if the target wants some.
    pub scratch: Option<Id>,
    /// Floats of the arena that holds everything that is not kept between steps.
    pub arena: usize,
}

impl Plan {
    /// Returns the steps in the order they run.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let (backward, update) = (&self.backward, &self.update);
        self.forward.iter().chain(backward).chain(update)
    }

    /// Returns the buffer called `id`.
    pub fn buffer(&self, id: Id) -> &Buffer {
        &self.buffers[id.0]
    }

    /// Adds a buffer, which [`super::place`] will find room for.
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
        self.push(Buffer::unplaced(name, kind, elements))
    }

    pub(super) fn push(&mut self, buffer: Buffer) -> Id {
        self.buffers.push(buffer);
        Id(self.buffers.len() - 1)
    }

    /// Returns the shape of the activations in a buffer; a point for any other.
    pub fn shape(&self, id: Id) -> Shape {
        match self.buffer(id).kind {
            Kind::Map(shape) => shape,
            Kind::Rows(_, channels) => Shape::Flat(channels),
            Kind::Tensor(_) | Kind::Scratch => Shape::Flat(1),
        }
    }

    /// Returns the outputs, inputs, and rows and columns of the windows of a weight.
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

    /// Rounds `channels` up to the padding.
    pub fn padded(&self, channels: usize) -> usize {
        channels.next_multiple_of(self.lanes)
    }

    /// Counts the bytes of the arena.
    pub fn arena_bytes(&self) -> usize {
        self.arena.saturating_mul(size_of::<f32>())
    }

    /// Counts the bytes of everything: the arena, and with them what is kept between
    /// steps: the network's tensors, their gradients and the optimizer's slots.
    pub fn peak_bytes(&self) -> usize {
        let kept = |buffer: &Buffer| match buffer.storage {
            Storage::Tensor(_) | Storage::Gradient(_) | Storage::Slot { .. } => buffer.elements,
            Storage::Arena { .. } => 0,
        };
        let kept: usize = self.buffers.iter().map(kept).sum();
        self.arena_bytes()
            .saturating_add(kept.saturating_mul(size_of::<f32>()))
    }
}
