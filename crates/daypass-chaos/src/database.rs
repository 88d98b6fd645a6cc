//! A private cluster of PostgreSQL for the service, that is killed and started again.

use std::io;
use std::path::Path;
use std::sync::Arc;

use daypass_postgres::testing::Cluster;
use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_storage::{StoreError, StoreResult};
use tokio::task::spawn_blocking;

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

impl Database {
    /// Starts a cluster in a folder under this one, with an empty database in it.
    pub(crate) async fn start(under: &Path) -> io::Result<Self> {
        let under = under.to_owned();
        let cluster = spawn_blocking(move || Cluster::start(&under, "")).await?;
        let name = cluster.empty_database().await;
        Ok(Self { cluster: Arc::new(cluster), name })
    }

    /// Where it is, with its password.
    pub(crate) fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Kills all of PostgreSQL's processes at once, and starts it again.
    pub(crate) async fn kill_and_restart(&self) -> io::Result<()> {
        let cluster = Arc::clone(&self.cluster);
        let done = spawn_blocking(move || {
            cluster.kill();
            cluster.start_again();
        });
        Ok(done.await?)
    }

    /// The store, for whoever looks at it when the service has ended.
    pub(crate) async fn store(&self) -> StoreResult<PostgresStore> {
        let url = self.url().parse().map_err(|_| StoreError::Unavailable("its URL is none".to_owned()))?;
        PostgresStore::open(&url, &PostgresOptions::default(), Arc::new(())).await
    }
}
