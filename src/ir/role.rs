//! The tensors that a layer owns, and what each is for.

use serde::Serialize;

/// Purpose of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Weight of a convolution, linear layer, projection, gate or batch norm.
    Weight,
    /// Bias of the same.
    Bias,
    /// Trained coefficient of a skip that the constraint moves: α of a variable skip.
    Alpha,
    /// Trained coefficient of a skip that the optimizer moves.
    Coefficient,
    /// Multiplier λ of an α: moved by the constraint, not by the optimizer.
    Multiplier,
    /// a of a Dirac weight.
    DiracA,
    /// b of a Dirac weight.
    DiracB,
    /// Running mean of a batch norm.
    RunningMean,
    /// Running variance of a batch norm.
    RunningVar,
}

impl Role {
    /// Whether the optimizer moves the tensor by its gradient.
    pub fn is_optimized(self) -> bool {
        match self {
            Role::Weight | Role::Bias | Role::Coefficient | Role::DiracA | Role::DiracB => true,
            Role::Alpha | Role::Multiplier | Role::RunningMean | Role::RunningVar => false,
        }
    }

    /// Whether the optimizer's weight decay is of the tensor too.
    pub fn is_decayed(self) -> bool {
        self.is_optimized() && self != Role::Coefficient
    }

    /// Whether the tensor counts as a parameter: all that training moves by a
    /// gradient, which leaves out λ and the running statistics.
    pub fn is_parameter(self) -> bool {
        self.is_optimized() || self == Role::Alpha
    }
}

/// Content of a tensor before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Drawn by the training's `init`.
    Drawn {
        /// Whether a rectifier follows, which halves the variance.
        rectified: bool,
    },
    /// A number throughout.
    Number(f64),
    /// The start of a coefficient that the optimizer moves, and the range that it stays in.
    Bounded {
        /// Value before training.
        at: f64,
        /// Least and greatest value, either perhaps infinite.
        range: [f64; 2],
    },
    /// The start of a coefficient that the constraint moves.
    Coefficient(Held),
    /// The λ that the constraint starts with, towards the target; 0 where it is not enforced.
    Multiplier(Held),
}

/// Where a coefficient that the constraint moves starts, stays and goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Value before training; none is the `alpha` of the training's constraint.
    pub start: Option<f64>,
    /// Least and greatest value, either perhaps infinite.
    pub range: [f64; 2],
    /// Value that the constraint asks for.
    pub target: f64,
    /// Whether the multiplier moves; otherwise it is 0 and the coefficient follows its gradient.
    pub enforced: bool,
}

impl Held {
    /// α of a variable skip: in [0, 1], with 1 for its target.
    pub const ALPHA: Held = Held {
        start: None,
        range: [0.0, 1.0],
        target: 1.0,
        enforced: true,
    };
}

impl Start {
    /// Returns the range that a tensor is clipped to after the optimizer has moved it.
    pub fn range(self) -> Option<[f64; 2]> {
        match self {
            Start::Bounded { range, .. } => Some(range),
            Start::Drawn { .. }
            | Start::Number(_)
            | Start::Coefficient(_)
            | Start::Multiplier(_) => None,
        }
    }

    /// Returns the start of a tensor of that role, if nothing else is said.
    fn usual(role: Role) -> Start {
        match role {
            Role::Weight => Start::Drawn { rectified: true },
            Role::Bias | Role::RunningMean | Role::Coefficient => Start::Number(0.0),
            Role::DiracA | Role::RunningVar => Start::Number(1.0),
            Role::DiracB => Start::Number(0.1),
            Role::Alpha => Start::Coefficient(Held::ALPHA),
            Role::Multiplier => Start::Multiplier(Held::ALPHA),
        }
    }
}

/// A tensor of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnTensor {
    /// Name below the layer's path.
    pub name: String,
    /// Extent of each dimension, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Purpose of the tensor.
    pub role: Role,
    /// Content before training.
    pub start: Start,
}

impl OwnTensor {
    /// Makes a tensor called `name` below the layer's path, with the usual start of its role.
    pub fn new(name: impl Into<String>, shape: Vec<usize>, role: Role) -> Self {
        OwnTensor {
            name: name.into(),
            shape,
            role,
            start: Start::usual(role),
        }
    }

    /// Replaces the start.
    pub fn starting(self, start: Start) -> Self {
        OwnTensor { start, ..self }
    }

    /// Makes a weight of `shape`, outputs first, with the scales of a Dirac weight and a bias.
    pub(super) fn weighted(shape: Vec<usize>, bias: bool, dirac: bool) -> Vec<OwnTensor> {
        let out = shape.first().copied().unwrap_or(1);
        let mut own = vec![OwnTensor::new("weight", shape, Role::Weight)];
        if dirac {
            own.push(OwnTensor::new("dirac_a", vec![out], Role::DiracA));
            own.push(OwnTensor::new("dirac_b", vec![out], Role::DiracB));
        }
        if bias {
            own.push(OwnTensor::new("bias", vec![out], Role::Bias));
        }
        own
    }
}
