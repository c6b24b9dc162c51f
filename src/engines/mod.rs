//! Engines that run a network: one trait, one engine a file, none of which knows another.

mod batch;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "without_cuda.rs"]
pub mod cuda;
#[cfg(feature = "dfdx")]
pub mod dfdx;
#[cfg(not(feature = "dfdx"))]
#[path = "without_dfdx.rs"]
pub mod dfdx;
pub mod dropout;
pub mod init;
mod random;
mod skips;
mod state;

use crate::error::Result;
use crate::ir::{Augment, Shape};
use crate::tensor::{Batch, Tensor};

/// Place of a step in training, and all that varies with it.
#[derive(Clone, Copy, Debug)]
pub struct StepContext {
    /// Learning rate η of this step.
    pub rate: f64,
    /// Seed of the run; with `step` it seeds the dropout masks.
    pub seed: u64,
    /// Index of the step since training began, from 0.
    pub step: u64,
}

/// Findings of a step, before it moved the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Mean loss over the batch. Where it is not finite nothing was moved.
    pub loss: f64,
    /// Images whose largest logit is at their label.
    pub correct: usize,
}

/// A coefficient α that the constraint moves, and its λ.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipState {
    /// Path of the skip where the coefficient is called `alpha`, else name of its tensor.
    pub path: String,
    /// α, in the shape of its granularity.
    pub alpha: Vec<f32>,
    /// λ, as many elements as α.
    pub lambda: Vec<f32>,
    /// Value of α that the constraint asks for.
    pub target: f64,
}

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
    /// Returns the name of the engine for the log: `dfdx (CPU)`.
    fn name(&self) -> String;

    /// Trains one step: forward in training mode, backward, the optimizer on weights,
    /// running statistics, and with `every: step` the constraint. The same state and
    /// batch give the same bits.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the device fails.
    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome>;

    /// Ends an epoch: with `every: epoch`, applies the constraint with the mean ∂C/∂α of
    /// the steps since the last call; otherwise does nothing. `rate` is η of the epoch's
    /// last step.
    ///
    /// # Errors
    /// If the device fails.
    fn end_epoch(&mut self, rate: f64) -> Result<()>;

    /// Computes the logits of a batch in evaluation mode, `batch × classes`, row-major.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the device fails.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>>;

    /// Computes the outcome of a step and ∂C/∂w of every parameter (in the order of
    /// [`crate::ir::Model::tensors`]), moving nothing. Where the loss is not finite the
    /// gradients are 0.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the device fails.
    fn gradients(&mut self, batch: &Batch, at: StepContext) -> Result<(Outcome, Vec<Tensor>)>;

    /// Finds the path of the first layer whose output in training mode is not finite.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the device fails.
    fn first_non_finite(&mut self, batch: &Batch, at: StepContext) -> Result<Option<String>>;

    /// Returns α and λ of every variable skip, in forward order.
    ///
    /// # Errors
    /// If the device fails.
    fn skips(&self) -> Result<Vec<SkipState>>;

    /// Returns the whole state: every tensor of [`crate::ir::Model::tensors`] in its
    /// order, then the optimizer's [`crate::ir::Slot`]s, then the constraint's sums.
    /// Loading it into a new engine goes on bit for bit.
    ///
    /// # Errors
    /// If the device fails.
    fn save(&self) -> Result<Vec<Tensor>>;

    /// Replaces the state. Every tensor of the network must be there in its shape; slots
    /// and sums that are missing become 0.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, there twice or of another shape, or the device fails.
    fn load(&mut self, tensors: &[Tensor]) -> Result<()>;

    /// Returns the keeper of the training images where steps run, if the engine has one.
    fn resident(&mut self) -> Option<Box<dyn Resident + '_>> {
        None
    }
}

/// An engine that keeps the training images where its steps run, makes batches of them
/// there, and is given several steps at once.
pub trait Resident {
    /// Takes the training images; false where there is no room for them.
    ///
    /// # Errors
    /// Where the device fails.
    fn make_resident(&mut self, images: &Images) -> Result<bool>;

    /// Takes the order of the images in the epoch that begins.
    ///
    /// # Errors
    /// Where the order is not of the images that are there, or the device fails.
    fn begin_epoch(&mut self, order: &Order) -> Result<()>;

    /// Begins a step on the batch `index` of the epoch, and does not wait for it. What it
    /// finds comes with [`Self::outcomes`]; once a loss was not finite, nothing moves
    /// until those are read.
    ///
    /// # Errors
    /// Where the epoch has no such batch, too many steps wait, or the device fails.
    fn queue(&mut self, index: usize, at: StepContext) -> Result<()>;

    /// Waits for the steps that were queued since the last call, [`MOST_QUEUED`] at most,
    /// and gives their outcomes in order.
    ///
    /// # Errors
    /// Where the device fails.
    fn outcomes(&mut self) -> Result<Vec<Outcome>>;
}

/// Steps that may wait for [`Resident::outcomes`].
pub const MOST_QUEUED: usize = 256;

/// The training images, as [`Resident::make_resident`] takes them.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Shape of each image.
    pub shape: Shape,
    /// Bytes of the images, one after another, each channels × height × width.
    pub pixels: &'a [u8],
    /// Class index of each image.
    pub labels: &'a [u32],
    /// Mean of each channel, of pixels scaled to [0, 1].
    pub mean: &'a [f32],
    /// Standard deviation of each channel, of the same pixels.
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
    /// Changes of each image by its index, in the order of [`Images::augment`]: how far
    /// down and right the crop is from the image, or (0, 1) for a mirror image and (0, 0)
    /// for none.
    pub changes: Vec<(i32, i32)>,
}
