//! The layers: one file a family, with the row of each layer and what an operation says
//! of itself.
//!
//! A layer is a row of [`layers`], a variant of [`Op`] and an [`Operation`]. Checks,
//! tables, graphs and the language reference read these; the engines match [`Op`], so
//! that the compiler lists what a new one must do.

mod activations;
mod batch_norm;
mod concat;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod policies;
mod pools;
mod skip;

pub use activations::Activation;
pub use batch_norm::BatchNorm;
pub use concat::Concat;
pub use conv::Conv;
pub use dropout::Dropout;
pub use linear::Linear;
pub use policies::{Coefficient, GateSpec, Policy, policies};
pub use pools::{Pool, PoolKind};
pub use skip::{ConvGate, Gate, Project, Shortcut, Skip};

use super::call::Row;
use super::role::OwnTensor;
use super::shape::Shape;
use crate::span::Span;

/// Layer of the expanded network.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Place of the layer in the network: `stage2.0.skip0.conv0`. Unique; the prefix of the names
    /// of its tensors. Segments that are numbers come from `repeat`.
    pub path: String,
    /// Span it was written at.
    pub span: Span,
    /// Shape of what it takes.
    pub input: Shape,
    /// Shape of what it makes.
    pub output: Shape,
    /// Operation that the layer computes.
    pub op: Op,
}

/// Operation of a layer. `N` is the batch; shapes below leave it out.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// 2-D cross-correlation, `I×H×W → O×H'×W'` with `H' = (H + 2p − k)/s + 1`.
    Conv(Conv),
    /// `y = x Wᵀ + b`, `I → O`; an image is flattened in C, H, W order first.
    Linear(Linear),
    /// Normalises each channel over batch and positions, then scales and shifts.
    BatchNorm(BatchNorm),
    /// A function of each element.
    Activation(Activation),
    /// `[max(x, 0), max(−x, 0)]` along channels: `C → 2C`. Shang et al. 2016.
    Crelu,
    /// Largest value or mean of each window, no padding; `H' = (H − k)/s + 1`.
    Pool(Pool),
    /// Mean over all positions: `C×H×W → C`.
    GlobalAvgPool,
    /// `C×H×W → C·H·W`, in C, H, W order.
    Flatten,
    /// Zeroes, in training, each element with probability `p` and divides the others by `1 − p`;
    /// the identity in evaluation. Srivastava et al. 2014.
    Dropout(Dropout),
    /// `x` and `body(x)` joined along channels: `C → C + C'`. Huang et al. 2016.
    Concat(Concat),
    /// A body under a skip-connection policy.
    Skip(Skip),
}

/// Lists the layers that are calls and no equations; `skip` and `concat` have syntax of their
/// own, and activations are declared in the language itself.
pub fn layers() -> &'static [Row<Op>] {
    const LAYERS: &[Row<Op>] = &[
        conv::ROW,
        linear::ROW,
        batch_norm::ROW,
        activations::CRELU,
        pools::MAX_POOL,
        pools::AVG_POOL,
        pools::GLOBAL_AVG_POOL,
        flatten::ROW,
        dropout::ROW,
    ];
    LAYERS
}

/// Facts that an operation states of itself: its shapes, tensors, cost and words.
pub trait Operation {
    /// Returns the name of the layer in a `.van` file.
    fn name(&self) -> &str;

    /// Computes the shape that it makes of `input`.
    ///
    /// # Errors
    /// The reason where it cannot take that shape.
    fn output(&self, input: Shape) -> Result<Shape, ShapeError>;

    /// Returns the shape that it makes of whatever it is given, if that is always the same.
    fn fixed_output(&self) -> Option<Shape> {
        None
    }

    /// Lists the tensors of the operation, without those of its body.
    fn tensors(&self, _input: Shape, _output: Shape) -> Vec<OwnTensor> {
        Vec::new()
    }

    /// Counts the multiplications with a weight in one sample's forward pass, without its body.
    fn multiply_adds(&self, _input: Shape, _output: Shape) -> u128 {
        0
    }

    /// Counts the numbers that a tape keeps of it for the gradient of one sample, without its
    /// body: an estimate.
    fn kept(&self, _input: Shape, output: Shape) -> f64 {
        output.elements() as f64
    }

    /// Describes the layer in a few words; a setting that is not said has its default.
    fn words(&self, _input: Shape, _output: Shape) -> Vec<String> {
        vec![self.name().to_string()]
    }

    /// Returns the step between the positions that it makes.
    fn stride(&self) -> usize {
        1
    }

    /// Whether it counts for the depth of a network.
    fn is_weighted(&self) -> bool {
        false
    }

    /// Returns the layers inside.
    fn body(&self) -> &[Layer] {
        &[]
    }

    /// Writes the name of what goes round the body, if anything does.
    fn by_pass(&self) -> Option<String> {
        None
    }
}

impl Op {
    /// Returns the operation as the trait that states its shapes, tensors, cost and words.
    pub fn operation(&self) -> &dyn Operation {
        match self {
            Op::Conv(conv) => conv,
            Op::Linear(linear) => linear,
            Op::BatchNorm(norm) => norm,
            Op::Activation(activation) => activation,
            Op::Crelu => &activations::Crelu,
            Op::Pool(pool) => pool,
            Op::GlobalAvgPool => &pools::GlobalAvgPool,
            Op::Flatten => &flatten::Flatten,
            Op::Dropout(dropout) => dropout,
            Op::Concat(concat) => concat,
            Op::Skip(skip) => skip,
        }
    }

    /// Returns the name the layer has in a `.van` file.
    pub fn keyword(&self) -> &str {
        self.operation().name()
    }

    /// Returns the layers inside, for `skip` and `concat`.
    pub fn body(&self) -> &[Layer] {
        self.operation().body()
    }
}

/// Why a layer cannot take a shape, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The reason in a sentence.
    pub message: String,
    /// Text under the layer.
    pub label: String,
    /// Advice on what to do.
    pub help: String,
}

impl ShapeError {
    fn new(message: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Self {
        ShapeError {
            message: message.into(),
            label: label.into(),
            help: help.into(),
        }
    }
}
