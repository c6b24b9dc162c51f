//! The constraint that variable skips vanish under.

use crate::ir::call::{
    Arguments, Bounds, Conflict, ConflictKind, Kind, Literal, Refusal, Row, Slot, words,
};
use crate::ir::shape::Shape;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The Lagrangian rule of variable skips, eq. (4)–(9): after every step or epoch
/// `α ← clip(α − alpha_rate·η·(∂C/∂α + λ), 0, 1)`, then
/// `λ ← λ + lambda_rate·η·(α − 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Constraint {
    /// Start of α.
    pub alpha: f64,
    /// Start of λ.
    pub lambda: f64,
    /// Speed of α and λ.
    #[serde(flatten)]
    pub speed: Speed,
    /// Interval at which the rule is applied.
    pub every: Every,
    /// Part of F(x) that shares one α.
    pub alpha_granularity: Granularity,
}

impl Constraint {
    /// The defaults.
    const DEFAULT: Constraint = Constraint {
        alpha: 0.0,
        lambda: 0.0,
        speed: Speed::Fade(Fade::DEFAULT),
        every: Every::Step,
        alpha_granularity: Granularity::Channel,
    };

    /// Start of λ under rates that are given.
    const LAMBDA_UNDER_RATES: f64 = -1.0;

    /// Returns the rates that the rule has. Where they follow from a time and are not known yet
    /// they are 0: nothing moves.
    pub fn rates(&self) -> Rates {
        match self.speed {
            Speed::Rates(rates) => rates,
            Speed::Fade(fade) => fade.rates.unwrap_or_default(),
        }
    }

    /// Sets the rates that follow from the time. Rates that are given stay.
    pub fn with_rates(self, rates: Rates) -> Constraint {
        let speed = match self.speed {
            Speed::Rates(given) => Speed::Rates(given),
            Speed::Fade(fade) => Speed::Fade(Fade {
                rates: Some(rates),
                ..fade
            }),
        };
        Constraint { speed, ..self }
    }

    /// Returns the constraint without the rates that follow from its time.
    pub fn as_written(self) -> Constraint {
        let speed = match self.speed {
            Speed::Rates(given) => Speed::Rates(given),
            Speed::Fade(fade) => Speed::Fade(Fade {
                rates: None,
                ..fade
            }),
        };
        Constraint { speed, ..self }
    }
}

impl Default for Constraint {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Speed of α and λ: given as rates, or as a time that the rates follow from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Speed {
    /// Rates as they are written.
    Rates(Rates),
    /// Rates by the share of the training after which the skips are gone.
    Fade(Fade),
}

/// Rates of α and λ, as multiples of the learning rate η.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// α's rate.
    pub alpha_rate: f64,
    /// λ's rate.
    pub lambda_rate: f64,
}

/// Time in which the skips vanish, and the force that they vanish with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fade {
    /// Share of the training after which the skips are gone where ∂C/∂α is 0.
    pub fade: f64,
    /// Size that |λ| reaches meanwhile.
    pub pull: f64,
    /// Rates that follow, once the number of training images is known.
    #[serde(flatten)]
    pub rates: Option<Rates>,
}

