//! How everything but a rotation is asked of the database: on a pooled connection, on a task that goes
//! on if the caller leaves, and waited for within a bound.

use std::sync::Arc;
use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};
use tokio::time::timeout;

use crate::connect::Connection;
use crate::feed::Lives;
use crate::moment::Timekeeper;
use crate::pool::Pool;
use crate::trouble::Trouble;
use crate::tx::{Durability, Tx, Work, transact};

/// What calls share.
pub(crate) struct Core {
    pool: Pool,
    pub(crate) time: Arc<Timekeeper>,
    pub(crate) lives: Lives,
    longest: Duration,
    answer: Duration,
}

/// What is asked of a connection without a transaction.
type Asked<'c, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'c>>;

/// Makes calls.
pub(crate) struct Calls(Arc<Core>);

impl Calls {
    /// On connections of `pool`; a transaction may take `longest`, and a read is waited for at most `answer`.
    pub(crate) fn new(pool: Pool, time: Arc<Timekeeper>, longest: Duration, answer: Duration) -> Self {
        Self(Arc::new(Core { pool, time, lives: Lives::new(), longest, answer }))
    }

    /// For how long a read is waited for.
    pub(crate) fn answer(&self) -> Duration {
        self.0.answer
    }

    /// How many calls wait for a connection.
    pub(crate) fn waiting(&self) -> usize {
        self.0.pool.waiting()
    }

    /// Runs a transaction that waits for a standby, where there is one. It goes on if the caller
    /// leaves: a connection is not left in the middle of one.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync + 'static,
    ) -> StoreResult<T> {
        self.write_to(Durability::Standby, work).await
    }

    pub(crate) async fn write_to<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync + 'static,
    ) -> StoreResult<T> {
        let core = Arc::clone(&self.0);
        let patience = core.answer.saturating_add(core.longest);
        let task =
            tokio::spawn(
                async move { transact(&core.pool, &core.time, (durability, core.longest), work).await },
            );
        match timeout(patience, task).await {
            Ok(Ok(done)) => done.map_err(Trouble::into_error),
            Ok(Err(_)) => Err(StoreError::OutcomeUnknown("a write panicked".to_owned())),
            Err(_) => Err(StoreError::OutcomeUnknown("a write has not been answered in time".to_owned())),
        }
    }

    /// Reads, on another connection if the first turns out to be lost.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ask: impl for<'c> Fn(&'c Connection, &'c Core) -> Asked<'c, T> + Send + Sync + 'static,
    ) -> StoreResult<T> {
        let core = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let mut lost = false;
            loop {
                let lent = core.pool.borrow().await?;
                let asked = ask(&lent.connection, &core).await;
                if asked.as_ref().err().is_none_or(Trouble::spares_connection) {
                    lent.give_back();
                } else {
                    core.pool.clear();
                }
                match asked {
                    Err(Trouble::Lost(_)) if !lost => lost = true,
                    asked => return asked,
                }
            }
        });
        match timeout(self.0.answer, task).await {
            Ok(Ok(read)) => read.map_err(Trouble::into_error),
            Ok(Err(_)) => Err(StoreError::Unavailable("a read panicked".to_owned())),
            Err(_) => Err(StoreError::Unavailable("a read has not been answered in time".to_owned())),
        }
    }
}
