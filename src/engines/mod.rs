//! What runs a network: one trait, one engine a file, none of which knows another.

mod batch;
pub mod cpu;
pub mod dfdx;
pub mod dropout;
pub mod init;
mod random;
mod skips;
mod state;

use crate::error::Result;
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
}
