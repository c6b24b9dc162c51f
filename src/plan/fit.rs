//! Which batches fit into a given memory.

use super::{Plan, Purpose, Target};
use crate::ir::Model;

/// The largest batch whose training takes at most `bytes`; None where not even one
/// image fits.
pub fn largest_batch(model: &Model, bytes: u64, target: &dyn Target) -> Option<usize> {
    let fits = |batch| {
        let plan = Plan::new(model, batch, Purpose::Training, target);
        plan.peak_bytes() as u64 <= bytes
    };
    if !fits(1) {
        return None;
    }
    let mut good: usize = 1;
    while let Some(double) = good.checked_mul(2).filter(|&double| fits(double)) {
        good = double;
    }
    // `good` fits and twice as much does not.
    let (mut low, mut high) = (good, good.saturating_mul(2));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}