impl Fade {
    /// The defaults.
    const DEFAULT: Fade = Fade {
        fade: 0.5,
        pull: 0.1,
        rates: None,
    };
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.speed {
            Speed::Rates(Rates {
                alpha_rate,
                lambda_rate,
            }) => write!(
                f,
                "lagrange(alpha_rate: {alpha_rate}, lambda_rate: {lambda_rate})"
            ),
            Speed::Fade(Fade { fade, pull, .. }) => {
                write!(f, "lagrange(fade: {fade}, pull: {pull})")
            }
        }
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
        Slot::new(
            FADE,
            Kind::Float(Bounds::Share),
            "share of the training after which the skips are gone",
        )
        .or(Literal::Float(Fade::DEFAULT.fade)),
        Slot::new(
            PULL,
            Kind::Float(Bounds::Positive),
            "size that |λ| reaches meanwhile",
        )
        .or(Literal::Float(Fade::DEFAULT.pull)),
        Slot::new("alpha", Kind::Float(Bounds::Unit), "where α starts")
            .or(Literal::Float(Constraint::DEFAULT.alpha)),
        Slot::new(
            "lambda",
            Kind::Float(Bounds::Any),
            "where λ starts: by default at 0, and at -1 where rates are given",
        ),
        Slot::new(
            ALPHA_RATE,
            Kind::Float(Bounds::NotNegative),
            "rate of α, as a multiple of the learning rate, instead of `fade` and `pull`",
        ),
        Slot::new(
            LAMBDA_RATE,
            Kind::Float(Bounds::NotNegative),
            "rate of λ, as a multiple of the learning rate, instead of `fade` and `pull`",
        ),
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

/// The constraints as version 0.1 took them: one rate alone, beside the default of the other.
pub const CONSTRAINTS_0_1: &[Row<Constraint>] = &[Row {
    build: lagrange_0_1,
    ..CONSTRAINTS[0]
}];

const FADE: &str = "fade";
const PULL: &str = "pull";
const ALPHA_RATE: &str = "alpha_rate";
const LAMBDA_RATE: &str = "lambda_rate";

fn lagrange(arguments: &Arguments) -> Result<Constraint, Refusal> {
    build(arguments, speed(arguments)?)
}

fn lagrange_0_1(arguments: &Arguments) -> Result<Constraint, Refusal> {
    let rates = Rates {
        alpha_rate: arguments.optional(ALPHA_RATE)?.unwrap_or(1.0),
        lambda_rate: arguments.optional(LAMBDA_RATE)?.unwrap_or(0.1),
    };
    build(arguments, Speed::Rates(rates))
}

fn build(arguments: &Arguments, speed: Speed) -> Result<Constraint, Refusal> {
    let lambda = match speed {
        Speed::Rates(_) => Constraint::LAMBDA_UNDER_RATES,
        Speed::Fade(_) => Constraint::DEFAULT.lambda,
    };
    Ok(Constraint {
        alpha: arguments.get("alpha")?,
        lambda: arguments.optional("lambda")?.unwrap_or(lambda),
        speed,
        every: arguments.choice("every", &Every::WORDS)?,
        alpha_granularity: arguments.choice("alpha_granularity", &Granularity::WORDS)?,
    })
}

/// Reads the rates, where they are given, or the time.
fn speed(arguments: &Arguments) -> Result<Speed, Refusal> {
    let rate = |name| arguments.optional(name);
    match (rate(ALPHA_RATE)?, rate(LAMBDA_RATE)?) {
        (None, None) => Ok(Speed::Fade(Fade {
            fade: arguments.get(FADE)?,
            pull: arguments.get(PULL)?,
            rates: None,
        })),
        (Some(alpha_rate), Some(lambda_rate)) => {
            let times = [FADE, PULL];
            match times.into_iter().find(|name| arguments.is_given(name)) {
                Some(time) => Err(rates_and_time(time)),
                None => Ok(Speed::Rates(Rates {
                    alpha_rate,
                    lambda_rate,
                })),
            }
        }
        (Some(_), None) => Err(one_rate(ALPHA_RATE, LAMBDA_RATE)),
        (None, Some(_)) => Err(one_rate(LAMBDA_RATE, ALPHA_RATE)),
    }
}

/// Refuses a time beside rates.
fn rates_and_time(time: &'static str) -> Refusal {
    Conflict {
        kind: ConflictKind::Train,
        message: format!("`{time}` decides the rates, which are given too"),
        slot: time,
        label: "decides both rates".to_string(),
        other: Some((ALPHA_RATE, "given here")),
        help: format!("remove `{time}`, or `{ALPHA_RATE}` and `{LAMBDA_RATE}`"),
    }
    .into()
}

/// Refuses the rate `given` without the rate `missing`.
fn one_rate(given: &'static str, missing: &'static str) -> Refusal {
    Conflict {
        kind: ConflictKind::Train,
        message: format!("`{given}` needs `{missing}` beside it"),
        slot: given,
        label: format!("given without `{missing}`"),
        other: None,
        help: format!(
            "add `{missing}`, or write `fade` instead, the share of the training after which \
             the skips are gone"
        ),
    }
    .into()
}
