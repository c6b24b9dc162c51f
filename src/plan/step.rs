//! What one step of a plan computes. Shapes are those of the buffers it names.

use super::buffers::Id;
use super::cost::Cost;

/// One step: an action of a layer, with the scratch memory it may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Path of the layer; of a fused step, that of the last.
    pub path: String,
    /// What is computed.
    pub action: Action,
    /// Scratch memory, if the target wants some.
    pub workspace: Option<Id>,
    /// Arithmetic and traffic.
    pub cost: Cost,
}

/// Where a gradient goes: a buffer that may already hold what other uses of the same
/// value have contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientTarget {
    /// The gradient's buffer.
    pub to: Id,
    /// Whether to add to what is there, instead of replacing it.
    pub add: bool,
}

/// What a step computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `y = x ⋆ W (+ b)`, also of linear layers, whose windows are the one position
    /// of a vector.
    Convolve(Convolve),
    /// `∂C/∂x`: the transposed convolution of ∂C/∂y with W.
    ConvolveInput {
        /// ∂C/∂y.
        dy: Id,
        /// The weight, outputs × channels × rows × columns.
        weight: Id,
        /// ∂C/∂x.
        dx: GradientTarget,
        /// The windows of the forward step.
        window: Window,
    },
    /// `∂C/∂W[o,c,u] = Σ dy[n,p,o]·x[n,s·p+u,c]`, `∂C/∂b[o] = Σ dy[n,p,o]`.
    ConvolveWeight {
        /// What was convolved.
        x: Id,
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂W.
        dweight: Id,
        /// ∂C/∂b.
        dbias: Option<Id>,
        /// The windows of the forward step.
        window: Window,
    },
    /// `diag(a)·δ + diag(b)·W/‖W‖`: see [`crate::ir::Conv::dirac`].
    Dirac {
        /// W, outputs × inputs × positions.
        weight: Id,
        /// a, one an output.
        a: Id,
        /// b, one an output.
        b: Id,
        /// The weight that the network is run with.
        y: Id,
    },
    /// With r = 1/‖W‖ of a filter and g = ∂C/∂y: `da = g[δ]`, `db = r·⟨g, W⟩`,
    /// `dW = b·r·(g − W·r²·⟨g, W⟩)`.
    DiracGradient {
        /// W.
        weight: Id,
        /// b.
        b: Id,
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂W.
        dweight: Id,
        /// ∂C/∂a.
        da: Id,
        /// ∂C/∂b.
        db: Id,
    },
    /// Mean and biased variance of each channel over images and positions.
    Statistics {
        /// What is measured.
        x: Id,
        /// Two rows of padded channels: mean, variance.
        y: Id,
    },
    /// A pass over activations: see [`Pointwise`].
    Pointwise(Pointwise),
    /// Its gradients: see [`PointwiseGradients`].
    PointwiseGradient(Box<PointwiseGradients>),
    /// `[max(x, 0), max(−x, 0)]` along channels.
    Crelu {
        /// C channels.
        x: Id,
        /// 2C channels.
        y: Id,
    },
    /// `dx = dy₁·[x > 0] − dy₂·[x < 0]`.
    CreluGradient {
        /// What came in.
        x: Id,
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂x.
        dx: GradientTarget,
    },
    /// a and b joined along channels.
    Concat {
        /// The first channels.
        a: Id,
        /// The channels after them.
        b: Id,
        /// Both.
        y: Id,
    },
    /// The channels of dy from `from` on, as many as dx has.
    ConcatGradient {
        /// ∂C/∂y.
        dy: Id,
        /// First channel.
        from: usize,
        /// ∂C/∂a or ∂C/∂b.
        dx: GradientTarget,
    },
    /// The largest value of each window.
    MaxPool {
        /// What is pooled.
        x: Id,
        /// One position a window.
        y: Id,
        /// The windows.
        window: Window,
    },
    /// dy goes to the first largest element of each window.
    MaxPoolGradient {
        /// What was pooled.
        x: Id,
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂x.
        dx: GradientTarget,
        /// The windows.
        window: Window,
    },
    /// The mean of each window.
    AvgPool {
        /// What is pooled.
        x: Id,
        /// One position a window.
        y: Id,
        /// The windows.
        window: Window,
    },
    /// dy/positions goes to every element of the window.
    AvgPoolGradient {
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂x.
        dx: GradientTarget,
        /// The windows.
        window: Window,
    },
    /// Every `stride`-th position, zeros in the channels that x has not.
    Subsample {
        /// What is taken from.
        x: Id,
        /// What is taken.
        y: Id,
        /// Step between positions.
        stride: usize,
    },
    /// dy goes to the positions taken.
    SubsampleGradient {
        /// ∂C/∂y.
        dy: Id,
        /// ∂C/∂x.
        dx: GradientTarget,
        /// Step between positions.
        stride: usize,
    },
    /// Positions × channels to a vector in C, H, W order.
    Flatten {
        /// An image.
        x: Id,
        /// A vector.
        y: Id,
    },
    /// And back.
    FlattenGradient {
        /// ∂C/∂y, a vector.
        dy: Id,
        /// ∂C/∂x, an image.
        dx: GradientTarget,
    },
    /// The dropout mask of this layer in this step.
    Mask {
        /// Factors, as activations.
        y: Id,
        /// Probability of 0.
        p: f64,
    },
    /// `y = x∘m`; its gradient is the same of dy.
    Multiply {
        /// What is multiplied.
        x: Id,
        /// By what.
        m: Id,
        /// The product.
        y: GradientTarget,
    },
    /// `y += x`.
    Add {
        /// What is added.
        x: Id,
        /// To what.
        y: Id,
    },
    /// The mean over the batch of `−log softmax(logits)[label]`, and its gradient
    /// `(softmax(logits) − onehot(label))/N`.
    Loss {
        /// A vector an image.
        logits: Id,
        /// ∂C/∂logits.
        gradient: Id,
    },
    /// `v ← momentum·v + g`, `w ← w − rate·v`: see [`crate::ir::Sgd`].
    Sgd {
        /// w.
        weight: Id,
        /// ∂C/∂w.
        gradient: Id,
        /// v, where there is momentum.
        velocity: Option<Id>,
    },
    /// `running ← (1 − momentum)·running + momentum·found`, with the unbiased variance.
    MoveStatistics {
        /// Mean and biased variance of the batch.
        found: Id,
        /// Elements a channel that they are of.
        count: usize,
        /// Running mean.
        mean: Id,
        /// Running variance.
        variance: Id,
        /// Share of what was found.
        momentum: f64,
    },
}

