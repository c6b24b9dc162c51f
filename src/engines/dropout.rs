//! Dropout masks, made on the host so that every engine drops the same elements.

use super::random::{Purpose, stream, unit};

/// Draws the mask of the dropout layer at `path` in step `step`: `len` factors, each 0
/// with probability `p` and else `1/(1 − p)`, in N, C, H, W order. `p` is in [0, 1).
pub fn mask(p: f64, seed: u64, step: u64, path: &str, len: usize) -> Vec<f32> {
    factors(p, seed, step, path).take(len).collect()
}

/// Draws the factors of [`mask`], one after another without end.
pub fn factors(p: f64, seed: u64, step: u64, path: &str) -> impl Iterator<Item = f32> {
    let kept = (1.0 / (1.0 - p)) as f32;
    let mut random = stream(Purpose::Dropout, seed, path, step);
    std::iter::repeat_with(move || if unit(&mut random) < p { 0.0 } else { kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_mean_and_is_its_own_in_every_step_and_layer() {
        let one = mask(0.25, 7, 3, "a", 100_000);
        let zeros = one.iter().filter(|&&x| x == 0.0).count();
        assert!((24_000..26_000).contains(&zeros));
        assert!(one.iter().all(|&x| x == 0.0 || x == 4.0 / 3.0));
        assert_eq!(one, mask(0.25, 7, 3, "a", 100_000));
        for other in [(8, 3, "a"), (7, 4, "a"), (7, 3, "b")] {
            assert_ne!(one, mask(0.25, other.0, other.1, other.2, 100_000));
        }
    }

    #[test]
    fn nothing_is_dropped_at_zero() {
        assert_eq!(mask(0.0, 0, 0, "a", 3), [1.0; 3]);
    }
}
