//! The rates of the constraint that follow from a time, and the course of the skips under any
//! rates.
//!
//! Where ∂C/∂α is 0 and λ starts at 0, the rule is that of an oscillator: with u = 1 − α and
//! θ = √(alpha_rate·lambda_rate)·Ση, u = cos θ. It is 0 first at θ = π/2; so the rates K/pull and
//! K·pull with K = (π/2)/Ση, and Ση over the updates of some share of the training, end the skips
//! with that share. There λ is −pull.

use super::multipliers::{Multipliers, SkipMultipliers};
use super::rate::rate;
use crate::ir::{Constraint, Every, Fade, Held, Rates, Speed, Train};
use std::f64::consts::FRAC_PI_2;

/// Updates that are followed one by one; of more, equal parts are taken as one update each.
const MOST_UPDATES: u64 = 1 << 20;

/// Greatest rate that follows from a time: products of it with learning rates stay finite.
const MOST_RATE: f64 = 1e200;

/// Sets the rates of the constraint that follow from its time, in a training on so many `images`.
/// Rates that are given stay.
pub fn resolve(train: &mut Train, images: usize) {
    let Speed::Fade(fade) = train.constraint.speed else {
        return;
    };
    let updates = Updates::new(train, images);
    let share = (fade.fade * updates.count as f64 + 1e-9) as u64;
    let rates: f64 = updates.parts(share.max(1)).map(|part| part.rate).sum();
    let turn = match rates > 0.0 {
        true => FRAC_PI_2 / rates,
        false => 0.0,
    };
    let rates = Rates {
        alpha_rate: (turn / fade.pull).min(MOST_RATE),
        lambda_rate: (turn * fade.pull).min(MOST_RATE),
    };
    train.constraint = train.constraint.with_rates(rates);
}

/// Course of constrained skips on which the loss does not act: ∂C/∂α is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Steps of the training.
    pub steps: u64,
    /// Steps after which the skips are gone, if they ever are.
    pub gone: Option<u64>,
    /// α residual (1 − α)² at the end.
    pub residual: f64,
}

/// Computes the course of constrained skips in a training on so many `images`; nothing where the
/// rates are not known.
pub fn forecast(train: &Train, images: usize) -> Option<Forecast> {
    let constraint = train.constraint;
    if let Speed::Fade(Fade { rates: None, .. }) = constraint.speed {
        return None;
    }
    let rule = Constraint {
        every: Every::Step,
        ..constraint
    };
    let skip = SkipMultipliers::new(&rule, 1, Held::ALPHA);
    let mut multipliers = Multipliers::new(rule, vec![skip]);
    let updates = Updates::new(train, images);
    let left = |multipliers: &Multipliers| 1.0 - f64::from(multipliers.skips[0].alpha[0]);
    let mut gone = None;
    for part in updates.parts(updates.count) {
        multipliers.step(part.rate, &[vec![0.0]]);
        if left(&multipliers) == 0.0 {
            gone = Some(part.end);
            break; // α is 1, so λ stays, and so does α
        }
    }
    Some(Forecast {
        steps: updates.steps_after(updates.count),
        gone: gone.map(|updates_done| updates.steps_after(updates_done)),
        residual: left(&multipliers).powi(2),
    })
}

/// The updates of the constraint in a training.
struct Updates<'a> {
    train: &'a Train,
    /// Steps in an epoch.
    steps: u64,
    /// Number of updates.
    count: u64,
}

/// Consecutive updates.
struct Part {
    /// Number of updates up to its end.
    end: u64,
    /// Sum of the learning rate over the updates.
    rate: f64,
}

impl<'a> Updates<'a> {
    fn new(train: &'a Train, images: usize) -> Self {
        let steps = images.div_ceil(train.batch.max(1)) as u64;
        let epochs = train.epochs as u64;
        let count = match train.constraint.every {
            Every::Step => epochs.saturating_mul(steps),
            Every::Epoch => epochs,
        };
        Updates {
            train,
            steps,
            count,
        }
    }

