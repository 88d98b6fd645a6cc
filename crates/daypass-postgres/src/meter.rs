//! What renewals cost the database, by its own counters; for `daypass bench`.

use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};

use crate::address::DatabaseUrl;
use crate::connect::{Connection, Connector};
use crate::rows::get;
use crate::trouble::Trouble;

/// How long counting may take: every session is looked at.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where the counters stood.
#[derive(Clone, Debug)]
pub struct Meter {
    url: DatabaseUrl,
    begun: Counters,
}

/// What was counted between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Renewals that were committed.
    pub rotations: u64,
    /// Bytes of the write-ahead log, whatever they were written for.
    pub wal_bytes: u64,
    /// Images of whole pages among them: one for each page that changes after a checkpoint.
    pub wal_images: u64,
    /// Transactions that were committed.
    pub transactions: u64,
    /// Statements, if `pg_stat_statements` counts them.
    pub statements: Option<u64>,
    /// New versions of sessions.
    pub updates: u64,
    /// Those that touched no index.
    pub hot_updates: u64,
}

#[derive(Clone, Copy, Debug)]
struct Counters {
    numbers: [i64; 6],
    statements: Option<i64>,
}

impl Meter {
    /// Reads the counters.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the database cannot be reached, or does not count.
    pub async fn start(url: &DatabaseUrl) -> StoreResult<Self> {
        Ok(Self { url: url.clone(), begun: read(url).await? })
    }

    /// Reads them again.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn cost(&self) -> StoreResult<Cost> {
        let now = read(&self.url).await?;
        let since = |before: i64, after: i64| u64::try_from(after.saturating_sub(before)).unwrap_or(0);
        let [rotations, wal_bytes, wal_images, transactions, updates, hot_updates] =
            std::array::from_fn(|at| {
                let pair = self.begun.numbers.get(at).zip(now.numbers.get(at));
                pair.map_or(0, |(before, after)| since(*before, *after))
            });
        let statements =
            self.begun.statements.zip(now.statements).map(|(before, after)| since(before, after));
        Ok(Cost { rotations, wal_bytes, wal_images, transactions, statements, updates, hot_updates })
    }
}

async fn read(url: &DatabaseUrl) -> StoreResult<Counters> {
    let connection = Connector::new(url, PATIENCE)?.connect().await.map_err(Trouble::into_error)?;
    counters(&connection).await.map_err(Trouble::into_error)
}

async fn counters(connection: &Connection) -> Result<Counters, Trouble> {
    let sql = "select (select coalesce(sum(generation), 0)::int8 from daypass.sessions), \
               (pg_current_wal_insert_lsn() - '0/0')::int8, (select wal_fpi from pg_stat_wal), \
               (select xact_commit from pg_stat_database where datname = current_database()), \
               n_tup_upd, n_tup_hot_upd from pg_stat_all_tables where relid = 'daypass.sessions'::regclass";
    let row = connection.row(sql, &[]).await?;
    let row = row.ok_or_else(|| StoreError::Unavailable("the database does not count".to_owned()))?;
    let mut numbers = [0; 6];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = get(&row, at)?;
    }
    // An extension that most databases do not have.
    let statements = connection.row("select sum(calls)::int8 from pg_stat_statements", &[]).await;
    let statements = statements.ok().flatten().map(|row| get(&row, 0)).transpose()?;
    Ok(Counters { numbers, statements })
}
