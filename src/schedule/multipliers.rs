//! Coefficients of skips and their multipliers: the Lagrangian rule of eq. (4)–(9).
//!
//! The skip of a layer is to vanish, which is the constraint α = 1. Its Lagrangian is
//! `C + λ·(α − 1)`: α descends it, λ ascends it.
//!
//! ```text
//! α ← clip(α − alpha_rate·η·(∂C/∂α + λ), 0, 1)
//! λ ← λ + lambda_rate·η·(α − 1)
//! ```
//!
//! A policy may have a coefficient with another range and target in place of [0, 1] and 1.

use crate::ir::{Constraint, Every, Held};

/// α and λ of every variable skip of a network, with all that their rule needs: plain numbers
/// that can be recorded and restored.
#[derive(Clone, Debug, PartialEq)]
pub struct Multipliers {
    constraint: Constraint,
    /// State of each variable skip, in forward order.
    pub skips: Vec<SkipMultipliers>,
    /// Steps that the gradient sums cover; 0 with `every: step`.
    pub steps: u32,
}

/// α and λ of one variable skip; each vector has one element an α.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipMultipliers {
    /// α, within the range of [`Self::held`].
    pub alpha: Vec<f32>,
    /// λ.
    pub lambda: Vec<f32>,
    /// Sum of ∂C/∂α over the steps since the last update.
    pub gradient_sum: Vec<f32>,
    /// Whether both stay as they are.
    pub frozen: bool,
    /// Where α stays and goes.
    pub held: Held,
}

impl SkipMultipliers {
    /// Starts `count` αs at the values that they or `constraint` give. λ starts where it pushes
    /// towards the target, and at 0 where it is not enforced.
    pub fn new(constraint: &Constraint, count: usize, held: Held) -> Self {
        let alpha = held.start.unwrap_or(constraint.alpha);
        let lambda = match held.enforced {
            false => 0.0,
            true if alpha > held.target => -constraint.lambda,
            true => constraint.lambda,
        };
        SkipMultipliers {
            alpha: vec![alpha as f32; count],
            lambda: vec![lambda as f32; count],
            gradient_sum: vec![0.0; count],
            frozen: false,
            held,
        }
    }

    /// Moves α and λ by the rule above, with the gradient `∂C/∂α = scale·gradient`.
    fn update(&mut self, constraint: &Constraint, rate: f64, gradient: &[f32], scale: f64) {
        if self.frozen {
            return;
        }
        let rates = constraint.rates();
        let [least, greatest] = self.held.range;
        let (alpha_rate, lambda_rate) = (rates.alpha_rate * rate, rates.lambda_rate * rate);
        for ((alpha, lambda), &gradient) in
            self.alpha.iter_mut().zip(&mut self.lambda).zip(gradient)
        {
            let slope = f64::from(gradient) * scale + f64::from(*lambda);
            let moved = f64::from(*alpha) - alpha_rate * slope;
            *alpha = moved.max(least).min(greatest) as f32;
            if self.held.enforced {
                let apart = f64::from(*alpha) - self.held.target;
                *lambda = (f64::from(*lambda) + lambda_rate * apart) as f32;
            }
        }
    }
}

impl Multipliers {
    /// Starts the multipliers of `skips` under `constraint`, with no gradient seen yet.
    pub fn new(constraint: Constraint, skips: Vec<SkipMultipliers>) -> Self {
        Multipliers {
            constraint,
            skips,
            steps: 0,
        }
    }

    /// Returns the interval at which α and λ move.
    pub fn every(&self) -> Every {
        self.constraint.every
    }

