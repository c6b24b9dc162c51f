//! What all random streams are made of.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream whose key is these four words: distinct ones give unrelated streams.
/// The first names a purpose, so that streams of different purposes never meet.
pub(crate) fn keyed(words: [[u8; 8]; 4]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, word) in key.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word);
    }
    ChaCha8Rng::from_seed(key)
}
