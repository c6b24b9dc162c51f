//! Updates of tensors by their gradients: each optimizer with the kernel that computes it.

use super::kernels::{Pool, pointwise};
use crate::engines::StepContext;
use crate::ir::Optimizer;

/// Moves w by g, its gradient, and then into its range, if it has one. `slots` are what the optimizer keeps for w, in the order of
/// [`Optimizer::slots`].
pub fn update<'a>(
    pool: &Pool,
    (optimizer, range): (&Optimizer, Option<[f64; 2]>),
    at: StepContext,
    (w, g): (&mut [f32], &[f32]),
    mut slots: impl Iterator<Item = &'a mut [f32]>,
) {
    match optimizer {
        Optimizer::Sgd(sgd) => {
            let settings = pointwise::Sgd {
                rate: at.rate as f32,
                momentum: sgd.momentum as f32,
                nesterov: sgd.nesterov,
                weight_decay: sgd.weight_decay as f32,
            };
            pointwise::sgd(pool, settings, w, g, slots.next());
        }
    }
    if let Some([least, greatest]) = range {
        for x in w {
            *x = clip(*x, [least as f32, greatest as f32]);
        }
    }
}

/// Moves `x` into a range; what is no number stays as it is.
fn clip(x: f32, [least, greatest]: [f32; 2]) -> f32 {
    match x {
        x if x < least => least,
        x if x > greatest => greatest,
        x => x,
    }
}
