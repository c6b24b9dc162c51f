//! The network as explicit steps over buffers: what a compiled engine runs.
//!
//! A [`Plan`] is made for one batch size, before anything runs. [`forward`] lays the
//! layers out one step an operation, [`fuse`] joins those that can share a pass over
//! memory, [`backward`] derives the gradient steps by rule, and [`buffers`] gives each
//! buffer its place in one arena, sharing memory where lives do not overlap. All of it
//! is plain data; what depends on the engine (how many channels make a line, how much
//! scratch memory a kernel wants) comes from a [`Target`].
//!
//! ```text
//! Model ─forward─▶ steps ─fuse─▶ fewer steps ─backward─▶ + gradient and update steps
//!       ─buffers─▶ offsets, peak bytes
//! ```
//!
//! Activations are images × positions × channels, the channels padded to a multiple of
//! [`Target::lanes`]; padding lanes hold zeros. Tensors of the network keep PyTorch's
//! layouts.

mod backward;
mod buffers;
mod cost;
mod forward;
mod fuse;
mod step;
mod uses;

pub use buffers::{Buffer, Id, Kind, Storage};
pub use cost::Cost;
pub use step::{
    Action, Activation, ConvPass, Convolve, Form, GradientTarget, Join, Norm, Pointwise,
    PointwiseGradients, Product, Statistics, Step, Window,
};

use crate::ir::Model;

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

    /// Floats of scratch memory that the action wants while it runs.
    fn workspace(&self, plan: &Plan, action: &Action) -> usize;

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
    pub fn new(model: &Model, batch: usize, purpose: Purpose, target: &dyn Target) -> Plan {
        let mut plan = forward::lay_out(model, batch, purpose, target.lanes());
        match purpose {
            Purpose::Training => {
                fuse::fuse(&mut plan);
                backward::differentiate(&mut plan, model);
            }
            Purpose::Evaluation => fuse::fuse(&mut plan),
            Purpose::Inspection => {}
        }
        buffers::place(&mut plan, target);
        plan
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
