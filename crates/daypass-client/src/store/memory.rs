//! A session that lives as long as the process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock, SystemClock};
use tokio::sync::watch;

use super::{Exchange, Guard, StoreError, Stored, TokenStore, Version};
use crate::Record;

/// Keeps the session in memory: it is gone when the process ends. Clones share one session.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), daypass_client::store::StoreError> {
/// use daypass_client::store::{MemoryStore, Stored, TokenStore};
///
/// assert_eq!(MemoryStore::new().load().await?, Stored::default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

struct Shared {
    stored: Mutex<Stored>,
    changed: watch::Sender<Version>,
    renewal: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryStore {
    /// A store with no session in it.
    pub fn new() -> Self {
        let shared = Shared {
            stored: Mutex::default(),
            changed: watch::Sender::new(Version::EMPTY),
            renewal: Arc::default(),
        };
        Self { shared: Arc::new(shared), clock: Arc::new(SystemClock) }
    }

    /// The same store, whose [`lock`](TokenStore::lock) waits by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        // Each change is one assignment: there is no half of it to see after a panic.
        self.shared.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self) -> Result<Stored, StoreError> {
        Ok(self.stored().clone())
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        let mut stored = self.stored();
        if stored.version != read {
            return Ok(Exchange::Conflict(stored.clone()));
        }
        let version = Version(stored.version.0 + 1);
        *stored = Stored { version, record: new.cloned() };
        // Still under the lock, so that the news come in the order of the changes.
        self.shared.changed.send_replace(version);
        Ok(Exchange::Done(version))
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        let renewal = Arc::clone(&self.shared.renewal);
        if let Ok(held) = Arc::clone(&renewal).try_lock_owned() {
            return Ok(Some(Guard::new(held)));
        }
        tokio::select! {
            held = renewal.lock_owned() => Ok(Some(Guard::new(held))),
            () = self.clock.sleep(wait) => Ok(None),
        }
    }

    fn changes(&self) -> Option<watch::Receiver<Version>> {
        Some(self.shared.changed.subscribe())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
