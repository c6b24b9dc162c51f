//! The constraint that variable skips vanish under.

use crate::ir::call::{Arguments, Bounds, Kind, Literal, Refusal, Row, Slot, words};
use crate::ir::shape::Shape;
use serde::Serialize;

/// The Lagrangian rule of variable skips, eq. (4)–(9): after every step or epoch
/// `α ← clip(α − alpha_rate·η·(∂C/∂α + λ), 0, 1)`, then
/// `λ ← λ + lambda_rate·η·(α − 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Constraint {
    /// Start of α.
    pub alpha: f64,
    /// Start of λ.
    pub lambda: f64,
    /// α's rate, as a multiple of η.
    pub alpha_rate: f64,
    /// λ's rate, as a multiple of η.
    pub lambda_rate: f64,
    /// Interval at which the rule is applied.
    pub every: Every,
    /// Part of F(x) that shares one α.
    pub alpha_granularity: Granularity,
}

impl Constraint {
    /// The defaults.
    const DEFAULT: Constraint = Constraint {
        alpha: 0.0,
        lambda: -1.0,
        alpha_rate: 1.0,
        lambda_rate: 0.1,
        every: Every::Step,
        alpha_granularity: Granularity::Channel,
    };
}

impl Default for Constraint {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Interval at which α and λ move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// After every step, with its ∂C/∂α.
    Step,
    /// After every epoch, with the mean ∂C/∂α over its steps.
    Epoch,
}

impl Every {
    const WORDS: [(&'static str, Every); 2] = [("step", Every::Step), ("epoch", Every::Epoch)];
    const NAMES: [&'static str; 2] = words(&Self::WORDS);
}

/// Part of F(x) that shares one α.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// An output channel (neuron).
    Channel,
    /// The whole skip.
    Layer,
    /// A single activation: a channel at a position.
    Unit,
}

impl Granularity {
    const WORDS: [(&'static str, Granularity); 3] = [
        ("channel", Granularity::Channel),
        ("layer", Granularity::Layer),
        ("unit", Granularity::Unit),
    ];
    const NAMES: [&'static str; 3] = words(&Self::WORDS);

    /// Returns the extents of a tensor with one element for each part of `shape` that it covers.
    pub fn extents(self, shape: Shape) -> Vec<usize> {
        match self {
            Granularity::Channel => vec![shape.channels()],
            Granularity::Layer => vec![1],
            Granularity::Unit => shape.dims(),
        }
    }
}

/// The constraints.
pub const CONSTRAINTS: &[Row<Constraint>] = &[Row {
    name: "lagrange",
    doc: "α is driven to 1 by a Lagrange multiplier λ",
    slots: &[
        Slot::new("alpha", Kind::Float(Bounds::Unit), "where α starts")
            .or(Literal::Float(Constraint::DEFAULT.alpha)),
        Slot::new("lambda", Kind::Float(Bounds::Any), "where λ starts")
            .or(Literal::Float(Constraint::DEFAULT.lambda)),
        Slot::new(
            "alpha_rate",
            Kind::Float(Bounds::NotNegative),
            "rate of α, as a multiple of the learning rate",
        )
        .or(Literal::Float(Constraint::DEFAULT.alpha_rate)),
        Slot::new(
            "lambda_rate",
            Kind::Float(Bounds::NotNegative),
            "rate of λ, as a multiple of the learning rate",
        )
        .or(Literal::Float(Constraint::DEFAULT.lambda_rate)),
        Slot::new("every", Kind::Word(&Every::NAMES), "how often α and λ move")
            .or(Literal::Word(Every::NAMES[0])),
        Slot::new(
            "alpha_granularity",
            Kind::Word(&Granularity::NAMES),
            "what one α covers",
        )
        .or(Literal::Word(Granularity::NAMES[0])),
    ],
    build: lagrange,
}];

fn lagrange(arguments: &Arguments) -> Result<Constraint, Refusal> {
    Ok(Constraint {
        alpha: arguments.get("alpha")?,
        lambda: arguments.get("lambda")?,
        alpha_rate: arguments.get("alpha_rate")?,
        lambda_rate: arguments.get("lambda_rate")?,
        every: arguments.choice("every", &Every::WORDS)?,
        alpha_granularity: arguments.choice("alpha_granularity", &Granularity::WORDS)?,
    })
}
