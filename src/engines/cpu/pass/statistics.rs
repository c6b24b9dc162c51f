//! Mean and variance of channels, which a batch norm takes.

use super::super::kernels::{Moments, Pool, moments};
use super::super::map::Map;

/// Counts the floats of scratch of [`statistics`].
pub fn statistics_scratch(map: Map) -> usize {
    moments::scratch_len(map.rows(), map.channels)
}

/// Computes mean and biased variance of each channel: two rows of padded channels.
pub fn statistics(pool: &Pool, x: &[f32], map: Map, found: &mut [f32], scratch: &mut [f32]) {
    let (mean, variance) = found.split_at_mut(map.stride);
    let found = Moments {
        mean: &mut mean[..map.channels],
        variance: &mut variance[..map.channels],
    };
    moments::moments(pool, x, map.rows(), found, scratch);
}

/// Moves running statistics: `running ← (1 − share)·running + share·found`, the variance
/// made unbiased.
pub fn move_statistics(
    found: &[f32],
    count: usize,
    (mean, variance): (&mut [f32], &mut [f32]),
    share: f64,
) {
    let (means, variances) = found.split_at(found.len() / 2);
    let unbiased = if count > 1 {
        count as f64 / (count - 1) as f64
    } else {
        1.0
    };
    let blend = |old: &mut f32, new: f64| {
        *old = ((1.0 - share) * f64::from(*old) + share * new) as f32;
    };
    for (old, &new) in mean.iter_mut().zip(means) {
        blend(old, f64::from(new));
    }
    for (old, &new) in variance.iter_mut().zip(variances) {
        blend(old, unbiased * f64::from(new));
    }
}
