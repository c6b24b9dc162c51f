//! Rates of a resumed run: those that it had, unless it is to have another length.

use super::config::Config;
use super::run_progress::RunProgress;
use crate::error::{Error, Result};
use crate::ir::{Constraint, Model, Rates, Speed, Train};
use crate::schedule::{self, rate};
use crate::text::short;
use serde_json::Value;

/// Keeps the speed of a constraint that a run was `started` with before rates could follow from
/// a time: its file says nothing of rates, which were others by default.
pub(super) fn keep_speed(constraint: &mut Constraint, started: &Config) {
    let recorded = Recorded::read(started);
    if let (Speed::Fade(_), Some(rates), false) = (constraint.speed, recorded.rates, recorded.timed)
    {
        constraint.speed = Speed::Rates(rates);
        constraint.lambda = recorded.lambda.unwrap_or(constraint.lambda);
    }
}

/// Resolves the rates of a run on so many `images` that goes on after `done`. A run that was
/// `started` for as many epochs keeps the rates it has.
///
/// # Errors
/// Where other epochs would change its next rate in silence: unless `reschedule` asks for it.
pub(super) fn resolve(
    model: &mut Model,
    images: usize,
    started: &Config,
    done: &RunProgress,
    reschedule: bool,
) -> Result<()> {
    let recorded = Recorded::read(started);
    schedule::resolve(&mut model.train, images);
    let before = recorded.epochs.unwrap_or(model.train.epochs);
    if before == model.train.epochs {
        if let Some(rates) = recorded.rates {
            model.train.constraint = model.train.constraint.with_rates(rates);
        }
        return Ok(());
    }
    let mut old = Train {
        epochs: before,
        ..model.train.clone()
    };
    schedule::resolve(&mut old, images);
    let changes = changes(model, &old, images, done.step);
    if reschedule || done.step == 0 || changes.is_empty() {
        return Ok(());
    }
    let epochs = model.train.epochs;
    Err(Error::new(format!(
        "--epochs {epochs} would change the rates of a run of {before} epochs, now at step {}:\n{}",
        done.step,
        changes.join("\n")
    ))
    .help(format!(
        "give --reschedule to go on so, or --epochs {before} to go on as before"
    )))
}

/// Lists the rates after `step` steps that the training of `model` has other than `old`.
fn changes(model: &Model, old: &Train, images: usize, step: u64) -> Vec<String> {
    let steps = images.div_ceil(old.batch.max(1));
    let at = |train: &Train, step: u64| {
        let base = train.optimizer.rate();
        rate(&train.schedule, base, train.epochs, steps, step)
    };
    let mut out = Vec::new();
    let (was, is) = (at(old, step), at(&model.train, step));
    if was != is {
        // After its end a schedule says nothing: the run had the rate of its last step.
        let end = (old.epochs as u64).saturating_mul(steps as u64);
        let had = match step < end {
            true => format!("not {}", shown(was)),
            false => format!("after {}", shown(at(old, step.saturating_sub(1)))),
        };
        let is = shown(is);
        out.push(format!(
            "  the learning rate of the next step would be {is}, {had}"
        ));
    }
    let (was, is) = (old.constraint.rates(), model.train.constraint.rates());
    if was != is && model.has_constrained_skips() {
        out.push(format!(
            "  the alpha_rate of the constraint would be {}, not {},\n  its lambda_rate {}, not {}",
            shown(is.alpha_rate),
            shown(was.alpha_rate),
            shown(is.lambda_rate),
            shown(was.lambda_rate),
        ));
    }
    out
}

/// Formats a rate with three significant digits where it is small.
fn shown(rate: f64) -> String {
    match rate.abs() {
        size if size >= 1e-3 || size == 0.0 => short(rate),
        _ => format!("{rate:.2e}"),
    }
}

/// Rates of a run, as its settings say.
struct Recorded {
    epochs: Option<usize>,
    rates: Option<Rates>,
    /// Whether the rates follow from a time.
    timed: bool,
    lambda: Option<f64>,
}

impl Recorded {
    fn read(config: &Config) -> Recorded {
        let train = config.get("train");
        let constraint = train.and_then(|train| train.get("constraint"));
        let constraint = constraint.unwrap_or(&Value::Null);
        let number = |key: &str| constraint.get(key).and_then(Value::as_f64);
        let epochs = train.and_then(|train| train.get("epochs"));
        Recorded {
            epochs: epochs.and_then(Value::as_u64).map(|epochs| epochs as usize),
            rates: serde_json::from_value(constraint.clone()).ok(),
            timed: constraint.get("fade").is_some(),
            lambda: number("lambda"),
        }
    }
}