    /// Returns the number of steps that are done after so many updates.
    fn steps_after(&self, updates: u64) -> u64 {
        match self.train.constraint.every {
            Every::Step => updates,
            Every::Epoch => updates.saturating_mul(self.steps),
        }
    }

    /// Computes the learning rate at the update `index`: that of the step before it.
    fn rate(&self, index: u64) -> f64 {
        let train = self.train;
        rate(
            &train.schedule,
            train.optimizer.rate(),
            train.epochs,
            self.steps as usize,
            self.steps_after(index + 1).saturating_sub(1),
        )
    }

    /// Divides the first `count` updates into parts, each with the rate in its middle throughout:
    /// parts of one update, as long as there are not too many.
    fn parts(&self, count: u64) -> impl Iterator<Item = Part> + use<'_, 'a> {
        let count = count.min(self.count);
        let parts = count.min(MOST_UPDATES);
        let start = move |part: u64| {
            let start = u128::from(part) * u128::from(count) / u128::from(parts.max(1));
            start as u64
        };
        (0..parts).map(move |part| {
            let (start, end) = (start(part), start(part + 1));
            let length = end - start;
            Part {
                end,
                rate: self.rate(start + length / 2) * length as f64,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Optimizer, Schedule};
    use proptest::prelude::*;

    /// A training of `epochs` epochs at the learning rate 0.1 with a batch of 10.
    fn train(epochs: usize, schedule: Schedule, constraint: Constraint) -> Train {
        Train {
            epochs,
            batch: 10,
            optimizer: Optimizer::default().with_rate(0.1),
            schedule,
            constraint,
            ..Train::default()
        }
    }

    fn timed(fade: f64, pull: f64, every: Every) -> Constraint {
        Constraint {
            speed: Speed::Fade(Fade {
                fade,
                pull,
                rates: None,
            }),
            every,
            ..Constraint::default()
        }
    }

    fn given(lambda: f64, alpha_rate: f64, lambda_rate: f64) -> Constraint {
        Constraint {
            lambda,
            speed: Speed::Rates(Rates {
                alpha_rate,
                lambda_rate,
            }),
            ..Constraint::default()
        }
    }

    fn resolved(mut train: Train, images: usize) -> Train {
        resolve(&mut train, images);
        train
    }

    #[test]
    fn rates_by_hand() {
        // Half of 4 epochs of 5 steps is 10 updates at 0.1: K = (π/2)/1.
        let train = train(4, Schedule::Constant, timed(0.5, 0.1, Every::Step));
        let rates = resolved(train, 50).constraint.rates();
        assert!((rates.alpha_rate - FRAC_PI_2 / 0.1).abs() < 1e-12);
        assert!((rates.lambda_rate - FRAC_PI_2 * 0.1).abs() < 1e-12);
    }

    #[test]
    fn updates_of_epochs_have_the_rate_of_their_last_step() {
        let at = Schedule::Step {
            at: vec![1],
            factor: 0.5,
        };
        let train = train(4, at, timed(0.5, 1.0, Every::Epoch));
        let rates = resolved(train, 50).constraint.rates();
        assert!((rates.alpha_rate - FRAC_PI_2 / 0.15).abs() < 1e-12);
    }

    #[test]
    fn rates_that_are_given_stay() {
        let train = train(4, Schedule::Constant, given(-1.0, 1.0, 0.1));
        assert_eq!(resolved(train.clone(), 50), train);
    }

    #[test]
    fn a_learning_rate_of_0_moves_nothing() {
        let mut train = train(4, Schedule::Constant, timed(0.5, 0.1, Every::Step));
        train.optimizer = train.optimizer.with_rate(0.0);
        let train = resolved(train, 50);
        assert_eq!(train.constraint.rates(), Rates::default());
        assert_eq!(forecast(&train, 50).unwrap().residual, 1.0);
    }

    #[test]
    fn the_papers_literal_rates_end_the_skips_after_ten_steps() {
        let train = train(100, Schedule::Constant, given(-1.0, 1.0, 0.1));
        let forecast = forecast(&train, 500).unwrap();
        assert_eq!((forecast.steps, forecast.gone), (5000, Some(10)));
        assert_eq!(forecast.residual, 0.0);
    }

    #[test]
    fn slow_rates_leave_skips() {
        let train = train(2, Schedule::Constant, given(-1.0, 0.001, 0.001));
        let forecast = forecast(&train, 50).unwrap();
        assert_eq!(forecast.gone, None);
        assert!(forecast.residual > 0.99, "{forecast:?}");
    }

    #[test]
    fn nothing_is_forecast_of_rates_that_are_not_known() {
        let train = train(2, Schedule::Constant, timed(0.5, 0.1, Every::Step));
        assert_eq!(forecast(&train, 50), None);
    }

    /// Checks that lengths past anything that could be trained take no longer than others.
    #[test]
    fn the_longest_training_is_followed_in_parts() {
        let longest = 1 << 31;
        for schedule in [Schedule::Constant, Schedule::Cosine { warmup: 3.0 }] {
            let train = train(longest, schedule, timed(0.5, 0.1, Every::Step));
            let train = resolved(Train { batch: 1, ..train }, longest);
            let forecast = forecast(&train, longest).unwrap();
            let share = forecast.gone.unwrap() as f64 / forecast.steps as f64;
            assert!((share - 0.5).abs() < 1e-3, "{share}");
        }
    }

    fn schedules() -> impl Strategy<Value = Schedule> {
        prop_oneof![
            Just(Schedule::Constant),
            (1usize..20, 0.05f64..1.0).prop_map(|(at, factor)| Schedule::Step {
                at: vec![at],
                factor
            }),
            (0.0f64..5.0).prop_map(|warmup| Schedule::Cosine { warmup }),
        ]
    }

    proptest! {
        /// Checks that with ∂C/∂α = 0 the rule itself gives 1 − α = cos(K·Ση), up to the error
        /// of Euler's method, which a step of the angle bounds.
        #[test]
        fn skips_follow_the_closed_form(
            schedule in schedules(),
            (fade, pull) in (0.1f64..=1.0, 0.001f64..2.0),
            every in prop_oneof![Just(Every::Step), Just(Every::Epoch)],
            (epochs, images) in (50usize..120, 10usize..200),
        ) {
            let constraint = timed(fade, pull, every);
            let train = resolved(train(epochs, schedule, constraint), images);
            let skip = SkipMultipliers::new(&train.constraint, 1, Held::ALPHA);
            let mut multipliers = Multipliers::new(train.constraint, vec![skip]);
            let rates = train.constraint.rates();
            let turn = (rates.alpha_rate * rates.lambda_rate).sqrt();
            let steps = images.div_ceil(train.batch);
            let eta = |step: usize| {
                rate(&train.schedule, 0.1, train.epochs, steps, step as u64)
            };
            let (mut angle, mut largest) = (0.0f64, 0.0f64);
            for step in 0..epochs * steps {
                multipliers.step(eta(step), &[vec![0.0]]);
                let ends_epoch = (step + 1) % steps == 0;
                if ends_epoch {
                    multipliers.end_epoch(eta(step));
                }
                if every == Every::Step || ends_epoch {
                    let turned = turn * eta(step);
                    angle += turned;
                    largest = largest.max(turned);
                    let left = 1.0 - f64::from(multipliers.skips[0].alpha[0]);
                    let expected = angle.min(FRAC_PI_2).cos();
                    prop_assert!(
                        (left - expected).abs() <= largest + 1e-4,
                        "{left} is not {expected} at {angle}"
                    );
                }
            }
            let residual = forecast(&train, images).unwrap().residual;
            prop_assert!(residual <= (largest + 1e-4).powi(2), "{residual} is left");
        }
    }
}
