//! What a layer computes, its shapes, and where it comes from.

use super::model::Layer;
use serde::Serialize;

/// One layer. `N` is the batch; shapes below leave it out.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// 2-D cross-correlation, `I×H×W → O×H'×W'` with `H' = (H + 2p − k)/s + 1`.
    Conv(Conv),
    /// `y = x Wᵀ + b`, `I → O`; an image is flattened in C, H, W order first.
    Linear(Linear),
    /// Normalises each channel over batch and positions, then scales and shifts:
    /// `y = (x − μ)/√(σ² + eps) · weight + bias`. Training uses the batch's biased
    /// variance and moves the running statistics by `momentum` (with the unbiased
    /// variance, as PyTorch does); evaluation uses the running ones. Ioffe & Szegedy 2015.
    BatchNorm {
        /// Share of the new statistics in the running ones.
        momentum: f64,
        /// Added to the variance.
        eps: f64,
    },
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `alpha·(eˣ − 1)`. Clevert et al. 2015.
    Elu {
        /// The limit for x → −∞, negated.
        alpha: f64,
    },
    /// `x` where positive, else `slope·x`.
    LeakyRelu {
        /// Slope of the negative half.
        slope: f64,
    },
    /// `[max(x, 0), max(−x, 0)]` along channels: `C → 2C`. Shang et al. 2016.
    Crelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid,
    /// Largest value of each window, no padding; `H' = (H − k)/s + 1`.
    MaxPool(Pool),
    /// Mean of each window, no padding; `H' = (H − k)/s + 1`.
    AvgPool(Pool),
    /// Mean over all positions: `C×H×W → C`.
    GlobalAvgPool,
    /// `C×H×W → C·H·W`, in C, H, W order.
    Flatten,
    /// In training, zeroes each element with probability `p` and divides the others
    /// by `1 − p`; the identity in evaluation. Srivastava et al. 2014.
    Dropout {
        /// Probability of zeroing, in `[0, 1)`.
        p: f64,
    },
    /// `x` and `body(x)` joined along channels: `C → C + C'`. Huang et al. 2016.
    Concat {
        /// The layers that make the second part.
        body: Vec<Layer>,
    },
    /// A body under a skip-connection policy.
    Skip(Skip),
}

/// Settings of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
    /// Zeros p added on each side.
    pub padding: usize,
    /// Whether a bias per output channel is added.
    pub bias: bool,
    /// Whether the weight is a Dirac one: `diag(a)·δ + diag(b)·W/‖W‖`, norm over each
    /// output filter, δ the identity on the first `min(in, out)` channels at the
    /// kernel's centre. Zagoruyko & Komodakis 2017.
    pub dirac: bool,
}

/// Settings of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Output features.
    pub out: usize,
    /// Whether a bias per output feature is added.
    pub bias: bool,
    /// As in [`Conv::dirac`].
    pub dirac: bool,
}

/// Settings of a pooling layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Side of the square window.
    pub kernel: usize,
    /// Step s between windows.
    pub stride: usize,
}

/// A body F under a skip policy, with s(x) its shortcut.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// How F(x) and s(x) are put together.
    pub policy: Policy,
    /// s. [`Shortcut::Identity`] for `plain` and `dirac`, which do not use it.
    pub shortcut: Shortcut,
    /// F.
    pub body: Vec<Layer>,
}

/// How a skip joins F(x) and s(x). Equation numbers are those of the paper,
/// "Avoiding degradation in deep feed-forward networks by phasing out skip-connections".
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// `F(x)`.
    Plain,
    /// `scale·F(x) + scale·s(x)`: eq. (1) with scale 1, eq. (10) with 0.5.
    Resnet {
        /// Factor of both terms.
        scale: f64,
    },
    /// `F(x)·T(x) + s(x)·(1 − T(x))`, `T = sigmoid(gate(x))`: eq. (2).
    Highway {
        /// Where the gate's bias starts.
        bias: f64,
        /// The layer that makes the gate.
        gate: Gate,
    },
    /// `F(x)`, every convolution and linear layer in F with a Dirac weight.
    Dirac,
    /// `F(x) + (1 − α)·s(x)` (eq. 4–8) or the convex form (eq. 9), α trained under α = 1.
    Variable {
        /// Which of the two.
        form: Form,
        /// Whether λ moves; false holds it at 0 (the paper's "VAN (λ = 0)").
        enforced: bool,
        /// Shape of α and λ: `[C]`, `[1]` or `[C, H, W]` by the constraint's granularity.
        alpha: Vec<usize>,
    },
}

/// The two ways to weigh a skip by α.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `F(x) + (1 − α)·s(x)`: eq. (4).
    Additive,
    /// `α·F(x) + (1 − α)·s(x)`: eq. (9).
    Convex,
}

/// What makes a highway's gate from x.
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
    /// Every `stride`-th position, with zero channels appended.
    Pad {
        /// Step between the positions taken.
        stride: usize,
    },
}

impl Op {
    /// The name the layer has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        match self {
            Op::Conv(_) => "conv",
            Op::Linear(_) => "linear",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Relu => "relu",
            Op::Elu { .. } => "elu",
            Op::LeakyRelu { .. } => "leaky_relu",
            Op::Crelu => "crelu",
            Op::Tanh => "tanh",
            Op::Sigmoid => "sigmoid",
            Op::MaxPool(_) => "max_pool",
            Op::AvgPool(_) => "avg_pool",
            Op::GlobalAvgPool => "global_avg_pool",
            Op::Flatten => "flatten",
            Op::Dropout { .. } => "dropout",
            Op::Concat { .. } => "concat",
            Op::Skip(_) => "skip",
        }
    }

    /// The layers inside, for `skip` and `concat`.
    pub fn body(&self) -> &[Layer] {
        match self {
            Op::Concat { body } => body,
            Op::Skip(skip) => &skip.body,
            Op::Conv(_)
            | Op::Linear(_)
            | Op::BatchNorm { .. }
            | Op::Relu
            | Op::Elu { .. }
            | Op::LeakyRelu { .. }
            | Op::Crelu
            | Op::Tanh
            | Op::Sigmoid
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::GlobalAvgPool
            | Op::Flatten
            | Op::Dropout { .. } => &[],
        }
    }
}

impl Policy {
    /// The name the policy has in a `.van` file.
    pub fn keyword(&self) -> &'static str {
        match self {
            Policy::Plain => "plain",
            Policy::Resnet { .. } => "resnet",
            Policy::Highway { .. } => "highway",
            Policy::Dirac => "dirac",
            Policy::Variable { .. } => "variable",
        }
    }
}
