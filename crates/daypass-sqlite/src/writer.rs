//! The writer: one thread, one connection, group commit.
//!
//! Whatever has queued while the last commit was being synced goes into the next transaction; one
//! sync makes all of it durable, and only then is anybody answered. A write that fails is undone by
//! its own savepoint and does not disturb the others of its batch; only where SQLite undoes the whole
//! transaction (the disk is full), or a write panics, is the batch undone as one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daypass_core::time::steady;
use daypass_core::{Clock, Timestamp};
use daypass_storage::{RotateRequest, Rotated, StoreError, StoreResult};
use rusqlite::{Connection, ErrorCode};
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
    sessions: Cell<i64>,
    /// Whether the storage refused a statement.
    failed: Cell<bool>,
    /// Whether all of it was given up.
    given_up: Cell<bool>,
}

impl Tx<'_> {
    /// Whether there is still a transaction: a full disk or a failed read may have undone it under
    /// our feet, and what is written after that would take effect at once.
    fn is_open(&self) -> bool {
        !self.given_up.get() && !self.conn.is_autocommit()
    }

    /// Undoes everything.
    fn give_up(&self) {
        self.given_up.set(true);
        if let Err(error) = roll_back(self.conn) {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Counts sessions that were added (or, negative, removed) in this transaction.
    pub(crate) fn count_sessions(&self, added: i64) {
        self.sessions.set(self.sessions.get().saturating_add(added));
    }

    /// Runs one prepared statement and returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> StoreResult<usize> {
        if !self.is_open() {
            return Err(undone());
        }
        let changed = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        changed.map_err(|error| {
            self.failed.set(self.failed.get() || is_storage_failure(&error));
            store_error(error)
        })
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
    failed: Arc<AtomicBool>,
}

impl Writer {
    /// Whether something could not be written since somebody last asked.
    pub(crate) fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::Relaxed)
    }

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

fn undone() -> StoreError {
    StoreError::Unavailable("the transaction was undone by an earlier error".to_owned())
}

/// Whether the disk is at fault, or memory, and not the statement.
fn is_storage_failure(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
        )
    )
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
    /// Whether something could not be written, until somebody asks.
    pub(crate) failed: Arc<AtomicBool>,
}

