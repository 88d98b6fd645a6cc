//! What everybody in a run shares: the calls that are still to be made, and the first thing that went wrong.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::memory;

/// How many calls may be answered ahead of the time that they take.
const AHEAD: u64 = 50;

/// Memory is looked at after each so many calls of the second quarter: by then it has its size.
const LOOK: u64 = 100;

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    calls: u64,
    taken: AtomicU64,
    done: AtomicU64,
    waited: AtomicU64,
    holding: AtomicUsize,
    /// The number of calls whose time has passed.
    passed: watch::Sender<u64>,
    warm: AtomicU64,
    failure: watch::Sender<Option<String>>,
}

impl Run {
    pub(crate) fn new(calls: u64) -> Self {
        Self {
            calls,
            taken: AtomicU64::new(0),
            done: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            holding: AtomicUsize::new(0),
            passed: watch::Sender::default(),
            warm: AtomicU64::new(0),
            failure: watch::Sender::default(),
        }
    }

    /// Waits until it is time for another call.
    pub(crate) async fn in_time(&self) {
        let in_time = |passed: &u64| self.done() <= passed + AHEAD;
        self.passed.subscribe().wait_for(in_time).await.expect("the run holds the sender");
    }

    /// The time of so many calls has passed.
    pub(crate) fn pass(&self, calls: u64) {
        self.passed.send_replace(calls);
    }

    /// The number of the next call; none when all are taken, or when something went wrong.
    pub(crate) fn take(&self) -> Option<u64> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.calls && !self.has_failed()).then_some(number)
    }

    /// A call has been answered.
    pub(crate) fn finish(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let quarter = self.calls.div_ceil(4);
        let looks =
            (quarter..=quarter.saturating_mul(2)).contains(&done) && (done - quarter).is_multiple_of(LOOK);
        if let Some(taken) = looks.then(memory::resident).flatten() {
            self.warm.fetch_max(taken, Ordering::Relaxed);
        }
    }

    /// A call had to be made again later, because a token could not be had or not be judged.
    pub(crate) fn wait(&self) {
        self.waited.fetch_add(1, Ordering::Relaxed);
    }

    /// The clock stands still until what is given is dropped.
    pub(crate) fn hold_clock(&self) -> Held<'_> {
        self.holding.fetch_add(1, Ordering::SeqCst);
        Held(&self.holding)
    }

    /// Whether the clock has to stand still.
    pub(crate) fn is_clock_held(&self) -> bool {
        self.holding.load(Ordering::SeqCst) > 0
    }

    /// Something went wrong. The first thing counts.
    pub(crate) fn fail(&self, what: String) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(what);
            first
        });
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Returns as soon as something has gone wrong.
    pub(crate) async fn failed(&self) {
        self.failure.subscribe().wait_for(Option::is_some).await.expect("the run holds the sender");
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// The most memory that was taken up during the second quarter of the calls, in bytes.
    pub(crate) fn warm_memory(&self) -> Option<u64> {
        Some(self.warm.load(Ordering::Relaxed)).filter(|taken| *taken > 0)
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_over(&self) -> bool {
        self.done() >= self.calls || self.has_failed()
    }
}

/// Holds the clock.
pub(crate) struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
