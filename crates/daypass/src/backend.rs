//! The store that a configuration names: the embedded one in the data folder, or a database.

use std::sync::Arc;

use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_service::Metrics;
use daypass_service::core::{NewSession, SessionId};
use daypass_service::storage::{Store, StoreResult};
use daypass_sqlite::{SqliteOptions, SqliteStore};

use crate::config::Config;
use crate::hosted::Failure;
use crate::open::make_folder;
use crate::system::{Commits, SystemClock};

/// An open store.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// In the data folder.
    Sqlite(Arc<SqliteStore>),
    /// In a database that other nodes may share.
    Postgres(Arc<PostgresStore>),
}

impl Backend {
    /// Opens the database that is configured, or else the store in the data folder, which is made if
    /// it is missing.
    pub(crate) async fn open(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, Failure> {
        let observer = Arc::new(Commits(Arc::clone(metrics)));
        let Some(url) = &config.database else {
            make_folder(&config.data)?;
            let options = SqliteOptions {
                cache: usize::try_from(config.store.cache).unwrap_or(usize::MAX),
                readers: config.store.readers,
                batch: config.store.batch,
                queue: config.limits.request_queue,
                ..SqliteOptions::default()
            };
            let store = SqliteStore::open(&config.data, &options, Arc::new(SystemClock), observer);
            let store =
                store.map_err(|error| format!("{}: {error}", SqliteStore::path(&config.data).display()))?;
            return Ok(Self::Sqlite(Arc::new(store)));
        };
        let options = PostgresOptions {
            batch: config.store.batch,
            queue: config.limits.request_queue,
            lanes: config.store.lanes,
            connections: config.store.connections,
            ..PostgresOptions::default()
        };
        let store = PostgresStore::open(url, &options, observer).await;
        Ok(Self::Postgres(Arc::new(store.map_err(|error| format!("{url}: {error}"))?)))
    }

    /// The store as everything else knows it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::<SqliteStore>::clone(store),
            Self::Postgres(store) => Arc::<PostgresStore>::clone(store),
        }
    }

    /// Opens many sessions at once, each of a subject of its own.
    pub(crate) async fn open_many(&self, new: Vec<NewSession>) -> StoreResult<Vec<SessionId>> {
        match self {
            Self::Sqlite(store) => store.open_many(new).await,
            Self::Postgres(store) => store.open_many(new).await,
        }
    }

    /// What it is, for reports.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}
