//! Actions of a plan's steps. Shapes are those of the buffers that they name.

use super::buffer::{GradientTarget, Id};
use super::convolution::{ConvPass, Convolution};
use super::map::MapStep;
use crate::ir::expr::{JoinForm, KnownActivation, Variable};
use crate::ir::{Expr, Optimizer};
use std::sync::Arc;

/// Step of a plan: an action of a layer, with the buffers that it uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Path of the layer; of a fused step, that of the last layer.
    pub path: String,
    /// Operation and operands.
    pub action: Action,
    /// Buffers that are read. Those that are added to are among the writes.
    pub reads: Vec<Id>,
    /// Buffers that are written, no two of them the same.
    pub writes: Vec<Id>,
    /// Scratch memory, if the target wants some.
    pub workspace: Option<Id>,
}

impl Step {
    /// Makes a step that reads and writes these buffers, without scratch memory.
    pub(super) fn new(path: &str, action: Action, reads: Vec<Id>, writes: Vec<Id>) -> Step {
        Step {
            path: path.to_string(),
            action,
            reads,
            writes,
            workspace: None,
        }
    }
}

/// Operation of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A product of a convolution or a linear layer.
    Convolve(Convolution),
    /// `diag(a)·δ + diag(b)·W/‖W‖`: see [`crate::ir::Conv::dirac`].
    Dirac {
        /// Weight W, outputs × inputs × positions.
        weight: Id,
        /// Factors a of δ, one an output.
        a: Id,
        /// Factors b of the normalised W, one an output.
        b: Id,
        /// Weight that the network is run with.
        y: Id,
    },
    /// Gradients of a Dirac weight. With r = 1/‖W‖ of a filter and g = ∂C/∂y:
    /// `da = g[δ]`, `db = r·⟨g, W⟩`, `dW = b·r·(g − W·r²·⟨g, W⟩)`.
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
        /// Activations that are measured.
        x: Id,
        /// Two rows of padded channels: mean, variance.
        y: Id,
    },
    /// A pass over activations: see [`Pointwise`].
    Pointwise(Pointwise),
    /// The gradients of a pass: see [`PointwiseGradients`].
    PointwiseGradient(Box<PointwiseGradients>),
    /// Activations moved, chosen or weighed.
    Map(MapStep),
    /// The mean over the batch of `−log softmax(logits)[label]`, and its gradient
    /// `(softmax(logits) − onehot(label))/N`.
    Loss {
        /// Logits, a vector an image.
        logits: Id,
        /// ∂C/∂logits.
        gradient: Id,
    },
    /// Update of a tensor by its gradient.
    Update {
        /// Rule that moves it.
        optimizer: Optimizer,
        /// Range that it is clipped to afterwards.
        range: Option<[f64; 2]>,
        /// w.
        weight: Id,
        /// ∂C/∂w.
        gradient: Id,
        /// Buffers of [`Optimizer::slots`].
        slots: Vec<Id>,
    },
    /// Update of running statistics, with the unbiased variance:
    /// `running ← (1 − momentum)·running + momentum·found`.
    MoveStatistics {
        /// Mean and biased variance of the batch.
        found: Id,
        /// Elements a channel that the statistics are of.
        count: usize,
        /// Running mean.
        mean: Id,
        /// Running variance.
        variance: Id,
        /// Share of the batch's statistics in the new running ones.
        momentum: f64,
    },
}

impl Action {
    /// Returns a word for tables and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Convolve(convolution) => convolution.pass.name(),
            Action::Dirac { .. } => "dirac weight",
            Action::DiracGradient { .. } => "dirac weight: gradient",
            Action::Statistics { .. } => "statistics",
            Action::Pointwise(_) => "pointwise",
            Action::PointwiseGradient(_) => "pointwise: gradient",
            Action::Map(map) => map.kind.name(),
            Action::Loss { .. } => "loss",
            Action::Update { optimizer, .. } => optimizer.keyword(),
            Action::MoveStatistics { .. } => "running statistics",
        }
    }
}

/// Pass over activations: `y = join(activation(norm(x)))`, each part optional.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointwise {
    /// Activations that come in.
    pub x: Id,
    /// Batch norm: `z = (x − μ)/√(σ² + eps)·weight + bias`.
    pub norm: Option<Norm>,
    /// `f = activation(z)`.
    pub activation: Option<Activation>,
    /// Join of f and the shortcut s of a skip.
    pub join: Option<Join>,
    /// Activations that come out.
    pub y: Id,
}

/// The batch norm of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Sources of μ and σ².
    pub statistics: Statistics,
    /// Factor γ, one a channel.
    pub weight: Id,
    /// Summand β, one a channel.
    pub bias: Id,
    /// Summand of the variance, against division by 0.
    pub eps: f64,
}

