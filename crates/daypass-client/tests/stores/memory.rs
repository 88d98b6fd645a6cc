//! The store in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::ManualClock;
use daypass_client::store::contract::Harness;
use daypass_client::store::{MemoryStore, TokenStore, Version};

use crate::sample::{record, watched};

struct Memory(MemoryStore);

#[async_trait]
impl Harness for Memory {
    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.0.clone())
    }
}

daypass_client::store_contract_tests!(Memory(MemoryStore::new()));

#[tokio::test]
async fn two_of_them_have_nothing_in_common() {
    let (one, other) = (MemoryStore::new(), MemoryStore::default());
    one.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    assert_eq!(other.load().await.unwrap().record, None);
    assert!(one.lock(Duration::ZERO).await.unwrap().is_some());
}

#[tokio::test]
async fn its_lock_waits_by_the_clock_that_it_is_given() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(Arc::new(clock.clone()));
    let guard = store.lock(Duration::ZERO).await.unwrap();
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lock(Duration::from_secs(5)).await.unwrap() }
    });
    watched(clock.until(|waits| waits == [Duration::from_secs(5)])).await;
    clock.advance(Duration::from_secs(5));
    assert!(watched(waiter).await.unwrap().is_none());
    drop(guard);
}
