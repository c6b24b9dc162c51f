//! Lives of buffers, and their places in the arena.

use super::buffer::{Buffer, Id, Kind, Storage};
use super::{Plan, Target};

/// Number of floats that offsets are multiples of: a cache line.
const ALIGNMENT: usize = 16;

/// Steps during which a buffer holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    first: usize,
    last: usize,
}

impl Life {
    fn meets(self, other: Life) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Gives each step its scratch memory and each buffer its place in the arena: the
/// largest first, each at the lowest offset that is free during its life.
pub(super) fn place(plan: &mut Plan, target: &dyn Target) {
    add_workspaces(plan, target);
    let lives = lives(plan);
    let mut order: Vec<usize> = (0..plan.buffers.len())
        .filter(|&index| lives[index].is_some())
        .collect();
    // The sort is stable, so that the result depends on the plan alone.
    order.sort_by_key(|&index| std::cmp::Reverse(plan.buffers[index].elements));
    let mut placed: Vec<(usize, usize, Life)> = Vec::new();
    for index in order {
        let Some(life) = lives[index] else { continue };
        let size = plan.buffers[index].elements.div_ceil(ALIGNMENT);
        let size = size.saturating_mul(ALIGNMENT);
        let mut offset = 0_usize;
        for &(start, end, other) in &placed {
            if life.meets(other) && start < offset.saturating_add(size) {
                offset = offset.max(end);
            }
        }
        let rank = placed.partition_point(|&(start, ..)| start < offset);
        placed.insert(rank, (offset, offset.saturating_add(size), life));
        plan.buffers[index].storage = Storage::Arena { offset };
        plan.arena = plan.arena.max(offset.saturating_add(size));
    }
    add_scratch(plan, target);
}

/// Places the scratch memory of all steps, after everything else.
fn add_scratch(plan: &mut Plan, target: &dyn Target) {
    let elements = target.scratch(plan);
    if elements > 0 {
        let storage = Storage::Arena { offset: plan.arena };
        plan.scratch = Some(plan.push(Buffer {
            storage,
            ..Buffer::unplaced("scratch", Kind::Scratch, elements)
        }));
        let size = elements.next_multiple_of(ALIGNMENT);
        plan.arena = plan.arena.saturating_add(size);
    }
}

/// Gives each step the scratch memory that the target wants for it.
fn add_workspaces(plan: &mut Plan, target: &dyn Target) {
    let sizes: Vec<usize> = plan
        .steps()
        .map(|step| target.workspace(plan, step))
        .collect();
    let (forward, backward) = (&mut plan.forward, &mut plan.backward);
    let steps = forward.iter_mut().chain(backward).chain(&mut plan.update);
    for (step, elements) in steps.zip(sizes).filter(|(_, elements)| *elements > 0) {
        let name = format!("{} (scratch)", step.path);
        step.workspace = Some(Id(plan.buffers.len()));
        let buffer = Buffer::unplaced(&name, Kind::Scratch, elements);
        plan.buffers.push(buffer);
    }
}

/// Finds the first and the last step that name each buffer of the arena. The images are
/// there before the first step, the logits are read after the last of the forward ones.
fn lives(plan: &Plan) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; plan.buffers.len()];
    let mut note = |id: Id, step: usize| {
        if let Storage::Arena { .. } = plan.buffer(id).storage {
            let life = lives[id.0].get_or_insert(Life {
                first: step,
                last: step,
            });
            life.first = life.first.min(step);
            life.last = life.last.max(step);
        }
    };
    note(plan.input, 0);
    for (index, step) in plan.steps().enumerate() {
        for &id in step.reads.iter().chain(&step.writes).chain(&step.workspace) {
            note(id, index);
        }
    }
    note(plan.logits, plan.forward.len().saturating_sub(1));
    lives
}

#[cfg(test)]
mod tests;
