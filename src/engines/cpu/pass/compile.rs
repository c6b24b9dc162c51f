//! Passes as they are compiled.

use super::super::kernels::Activation;
use super::super::kernels::normalise;
use super::super::map::Map;
use super::affine::Affine;
use super::coefficients::Coefficients;
use super::fused::{Fused, FusedJoin};
use super::general::{Equations, General, GradientArrays, JoinArrays};
use crate::ir::expr::{JoinForm, KnownActivation};
use crate::plan::{Action, GradientTarget, Id, Plan, Pointwise, PointwiseGradients};

/// Compiled passes of a plan.
pub struct Passes {
    /// Forward passes, by the buffer that each writes.
    forward: Vec<Option<Pass>>,
    /// Passes of gradients, by the buffer that the forward pass writes.
    backward: Vec<Option<Pass>>,
}

impl Passes {
    /// Compiles the passes of `plan`.
    pub fn new(plan: &Plan) -> Passes {
        let none = || plan.buffers.iter().map(|_| None).collect();
        let mut passes = Passes {
            forward: none(),
            backward: none(),
        };
        for step in plan.steps() {
            match &step.action {
                Action::Pointwise(pass) => {
                    passes.forward[pass.y.0] = Some(Pass::forward(plan, pass));
                }
                Action::PointwiseGradient(gradients) => {
                    let pass = Pass::backward(plan, gradients);
                    passes.backward[gradients.pass.y.0] = Some(pass);
                }
                Action::Convolve(_)
                | Action::Dirac { .. }
                | Action::DiracGradient { .. }
                | Action::Statistics { .. }
                | Action::Map(_)
                | Action::Loss { .. }
                | Action::Update { .. }
                | Action::MoveStatistics { .. } => {}
            }
        }
        passes
    }

    /// Returns the pass of a step of the plan.
    pub fn of_forward(&self, pass: &Pointwise) -> &Pass {
        find(&self.forward, pass.y)
    }

    /// Returns the pass of a gradient step of the plan.
    pub fn of_backward(&self, gradients: &PointwiseGradients) -> &Pass {
        find(&self.backward, gradients.pass.y)
    }
}

fn find(passes: &[Option<Pass>], y: Id) -> &Pass {
    match &passes[y.0] {
        Some(pass) => pass,
        None => unreachable!("the passes are of another plan"),
    }
}

/// Compiled pass, forward or of gradients.
pub enum Pass {
    /// Pass of the fused kernel.
    Fused(Fused),
    /// Pass of vector programs.
    General(Box<General>),
}

impl Pass {
    /// Compiles a pass, by `general` where no kernel knows it.
    fn new(plan: &Plan, pass: &Pointwise, general: impl FnOnce(&Equations) -> General) -> Pass {
        let map = Map::of_buffer(plan, pass.x);
        let len = |id: &Id| plan.buffer(*id).elements;
        let join = pass.join.as_ref();
        let trained = join.map_or(Vec::new(), |join| join.trained.iter().map(len).collect());
        if let Some(fused) = fused(map, pass, &trained) {
            return Pass::Fused(fused);
        }
        let index = |id: &Id| id.0;
        Pass::General(Box::new(general(&Equations {
            channels: map.channels,
            positions: map.positions,
            x: pass.x.0,
            is_normed: pass.norm.is_some(),
            activation: pass.activation.as_ref(),
            join: join.map(|join| JoinArrays {
                out: &join.out,
                shortcut: join.shortcut.as_ref().map(index),
                gates: join.gates.iter().map(index).collect(),
                trained,
            }),
        })))
    }

    fn forward(plan: &Plan, pass: &Pointwise) -> Pass {
        Pass::new(plan, pass, |equations| {
            General::forward(equations, pass.y.0)
        })
    }

    fn backward(plan: &Plan, gradients: &PointwiseGradients) -> Pass {
        let target = |target: Option<GradientTarget>| target.map(|t| (t.to.0, t.add));
        let to = GradientArrays {
            dy: gradients.dy.0,
            dx: target(gradients.dx),
            ds: target(gradients.ds),
            dgates: gradients.dgates.iter().copied().map(target).collect(),
        };
        Pass::new(plan, &gradients.pass, |equations| {
            General::backward(equations, &to)
        })
    }

    /// Counts the floats of scratch that a pass of `plan` needs on so many threads.
    pub fn forward_scratch(plan: &Plan, pass: &Pointwise, threads: usize) -> usize {
        let map = Map::of_buffer(plan, pass.x);
        match Pass::forward(plan, pass) {
            Pass::Fused(fused) => fused.forward_scratch(map, threads),
            Pass::General(general) => general.scratch(map.rows(), threads),
        }
    }

    /// Counts the floats of scratch that gradients of `plan` need on so many threads.
    pub fn backward_scratch(plan: &Plan, gradients: &PointwiseGradients, threads: usize) -> usize {
        let map = Map::of_buffer(plan, gradients.pass.x);
        match Pass::backward(plan, gradients) {
            Pass::Fused(fused) => fused.backward_scratch(map, threads),
            Pass::General(general) => general.scratch(map.rows(), threads),
        }
    }

    /// Counts the floats of the sums over rows that these gradients need.
    pub fn sums_len(&self, gradients: &PointwiseGradients, channels: usize) -> usize {
        match self {
            Pass::Fused(_) if gradients.pass.norm.is_none() && gradients.dtrained.is_empty() => 0,
            Pass::Fused(_) => normalise::sums_len(channels),
            Pass::General(general) => general.sums_len(),
        }
    }
}

/// Makes the fused kernel's pass, where it knows the activation and the join, whose
/// coefficients have these lengths.
fn fused(map: Map, pass: &Pointwise, trained: &[usize]) -> Option<Fused> {
    let activation = match &pass.activation {
        Some(activation) => kernel(activation.kernel?),
        None => Activation::Identity,
    };
    let Some(join) = &pass.join else {
        let join = FusedJoin::Absent;
        return Some(Fused { activation, join });
    };
    join.shortcut?;
    let join = match &join.form {
        JoinForm::SigmoidGate { .. } if join.gates.len() == 1 && trained.is_empty() => {
            FusedJoin::Gate
        }
        JoinForm::Affine { body, skip } if join.gates.is_empty() => {
            let coefficients = Coefficients::new(map.channels, map.positions, trained.to_vec());
            FusedJoin::Affine(Box::new(Affine::new(coefficients, body, skip)))
        }
        JoinForm::SigmoidGate { .. } | JoinForm::Affine { .. } | JoinForm::General => return None,
    };
    Some(Fused { activation, join })
}

/// Returns the kernel of an activation.
fn kernel(known: KnownActivation) -> Activation {
    match known {
        KnownActivation::Relu => Activation::Relu,
        KnownActivation::Elu(alpha) => Activation::Elu {
            alpha: alpha as f32,
        },
        KnownActivation::LeakyRelu(slope) => Activation::LeakyRelu {
            slope: slope as f32,
        },
        KnownActivation::Tanh => Activation::Tanh,
        KnownActivation::Sigmoid => Activation::Sigmoid,
    }
}
