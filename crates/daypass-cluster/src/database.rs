//! A primary and its standby, which changes places with it.

use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_postgres::testing::Cluster;
use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_storage::{Store as _, StoreError, StoreResult};
use tokio::task::{JoinError, spawn_blocking};

/// How often a busy database is asked again, and how long after.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// What the primary knows the standby by.
const STANDBY: &str = "standby";

/// Primary and standby.
#[derive(Debug)]
pub(crate) struct Pair {
    primary: Arc<Cluster>,
    standby: Arc<Cluster>,
    database: String,
    /// Whether sign-ins and ends wait for the standby.
    synchronous: bool,
}

impl Pair {
    /// Starts both, with an empty database.
    pub(crate) async fn start(
        under: &Path,
        [first, second]: [SocketAddrV4; 2],
        synchronous: bool,
    ) -> Result<Self, JoinError> {
        let under = under.to_owned();
        let primary = spawn_blocking(move || Arc::new(Cluster::start_at(first, &under, ""))).await?;
        let database = primary.empty_database().await;
        let standby = beside(&primary, second).await?;
        let pair = Self { primary, standby, database, synchronous };
        pair.attend().await;
        Ok(pair)
    }

    /// The URL of the database at whichever of these addresses the primary is.
    pub(crate) fn url(&self, addresses: [SocketAddrV4; 2]) -> String {
        self.primary.url_at_any(&addresses, &self.database)
    }

    /// From here on the standby learns nothing of what the primary does.
    pub(crate) async fn cut_standby_off(&self) {
        self.standby.stop_receiving().await;
    }

    /// The primary is gone at once, and the standby takes its place.
    pub(crate) async fn fail_over(&mut self) -> Result<(), JoinError> {
        let (primary, standby) = (Arc::clone(&self.primary), Arc::clone(&self.standby));
        spawn_blocking(move || {
            primary.kill();
            standby.promote();
        })
        .await?;
        std::mem::swap(&mut self.primary, &mut self.standby);
        Ok(())
    }

    /// Where the primary was that is dead, there is a new standby now.
    pub(crate) async fn replace_standby(&mut self) -> Result<(), JoinError> {
        let address = self.standby.address();
        self.standby = beside(&self.primary, address).await?;
        self.attend().await;
        Ok(())
    }

    /// What the migration of a later release does: it adds, leaves the release before working, and says so.
    pub(crate) async fn migrate_further(&self, round: usize) {
        let step = format!(
            "begin; select from daypass.schema for update; \
             alter table daypass.sessions add column of_a_later_release_{round} text; \
             create table daypass.of_a_later_release_{round} (id uuid primary key); \
             update daypass.schema set version = version + 1; commit"
        );
        self.primary.sql(&self.database, &step).await;
    }

    /// The store, for whoever looks at it at the end.
    pub(crate) async fn store(&self) -> StoreResult<PostgresStore> {
        let url = self.primary.url(&self.database).parse();
        let url = url.map_err(|_| StoreError::Unavailable("its URL is none".to_owned()))?;
        PostgresStore::open(&url, &PostgresOptions::default(), Arc::new(())).await
    }

    /// The feed's epoch, as soon as the database has the time to say so.
    pub(crate) async fn epoch(&self) -> StoreResult<[u8; 16]> {
        let mut tries = 0;
        loop {
            let epoch = async { Ok(self.store().await?.feed(None, 1).await?.cursor.epoch) };
            match epoch.await {
                Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) if tries < TRIES => {
                    tries += 1;
                }
                epoch => return epoch,
            }
            SystemClock.sleep(PAUSE).await;
        }
    }

    async fn attend(&self) {
        self.primary.until_followed_by(STANDBY).await;
        if self.synchronous {
            self.primary.wait_for_standby(STANDBY).await;
        }
    }
}

async fn beside(primary: &Arc<Cluster>, address: SocketAddrV4) -> Result<Arc<Cluster>, JoinError> {
    let primary = Arc::clone(primary);
    spawn_blocking(move || Arc::new(primary.standby(STANDBY, address))).await
}