    /// Takes ∂C/∂α of one step, one slice a skip in the order of `skips`. With `every: step`
    /// it moves α and λ, at rates that are multiples of η = `rate`; with `every: epoch` it
    /// keeps the gradients for [`Self::end_epoch`].
    pub fn step(&mut self, rate: f64, gradients: &[Vec<f32>]) {
        for (skip, gradient) in self.skips.iter_mut().zip(gradients) {
            match self.constraint.every {
                Every::Step => skip.update(&self.constraint, rate, gradient, 1.0),
                Every::Epoch => {
                    for (sum, gradient) in skip.gradient_sum.iter_mut().zip(gradient) {
                        *sum += gradient;
                    }
                }
            }
        }
        match self.constraint.every {
            Every::Step => {}
            Every::Epoch => self.steps += 1,
        }
    }

    /// Moves α and λ by the mean gradient of the steps since the last call, and forgets it.
    /// Does nothing without such steps, or unless `every: epoch`.
    pub fn end_epoch(&mut self, rate: f64) {
        if self.steps == 0 {
            return;
        }
        let scale = 1.0 / f64::from(self.steps);
        for skip in &mut self.skips {
            let sum = std::mem::take(&mut skip.gradient_sum);
            skip.update(&self.constraint, rate, &sum, scale);
            skip.gradient_sum = vec![0.0; sum.len()];
        }
        self.steps = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Rates, Speed};

    /// The paper's literal rates.
    fn constraint(every: Every) -> Constraint {
        Constraint {
            lambda: -1.0,
            speed: Speed::Rates(Rates {
                alpha_rate: 1.0,
                lambda_rate: 0.1,
            }),
            every,
            ..Constraint::default()
        }
    }

    /// α of a variable skip.
    fn alpha(enforced: bool) -> Held {
        Held {
            enforced,
            ..Held::ALPHA
        }
    }

    fn one(constraint: Constraint, enforced: bool) -> Multipliers {
        let skip = SkipMultipliers::new(&constraint, 1, alpha(enforced));
        Multipliers::new(constraint, vec![skip])
    }

