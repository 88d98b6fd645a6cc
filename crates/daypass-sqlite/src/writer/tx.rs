//! The transaction that a batch shares, and savepoints in it.

use std::cell::Cell;

use daypass_core::{RotationState, Timestamp};

use super::thread::Timeline;
use daypass_storage::StoreResult;
use rusqlite::{Connection, ErrorCode};

use super::{CommitFailure, undone};
use crate::rows::store_error;

/// A transaction that others share, and the moment at which it happens.
pub(crate) struct Tx<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) now: Timestamp,
    /// The latest time that any transaction of this process had.
    pub(crate) latest: Timestamp,
    /// Where the clock last went back: from there, to there.
    step_back: Option<(Timestamp, Timestamp)>,
    sessions: Cell<i64>,
    /// Whether the storage refused a statement.
    failed: Cell<bool>,
    /// Whether all of it was given up.
    given_up: Cell<bool>,
}

impl<'c> Tx<'c> {
    /// Begins a transaction on a connection that may have one left over, which is undone. Reads
    /// `now` when no other writer can come in between any more.
    pub(super) fn begin(conn: &'c Connection, now: impl FnOnce() -> Timeline) -> StoreResult<Self> {
        roll_back(conn)?;
        execute(conn, "begin immediate")?;
        let Timeline { last: now, latest, step_back } = now();
        Ok(Self {
            conn,
            now,
            latest,
            step_back,
            sessions: Cell::default(),
            failed: Cell::default(),
            given_up: Cell::default(),
        })
    }

    /// Whether there is still a transaction: a full disk or a failed read may have undone it under
    /// our feet, and what is written after that would take effect at once.
    pub(super) fn is_open(&self) -> bool {
        !self.given_up.get() && !self.conn.is_autocommit()
    }

    /// Whether the storage refused a statement.
    pub(super) fn met_failure(&self) -> bool {
        self.failed.get()
    }

    /// Undoes everything.
    pub(super) fn give_up(&self) {
        self.given_up.set(true);
        if let Err(error) = roll_back(self.conn) {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Dates a rotation from before the clock went back by the time that it has had since. What is
    /// not later than now may be from after it and stays.
    pub(crate) fn redate(&self, state: &mut RotationState) {
        if let Some((from, to)) = self.step_back.filter(|_| state.rotated_at > self.now) {
            let redated =
                |at: Timestamp| Timestamp::from_millis(at.millis().saturating_sub(from.millis_since(to)));
            state.rotated_at = redated(state.rotated_at);
            state.seen_at = redated(state.seen_at);
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

    /// Commits, and syncs.
    pub(super) fn commit(&self) -> Result<(), CommitFailure> {
        if !self.is_open() {
            return Err(CommitFailure::Undone("the transaction was undone by an earlier error".to_owned()));
        }
        let added = self.sessions.get();
        if added != 0 {
            let counted =
                self.execute("update meta set value = value + ?1 where key = 'session_count'", [added]);
            counted.map_err(|error| {
                self.give_up();
                CommitFailure::Undone(error.to_string())
            })?;
        }
        self.execute("commit", []).map(drop).map_err(|error| {
            self.give_up();
            CommitFailure::Unknown(error.to_string())
        })
    }
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

fn execute(conn: &Connection, sql: &str) -> StoreResult<usize> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(store_error)
}

/// Ends a transaction, if there is one, without effect.
fn roll_back(conn: &Connection) -> StoreResult<()> {
    if conn.is_autocommit() { Ok(()) } else { execute(conn, "rollback").map(drop) }
}
