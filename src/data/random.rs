//! Random streams of the datasets. None needs memory: each is named by its purpose and
//! indices.

use crate::random::keyed;
use rand_chacha::ChaCha8Rng;

/// Purpose of a stream. Streams of different purposes never meet.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Shuffling the images of an epoch.
    Shuffle,
    /// Augmenting an image in an epoch.
    Augment,
    /// Drawing a synthetic image.
    Draw,
}

/// Makes the random stream of (`purpose`, `seed`, `major`, `minor`). The four are the generator's
/// key itself, so distinct ones give unrelated streams.
pub(super) fn stream(purpose: Purpose, seed: u64, major: u64, minor: u64) -> ChaCha8Rng {
    let purpose = match purpose {
        Purpose::Shuffle => *b"shuffle\0",
        Purpose::Augment => *b"augment\0",
        Purpose::Draw => *b"draw\0\0\0\0",
    };
    let words = [
        purpose,
        seed.to_le_bytes(),
        major.to_le_bytes(),
        minor.to_le_bytes(),
    ];
    keyed(words)
}
