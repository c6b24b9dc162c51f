//! What runs a network: one trait, one engine a file, none of which knows another.

mod batch;
pub mod cpu;
pub mod cuda;
pub mod dfdx;
pub mod dropout;
pub mod init;
mod random;
mod skips;
mod state;

use crate::error::{Error, Result};
use crate::ir::{Augment, Shape};
use crate::tensor::{Batch, Tensor};

/// Where in training a step is, and all that varies with it.
#[derive(Clone, Copy, Debug)]
pub struct StepContext {
    /// Learning rate η of this step.
    pub rate: f64,
    /// Seed of the run; with `step` it seeds the dropout masks.
    pub seed: u64,
    /// Index of the step since training began, from 0.
    pub step: u64,
}

/// What a step found, before it moved the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Mean loss over the batch. Where it is not finite nothing was moved.
    pub loss: f64,
    /// Images whose largest logit is at their label.
    pub correct: usize,
}

/// α and λ of one variable skip.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipState {
    /// Path of the skip.
    pub path: String,
    /// α, in the shape of its granularity.
    pub alpha: Vec<f32>,
    /// λ, as many elements as α.
    pub lambda: Vec<f32>,
}

/// Prefix of an optimizer's velocity among the tensors of [`Engine::save`]:
/// `momentum/conv1.weight`. Network paths hold no `/`.
pub const MOMENTUM_PREFIX: &str = "momentum/";

/// Prefix of the sum of ∂C/∂α since the last update of the constraint, among the
/// tensors of [`Engine::save`]: `gradient_sum/stage1.0.skip0.alpha`.
pub const GRADIENT_SUM_PREFIX: &str = "gradient_sum/";

/// Name of the one-element tensor that holds how many steps those sums cover.
pub const GRADIENT_STEPS: &str = "gradient_sum/steps";

/// A network held by something that can train it.
///
/// Engines are made from a checked [`crate::ir::Model`]; a tensor of the wrong name or
/// shape in [`Engine::load`] is an error, and so is running out of memory; none panics.
pub trait Engine {
    /// What runs, for the log: `dfdx (CPU)`.
    fn name(&self) -> String;

    /// One step of training: forward in training mode, backward, SGD on weights,
    /// running statistics, and with `every: step` the constraint.
    /// The same state and batch give the same bits.
    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome>;

    /// With `every: epoch`, applies the constraint with the mean ∂C/∂α of the steps
    /// since the last call; otherwise does nothing. `rate` is η of the epoch's last step.
    fn end_epoch(&mut self, rate: f64) -> Result<()>;

    /// Logits of a batch in evaluation mode, `batch × classes`, row-major.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>>;

    /// The outcome of a step and ∂C/∂w of every parameter (in the order of
    /// [`crate::ir::Model::tensors`]), moving nothing. Where the loss is not finite the
    /// gradients are 0.
    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)>;

    /// The path of the first layer whose output in training mode is not finite.
    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>>;

    /// α and λ of every variable skip, in forward order.
    fn skips(&self) -> Result<Vec<SkipState>>;

    /// The whole state: every tensor of [`crate::ir::Model::tensors`] in its order,
    /// then velocities under [`MOMENTUM_PREFIX`], then the constraint's sums. Loading
    /// it into a new engine goes on bit for bit.
    fn save(&self) -> Result<Vec<Tensor>>;

    /// Replaces the state. Every tensor of the network must be there in its shape;
    /// velocities and sums that are missing become 0.
    fn load(&mut self, tensors: &[Tensor]) -> Result<()>;

    /// Takes the training images to where steps run, to make batches of them there;
    /// false where the engine does not, or has no room for them.
    fn make_resident(&mut self, _images: &Images) -> Result<bool> {
        Ok(false)
    }

    /// The order of the resident images in the epoch that begins.
    fn begin_epoch(&mut self, _order: &Order) -> Result<()> {
        Err(no_images())
    }

    /// Begins a step on the batch `index` of the epoch, and does not wait for it. What it
    /// finds comes with [`Self::outcomes`]; once a loss was not finite, nothing moves
    /// until those are read.
    fn queue(&mut self, _index: usize, _at: StepContext) -> Result<()> {
        Err(no_images())
    }

    /// Waits for the steps that were queued since the last call, [`MOST_QUEUED`] at most,
    /// and gives their outcomes in order.
    fn outcomes(&mut self) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}

fn no_images() -> Error {
    Error::new("the engine holds no images")
}

/// Steps that may wait for [`Engine::outcomes`].
pub const MOST_QUEUED: usize = 256;

/// The training images, as [`Engine::make_resident`] takes them.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Of each.
    pub shape: Shape,
    /// Bytes, an image after another, each channels × height × width.
    pub pixels: &'a [u8],
    /// Class index of each.
    pub labels: &'a [u32],
    /// Per channel, of pixels scaled to [0, 1].
    pub mean: &'a [f32],
    /// Standard deviation of the same.
    pub deviation: &'a [f32],
    /// Images in a step; fewer in the last of an epoch.
    pub batch: usize,
    /// Changes of each image, in this order.
    pub augment: &'a [Augment],
}

/// An epoch's order of the images that an engine holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Indices of images, as they come.
    pub images: Vec<u32>,
    /// For each image by its index, for each change: how far down and right the crop is
    /// from the image, or (0, 1) for a mirror image and (0, 0) for none.
    pub changes: Vec<(i32, i32)>,
}
