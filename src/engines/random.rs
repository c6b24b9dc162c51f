//! Random streams that need no memory: each is named by what it is for, so a resumed
//! run draws what an undisturbed one would have, on any engine.

use crate::random::keyed;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Streams of different purposes never meet.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Starting weights of a tensor.
    Initial,
    /// Dropout mask of a layer in a step.
    Dropout,
}

/// The stream of `purpose` for the tensor or layer called `name`, under the run's
/// `seed` and at `index` (a step, say). The four are the generator's key.
pub(crate) fn stream(purpose: Purpose, seed: u64, name: &str, index: u64) -> ChaCha8Rng {
    let purpose = match purpose {
        Purpose::Initial => *b"initial\0",
        Purpose::Dropout => *b"dropout\0",
    };
    let words = [
        purpose,
        seed.to_le_bytes(),
        fnv1a(name).to_le_bytes(),
        index.to_le_bytes(),
    ];
    keyed(words)
}

/// A number in [0, 1), a multiple of 2⁻⁵³.
pub(crate) fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// 64-bit FNV-1a, which, unlike the standard library's hasher, never changes.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_is_the_published_one() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

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
