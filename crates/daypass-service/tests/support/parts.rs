//! A clock that is set, randomness that repeats, and the store's commits for the metrics.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_service::core::{Clock, Timestamp};
use daypass_service::{Entropy, Metrics};
use daypass_sqlite::Observer;

/// A clock that stands still until it is set.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn at(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds * 1000))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Sets the clock back.
    pub(crate) fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// Randomness that is the same in every run (splitmix64), and remembers the 32 bytes of every
/// secret drawn from it.
pub(crate) struct Seeded(Mutex<(u64, Vec<[u8; 32]>)>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, Vec::new())))
    }

    /// The secrets drawn so far.
    pub(crate) fn secrets(&self) -> Vec<[u8; 32]> {
        self.0.lock().unwrap().1.clone()
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut held = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(8) {
            held.0 = held.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = held.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let random = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        if let Ok(secret) = <[u8; 32]>::try_from(&*bytes) {
            held.1.push(secret);
        }
    }
}

/// Reports the store's commits to the metrics, as the binary does.
pub(crate) struct Commits(pub(crate) Arc<Metrics>);

impl Observer for Commits {
    fn nanos(&self) -> u64 {
        self.0.nanos()
    }

    fn committed(&self, batch: usize, nanos: u64) {
        self.0.committed(batch, nanos);
    }
}
