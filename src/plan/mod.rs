//! The network as explicit steps over buffers: what a compiled engine runs.
//!
//! A [`Plan`] is made for one batch size, before anything runs. [`forward`] lays the
//! layers out one step an operation, [`fuse`] joins those that can share a pass over
//! memory, [`backward`] derives the gradient steps by rule, and [`place`] gives each
//! buffer its place in one arena, sharing memory where lives do not overlap. All of it
//! is plain data: a [`Step`] carries the buffers that it reads and writes from where it
//! is made. What depends on the engine (how many channels make a line, how a convolution
//! is computed, how much scratch memory a kernel wants) comes from a [`Target`].
//!
//! ```text
//! Model ─forward─▶ steps ─fuse─▶ fewer steps ─backward─▶ + gradient and update steps
//!       ─place─▶ offsets, peak bytes
//! ```
//!
//! Activations are images × positions × channels, the channels padded to a multiple of
//! [`Target::lanes`]; padding lanes hold zeros. Tensors of the network keep PyTorch's
//! layouts.

mod backward;
mod buffer;
mod convolution;
mod cost;
mod forward;
mod fuse;
mod map;
mod place;
mod step;

pub use buffer::{Buffer, Id, Kind, Storage};
pub use convolution::{ConvPass, Convolution, Method, Window};
pub use cost::Cost;
pub use map::{MapKind, MapStep};
pub use step::{
    Action, Activation, GradientTarget, Join, Norm, Pointwise, PointwiseGradients, Statistics, Step,
};

use crate::error::Result;
use crate::ir::{Model, Shape};

/// What a plan is for.
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

/// What the plan must know of the engine that will run it.
pub trait Target {
    /// Channels of activations are padded to a multiple of this.
    fn lanes(&self) -> usize;

    /// How the three products of a convolution of so many input channels are computed.
    fn method(&self, channels: usize, window: Window) -> Method;

    /// Floats of scratch memory that the step wants while it runs.
    fn workspace(&self, plan: &Plan, step: &Step) -> usize;

    /// Floats of scratch memory wanted from the first step to the last, asked once all
    /// buffers have their places.
    fn scratch(&self, _plan: &Plan) -> usize {
        0
    }
}

/// A network laid out for batches of one size.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Images in a batch.
    pub batch: usize,
    /// What it is for.
    pub purpose: Purpose,
    /// As in [`Target::lanes`].
    pub lanes: usize,
    /// Every buffer that a step names. The first are the tensors of
    /// [`Model::tensors`], in that order.
    pub buffers: Vec<Buffer>,
    /// From the images to the logits, and in training to the loss.
    pub forward: Vec<Step>,
    /// From the loss to the gradient of every parameter.
    pub backward: Vec<Step>,
    /// What moves tensors once all gradients are known: SGD and running statistics.
    pub update: Vec<Step>,
    /// Where the images go.
    pub input: Id,
    /// Where the logits come out.
    pub logits: Id,
    /// Scratch memory from the first step to the last, if the target wants some.
    pub scratch: Option<Id>,
    /// Floats of the arena that holds everything that is not kept between steps.
    pub arena: usize,
}

impl Plan {
    /// Lays out `model` for `batch` images.
    ///
    /// # Errors
    /// Where a layer has no tensor of a name that its steps need.
    pub fn new(model: &Model, batch: usize, purpose: Purpose, target: &dyn Target) -> Result<Plan> {
        let mut plan = forward::lay_out(model, batch, purpose, target)?;
        match purpose {
            Purpose::Training => {
                fuse::fuse(&mut plan);
                backward::differentiate(&mut plan, model);
            }
            Purpose::Evaluation => fuse::fuse(&mut plan),
            Purpose::Inspection => {}
        }
        place::place(&mut plan, target);
        Ok(plan)
    }

    /// The steps in the order they run.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let (backward, update) = (&self.backward, &self.update);
        self.forward.iter().chain(backward).chain(update)
    }

    /// The buffer called `id`.
    pub fn buffer(&self, id: Id) -> &Buffer {
        &self.buffers[id.0]
    }

    /// A new buffer, which [`place`] will find room for.
    fn add_buffer(&mut self, name: &str, kind: Kind) -> Id {
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

    fn push(&mut self, buffer: Buffer) -> Id {
        self.buffers.push(buffer);
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

    /// `channels` with the padding.
    pub fn padded(&self, channels: usize) -> usize {
        channels.next_multiple_of(self.lanes)
    }

    /// Bytes of the arena.
    pub fn arena_bytes(&self) -> usize {
        self.arena.saturating_mul(size_of::<f32>())
    }

    /// Bytes of everything: the arena, and with them what is kept between steps: the
    /// network's tensors, their gradients and velocities.
    pub fn peak_bytes(&self) -> usize {
        let kept = |buffer: &Buffer| match buffer.storage {
            Storage::Tensor(_) | Storage::Gradient(_) | Storage::Velocity(_) => buffer.elements,
            Storage::Arena { .. } => 0,
        };
        let kept: usize = self.buffers.iter().map(kept).sum();
        self.arena_bytes()
            .saturating_add(kept.saturating_mul(size_of::<f32>()))
    }
}
