//! The constraint on the skips of a network: its rates, and how long the skips last.

use crate::ir::{Constraint, Every, Fade, Model, Speed, Train};
use crate::schedule::{Forecast, forecast};
use crate::text::decimal;

/// Share of the training that skips are there for at least, unless that is remarked.
const EARLY: f64 = 0.03;
/// α residual that may be left at the end before that is remarked.
const LEFT: f64 = 0.01;

/// Writes the constraint for people, with the rates that follow from its time, if `model` has
/// skips under it.
pub(super) fn constraint_words(model: &Model) -> Option<String> {
    if !model.has_constrained_skips() {
        return None;
    }
    let constraint = model.train.constraint;
    let every = match constraint.every {
        Every::Step => "step",
        Every::Epoch => "epoch",
    };
    let lambda = constraint.lambda;
    let rates = match constraint.speed {
        Speed::Rates(_) => String::new(),
        Speed::Fade(Fade {
            rates: Some(rates), ..
        }) => format!(
            "           alpha_rate {} · lambda_rate {}\n",
            decimal(rates.alpha_rate),
            decimal(rates.lambda_rate)
        ),
        Speed::Fade(Fade { rates: None, .. }) => {
            "           the rates follow when the images are counted\n".into()
        }
    };
    Some(format!(
        "constraint {constraint}, λ from {lambda}, every {every}\n{rates}"
    ))
}

/// Lists remarks on a training of `model` on so many `images`: that the skips would be gone as
/// soon as it begins, or still be there when it ends.
pub fn skip_notes(model: &Model, images: usize) -> Vec<String> {
    let Train { constraint, .. } = model.train;
    let Some(forecast) = forecast(&model.train, images).filter(|_| model.has_constrained_skips())
    else {
        return Vec::new();
    };
    let Forecast {
        steps,
        gone,
        residual,
    } = forecast;
    let early = gone.filter(|&gone| gone as f64 <= EARLY * steps as f64);
    let early = early.map(|gone| {
        format!(
            "note: where ∂C/∂α is 0, the skips are gone after step {gone} of {steps} already;\n      {}",
            longer(&constraint)
        )
    });
    let late = (residual > LEFT).then(|| {
        format!(
            "note: even where ∂C/∂α is 0, an α residual of {} is left at the end;\n      {}",
            decimal(residual),
            sooner(&constraint)
        )
    });
    early.into_iter().chain(late).collect()
}

/// Advises how skips last longer.
fn longer(constraint: &Constraint) -> &'static str {
    match constraint.speed {
        Speed::Rates(_) => "`constraint: lagrange(fade: 0.5)` keeps them for half of the training",
        Speed::Fade(_) => "a greater `fade` keeps them longer",
    }
}

/// Advises how skips vanish sooner.
fn sooner(constraint: &Constraint) -> &'static str {
    match constraint.speed {
        Speed::Rates(_) => {
            "`constraint: lagrange(fade: 0.5)` ends the skips after half of the training"
        }
        Speed::Fade(_) => "a smaller `fade` ends the skips, or more updates do",
    }
}
