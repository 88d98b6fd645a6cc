//! A real service on a real SQLite store in a folder of its own, with a clock that the test sets
//! and randomness that repeats from run to run.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod parts;
mod people;
mod store;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use daypass_service::core::Timestamp;
use daypass_service::storage::Store;
use daypass_service::{
    Activation, KeyError, KeyKeeper, KeyPolicy, MasterKey, Metrics, Parts, Service, ServiceConfig, StartError,
};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

pub(crate) use parts::{Commits, Seeded, TestClock};
pub(crate) use people::{PASSWORD, attempt, client, public, refresh_token, renewal, request, scope, source};
pub(crate) use store::{Watched, watched};
pub(crate) use tokens::{Jwks, forged_everywhere, header, kid, payload, payload_for, renamed};

pub(crate) const ISSUER: &str = "https://id.example";

/// When every test begins, in Unix seconds.
pub(crate) const BEGIN: i64 = 1_750_000_000;

/// One service with all that it stands on.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) entropy: Arc<Seeded>,
    pub(crate) store: Arc<Watched>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) service: Service,
    // Dropped last: the store closes its file first.
    pub(crate) folder: Arc<TempDir>,
}

/// A folder with nothing in it yet, and what a service on it would be started with.
pub(crate) struct Ground {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) entropy: Arc<Seeded>,
    pub(crate) folder: Arc<TempDir>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(TestClock::at(BEGIN)),
            entropy: Arc::new(Seeded::new(1)),
            folder: Arc::new(tempfile::tempdir().unwrap()),
        }
    }

    /// Opens the store, as one process would.
    pub(crate) fn open(&self, metrics: &Arc<Metrics>) -> Arc<Watched> {
        let observer = Arc::new(Commits(Arc::clone(metrics)));
        let store =
            SqliteStore::open(self.folder.path(), &SqliteOptions::default(), self.clock.clone(), observer);
        Arc::new(Watched::new(Arc::new(store.unwrap())))
    }

    /// A keeper of the keys, as the command line would use.
    pub(crate) fn keeper(&self, store: &Arc<Watched>, policy: KeyPolicy) -> KeyKeeper {
        KeyKeeper::new(Arc::clone(store) as Arc<dyn Store>, master(), self.entropy.clone(), policy)
    }

    pub(crate) async fn start(&self, config: ServiceConfig, master: MasterKey) -> Result<World, StartError> {
        let metrics = Arc::new(Metrics::new());
        let store = self.open(&metrics);
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            master,
            metrics: Arc::clone(&metrics),
        };
        Ok(World {
            service: Service::start(config, parts).await?,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            folder: Arc::clone(&self.folder),
            store,
            metrics,
        })
    }
}

pub(crate) fn master() -> MasterKey {
    MasterKey::new([42; 32])
}

impl World {
    /// A service with the defaults.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A service with some settings of the test's own.
    pub(crate) async fn with(change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let mut config = ServiceConfig::new(ISSUER);
        change(&mut config);
        Ground::new().start(config, master()).await.unwrap()
    }

    /// Another service on the same file, as another process would be.
    pub(crate) async fn beside(&self, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let mut config = self.service.config().clone();
        change(&mut config);
        self.ground().start(config, master()).await.unwrap()
    }

    pub(crate) fn ground(&self) -> Ground {
        Ground {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            folder: Arc::clone(&self.folder),
        }
    }

    /// Replaces the keys, as the command line does beside a running service.
    pub(crate) async fn rotate_keys(&self, activation: Activation) {
        let keeper = self.ground().keeper(&self.store, self.service.config().keys);
        loop {
            match keeper.rotate(self.clock.now(), activation).await {
                Ok(()) => return,
                // The service's upkeep has just changed the keys: as the error says, once more.
                Err(KeyError::Contended) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the service's clock on.
    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Waits until the service has compared its clients and keys with the store's. Under a paused
    /// tokio clock.
    pub(crate) async fn noticed(&self) {
        // One comparison may have begun before the change, and each asks up to three times.
        for _ in 0..8 {
            let before = self.store.count("versions");
            tokio::time::advance(Duration::from_millis(400)).await;
            until(|| self.store.count("versions") > before).await;
        }
    }

    /// Waits until the service has looked after its keys and removed old rows, and noticed what it
    /// did. Under a paused tokio clock.
    pub(crate) async fn tidied(&self) {
        // Twice: the first that ends may have begun before this was called.
        for _ in 0..2 {
            let before = self.store.count("prune");
            tokio::time::advance(Duration::from_secs(30)).await;
            until(|| self.store.count("prune") > before).await;
        }
        self.noticed().await;
    }
}

/// Waits for a condition that other tasks and threads bring about.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..20_000_000u32 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the condition did not come about");
}