/// A convolution: see [`Action::Convolve`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convolve {
    /// What is convolved.
    pub x: Id,
    /// Outputs × channels × rows × columns, in PyTorch's order.
    pub weight: Id,
    /// One an output.
    pub bias: Option<Id>,
    /// The result.
    pub y: Id,
    /// The windows.
    pub window: Window,
    /// Where mean and variance of each output channel go, as in
    /// [`Action::Statistics`], when a batch norm follows.
    pub statistics: Option<Id>,
}

/// Which of the three products of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvPass {
    /// y from x and w.
    Forward,
    /// dx from dy and w.
    Input,
    /// dw from x and dy.
    Weight,
}

/// One of a convolution's products: see [`Action::product`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Which one.
    pub pass: ConvPass,
    /// What the layer takes, or its gradient.
    pub x: Id,
    /// What it makes, or its gradient.
    pub y: Id,
    /// Its weight, or its gradient.
    pub weight: Id,
    /// Its windows.
    pub window: Window,
}

/// Windows that slide over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the image.
    pub input: (usize, usize),
    /// Rows and columns of windows.
    pub output: (usize, usize),
    /// Rows and columns of a window.
    pub kernel: (usize, usize),
    /// Step between windows.
    pub stride: usize,
    /// Zeros added on each side of the image.
    pub padding: usize,
}

impl Window {
    /// The one position of a vector.
    pub const POINT: Window = Window {
        input: (1, 1),
        output: (1, 1),
        kernel: (1, 1),
        stride: 1,
        padding: 0,
    };

