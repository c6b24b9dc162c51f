//! Gradient steps, derived from the forward steps by rule.
//!
//! The forward steps are walked from the last to the first. Each knows how ∂C/∂y of its
//! output becomes ∂C/∂x of what it read; the formulas stand with the actions in
//! [`super::step`]. A value that several steps read collects a contribution from each:
//! the first replaces what is in its gradient's buffer, the others add to it.

use super::buffers::{Id, Kind, Storage};
use super::step::{Action, Convolve, GradientTarget, Join, Pointwise, PointwiseGradients, Step};
use super::{Cost, Plan};
use crate::ir::{Loss, Model, TensorSpec};
use std::collections::HashMap;

/// Adds the loss, the backward and the update steps to `plan`.
pub(super) fn differentiate(plan: &mut Plan, model: &Model) {
    // The one loss there is; another needs its own step.
    let Loss::CrossEntropy = model.train.loss;
    let specs = model.tensors();
    let is_needed = needed(plan, &specs);
    let forward = plan.forward.clone();
    let mut tape = Tape {
        plan,
        gradients: HashMap::new(),
        is_needed,
        path: model.name.clone(),
    };
    tape.loss();
    for step in forward.iter().rev() {
        tape.path.clone_from(&step.path);
        tape.step(&step.action);
    }
    tape.add_updates(model, &specs);
}

/// For each buffer whether the loss reaches a parameter through it.
fn needed(plan: &Plan, specs: &[TensorSpec]) -> Vec<bool> {
    let is_parameter = |storage| match storage {
        Storage::Tensor(index) => specs[index].role.is_parameter(),
        Storage::Gradient(_) | Storage::Velocity(_) | Storage::Arena { .. } => false,
    };
    let mut needed: Vec<bool> = plan
        .buffers
        .iter()
        .map(|buffer| is_parameter(buffer.storage))
        .collect();
    for step in &plan.forward {
        if step.action.reads().iter().any(|id| needed[id.0]) {
            for id in step.action.writes() {
                needed[id.0] = true;
            }
        }
    }
    needed
}

struct Tape<'a> {
    plan: &'a mut Plan,
    /// The buffer of each gradient that something has contributed to.
    gradients: HashMap<Id, Id>,
    is_needed: Vec<bool>,
    /// Path of the layer at hand.
    path: String,
}

