//! What a service is given instead of the world.

use std::sync::Arc;

use daypass_ambient::{Clock, Entropy as _, SeededEntropy};
use daypass_service::core::Timestamp;
use daypass_service::{Entropy, Metrics};
use daypass_sqlite::Observer;

/// A client's or a verifier's clock for a service: its time of day.
#[derive(Clone, Debug)]
pub struct ServiceClock(pub Arc<dyn Clock>);

impl daypass_service::core::Clock for ServiceClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.wall().as_millis()).unwrap())
    }
}

/// Randomness that is the same in every run.
pub(crate) struct Seeded(SeededEntropy);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).unwrap();
    }
}

/// Reports the store's commits to the metrics, as the program does.
pub(crate) struct Commits(pub(crate) Arc<Metrics>);

impl Observer for Commits {
    fn nanos(&self) -> u64 {
        self.0.nanos()
    }

    fn committed(&self, batch: usize, nanos: u64) {
        self.0.committed(batch, nanos);
    }
}
