//! The learning rate η over training.

use crate::ir::Schedule;
use std::f64::consts::PI;

/// Computes the learning rate η of step `step`, counted from 0 since training began.
///
/// `base` is the optimizer's rate, `epochs` the length of the training and
/// `steps_per_epoch` the steps in each. [`Schedule::Step`] depends on the epoch alone;
/// [`Schedule::Cosine`] changes with every step. With W = warmup·steps_per_epoch and
/// S = epochs·steps_per_epoch, its step t has `base·(t + 1)/W` while t < W, then
/// `base·(1 + cos(π·(t − W)/(S − W)))/2`, so that no step is wasted at η = 0.
pub fn rate(
    schedule: &Schedule,
    base: f64,
    epochs: usize,
    steps_per_epoch: usize,
    step: u64,
) -> f64 {
    let steps_per_epoch = steps_per_epoch.max(1);
    match schedule {
        Schedule::Constant => base,
        Schedule::Step { at, factor } => {
            let epoch = step / steps_per_epoch as u64;
            let passed = at.iter().filter(|&&start| start as u64 <= epoch).count();
            base * factor.powi(passed as i32)
        }
        Schedule::Cosine { warmup } => {
            let now = step as f64;
            let rise = warmup * steps_per_epoch as f64;
            let end = (epochs * steps_per_epoch) as f64;
            if now < rise {
                base * ((now + 1.0) / rise).min(1.0)
            } else {
                let progress = ((now - rise) / (end - rise).max(1.0)).min(1.0);
                base * 0.5 * (1.0 + (PI * progress).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn constant_stays() {
        close(rate(&Schedule::Constant, 0.3, 5, 10, 49), 0.3);
    }

    #[test]
    fn step_multiplies_at_the_start_of_each_epoch() {
        let schedule = Schedule::Step {
            at: vec![2, 3],
            factor: 0.1,
        };
        let eta = |step| rate(&schedule, 0.1, 5, 10, step);
        close(eta(0), 0.1);
        close(eta(19), 0.1);
        close(eta(20), 0.01);
        close(eta(29), 0.01);
        close(eta(30), 0.001);
        close(eta(1000), 0.001);
    }

    #[test]
    fn a_step_at_epoch_zero_holds_from_the_first_step() {
        let schedule = Schedule::Step {
            at: vec![0],
            factor: 0.5,
        };
        close(rate(&schedule, 0.2, 5, 10, 0), 0.1);
    }

    #[test]
    fn cosine_rises_then_falls_to_zero() {
        let schedule = Schedule::Cosine { warmup: 1.0 };
        let eta = |step| rate(&schedule, 0.4, 5, 4, step);
        close(eta(0), 0.1);
        close(eta(1), 0.2);
        close(eta(3), 0.4);
        close(eta(4), 0.4);
        close(eta(12), 0.2);
        assert!(eta(19) > 0.0 && eta(19) < 0.01);
        close(eta(20), 0.0);
        close(eta(500), 0.0);
    }

    #[test]
    fn cosine_without_warmup_starts_at_the_base() {
        let schedule = Schedule::Cosine { warmup: 0.0 };
        close(rate(&schedule, 0.4, 2, 3, 0), 0.4);
        close(rate(&schedule, 0.4, 2, 3, 3), 0.2);
    }

    #[test]
    fn degenerate_lengths_stay_finite() {
        for (epochs, steps) in [(0, 0), (0, 5), (1, 0), (1, 1)] {
            for warmup in [0.0, 0.5, 3.0] {
                let schedule = Schedule::Cosine { warmup };
                for step in 0..5 {
                    let rate = rate(&schedule, 0.1, epochs, steps, step);
                    assert!((0.0..=0.1).contains(&rate));
                }
            }
        }
    }
}
