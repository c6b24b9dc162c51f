//! Random streams that need no memory: each is named by what it is for, so a resumed
//! run draws what an undisturbed one would have, on any engine.

use crate::random::{fnv1a, keyed};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Purpose of a stream. Streams of different purposes never meet.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Starting weights of a tensor.
    Initial,
    /// Dropout mask of a layer in a step.
    Dropout,
}

impl Purpose {
    /// Returns the first word of the key of its streams.
    pub(crate) fn word(self) -> [u8; 8] {
        match self {
            Purpose::Initial => *b"initial\0",
            Purpose::Dropout => *b"dropout\0",
        }
    }
}

/// Opens the stream of `purpose` for the tensor or layer called `name`, under the run's
/// `seed` and at `index` (a step, say). The four are the generator's key.
pub(crate) fn stream(purpose: Purpose, seed: u64, name: &str, index: u64) -> ChaCha8Rng {
    let words = [
        purpose.word(),
        seed.to_le_bytes(),
        fnv1a(name).to_le_bytes(),
        index.to_le_bytes(),
    ];
    keyed(words)
}

/// Draws a number in [0, 1), a multiple of 2⁻⁵³.
pub(crate) fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_matters() {
        let first = |purpose, seed, name, index| stream(purpose, seed, name, index).next_u64();
        let draws = [
            first(Purpose::Initial, 0, "a", 0),
            first(Purpose::Dropout, 0, "a", 0),
            first(Purpose::Initial, 1, "a", 0),
            first(Purpose::Initial, 0, "b", 0),
            first(Purpose::Initial, 0, "a", 1),
        ];
        for (i, a) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(a));
        }
        assert_eq!(draws[0], first(Purpose::Initial, 0, "a", 0));
    }
}
