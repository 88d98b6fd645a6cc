//! Chance that a seed decides.

use std::time::Duration;

use daypass_ambient::{Entropy as _, SeededEntropy};

/// Spreads the streams of one seed: an odd number, so that no two streams share a start.
const SPREAD: u64 = 0xd134_2543_de82_ef95;

/// Throws that follow from a seed and the name of a stream, so that one who throws more often changes nothing for the
/// others.
#[derive(Debug)]
pub struct Dice(SeededEntropy);

impl Dice {
    /// The throws of `stream`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let start = SeededEntropy::new(seed ^ stream.wrapping_add(1).wrapping_mul(SPREAD));
        Self(SeededEntropy::new(word(&start)))
    }

    /// 64 bits.
    pub fn word(&self) -> u64 {
        word(&self.0)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.word()).wrapping_mul(u128::from(bound)) >> 64;
        u64::try_from(wide).unwrap_or_default()
    }

    /// A number from `least` to `most`.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// A time between so many milliseconds.
    pub fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.between(least.saturating_mul(1000), most.saturating_mul(1000)))
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn chance(&self, of_a_thousand: u64) -> bool {
        self.below(1000) < of_a_thousand
    }

    /// An id that a client makes for an attempt: 128 bits in 32 characters.
    pub fn attempt_id(&self) -> String {
        format!("{:016x}{:016x}", self.word(), self.word())
    }
}

fn word(source: &SeededEntropy) -> u64 {
    let mut bytes = [0; 8];
    // Seeded bytes are always there.
    let _always = source.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_stream_give_the_same_throws_again_and_others_give_others() {
        let throws = |seed, stream| {
            let dice = Dice::new(seed, stream);
            [dice.word(), dice.word(), dice.word()]
        };
        assert_eq!(throws(1, 2), throws(1, 2));
        assert_ne!(throws(1, 2), throws(1, 3));
        assert_ne!(throws(1, 2), throws(2, 2));
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let dice = Dice::new(7, 0);
        let thrown: std::collections::BTreeSet<_> = (0..200).map(|_| dice.between(3, 6)).collect();
        assert_eq!(thrown.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!((0..100).all(|_| !dice.chance(0) && dice.chance(1000)));
        assert!((0..100).all(|_| dice.millis(2, 3) <= Duration::from_millis(3)));
    }
}
