//! Gradient steps, derived from the forward steps by rule.
//!
//! The forward steps are walked from the last to the first. Each knows how ∂C/∂y of its
//! output becomes ∂C/∂x of what it read; the formulas stand with the actions in
//! [`super::step`]. A value that several steps read collects a contribution from each:
//! the first replaces what is in its gradient's buffer, the others add to it.

use super::Plan;
use super::buffer::{Buffer, GradientTarget, Id, Kind, Storage};
use super::convolution::{ConvPass, Convolution};
use super::map::{MapKind, MapStep};
use super::step::{Action, Pointwise, PointwiseGradients, Step};
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

/// Tells for each buffer whether the loss reaches a parameter through it.
fn needed(plan: &Plan, specs: &[TensorSpec]) -> Vec<bool> {
    let is_parameter = |storage| match storage {
        Storage::Tensor(index) => specs[index].role.is_parameter(),
        Storage::Gradient(_) | Storage::Slot { .. } | Storage::Arena { .. } => false,
    };
    let mut needed: Vec<bool> = plan
        .buffers
        .iter()
        .map(|buffer| is_parameter(buffer.storage))
        .collect();
    for step in &plan.forward {
        if step.reads.iter().any(|id| needed[id.0]) {
            for id in &step.writes {
                needed[id.0] = true;
            }
        }
    }
    needed
}

struct Tape<'a> {
    plan: &'a mut Plan,
    /// Buffer of each gradient that something has contributed to.
    gradients: HashMap<Id, Id>,
    is_needed: Vec<bool>,
    /// Path of the layer at hand.
    path: String,
}

