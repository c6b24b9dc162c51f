//! Fusion of steps that can share a pass over memory.
//!
//! 1. A batch norm's statistics are taken by the convolution that makes its input.
//! 2. Batch norm, activation and the weighing of a skip become one [`Pointwise`] pass,
//!    where nothing else reads what is between them.
//!
//! [`Pointwise`]: super::step::Pointwise

use super::Plan;
use super::buffer::Id;
use super::step::{Action, Pointwise, Step};
use std::collections::HashMap;

/// Fuses the forward steps of `plan`.
pub(super) fn fuse(plan: &mut Plan) {
    let steps = std::mem::take(&mut plan.forward);
    plan.forward = join_passes(take_statistics(steps), plan.logits);
}

/// Moves statistics into the convolution whose output they are of.
fn take_statistics(steps: Vec<Step>) -> Vec<Step> {
    let mut fused: Vec<Step> = Vec::with_capacity(steps.len());
    // Where each convolution's output is made.
    let mut made: HashMap<Id, usize> = HashMap::new();
    for step in steps {
        if let Action::Statistics { x, y } = step.action
            && let Some(&index) = made.get(&x)
            && let Action::Convolve(convolution) = fused[index].action
            && convolution.statistics().is_none()
        {
            let path = std::mem::take(&mut fused[index].path);
            fused[index] = convolution.with_statistics(Some(y)).step(&path);
            continue;
        }
        if let Action::Convolve(convolution) = &step.action {
            made.insert(convolution.y, fused.len());
        }
        fused.push(step);
    }
    fused
}

/// Merges each pass into the next one that takes its output, if nothing else does.
fn join_passes(steps: Vec<Step>, logits: Id) -> Vec<Step> {
    let mut uses: HashMap<Id, usize> = HashMap::from([(logits, 1)]);
    for id in steps.iter().flat_map(|step| &step.reads) {
        *uses.entry(*id).or_default() += 1;
    }
    let mut fused: Vec<Option<Step>> = Vec::with_capacity(steps.len());
    let mut made: HashMap<Id, usize> = HashMap::new();
    for mut step in steps {
        if let Action::Pointwise(pass) = &step.action {
            made.insert(pass.y, fused.len());
            if uses.get(&pass.x) == Some(&1)
                && let Some(&index) = made.get(&pass.x)
                && let Some(merged) = earlier(&fused, index).and_then(|first| merge(first, pass))
            {
                step = merged.step(&step.path);
                fused[index] = None;
            }
        }
        fused.push(Some(step));
    }
    fused.into_iter().flatten().collect()
}

fn earlier(fused: &[Option<Step>], index: usize) -> Option<&Pointwise> {
    let step = fused.get(index)?.as_ref()?;
    if let Action::Pointwise(pass) = &step.action {
        Some(pass)
    } else {
        None
    }
}

/// Merges `second ∘ first` to one pass, if the order within a pass allows it.
fn merge(first: &Pointwise, second: &Pointwise) -> Option<Pointwise> {
    let is_ordered = first.join.is_none()
        && second.norm.is_none()
        && (first.activation.is_none() || second.activation.is_none());
    is_ordered.then(|| Pointwise {
        x: first.x,
        norm: first.norm,
        activation: first
            .activation
            .as_ref()
            .or(second.activation.as_ref())
            .cloned(),
        join: second.join.clone(),
        y: second.y,
    })
}

#[cfg(test)]
mod tests {
    use super::super::step::{Activation, Join};
    use super::*;
    use crate::ir::Expr;
    use crate::ir::expr::{JoinForm, Variable};
    use std::sync::Arc;

    fn pass(x: usize, activation: Option<Activation>, join: Option<Join>, y: usize) -> Step {
        let pass = Pointwise {
            x: Id(x),
            norm: None,
            activation,
            join,
            y: Id(y),
        };
        pass.step("")
    }

    fn skip(s: usize) -> Option<Join> {
        let out = Expr::from(Variable::Body) + Expr::from(Variable::Shortcut);
        Some(Join {
            form: JoinForm::recognise(&out),
            out: Arc::new(out),
            shortcut: Some(Id(s)),
            gates: Vec::new(),
            trained: Vec::new(),
        })
    }

    fn relu() -> Option<Activation> {
        let equation = Expr::from(Variable::Element).max(0.0.into());
        Some(Activation::new(&Arc::new(equation)))
    }

    #[test]
    fn an_activation_and_a_skip_share_a_pass() {
        let steps = vec![pass(0, relu(), None, 1), pass(1, None, skip(0), 2)];
        let fused = join_passes(steps, Id(2));
        assert_eq!(fused, [pass(0, relu(), skip(0), 2)]);
    }

    #[test]
    fn what_is_read_twice_stays() {
        let shortcut = vec![pass(0, relu(), None, 1), pass(1, None, skip(1), 2)];
        assert_eq!(join_passes(shortcut.clone(), Id(2)), shortcut);
        let output = vec![pass(0, relu(), None, 1), pass(1, None, skip(0), 2)];
        assert_eq!(join_passes(output.clone(), Id(1)), output);
    }

    #[test]
    fn the_order_within_a_pass_is_kept() {
        let twice = vec![pass(0, relu(), None, 1), pass(1, relu(), None, 2)];
        assert_eq!(join_passes(twice.clone(), Id(2)), twice);
        let after = vec![pass(0, None, skip(3), 1), pass(1, relu(), None, 2)];
        assert_eq!(join_passes(after.clone(), Id(2)), after);
    }
}
