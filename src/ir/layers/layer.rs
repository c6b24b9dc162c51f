//! A layer, and what it computes: one of the families, or layers again.

use super::super::call::Row;
use super::activations::Activation;
use super::batch_norm::{self, BatchNorm};
use super::conv::{self, Conv};
use super::dropout::{self, Dropout};
use super::flatten::{self, Flatten};
use super::linear::{self, Linear};
use super::map::{self, MapLayer};
use super::operation::Operation;
use super::policies::Policy;
use super::pools;
use crate::ir::shape::Shape;
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
    /// A map of x without a tensor of its own.
    Map(MapLayer),
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

impl Op {
    /// Returns the operation as the trait that states its shapes, tensors, cost and words.
    pub fn operation(&self) -> &dyn Operation {
        match self {
            Op::Conv(conv) => conv,
            Op::Linear(linear) => linear,
            Op::BatchNorm(norm) => norm,
            Op::Activation(activation) => activation,
            Op::Map(map) => map.operation(),
            Op::Flatten => &Flatten,
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
        match self {
            Op::Concat(concat) => &concat.body,
            Op::Skip(skip) => &skip.body,
            Op::Conv(_)
            | Op::Linear(_)
            | Op::BatchNorm(_)
            | Op::Activation(_)
            | Op::Map(_)
            | Op::Flatten
            | Op::Dropout(_) => &[],
        }
    }
}

/// `x` and `body(x)` joined along channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// The layers that make the second part.
    pub body: Vec<Layer>,
}

/// A body F under a skip policy, with s(x) its shortcut.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// Policy that joins F(x) and s(x).
    pub policy: Policy,
    /// s. [`Shortcut::Identity`] where the policy does not use it.
    pub shortcut: Shortcut,
    /// The layer of each of the policy's gates.
    pub gates: Vec<Gate>,
    /// The shape of each of the policy's coefficients: `[C]`, `[1]` or `[C, H, W]` by the
    /// constraint's granularity.
    pub coefficients: Vec<Vec<usize>>,
    /// F.
    pub body: Vec<Layer>,
}

/// Layer that makes a gate from x.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// A convolution with bias, as many outputs as F has channels.
    Conv(ConvGate),
    /// A linear layer with bias on a vector.
    Linear,
}

/// Geometry of a gate's convolution: that of the body's first one.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGate {
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
    /// Zeros p added on each side.
    pub padding: usize,
}

/// s(x): how x is made to fit F(x).
#[derive(Clone, Debug, PartialEq)]
pub enum Shortcut {
    /// x itself.
    Identity,
    /// A 1×1 convolution without bias (`project.weight`), or on a vector a linear
    /// layer without bias.
    Conv1x1 {
        /// Step between the positions taken.
        stride: usize,
    },
    /// Positions of x at multiples of `stride`, with zero channels appended.
    Pad {
        /// Step between the positions taken.
        stride: usize,
    },
}

/// The row of a family as a row that makes an [`Op`].
macro_rules! row {
    ($row:expr, $op:expr) => {
        Row {
            name: $row.name,
            doc: $row.doc,
            slots: $row.slots,
            build: |arguments| ($row.build)(arguments).map($op),
        }
    };
}

/// Lists the layers that are calls and no equations; `skip` and `concat` have syntax of their
/// own, and activations are declared in the language itself.
pub fn layers() -> &'static [Row<Op>] {
    const LAYERS: &[Row<Op>] = &[
        row!(conv::ROW, Op::Conv),
        row!(linear::ROW, Op::Linear),
        row!(batch_norm::ROW, Op::BatchNorm),
        row!(map::CRELU, |_| Op::Map(MapLayer::Crelu)),
        row!(pools::MAX_POOL, |pool| Op::Map(MapLayer::Pool(pool))),
        row!(pools::AVG_POOL, |pool| Op::Map(MapLayer::Pool(pool))),
        row!(pools::GLOBAL_AVG_POOL, |_| Op::Map(MapLayer::GlobalAvgPool)),
        row!(flatten::ROW, |_| Op::Flatten),
        row!(dropout::ROW, Op::Dropout),
    ];
    LAYERS
}