    fn close(a: f32, b: f64) {
        assert!((f64::from(a) - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn one_step_by_hand() {
        // α = 0, λ = −1, η = 0.1, alpha_rate 1, lambda_rate 0.1, no gradient.
        let mut m = one(constraint(Every::Step), true);
        m.step(0.1, &[vec![0.0]]);
        close(m.skips[0].alpha[0], 0.1);
        close(m.skips[0].lambda[0], -1.0 + 0.1 * 0.1 * (0.1 - 1.0));
        // Then with ∂C/∂α = 0.5: λ = −1.009, so α moves by 0.1·(0.5 − 1.009).
        m.step(0.1, &[vec![0.5]]);
        close(m.skips[0].alpha[0], 0.1509);
        close(m.skips[0].lambda[0], -1.009 + 0.01 * (0.1509 - 1.0));
    }

    #[test]
    fn rates_are_multiples_of_eta() {
        let rates = Constraint {
            speed: Speed::Rates(Rates {
                alpha_rate: 2.0,
                lambda_rate: 0.5,
            }),
            lambda: -0.4,
            alpha: 0.25,
            ..Constraint::default()
        };
        let mut m = one(rates, true);
        m.step(0.05, &[vec![0.1]]);
        // 0.25 − 2·0.05·(0.1 − 0.4) = 0.28; −0.4 + 0.5·0.05·(0.28 − 1) = −0.418.
        close(m.skips[0].alpha[0], 0.28);
        close(m.skips[0].lambda[0], -0.418);
    }

    #[test]
    fn alpha_is_clipped_and_lambda_sees_the_clipped_one() {
        let mut m = one(constraint(Every::Step), true);
        m.step(0.1, &[vec![5.0]]);
        assert_eq!(m.skips[0].alpha[0], 0.0);
        close(m.skips[0].lambda[0], -1.01);
        m.step(0.1, &[vec![-50.0]]);
        assert_eq!(m.skips[0].alpha[0], 1.0);
        close(m.skips[0].lambda[0], -1.01);
    }

    #[test]
    fn ten_steps_at_the_papers_literal_rates_close_the_skip() {
        let mut m = one(constraint(Every::Step), true);
        for _ in 0..10 {
            m.step(0.1, &[vec![0.005]]);
        }
        assert_eq!(m.skips[0].alpha[0], 1.0);
    }

    #[test]
    fn an_unenforced_lambda_stays_at_zero_while_alpha_follows_its_gradient() {
        let mut m = one(constraint(Every::Step), false);
        assert_eq!(m.skips[0].lambda, [0.0]);
        m.step(0.1, &[vec![-2.0]]);
        close(m.skips[0].alpha[0], 0.2);
        assert_eq!(m.skips[0].lambda, [0.0]);
    }

    #[test]
    fn every_epoch_uses_the_mean_gradient_once() {
        let mut m = one(constraint(Every::Epoch), true);
        m.step(0.1, &[vec![0.1]]);
        m.step(0.1, &[vec![0.4]]);
        assert_eq!(m.skips[0].alpha[0], 0.0);
        assert_eq!(m.steps, 2);
        m.end_epoch(0.1);
        // The mean is 0.25: 0 − 0.1·(0.25 − 1) = 0.075.
        close(m.skips[0].alpha[0], 0.075);
        close(m.skips[0].lambda[0], -1.0 + 0.01 * (0.075 - 1.0));
        assert_eq!((m.steps, m.skips[0].gradient_sum[0]), (0, 0.0));
        let before = m.clone();
        m.end_epoch(0.1);
        assert_eq!(m, before);
    }

    #[test]
    fn a_coefficient_goes_to_its_own_target_from_either_side() {
        let rule = constraint(Every::Step);
        for (start, range, target) in [
            (0.25, [-1.0, 2.0], 1.5),
            (0.75, [-2.0, 1.0], -1.5),
            (2.0, [f64::NEG_INFINITY, f64::INFINITY], 0.5),
        ] {
            let held = Held {
                start: Some(start),
                range,
                target,
                enforced: true,
            };
            let mut m = Multipliers::new(rule, vec![SkipMultipliers::new(&rule, 1, held)]);
            let sign = if start < target { 1.0 } else { -1.0 };
            close(m.skips[0].alpha[0], start);
            close(m.skips[0].lambda[0], -sign);
            m.step(0.1, &[vec![0.5]]);
            // −0.1·(0.5 − sign) is 0.05 up, or −0.15.
            let moved = start + 0.1 * (sign - 0.5);
            close(m.skips[0].alpha[0], moved);
            close(m.skips[0].lambda[0], -sign + 0.01 * (moved - target));
        }
    }

    #[test]
    fn a_coefficient_stays_in_its_range_and_its_multiplier_sees_where() {
        let rule = constraint(Every::Step);
        let held = Held {
            start: Some(0.5),
            range: [0.25, 0.75],
            target: 0.7,
            enforced: true,
        };
        let mut m = Multipliers::new(rule, vec![SkipMultipliers::new(&rule, 1, held)]);
        m.step(0.1, &[vec![50.0]]);
        assert_eq!(m.skips[0].alpha[0], 0.25);
        close(m.skips[0].lambda[0], -1.0 + 0.01 * (0.25 - 0.7));
        m.step(0.1, &[vec![-50.0]]);
        assert_eq!(m.skips[0].alpha[0], 0.75);
    }

    #[test]
    fn every_step_ignores_the_end_of_an_epoch() {
        let mut m = one(constraint(Every::Step), true);
        m.step(0.1, &[vec![0.0]]);
        let before = m.clone();
        m.end_epoch(0.1);
        assert_eq!(m, before);
    }

    #[test]
    fn elements_and_skips_move_on_their_own() {
        let rule = constraint(Every::Step);
        let skips = [(2, true), (1, false)]
            .map(|(count, enforced)| SkipMultipliers::new(&rule, count, alpha(enforced)));
        let mut m = Multipliers::new(rule, skips.to_vec());
        m.step(0.1, &[vec![0.0, -1.0], vec![-3.0]]);
        close(m.skips[0].alpha[0], 0.1);
        close(m.skips[0].alpha[1], 0.2);
        close(m.skips[1].alpha[0], 0.3);
    }
}