impl Tape<'_> {
    fn push(&mut self, step: Step) {
        self.plan.backward.push(step);
    }

    /// Adds the loss. It ends the forward steps, because its gradient comes with it.
    fn loss(&mut self) {
        let logits = self.plan.logits;
        let gradient = self.new_gradient(logits);
        let action = Action::Loss { logits, gradient };
        let step = Step::new(&self.path, action, vec![logits], vec![gradient]);
        self.plan.forward.push(step);
    }

    fn new_gradient(&mut self, value: Id) -> Id {
        let buffer = self.plan.buffer(value);
        let name = format!("∂{}", buffer.name);
        let kind = buffer.kind.clone();
        let id = if let (Storage::Tensor(index), Kind::Tensor(shape)) = (buffer.storage, &kind) {
            let gradient = Buffer::kept(&name, shape, Storage::Gradient(index));
            self.plan.push(gradient)
        } else {
            self.plan.add_buffer(&name, kind)
        };
        self.gradients.insert(value, id);
        id
    }

    /// Finds the destination of a contribution to the gradient of `value`; None where
    /// nobody asks.
    fn gradient_target(&mut self, value: Id) -> Option<GradientTarget> {
        if !self.is_needed[value.0] {
            return None;
        }
        let there = self.gradients.get(&value).copied();
        Some(match there {
            Some(to) => GradientTarget { to, add: true },
            None => GradientTarget {
                to: self.new_gradient(value),
                add: false,
            },
        })
    }

    fn step(&mut self, action: &Action) {
        match action {
            Action::Convolve(convolution) => self.convolve(convolution),
            Action::Pointwise(pass) => self.pointwise(pass),
            Action::Map(map) => self.map(map),
            &Action::Dirac { weight, a, b, y } => self.dirac([weight, a, b], y),
            // A batch norm's rule takes its statistics into account.
            Action::Statistics { .. } => {}
            // These are not forward steps.
            Action::DiracGradient { .. }
            | Action::PointwiseGradient(_)
            | Action::Loss { .. }
            | Action::Update { .. }
            | Action::MoveStatistics { .. } => {}
        }
    }

    fn map(&mut self, map: &MapStep) {
        let Some(&dy) = self.gradients.get(&map.y.to) else {
            return;
        };
        for gradient in map.gradients(dy) {
            if let Some(y) = self.gradient_target(gradient.input) {
                let (kind, inputs) = (gradient.kind, gradient.inputs);
                self.push(MapStep { kind, inputs, y }.step(&self.path));
            }
        }
    }

    fn dirac(&mut self, [weight, a, b]: [Id; 3], y: Id) {
        let Some(&dy) = self.gradients.get(&y) else {
            return;
        };
        let [dweight, da, db] = [weight, a, b].map(|id| self.new_gradient(id));
        let action = Action::DiracGradient {
            weight,
            b,
            dy,
            dweight,
            da,
            db,
        };
        let (reads, writes) = (vec![weight, b, dy], vec![dweight, da, db]);
        self.push(Step::new(&self.path, action, reads, writes));
    }

    fn convolve(&mut self, convolution: &Convolution) {
        let Some(&dy) = self.gradients.get(&convolution.y) else {
            return;
        };
        let dweight = self.new_gradient(convolution.weight);
        let bias = convolution.bias().map(|bias| self.new_gradient(bias));
        let of_weight = Convolution {
            pass: ConvPass::Weight { bias },
            weight: dweight,
            y: dy,
            ..*convolution
        };
        self.push(of_weight.step(&self.path));
        if let Some(GradientTarget { to, add }) = self.gradient_target(convolution.x) {
            let of_input = Convolution {
                pass: ConvPass::Input { add },
                x: to,
                y: dy,
                ..*convolution
            };
            self.push(of_input.step(&self.path));
        }
    }

    fn pointwise(&mut self, pass: &Pointwise) {
        let Some(&dy) = self.gradients.get(&pass.y) else {
            return;
        };
        let dx = self.gradient_target(pass.x);
        let (mut ds, mut dgates, mut dtrained) = (None, Vec::new(), Vec::new());
        let mut also = None;
        if let Some(join) = &pass.join {
            ds = match join.shortcut {
                Some(s) if s == pass.x && dx.is_some() => {
                    // One step cannot write a buffer twice.
                    let kind = self.plan.buffer(s).kind.clone();
                    let target = self
                        .plan
                        .add_buffer(&format!("∂{} (shortcut)", self.path), kind);
                    also = dx.map(|dx| MapStep {
                        kind: MapKind::Add,
                        inputs: vec![target],
                        y: GradientTarget { add: true, ..dx },
                    });
                    Some(GradientTarget {
                        to: target,
                        add: false,
                    })
                }
                Some(s) => self.gradient_target(s),
                None => None,
            };
            for &gate in &join.gates {
                dgates.push(self.gradient_target(gate));
            }
            for &coefficient in &join.trained {
                dtrained.push(self.new_gradient(coefficient));
            }
        }
        let norm = pass.norm;
        let gradients = PointwiseGradients {
            pass: pass.clone(),
            dy,
            dx,
            ds,
            dgates,
            dtrained,
            dweight: norm.map(|norm| self.new_gradient(norm.weight)),
            dbias: norm.map(|norm| self.new_gradient(norm.bias)),
        };
        let steps = [
            gradients.step(&self.path),
            also.map(|map| map.step(&self.path)),
        ];
        self.plan.backward.extend(steps.into_iter().flatten());
    }

    /// Adds the optimizer's step for every tensor that it moves, and drops the steps of those that
    /// are frozen. Their gradients are computed all the same: what others become does not depend
    /// on who is moved.
    fn add_updates(&mut self, model: &Model, specs: &[TensorSpec]) {
        let is_frozen = |id: &Id| specs.get(id.0).is_some_and(|spec| spec.frozen);
        let update = &mut self.plan.update;
        update.retain(|step| !step.writes.iter().any(is_frozen));
        let optimizer = model.train.optimizer;
        let mut updates = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            if !spec.is_optimized() {
                continue;
            }
            let weight = Id(index);
            // One that the loss does not depend on keeps a gradient of zeros.
            let gradient = match self.gradients.get(&weight) {
                Some(&gradient) => gradient,
                None => self.new_gradient(weight),
            };
            let slots: Vec<Id> = (0..)
                .zip(optimizer.slots())
                .map(|(slot, kept)| {
                    let name = format!("{} ({})", spec.name, kept.nouns[0]);
                    let storage = Storage::Slot {
                        tensor: index,
                        slot,
                    };
                    self.plan.push(Buffer::kept(&name, &spec.shape, storage))
                })
                .collect();
            let writes = [weight].into_iter().chain(slots.iter().copied()).collect();
            let action = Action::Update {
                optimizer: match spec.role.is_decayed() {
                    true => optimizer,
                    false => optimizer.without_decay(),
                },
                range: spec.start.range(),
                weight,
                gradient,
                slots,
            };
            updates.push(Step::new(&spec.name, action, vec![gradient], writes));
        }
        self.plan.update.extend(updates);
    }
}
