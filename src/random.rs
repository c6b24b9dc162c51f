//! Generators that every random stream is made with: keyed ChaCha8, and FNV-1a for keys from
//! names.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Random stream of a key of four words; distinct keys give unrelated streams. The first word
/// names a purpose, so that streams of different purposes never meet.
pub(crate) fn keyed(words: [[u8; 8]; 4]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, word) in key.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word);
    }
    ChaCha8Rng::from_seed(key)
}

/// 64-bit FNV-1a, which, unlike the standard library's hasher, never changes.
pub(crate) fn fnv1a(text: &str) -> u64 {
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
}
