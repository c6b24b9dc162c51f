//! Measuring again and again, on random images.

use crate::ir::Model;
use crate::tensor::Batch;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

/// Steps before time is taken: caches, pages, clocks.
pub(super) const WARM_UP: usize = 3;
/// Steps that are timed at least, and at most.
const STEPS: (usize, usize) = (5, 10_000);
/// Time to fill with steps between the two.
const ENOUGH: Duration = Duration::from_secs(5);

/// Whether another measurement is wanted after so many since `start`: the number that is asked for,
/// or as many as take five seconds.
pub(super) fn goes_on(done: usize, wanted: Option<usize>, start: Instant) -> bool {
    match wanted {
        Some(wanted) => done < wanted,
        None => done < STEPS.0 || (start.elapsed() < ENOUGH && done < STEPS.1),
    }
}

/// Draws a batch of `count` images.
pub(super) fn random_batch(model: &Model, count: usize) -> Batch {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let classes = model.output.elements().max(1) as u64;
    let pixel = |x: u64| (x >> 40) as f32 / (1 << 23) as f32 - 1.0;
    Batch {
        images: (0..count * model.input.elements())
            .map(|_| pixel(random.next_u64()))
            .collect(),
        labels: (0..count)
            .map(|_| (random.next_u64() % classes) as u32)
            .collect(),
    }
}
