//! Randomness of the load generator and the demo, from the operating system, drawn in blocks.

use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const BLOCK: usize = 1024;

/// A source of random numbers and attempt ids.
pub(crate) struct Dice {
    block: [u8; BLOCK],
    used: usize,
}

impl Dice {
    /// Draws its first block at the first throw.
    pub(crate) fn new() -> Self {
        Self { block: [0; BLOCK], used: BLOCK }
    }

    /// A fresh attempt id: 128 random bits in 22 URL-safe characters.
    pub(crate) fn attempt_id(&mut self) -> Result<String, Unspecified> {
        Ok(URL_SAFE_NO_PAD.encode(self.draw::<16>()?))
    }

    /// A number below `bound`, or 0 when there is none. The bias of the method is `bound` in 2^64.
    pub(crate) fn below(&mut self, bound: usize) -> Result<usize, Unspecified> {
        let wide = u128::from(u64::from_le_bytes(self.draw()?)) * bound as u128;
        Ok(usize::try_from(wide >> 64).unwrap_or(0))
    }

    /// Puts the first `count` places into random order, drawn from all of `items` (all of it, if `count` is as large).
    pub(crate) fn deal<T>(&mut self, items: &mut [T], count: usize) -> Result<(), Unspecified> {
        for place in 0..count.min(items.len()) {
            let from = place + self.below(items.len() - place)?;
            items.swap(place, from);
        }
        Ok(())
    }

    /// Random bytes.
    pub(crate) fn draw<const N: usize>(&mut self) -> Result<[u8; N], Unspecified> {
        const { assert!(N <= BLOCK) };
        loop {
            if let Some(drawn) = self.block.get(self.used..).and_then(<[u8]>::first_chunk) {
                self.used += N;
                return Ok(*drawn);
            }
            self.refill()?;
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the binary may draw from the system; nothing here is replayed"
    )]
    fn refill(&mut self) -> Result<(), Unspecified> {
        aws_lc_rs::rand::fill(&mut self.block)?;
        self.used = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_long_enough_and_never_the_same() {
        let mut dice = Dice::new();
        let ids: HashSet<String> = (0..1000).map(|_| dice.attempt_id().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 22));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut dice = Dice::new();
        let thrown: HashSet<usize> = (0..1000).map(|_| dice.below(6).unwrap()).collect();
        assert_eq!(thrown, (0..6).collect());
        assert_eq!(dice.below(0).unwrap(), 0);
    }

    #[test]
    fn dealing_loses_nothing() {
        let mut items: Vec<u32> = (0..100).collect();
        Dice::new().deal(&mut items, 10).unwrap();
        assert_ne!(items[..10], (0..10).collect::<Vec<u32>>()[..]);
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<u32>>());
    }
}