/// Statistics that a batch norm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Mean and variance of the batch, as [`Action::Statistics`] leaves them.
    Batch(Id),
    /// Running mean and variance.
    Running {
        /// Running mean, one a channel.
        mean: Id,
        /// Running variance, one a channel.
        variance: Id,
    },
}

/// The activation of a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// f, of [`Variable::Element`] z.
    pub equation: Arc<Expr>,
    /// ∂f/∂z.
    pub slope: Arc<Expr>,
    /// Activation among those with a kernel of their own, if the equation is one.
    pub kernel: Option<KnownActivation>,
}

/// Join of f, a shortcut s, gates and trained coefficients to y.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// y, of [`Variable::Body`] and the others.
    pub out: Arc<Expr>,
    /// Form of `out`.
    pub form: JoinForm,
    /// s, where `out` uses it.
    pub shortcut: Option<Id>,
    /// The gates' outputs, in the order of [`Variable::Gate`].
    pub gates: Vec<Id>,
    /// The coefficients, in the order of [`Variable::Trained`]: each one number, one a
    /// channel, or one an activation of a sample in C, H, W order.
    pub trained: Vec<Id>,
}

/// The gradients of a pass. With δ = ∂C/∂y, and f, z, x̂ computed again from x:
///
/// ```text
/// join:       df = ∂out/∂f·δ     ds = ∂out/∂s·δ     dg = ∂out/∂g·δ     dv = Σ ∂out/∂v·δ
/// activation: dz = activation′(z)·df
/// norm:       db = Σ dz, dw = Σ x̂·dz, dx = w/√(σ² + eps)·(dz − db/M − x̂·dw/M)
/// ```
///
/// M is the number of images × positions; sums over a coefficient v run over all that share it.
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
    /// ∂C/∂g of each gate.
    pub dgates: Vec<Option<GradientTarget>>,
    /// ∂C/∂v of each trained coefficient.
    pub dtrained: Vec<Id>,
    /// ∂C/∂weight of the norm.
    pub dweight: Option<Id>,
    /// ∂C/∂bias of the norm.
    pub dbias: Option<Id>,
}

impl Activation {
    /// Makes the activation of an equation, with its derivative.
    pub fn new(equation: &Arc<Expr>) -> Activation {
        Activation {
            equation: equation.clone(),
            slope: Arc::new(equation.derivative(Variable::Element)),
            kernel: KnownActivation::recognise(equation),
        }
    }
}

impl Convolution {
    /// Makes the step of this product.
    pub(super) fn step(self, path: &str) -> Step {
        let Convolution { x, weight, y, .. } = self;
        let (reads, writes) = match self.pass {
            ConvPass::Forward { bias, statistics } => {
                ([x, weight].into_iter().chain(bias).collect(), {
                    [y].into_iter().chain(statistics).collect()
                })
            }
            ConvPass::Input { .. } => (vec![y, weight], vec![x]),
            ConvPass::Weight { bias } => (vec![x, y], [weight].into_iter().chain(bias).collect()),
        };
        Step::new(path, Action::Convolve(self), reads, writes)
    }
}

impl MapStep {
    /// Makes the step of this map.
    pub(super) fn step(self, path: &str) -> Step {
        let (reads, writes) = (self.inputs.clone(), vec![self.y.to]);
        Step::new(path, Action::Map(self), reads, writes)
    }
}

impl Pointwise {
    /// Makes the step of this pass.
    pub(super) fn step(self, path: &str) -> Step {
        let (reads, writes) = (self.reads(), vec![self.y]);
        Step::new(path, Action::Pointwise(self), reads, writes)
    }

    fn reads(&self) -> Vec<Id> {
        let mut ids = vec![self.x];
        if let Some(norm) = self.norm {
            ids.extend([norm.weight, norm.bias]);
            match norm.statistics {
                Statistics::Batch(id) => ids.push(id),
                Statistics::Running { mean, variance } => ids.extend([mean, variance]),
            }
        }
        if let Some(join) = &self.join {
            ids.extend(join.shortcut);
            ids.extend(join.gates.iter().chain(&join.trained));
        }
        ids
    }
}

impl PointwiseGradients {
    /// Makes the step of these gradients, if anyone wants one of them.
    pub(super) fn step(self, path: &str) -> Option<Step> {
        let mut reads = self.pass.reads();
        reads.push(self.dy);
        let gates = self.dgates.iter().copied();
        let targets = [self.dx, self.ds].into_iter().chain(gates).flatten();
        let tensors = self.dtrained.iter().copied();
        let norm = [self.dweight, self.dbias].into_iter().flatten();
        let writes: Vec<Id> = targets
            .map(|target| target.to)
            .chain(tensors)
            .chain(norm)
            .collect();
        let action = Action::PointwiseGradient(Box::new(self));
        (!writes.is_empty()).then(|| Step::new(path, action, reads, writes))
    }
}