impl Tape<'_> {
    fn made(&self, action: Action) -> Step {
        Step {
            path: self.path.clone(),
            cost: Cost::of_action(self.plan, &action),
            action,
            workspace: None,
        }
    }

    fn push(&mut self, action: Action) {
        let step = self.made(action);
        self.plan.backward.push(step);
    }

    /// The loss ends the forward steps, because its gradient comes with it.
    fn loss(&mut self) {
        let logits = self.plan.logits;
        let gradient = self.new_gradient(logits);
        let step = self.made(Action::Loss { logits, gradient });
        self.plan.forward.push(step);
    }

    fn new_gradient(&mut self, of: Id) -> Id {
        let buffer = self.plan.buffer(of);
        let name = format!("∂{}", buffer.name);
        let kind = buffer.kind.clone();
        let id = if let (Storage::Tensor(index), Kind::Tensor(shape)) = (buffer.storage, &kind) {
            self.plan.add_kept(&name, shape, Storage::Gradient(index))
        } else {
            self.plan.add_buffer(&name, kind)
        };
        self.gradients.insert(of, id);
        id
    }

    /// Where a contribution to the gradient of `of` goes; None where nobody asks.
    fn gradient_target(&mut self, of: Id) -> Option<GradientTarget> {
        if !self.is_needed[of.0] {
            return None;
        }
        let there = self.gradients.get(&of).copied();
        Some(match there {
            Some(to) => GradientTarget { to, add: true },
            None => GradientTarget {
                to: self.new_gradient(of),
                add: false,
            },
        })
    }

    fn step(&mut self, action: &Action) {
        match action {
            Action::Convolve(convolve) => self.convolve(convolve),
            Action::Pointwise(pass) => self.pointwise(pass),
            &Action::Dirac { weight, a, b, y } => {
                let Some(&dy) = self.gradients.get(&y) else {
                    return;
                };
                let dweight = self.new_gradient(weight);
                let (da, db) = (self.new_gradient(a), self.new_gradient(b));
                self.push(Action::DiracGradient {
                    weight,
                    b,
                    dy,
                    dweight,
                    da,
                    db,
                });
            }
            &Action::Crelu { x, y } => {
                self.unary(x, y, |dy, dx| Action::CreluGradient { x, dy, dx })
            }
            &Action::Concat { a, b, y } => {
                let second = self.plan.shape(a).channels();
                for (part, from) in [(a, 0), (b, second)] {
                    self.unary(part, y, |dy, dx| Action::ConcatGradient { dy, from, dx });
                }
            }
            &Action::MaxPool { x, y, window } => {
                self.unary(x, y, |dy, dx| Action::MaxPoolGradient { x, dy, dx, window })
            }
            &Action::AvgPool { x, y, window } => {
                self.unary(x, y, |dy, dx| Action::AvgPoolGradient { dy, dx, window })
            }
            &Action::Subsample { x, y, stride } => {
                self.unary(x, y, |dy, dx| Action::SubsampleGradient { dy, dx, stride })
            }
            &Action::Flatten { x, y } => {
                self.unary(x, y, |dy, dx| Action::FlattenGradient { dy, dx })
            }
            &Action::Multiply { x, m, y } => {
                self.unary(x, y.to, |dy, dx| Action::Multiply { x: dy, m, y: dx })
            }
            // A batch norm's rule takes its statistics into account; a mask is constant.
            Action::Statistics { .. } | Action::Mask { .. } => {}
            // These are not forward steps.
            Action::ConvolveInput { .. }
            | Action::ConvolveWeight { .. }
            | Action::DiracGradient { .. }
            | Action::PointwiseGradient(_)
            | Action::CreluGradient { .. }
            | Action::ConcatGradient { .. }
            | Action::MaxPoolGradient { .. }
            | Action::AvgPoolGradient { .. }
            | Action::SubsampleGradient { .. }
            | Action::FlattenGradient { .. }
            | Action::Add { .. }
            | Action::Loss { .. }
            | Action::Sgd { .. }
            | Action::MoveStatistics { .. } => {}
        }
    }

    /// The rule of a step that makes y of x alone.
    fn unary(&mut self, x: Id, y: Id, rule: impl FnOnce(Id, GradientTarget) -> Action) {
        if let Some(&dy) = self.gradients.get(&y)
            && let Some(dx) = self.gradient_target(x)
        {
            self.push(rule(dy, dx));
        }
    }

    fn convolve(&mut self, convolve: &Convolve) {
        let &Convolve {
            x,
            weight,
            bias,
            y,
            window,
            ..
        } = convolve;
        let Some(&dy) = self.gradients.get(&y) else {
            return;
        };
        let dweight = self.new_gradient(weight);
        let dbias = bias.map(|bias| self.new_gradient(bias));
        self.push(Action::ConvolveWeight {
            x,
            dy,
            dweight,
            dbias,
            window,
        });
        if let Some(dx) = self.gradient_target(x) {
            self.push(Action::ConvolveInput {
                dy,
                weight,
                dx,
                window,
            });
        }
    }

    fn pointwise(&mut self, pass: &Pointwise) {
        let Some(&dy) = self.gradients.get(&pass.y) else {
            return;
        };
        let dx = self.gradient_target(pass.x);
        let (mut ds, mut dgate, mut dalpha) = (None, None, None);
        let mut also = None;
        if let Some(join) = pass.join {
            let s = join.shortcut();
            ds = if s == pass.x && dx.is_some() {
                // One step cannot write a buffer twice.
                let kind = self.plan.buffer(s).kind.clone();
                let to = self
                    .plan
                    .add_buffer(&format!("∂{} (shortcut)", self.path), kind);
                also = dx.map(|dx| Action::Add { x: to, y: dx.to });
                Some(GradientTarget { to, add: false })
            } else {
                self.gradient_target(s)
            };
            match join {
                Join::Residual { .. } => {}
                Join::Gated { gate, .. } => dgate = self.gradient_target(gate),
                Join::Fading { alpha, .. } => dalpha = Some(self.new_gradient(alpha)),
            }
        }
        let norm = pass.norm;
        let gradients = PointwiseGradients {
            pass: pass.clone(),
            dy,
            dx,
            ds,
            dgate,
            dalpha,
            dweight: norm.map(|norm| self.new_gradient(norm.weight)),
            dbias: norm.map(|norm| self.new_gradient(norm.bias)),
        };
        let action = Action::PointwiseGradient(Box::new(gradients));
        if !action.writes().is_empty() {
            self.push(action);
        }
        if let Some(action) = also {
            self.push(action);
        }
    }

    /// SGD on every tensor that it moves.
    fn add_updates(&mut self, model: &Model, specs: &[TensorSpec]) {
        let has_momentum = model.train.optimizer.momentum != 0.0;
        let mut updates = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            if !spec.role.is_optimized() {
                continue;
            }
            let weight = Id(index);
            // One that the loss does not depend on keeps a gradient of zeros.
            let gradient = match self.gradients.get(&weight) {
                Some(&gradient) => gradient,
                None => self.new_gradient(weight),
            };
            let velocity = has_momentum.then(|| {
                let name = format!("{} (velocity)", spec.name);
                let storage = Storage::Velocity(index);
                self.plan.add_kept(&name, &spec.shape, storage)
            });
            self.path.clone_from(&spec.name);
            updates.push(self.made(Action::Sgd {
                weight,
                gradient,
                velocity,
            }));
        }
        self.plan.update.extend(updates);
    }
}
