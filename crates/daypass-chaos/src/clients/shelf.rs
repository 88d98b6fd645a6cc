//! A shared store with or without a lock, as some have none: correctness must not depend on it.

use std::time::Duration;

use async_trait::async_trait;
use daypass_client::store::{Exchange, Guard, StoreError, Stored, TokenStore, Version};
use daypass_client::{MemoryStore, Record};
use tokio::sync::watch;

/// A store in memory, with or without a lock.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    store: MemoryStore,
    locks: bool,
}

impl Shelf {
    pub(crate) fn new(store: MemoryStore, locks: bool) -> Self {
        Self { store, locks }
    }
}

#[async_trait]
impl TokenStore for Shelf {
    async fn load(&self) -> Result<Stored, StoreError> {
        self.store.load().await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        self.store.compare_exchange(read, new).await
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        if self.locks { self.store.lock(wait).await } else { Ok(None) }
    }

    fn changes(&self) -> Option<watch::Receiver<Version>> {
        self.store.changes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_has_a_lock_and_the_other_has_none() {
        let at_once = Duration::ZERO;
        let locked = Shelf::new(MemoryStore::new(), true);
        assert!(locked.lock(at_once).await.unwrap().is_some());
        let lockless = Shelf::new(MemoryStore::new(), false);
        assert!(lockless.lock(at_once).await.unwrap().is_none());
    }
}
