//! Cost of a step: arithmetic and memory traffic.

use super::Plan;
use super::buffer::Kind;
use super::convolution::Convolution;
use super::step::{Action, Step};

/// The cost of a step, counted from shapes; not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications and additions of products with weights, two a multiply-add, as
    /// the direct method does them; 0 for steps that only pass over memory.
    pub flops: u64,
    /// Bytes of the buffers read and written, each once.
    pub bytes: u64,
}

impl Cost {
    /// Counts the cost of a step of `plan`.
    pub fn of_step(plan: &Plan, step: &Step) -> Cost {
        let flops = if let Action::Convolve(convolution) = &step.action {
            flops(plan, convolution)
        } else {
            0
        };
        let touched = step.reads.iter().chain(&step.writes);
        let elements = touched
            .map(|&id| plan.buffer(id).elements)
            .fold(0, usize::saturating_add);
        Cost {
            flops,
            bytes: elements.saturating_mul(size_of::<f32>()) as u64,
        }
    }

    /// Adds the costs of two steps.
    pub fn plus(self, other: Cost) -> Cost {
        Cost {
            flops: self.flops.saturating_add(other.flops),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// Counts the operations of a convolution, in which every window meets every weight once.
fn flops(plan: &Plan, convolution: &Convolution) -> u64 {
    let buffer = plan.buffer(convolution.weight);
    let weights = match &buffer.kind {
        Kind::Tensor(shape) => shape.iter().product(),
        Kind::Map(_) | Kind::Rows(..) | Kind::Scratch => buffer.elements,
    };
    let windows = (plan.batch as u64).saturating_mul(convolution.window.outputs() as u64);
    windows.saturating_mul(2 * weights as u64)
}
