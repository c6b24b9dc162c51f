//! Coefficients of the skips and their multipliers on the host: the same for all engines.

use super::state::State;
use super::{GRADIENT_STEPS, GRADIENT_SUM_PREFIX, SkipState};
use crate::ir::{Every, Model, Role, Start, TensorSpec};
use crate::schedule::{Multipliers, SkipMultipliers};
use crate::tensor::Tensor;

/// The coefficients that the constraint moves, in forward order.
pub(crate) struct Skips {
    /// Names of their tensors.
    names: Vec<String>,
    /// Values α and λ of the coefficients.
    pub multipliers: Multipliers,
}

impl Skips {
    /// Reads the skips of `model` with their α and λ from `state`.
    pub fn read(model: &Model, specs: &[TensorSpec], state: &State) -> Self {
        let (mut names, mut skips) = (Vec::new(), Vec::new());
        let pairs = specs.iter().zip(&state.network);
        let values = |role| pairs.clone().filter(move |(spec, _)| spec.role == role);
        let lambdas = values(Role::Multiplier);
        for ((spec, alpha), (_, lambda)) in values(Role::Alpha).zip(lambdas) {
            let Start::Coefficient(held) = spec.start else {
                continue;
            };
            let sum = state.gradient_sum(&spec.name);
            let zeros = || vec![0.0; alpha.data.len()];
            skips.push(SkipMultipliers {
                alpha: alpha.data.clone(),
                lambda: lambda.data.clone(),
                gradient_sum: sum.map_or_else(zeros, |sum| sum.data.clone()),
                frozen: spec.frozen,
                held,
            });
            names.push(spec.name.clone());
        }
        let mut multipliers = Multipliers::new(model.train.constraint, skips);
        multipliers.steps = state.gradient_steps;
        Skips { names, multipliers }
    }

    /// Returns the name of each coefficient's tensor and its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SkipMultipliers)> {
        let names = self.names.iter().map(String::as_str);
        names.zip(&self.multipliers.skips)
    }

    /// Copies α and λ of every skip for [`super::Engine::skips`].
    pub fn states(&self) -> Vec<SkipState> {
        let state = |(name, skip): (&str, &SkipMultipliers)| {
            state(name, skip, skip.alpha.clone(), skip.lambda.clone())
        };
        self.iter().map(state).collect()
    }

    /// Adds the constraint's sums to `tensors` for [`super::Engine::save`], where there
    /// are any.
    pub fn save_sums(&self, specs: &[TensorSpec], tensors: &mut Vec<Tensor>) {
        let skips = self.multipliers.skips.iter();
        let sums = skips.map(|skip| skip.gradient_sum.clone());
        self.save_these_sums(specs, sums, self.multipliers.steps, tensors);
    }

    /// Adds the constraint's sums of an engine that keeps them elsewhere: one vector a
    /// skip, over `steps`.
    pub fn save_these_sums(
        &self,
        specs: &[TensorSpec],
        sums: impl Iterator<Item = Vec<f32>>,
        steps: u32,
        tensors: &mut Vec<Tensor>,
    ) {
        match self.multipliers.every() {
            Every::Step => return,
            Every::Epoch => {}
        }
        let alphas = specs.iter().filter(|spec| spec.role == Role::Alpha);
        for (spec, data) in alphas.zip(sums) {
            tensors.push(Tensor {
                name: format!("{GRADIENT_SUM_PREFIX}{}", spec.name),
                shape: spec.shape.clone(),
                data,
            });
        }
        if !self.multipliers.skips.is_empty() {
            tensors.push(Tensor::full(GRADIENT_STEPS, &[1], steps as f32));
        }
    }
}

/// Makes the state of the coefficient whose tensor is `name`, with values that an engine may keep
/// elsewhere. An α is called by its skip alone.
pub(crate) fn state(
    name: &str,
    skip: &SkipMultipliers,
    alpha: Vec<f32>,
    lambda: Vec<f32>,
) -> SkipState {
    SkipState {
        path: name.strip_suffix(".alpha").unwrap_or(name).to_string(),
        alpha,
        lambda,
        target: skip.held.target,
    }
}
