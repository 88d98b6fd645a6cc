//! The thread's own things: a connection, a clock, and who is told of commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daypass_core::time::steady;
use daypass_core::{Clock, Timestamp};
use daypass_storage::StoreResult;
use rusqlite::Connection;

use super::jobs::Job;
use super::tx::Tx;
use super::{Backend, Batch, CommitFailure};
use crate::checkpoint::Gauge;
use crate::store::Observer;

/// The writer thread's own things.
pub(crate) struct Thread {
    pub(crate) conn: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) batch: usize,
    pub(crate) gauge: Gauge,
    /// When transactions happened.
    pub(crate) time: Timeline,
    /// Whether something could not be written, until somebody asks.
    pub(crate) failed: Arc<AtomicBool>,
}

/// When transactions happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    /// The last.
    pub(crate) last: Timestamp,
    /// The latest.
    pub(crate) latest: Timestamp,
    /// Where the clock last went back: from there, to there.
    pub(crate) step_back: Option<(Timestamp, Timestamp)>,
}

impl Timeline {
    /// None yet.
    pub(crate) const START: Self = Self {
        last: Timestamp::from_millis(i64::MIN),
        latest: Timestamp::from_millis(i64::MIN),
        step_back: None,
    };

    /// Goes on to a transaction whose clock reads `now`.
    fn go_on(&mut self, now: Timestamp) -> Self {
        let now = steady(now, self.last);
        if now < self.last {
            tracing::warn!(millis = self.last.millis_since(now), "the clock went back");
            self.step_back = Some((self.last, now));
        }
        self.last = now;
        self.latest = self.latest.max(now);
        *self
    }
}

/// A transaction, and who is told how it ends.
pub(super) struct Observed<'t> {
    tx: Tx<'t>,
    observer: &'t dyn Observer,
    failed: &'t AtomicBool,
}

impl Backend for Thread {
    type Job = Box<dyn Job>;
    type Batch<'b> = Observed<'b>;

    fn begin(&mut self) -> StoreResult<Observed<'_>> {
        let Self { conn, clock, observer, time, failed, .. } = self;
        let now = || time.go_on(clock.now());
        let tx = Tx::begin(conn, now).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        Ok(Observed { tx, observer: &**observer, failed })
    }

    fn answer(job: Box<dyn Job>, outcome: StoreResult<()>) {
        job.answer(outcome);
    }

    fn between(&mut self) {
        self.gauge.committed(&self.conn);
    }
}

impl Batch<Box<dyn Job>> for Observed<'_> {
    fn is_open(&self) -> bool {
        self.tx.is_open()
    }

    fn apply(&self, job: &mut Box<dyn Job>) -> StoreResult<()> {
        job.apply(&self.tx)
    }

    fn give_up(&self) {
        self.tx.give_up();
    }

    fn commit(&self, size: usize) -> Result<(), CommitFailure> {
        let begun = self.observer.nanos();
        let committed = self.tx.commit();
        self.observer.committed(size, self.observer.nanos().saturating_sub(begun));
        if let Err(CommitFailure::Undone(text) | CommitFailure::Unknown(text)) = &committed {
            tracing::error!(error = %text, batch = size, "a commit failed");
        }
        if committed.is_err() || self.tx.met_failure() {
            self.failed.store(true, Ordering::Relaxed);
        }
        committed
    }
}
