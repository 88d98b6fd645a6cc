//! A seeded mixture of faults.

use crate::Fault;

/// Faults that befall some of the requests to some paths. What befalls the n-th request to a path follows from the
/// seed, the path and n alone, so that a run can be repeated whatever the order of requests to different paths.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    pub(crate) seed: u64,
    pub(crate) per_mille: u16,
    pub(crate) paths: Vec<String>,
    pub(crate) faults: Vec<Fault>,
}

impl Mixture {
    /// What befalls the `number`-th request to `path`.
    pub(crate) fn draw(&self, path: &str, number: usize) -> Option<Fault> {
        if self.faults.is_empty() || !self.paths.iter().any(|known| known == path) {
            return None;
        }
        // FNV-1a over the path keeps the paths apart.
        let path = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let word = mix(self.seed ^ path.rotate_left(17) ^ mix(number as u64));
        if word % 1000 >= u64::from(self.per_mille) {
            return None;
        }
        let which = (word / 1000) % self.faults.len() as u64;
        self.faults.get(usize::try_from(which).ok()?).cloned()
    }
}

/// SplitMix64's finaliser, one step on (Steele, Lea and Flood, 2014).
const fn mix(state: u64) -> u64 {
    let word = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixture(seed: u64) -> Mixture {
        Mixture {
            seed,
            per_mille: 100,
            paths: vec!["/a".to_owned(), "/b".to_owned()],
            faults: vec![Fault::LoseRequest, Fault::Hang],
        }
    }

    fn drawn(mixture: &Mixture, path: &str) -> Vec<Option<String>> {
        (1..=2000).map(|number| mixture.draw(path, number).map(|fault| format!("{fault:?}"))).collect()
    }

    #[test]
    fn a_seed_draws_the_same_again_and_about_as_often_as_asked() {
        let first = drawn(&mixture(1), "/a");
        assert_eq!(first, drawn(&mixture(1), "/a"));
        assert_ne!(first, drawn(&mixture(2), "/a"));
        assert_ne!(first, drawn(&mixture(1), "/b"));
        let hit = first.iter().flatten().count();
        assert!((140..=260).contains(&hit), "{hit} of 2000");
        for kind in ["LoseRequest", "Hang"] {
            assert!(first.iter().flatten().filter(|fault| *fault == kind).count() > hit / 4, "{kind}");
        }
    }

    #[test]
    fn other_paths_are_spared() {
        assert_eq!(drawn(&mixture(1), "/c").into_iter().flatten().next(), None);
    }
}
