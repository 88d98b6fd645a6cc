//! Transactions: how they begin, end, and are tried again.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use daypass_core::Timestamp;
use tokio_postgres::Row;

use crate::connect::{Connection, Parameter};
use crate::moment::{Moment, Timekeeper};
use crate::pool::Pool;
use crate::rows::get;
use crate::trouble::Trouble;

/// How often a transaction is tried that others were in the way of.
pub(crate) const TRIES: usize = 8;

/// What has to have a transaction on its disk before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The primary. What a fail-over loses of it heals.
    Primary,
    /// The primary, and the synchronous standby where one is configured.
    Standby,
}

/// The statements that begin a transaction. Everything set here ends with it; the time-outs see to it
/// that a node that dies, or is cut off, leaves no row locked.
pub(crate) fn begin(longest: Duration) -> String {
    let millis = longest.as_millis();
    format!(
        "begin isolation level read committed; set local statement_timeout = {millis}; \
         set local idle_in_transaction_session_timeout = {millis}"
    )
}

/// A transaction that is open on a connection.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    pub(crate) time: &'c Timekeeper,
}

impl<'c> Tx<'c> {
    /// The transaction that was begun on `connection`.
    pub(crate) const fn on(connection: &'c Connection, time: &'c Timekeeper) -> Self {
        Self { connection, time }
    }

    /// The present, by the database's clock: asked for when what is decided on has been locked.
    pub(crate) async fn moment(&self) -> Result<Moment, Trouble> {
        let row = self.row(concat!("select ", now_millis!()), &[]).await?;
        let shown = row.map_or(Ok(0), |row| get(&row, 0))?;
        Ok(self.time.moment(Timestamp::from_millis(shown)))
    }

    pub(crate) async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        self.connection.rows(sql, parameters).await
    }

    pub(crate) async fn row(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>, Trouble> {
        self.connection.row(sql, parameters).await
    }

    pub(crate) async fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Trouble> {
        self.connection.execute(sql, parameters).await
    }

    /// Commits. Any error but one that the database gives for the transaction itself leaves open
    /// whether it happened.
    pub(crate) async fn commit(&self, durability: Durability) -> Result<(), Trouble> {
        // Written out, because the server's settings may be weaker. A statement time-out would end the
        // wait for the standby and have the commit succeed.
        let end = match durability {
            Durability::Primary => "set local synchronous_commit = local; commit",
            Durability::Standby => {
                "set local synchronous_commit = on; set local statement_timeout = 0; commit"
            }
        };
        self.connection.batch(end).await.map_err(Trouble::of_commit)
    }
}

/// The database's clock, in milliseconds: of the moment, and not of the transaction's start.
macro_rules! now_millis {
    () => {
        "(extract(epoch from clock_timestamp()) * 1000)::int8"
    };
}
pub(crate) use now_millis;

/// What a transaction does, which may have to be done again.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 't>>;

/// Runs `work` in a transaction of its own, again where another was in the way or the connection
/// turns out to have been lost before the commit.
pub(crate) async fn transact<T: Send>(
    pool: &Pool,
    time: &Arc<Timekeeper>,
    (durability, longest): (Durability, Duration),
    work: impl for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync,
) -> Result<T, Trouble> {
    let begin = begin(longest);
    let mut lost = false;
    let mut tries = 0;
    loop {
        tries += 1;
        let lent = pool.borrow().await?;
        let tx = Tx::on(&lent.connection, time);
        let done = async {
            lent.connection.batch(&begin).await?;
            let value = work(&tx).await?;
            tx.commit(durability).await?;
            Ok(value)
        };
        let done: Result<T, Trouble> = done.await;
        let trouble = match done {
            Ok(value) => {
                lent.give_back();
                return Ok(value);
            }
            Err(trouble) => trouble,
        };
        if trouble.spares_connection() && lent.connection.batch("rollback").await.is_ok() {
            lent.give_back();
        } else {
            pool.clear();
        }
        match trouble {
            Trouble::Conflict(_) if tries < TRIES => {}
            Trouble::Lost(_) if !lost => lost = true,
            trouble => return Err(trouble),
        }
    }
}
