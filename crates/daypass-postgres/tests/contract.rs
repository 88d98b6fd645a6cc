//! The contract suite on PostgreSQL, directly and through PgBouncer in transaction mode.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use daypass_postgres::testing::{Bouncer, Cluster};
use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_storage::Store;
use daypass_storage::contract::{Harness, TestClock};

/// One cluster for all tests of this program, each of which has a database of its own. What survives a kill has tests of
/// its own: here nothing has to reach the disk.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(Path::new(env!("CARGO_TARGET_TMPDIR")), "fsync = off"))
}

fn bouncer() -> Bouncer {
    static BOUNCER: OnceLock<Bouncer> = OnceLock::new();
    *BOUNCER.get_or_init(|| cluster().bouncer())
}

struct Database {
    by: Option<Bouncer>,
    name: Mutex<Option<String>>,
}

impl Database {
    fn reached(by: Option<Bouncer>) -> Self {
        Self { by, name: Mutex::new(None) }
    }

    async fn name(&self) -> String {
        let known = self.name.lock().unwrap().clone();
        if let Some(name) = known {
            return name;
        }
        let name = cluster().database().await;
        *self.name.lock().unwrap() = Some(name.clone());
        name
    }
}

#[async_trait]
impl Harness for Database {
    async fn open(&self, clock: Arc<TestClock>) -> Arc<dyn Store> {
        let name = self.name().await;
        let url = match self.by {
            Some(bouncer) => cluster().url_by(bouncer, &name),
            None => cluster().url(&name),
        };
        // Patient, since the machine may have a lot else to do.
        let patience = std::time::Duration::from_mins(1);
        let options = PostgresOptions {
            clock: Some(clock),
            answer: patience,
            longest: patience,
            ..PostgresOptions::default()
        };
        Arc::new(PostgresStore::open(&url.parse().unwrap(), &options, Arc::new(())).await.unwrap())
    }

    async fn set_aside(&self) -> bool {
        let name = self.name().await;
        copy(&name, &format!("{name}_aside")).await;
        true
    }

    async fn put_back(&self) {
        let name = self.name().await;
        cluster().sql("postgres", &format!("drop database {name} with (force)")).await;
        copy(&format!("{name}_aside"), &name).await;
    }
}

/// Copies a database that nobody uses any more; PgBouncer may not have noticed.
async fn copy(from: &str, to: &str) {
    let client = cluster().client("postgres").await;
    let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{from}'");
    let make = format!("create database {to} template {from}");
    while client.batch_execute(&make).await.is_err() {
        client.batch_execute(&end).await.unwrap();
    }
}

mod directly {
    use super::*;

    daypass_storage::contract_tests!(Database::reached(None));
}

mod through_pgbouncer {
    use super::*;

    daypass_storage::contract_tests!(Database::reached(Some(bouncer())));
}
