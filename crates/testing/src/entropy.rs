//! Chance for tests: one that a seed repeats, and the machine's.

use std::sync::atomic::{AtomicU64, Ordering};

use selfmx_domain::Entropy;

/// The step of SplitMix64 (Steele, Lea, Flood 2014): 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that look random and are the same for the same seed. Good for tests alone: anybody can predict them.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The bytes that follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn next(&self) -> u64 {
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

/// The machine's chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else is to take")]
    #[expect(clippy::panic, reason = "a predictable secret is worse than a stopped process")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap_or_else(|error| panic!("the operating system gives no randomness: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(entropy: &SeededEntropy) -> [u8; 20] {
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_repeats_itself_and_no_draw_repeats_another() {
        let (first, again, other) = (SeededEntropy::new(7), SeededEntropy::new(7), SeededEntropy::new(8));
        let draws = [drawn(&first), drawn(&first)];
        assert_eq!(draws, [drawn(&again), drawn(&again)]);
        assert_ne!(draws[0], draws[1]);
        assert_ne!(draws[0], drawn(&other));
    }

    #[test]
    fn it_is_splitmix64() {
        // The reference implementation's first numbers for the seed 1234567.
        let entropy = SeededEntropy::new(1_234_567);
        assert_eq!([entropy.next(), entropy.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