    /// Positions in a window.
    pub fn area(self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Positions of the image.
    pub fn inputs(self) -> usize {
        self.input.0 * self.input.1
    }

    /// Windows.
    pub fn outputs(self) -> usize {
        self.output.0 * self.output.1
    }
}

/// One pass over activations: `y = join(activation(norm(x)))`, each part optional.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointwise {
    /// What comes in.
    pub x: Id,
    /// Batch norm: `z = (x − μ)/√(σ² + eps)·weight + bias`.
    pub norm: Option<Norm>,
    /// `f = activation(z)`.
    pub activation: Option<Activation>,
    /// How a skip puts f and s together.
    pub join: Option<Join>,
    /// What comes out.
    pub y: Id,
}

/// The batch norm of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// μ and σ².
    pub statistics: Statistics,
    /// One a channel.
    pub weight: Id,
    /// One a channel.
    pub bias: Id,
    /// Added to the variance.
    pub eps: f64,
}

/// Whose statistics a batch norm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the batch: see [`Action::Statistics`].
    Batch(Id),
    /// The running ones.
    Running {
        /// One a channel.
        mean: Id,
        /// One a channel.
        variance: Id,
    },
}

/// The activation of a pass; see [`crate::ir::Op`] for the equations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`, derivative 0 at 0.
    Relu,
    /// Exponential below 0.
    Elu(f32),
    /// Linear of this slope below 0.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic.
    Sigmoid,
}

/// How f and a shortcut s become y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Join {
    /// `scale·(f + s)`.
    Residual {
        /// The shortcut.
        s: Id,
        /// Factor of both.
        scale: f32,
    },
    /// `s + T∘(f − s)`, `T = sigmoid(gate)`.
    Gated {
        /// The shortcut.
        s: Id,
        /// What T is the sigmoid of.
        gate: Id,
    },
    /// `f + (1 − α)·s`, or `s + α·(f − s)`.
    Fading {
        /// The shortcut.
        s: Id,
        /// α: one, one a channel, or one an activation of a sample in C, H, W order.
        alpha: Id,
        /// Which of the two.
        form: Form,
    },
}

/// The gradients of a pass. With δ = ∂C/∂y, and f, z, x̂ computed again from x:
///
/// ```text
/// residual:  df = scale·δ        ds = scale·δ
/// gated:     df = T·δ            ds = (1 − T)·δ    dgate = T(1 − T)·(f − s)·δ
/// additive:  df = δ              ds = (1 − α)·δ    dα = −Σ s·δ
/// convex:    df = α·δ            ds = (1 − α)·δ    dα = Σ (f − s)·δ
/// activation: dz = activation′(z)·df
/// norm:      db = Σ dz, dw = Σ x̂·dz, dx = w/√(σ² + eps)·(dz − db/M − x̂·dw/M)
/// ```
///
/// M is the number of images × positions; sums over α run over all that share one.
#[derive(Clone, Debug, PartialEq)]
pub struct PointwiseGradients {
    /// The forward pass.
    pub pass: Pointwise,
    /// δ.
    pub dy: Id,
    /// ∂C/∂x.
    pub dx: Option<GradientTarget>,
    /// ∂C/∂s.
    pub ds: Option<GradientTarget>,
    /// ∂C/∂gate.
    pub dgate: Option<GradientTarget>,
    /// ∂C/∂α.
    pub dalpha: Option<Id>,
    /// ∂C/∂weight of the norm.
    pub dweight: Option<Id>,
    /// ∂C/∂bias of the norm.
    pub dbias: Option<Id>,
}

impl Join {
    /// The shortcut.
    pub fn shortcut(&self) -> Id {
        match *self {
            Join::Residual { s, .. } | Join::Gated { s, .. } | Join::Fading { s, .. } => s,
        }
    }

    /// What the join reads beside f and s.
    pub fn extra(&self) -> Option<Id> {
        match *self {
            Join::Residual { .. } => None,
            Join::Gated { gate, .. } => Some(gate),
            Join::Fading { alpha, .. } => Some(alpha),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Additive,
    Convex,
}