/// Starts the thread; it ends when the last [`Writer`] is dropped, after everything queued.
pub(crate) fn start(
    mut thread: Thread,
    queue: usize,
) -> std::io::Result<(Writer, std::thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(queue);
    let failed = Arc::clone(&thread.failed);
    let run = move || thread.run(receiver);
    let handle = std::thread::Builder::new().name("daypass-writer".to_owned()).spawn(run)?;
    Ok((Writer { queue: sender, failed }, handle))
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
        if let Err(error) = roll_back(&self.conn).and_then(|()| execute(&self.conn, "begin immediate")) {
            self.failed.store(true, Ordering::Relaxed);
            let text = error.to_string();
            return jobs.drain(..).for_each(|job| job.answer(Err(StoreError::Unavailable(text.clone()))));
        }
        let size = jobs.len();
        self.last = steady(self.clock.now(), self.last);
        let tx = Tx {
            conn: &self.conn,
            now: self.last,
            sessions: Cell::default(),
            failed: Cell::default(),
            given_up: Cell::default(),
        };
        let applied: Vec<_> = jobs.drain(..).map(|mut job| (apply(&mut *job, &tx), job)).collect();
        let begun = self.observer.nanos();
        let committed = commit(&tx);
        self.observer.committed(size, self.observer.nanos().saturating_sub(begun));
        if let Err(CommitFailure::Undone(text) | CommitFailure::Unknown(text)) = &committed {
            tracing::error!(error = %text, batch = size, "a commit failed");
        }
        if committed.is_err() || tx.failed.get() {
            self.failed.store(true, Ordering::Relaxed);
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

/// Applies one write, if there is still a transaction. A panic may have left any part of it behind:
/// it undoes everything, and the thread goes on.
fn apply(job: &mut dyn Job, tx: &Tx<'_>) -> StoreResult<()> {
    if !tx.is_open() {
        return Err(undone());
    }
    catch_unwind(AssertUnwindSafe(|| job.apply(tx))).unwrap_or_else(|_| {
        tracing::error!("a write panicked");
        tx.give_up();
        Err(StoreError::Unavailable("a write panicked".to_owned()))
    })
}

/// Runs several statements so that all or none of them take effect.
pub(crate) fn in_savepoint<T>(tx: &Tx<'_>, work: impl FnOnce(&Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
    let sessions = tx.sessions.get();
    tx.execute("savepoint job", [])?;
    let outcome = work(tx);
    if outcome.is_err() {
        tx.sessions.set(sessions);
        if tx.is_open() && tx.execute("rollback to job", []).is_err() {
            // What cannot be undone alone is undone with everything else.
            tx.give_up();
        }
        if !tx.is_open() {
            return outcome;
        }
    }
    tx.execute("release job", []).inspect_err(|_| tx.give_up())?;
    outcome
}

fn commit(tx: &Tx<'_>) -> Result<(), CommitFailure> {
    if !tx.is_open() {
        return Err(CommitFailure::Undone("the transaction was undone by an earlier error".to_owned()));
    }
    let added = tx.sessions.get();
    if added != 0 {
        let counted = tx.execute("update meta set value = value + ?1 where key = 'session_count'", [added]);
        counted.map_err(|error| {
            tx.give_up();
            CommitFailure::Undone(error.to_string())
        })?;
    }
    tx.execute("commit", []).map(drop).map_err(|error| {
        tx.give_up();
        CommitFailure::Unknown(error.to_string())
    })
}

/// Ends a transaction, if there is one, without effect.
fn roll_back(conn: &Connection) -> StoreResult<()> {
    if conn.is_autocommit() { Ok(()) } else { execute(conn, "rollback").map(drop) }
}

#[cfg(test)]
mod tests {
    use daypass_core::{ClientId, NewSession, Origin, Scope, SessionId, SubjectId, TokenKeyId};
    use daypass_storage::Opened;

    use super::*;
    use crate::schema::{self, Durability};
    use crate::{checkpoint, sessions};

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(1_700_000_000)
        }
    }

    fn thread(folder: &tempfile::TempDir) -> Thread {
        let path = folder.path().join("a.db");
        let mut conn = schema::writer(&path, 1 << 20, Durability::Off).unwrap();
        schema::migrate(&mut conn, &path).unwrap();
        let (gauge, _checkpointer) = checkpoint::start(&path, Durability::Off).unwrap();
        Thread {
            conn,
            clock: Arc::new(Fixed),
            observer: Arc::new(()),
            batch: 8,
            gauge,
            last: Timestamp::from_millis(i64::MIN),
            failed: Arc::default(),
        }
    }

    type Answer<T> = oneshot::Receiver<StoreResult<T>>;

    fn call<T: Send + 'static>(
        write: impl FnOnce(&Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> (Box<dyn Job>, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Call { write: Some(write), outcome: None, reply }), answer)
    }

    /// A sign-in that takes about a page.
    fn sign_in(number: u32) -> (Box<dyn Job>, Answer<SessionId>) {
        call(move |tx| {
            let mut random = [0; 10];
            random[..4].copy_from_slice(&(number << 4).to_be_bytes().map(u8::reverse_bits));
            let new = NewSession {
                random,
                subject: SubjectId::new(&format!("s{number}")).unwrap(),
                client: ClientId::new("daypass").unwrap(),
                scope: Scope::empty(),
                amr: "pwd".to_owned(),
                auth_time: None,
                life: None,
                jkt: None,
                token_key: TokenKeyId(0),
            };
            let origin = Origin { user_agent: Some("x".repeat(3_000)), ..Origin::default() };
            match sessions::open(tx, &new, &origin)? {
                Opened::Session(session, _) => Ok(session.id),
                refused => panic!("no session was opened: {refused:?}"),
            }
        })
    }

    fn number(conn: &Connection, sql: &str) -> i64 {
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn assert_only_these_are_there(conn: &Connection, ids: &[SessionId]) {
        let there = i64::try_from(ids.len()).unwrap();
        assert_eq!(number(conn, "select count(*) from sessions"), there);
        assert_eq!(number(conn, "select count(*) from origins"), there);
        assert_eq!(number(conn, "select count(*) from events"), there);
        assert_eq!(number(conn, "select count(*) from subjects"), there);
        assert_eq!(number(conn, "select value from meta where key = 'session_count'"), there);
        for id in ids {
            assert!(crate::rotate::find(conn, *id).unwrap().is_some());
        }
    }

    #[test]
    fn what_a_full_database_undid_is_not_done_by_half() {
        let folder = tempfile::tempdir().unwrap();
        let mut thread = thread(&folder);
        let limit = number(&thread.conn, "pragma page_count") + 60;
        thread.conn.pragma_update(None, "max_page_count", limit).unwrap();
        let (mut done, mut refused) = (Vec::new(), 0);
        for batch in 0..20 {
            let (mut jobs, answers): (Vec<_>, Vec<_>) = (0..8).map(|job| sign_in(batch * 8 + job)).unzip();
            thread.transact(&mut jobs);
            for mut answer in answers {
                match answer.try_recv().unwrap() {
                    Ok(id) => done.push(id),
                    Err(StoreError::Unavailable(_)) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert_only_these_are_there(&thread.conn, &done);
        }
        assert!(done.len() > 8 && refused > 8, "{} {refused}", done.len());
        assert!(thread.failed.load(Ordering::Relaxed));

        thread.conn.pragma_update(None, "max_page_count", i64::from(u32::MAX) - 1).unwrap();
        let (job, mut answer) = sign_in(1_000);
        thread.transact(&mut vec![job]);
        done.push(answer.try_recv().unwrap().unwrap());
        assert_only_these_are_there(&thread.conn, &done);
    }

    #[test]
    fn nothing_runs_in_a_transaction_that_was_undone() {
        let folder = tempfile::tempdir().unwrap();
        let mut thread = thread(&folder);
        let (before, mut before_answer) = sign_in(1);
        // What SQLite does by itself when it cannot go on.
        let (undoing, mut undoing_answer) = call(|tx| {
            tx.conn.execute_batch("rollback").unwrap();
            tx.execute("insert into meta values ('left', 1)", []).map(drop)
        });
        let (after, mut after_answer) = sign_in(2);
        thread.transact(&mut vec![before, undoing, after]);
        assert!(matches!(before_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(undoing_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(after_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert_eq!(number(&thread.conn, "select count(*) from meta where key = 'left'"), 0);
        assert_only_these_are_there(&thread.conn, &[]);
    }

    #[test]
    fn a_write_that_panics_is_undone_and_the_next_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut thread = thread(&folder);
        let (before, mut before_answer) = sign_in(1);
        let (panics, mut panics_answer) = call(|tx| -> StoreResult<()> {
            tx.execute("insert into meta values ('left', 1)", [])?;
            panic!("as this test wants")
        });
        let (after, mut after_answer) = sign_in(2);
        thread.transact(&mut vec![before, panics, after]);
        assert!(matches!(before_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(panics_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(after_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
        assert_eq!(number(&thread.conn, "select count(*) from meta where key = 'left'"), 0);
        assert_only_these_are_there(&thread.conn, &[]);
        let (again, mut again_answer) = sign_in(1);
        thread.transact(&mut vec![again]);
        assert_only_these_are_there(&thread.conn, &[again_answer.try_recv().unwrap().unwrap()]);
    }
}
