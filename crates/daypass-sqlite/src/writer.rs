//! The writer: one thread, one connection, group commit.
//!
//! Whatever has queued while the last commit was being synced goes into the next transaction; one
//! sync makes all of it durable, and only then is anybody answered. A write that fails is undone by
//! its own savepoint and does not disturb the others of its batch.

use std::sync::Arc;
use std::time::Duration;

use daypass_core::time::steady;
use daypass_core::{Clock, Timestamp};
use daypass_storage::{RotateRequest, Rotated, StoreError, StoreResult};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Gauge;
use crate::rows::store_error;
use crate::store::Observer;

/// When to come back after a full queue. At the slowest rates worth having the queue is worked off
/// by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A transaction that others share, and the moment at which it happens.
pub(crate) struct Tx<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) now: Timestamp,
    sessions: std::cell::Cell<i64>,
}

impl Tx<'_> {
    /// Counts sessions that were added (or, negative, removed) in this transaction.
    pub(crate) fn count_sessions(&self, added: i64) {
        self.sessions.set(self.sessions.get().saturating_add(added));
    }

    /// Runs one prepared statement and returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> StoreResult<usize> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map_err(store_error)
    }
}

/// A write that was handed over, its outcome, and whoever waits for it.
pub(crate) trait Job: Send {
    /// Applies the write and keeps its outcome. After an error nothing of it remains.
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()>;
    /// Answers the waiting caller, who may have gone: what was committed stands all the same.
    fn answer(self: Box<Self>, committed: StoreResult<()>);
}

/// A rotation.
struct Rotation {
    request: RotateRequest,
    outcome: Option<Rotated>,
    reply: oneshot::Sender<StoreResult<Rotated>>,
}

impl Job for Rotation {
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()> {
        self.outcome = Some(crate::rotate::rotate(tx, &self.request)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let Self { outcome, reply, .. } = *self;
        let _gone = reply.send(committed.and_then(|()| outcome.ok_or_else(stopped)));
    }
}

/// Any other write.
struct Call<T, F> {
    write: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T: Send, F: FnOnce(&Tx<'_>) -> StoreResult<T> + Send> Job for Call<T, F> {
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()> {
        let write = self.write.take().ok_or_else(stopped)?;
        self.outcome = Some(in_savepoint(tx, write)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let Self { outcome, reply, .. } = *self;
        let _gone = reply.send(committed.and_then(|()| outcome.ok_or_else(stopped)));
    }
}

/// Hands writes to the writer thread.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Queues a rotation and waits until it is durable.
    pub(crate) async fn rotate(&self, request: RotateRequest) -> StoreResult<Rotated> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Rotation { request, outcome: None, reply }))?;
        answer.await.map_err(|_| stopped())?
    }

    /// Queues a write and waits until it is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Call { write: Some(write), outcome: None, reply }))?;
        answer.await.map_err(|_| stopped())?
    }

    /// How many writes wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    fn submit(&self, job: Box<dyn Job>) -> StoreResult<()> {
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded { retry_after: RETRY_AFTER },
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })
    }
}

fn stopped() -> StoreError {
    StoreError::OutcomeUnknown("the writer has stopped".to_owned())
}

/// A commit that failed, for everybody in the batch.
enum CommitFailure {
    /// The transaction was undone.
    Undone(String),
    /// It may have reached the disk.
    Unknown(String),
}

impl CommitFailure {
    fn to_error(&self) -> StoreError {
        match self {
            Self::Undone(text) => StoreError::Unavailable(text.clone()),
            Self::Unknown(text) => StoreError::OutcomeUnknown(text.clone()),
        }
    }
}

/// The writer thread's own things.
pub(crate) struct Thread {
    pub(crate) conn: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) batch: usize,
    pub(crate) gauge: Gauge,
    /// When the last transaction happened.
    pub(crate) last: Timestamp,
}

/// Starts the thread; it ends when the last [`Writer`] is dropped, after everything queued.
pub(crate) fn start(
    mut thread: Thread,
    queue: usize,
) -> std::io::Result<(Writer, std::thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(queue);
    let run = move || thread.run(receiver);
    let handle = std::thread::Builder::new().name("daypass-writer".to_owned()).spawn(run)?;
    Ok((Writer { queue: sender }, handle))
}

impl Thread {
    fn run(&mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(self.batch);
        while let Some(first) = queue.blocking_recv() {
            jobs.push(first);
            while jobs.len() < self.batch
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            self.transact(&mut jobs);
            self.gauge.committed(&self.conn);
        }
    }

    /// Applies a batch in one transaction and answers everybody in it.
    fn transact(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        if let Err(error) = execute(&self.conn, "begin immediate") {
            let text = error.to_string();
            return jobs.drain(..).for_each(|job| job.answer(Err(StoreError::Unavailable(text.clone()))));
        }
        let size = jobs.len();
        self.last = steady(self.clock.now(), self.last);
        let tx = Tx { conn: &self.conn, now: self.last, sessions: std::cell::Cell::new(0) };
        let applied: Vec<_> = jobs.drain(..).map(|mut job| (job.apply(&tx), job)).collect();
        let begun = self.observer.nanos();
        let committed = commit(&tx);
        self.observer.committed(size, self.observer.nanos().saturating_sub(begun));
        if let Err(CommitFailure::Undone(text) | CommitFailure::Unknown(text)) = &committed {
            tracing::error!(error = %text, batch = size, "a commit failed");
        }
        for (outcome, job) in applied {
            job.answer(
                outcome.and_then(|()| committed.as_ref().map(|&()| ()).map_err(CommitFailure::to_error)),
            );
        }
    }
}

fn execute(conn: &Connection, sql: &str) -> StoreResult<usize> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(store_error)
}

/// Runs several statements so that all or none of them take effect.
pub(crate) fn in_savepoint<T>(tx: &Tx<'_>, work: impl FnOnce(&Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
    let sessions = tx.sessions.get();
    tx.execute("savepoint job", [])?;
    let outcome = work(tx);
    if outcome.is_err() {
        tx.sessions.set(sessions);
        tx.execute("rollback to job", [])?;
    }
    tx.execute("release job", [])?;
    outcome
}

fn commit(tx: &Tx<'_>) -> Result<(), CommitFailure> {
    // A full disk or a failed read may have undone the whole transaction under our feet.
    if tx.conn.is_autocommit() {
        return Err(CommitFailure::Undone("the transaction was undone by an earlier error".to_owned()));
    }
    let added = tx.sessions.get();
    if added != 0 {
        let counted = tx.execute("update meta set value = value + ?1 where key = 'session_count'", [added]);
        counted.map_err(|error| roll_back(tx, CommitFailure::Undone(error.to_string())))?;
    }
    match tx.execute("commit", []) {
        Ok(_) => Ok(()),
        Err(error) => Err(roll_back(tx, CommitFailure::Unknown(error.to_string()))),
    }
}

fn roll_back(tx: &Tx<'_>, failure: CommitFailure) -> CommitFailure {
    if !tx.conn.is_autocommit()
        && let Err(error) = tx.execute("rollback", [])
    {
        tracing::error!(%error, "a failed commit could not be rolled back");
    }
    failure
}
