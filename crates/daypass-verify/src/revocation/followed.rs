//! What the verifier sees of the feed: which sessions have ended, and how old that knowledge is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use daypass_ambient::Clock;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::facts::Facts;
use super::fault::FeedFault;
use super::feed::WhenStale;
use super::schedule::Freshness;
use super::set::EndedSet;
use crate::metrics::Scrape;

/// The most callers that wait for the first reading at once.
const MOST_WAITING: usize = 1024;

/// What is stored in place of a time that has not come.
const NEVER: u64 = u64::MAX;

/// What the feed says of a token's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known against it.
    Live,
    /// It has ended.
    Ended,
    /// What is known is too old to tell, and the configuration insists on knowing.
    Stale,
}

/// The feed as far as it was read. The background task that reads it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Revocations {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Revocations {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Revocations {
    pub(super) const fn new(shared: Arc<Shared>, task: JoinHandle<()>) -> Self {
        Self { shared, task }
    }

    /// Judges a session by what is at hand at `running`. Takes no lock and allocates nothing.
    pub(crate) fn check(&self, subject: &str, facts: Facts, running: Duration) -> Standing {
        self.shared.check(subject, facts, running)
    }

    /// When to ask again after [`Standing::Stale`]: when the feed is read again.
    pub(crate) fn retry_after(&self) -> Duration {
        let next = Duration::from_millis(self.shared.next.load(Ordering::Relaxed));
        next.saturating_sub(self.shared.clock.running())
    }

    /// Returns when the first reading has ended, well or badly, at once if it had before, and at the latest after
    /// `at_most`. For callers that were told [`Standing::Stale`] and can wait before they ask again.
    pub(crate) async fn first_snapshot(&self, at_most: Duration) {
        let Ok(_place) = self.shared.waiting.try_acquire() else { return };
        let mut ended = self.shared.first_ended.subscribe();
        tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => {}
            () = self.shared.clock.sleep(at_most) => {}
        }
    }

    /// How it goes.
    pub(crate) fn health(&self) -> RevocationsHealth {
        self.shared.health()
    }

    /// Adds what is counted and measured.
    pub(crate) fn measure(&self, into: &mut Scrape, issuer: &str) {
        const POLLS: &str = "Polls of the revocation feed, by how they ended";
        const AGE: &str = "Age of what is known of ended sessions: since the start, if nothing is";
        const STALE: &str = "Whether that is older than it may be";
        const ENTRIES: &str = "Ended sessions and subjects that are known";
        const STREAMING: &str = "Whether ended sessions are told as they end, and not asked for";
        let labels = [("issuer", issuer)];
        let (freshness, running) = (self.shared.freshness(), self.shared.clock.running());
        into.gauge("feed_age_seconds", AGE, &labels, freshness.age(running).as_secs_f64());
        into.gauge("feed_stale", STALE, &labels, f64::from(u8::from(self.shared.is_stale(running))));
        let streaming = f64::from(u8::from(self.shared.streaming.load(Ordering::Relaxed)));
        into.gauge("feed_streaming", STREAMING, &labels, streaming);
        let entries = u32::try_from(self.shared.ended.load().len()).unwrap_or(u32::MAX);
        into.gauge("feed_entries", ENTRIES, &labels, f64::from(entries));
        let outcomes = std::iter::once("read").chain(FeedFault::ALL.into_iter().map(FeedFault::code));
        for (outcome, polls) in outcomes.zip(&self.shared.polls) {
            let labels = [("issuer", issuer), ("outcome", outcome)];
            into.counter("feed_polls", POLLS, &labels, polls.load(Ordering::Relaxed));
        }
    }
}

/// The state of following a revocation feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RevocationsHealth {
    /// Seconds since the feed was last read to its end. `None` before the first time.
    pub age_seconds: Option<u64>,
    /// Whether that is older than `max_staleness`, or the feed was never read to its end.
    pub stale: bool,
    /// Whether tokens are refused because of that: the feed is stale, and [`WhenStale::Refuse`] was chosen.
    pub refusing: bool,
    /// Whether ended sessions are told as they end, by the feed's stream, and not asked for.
    pub streaming: bool,
    /// How many ended sessions and subjects are known.
    pub entries: usize,
    /// Why the last poll failed, in snake case; `None` if it did not. The codes are `timeout`, `unreachable`,
    /// `token`, `refused`, `status`, `too_large`, `malformed`, `too_many_entries` and `endless`.
    pub last_error: Option<&'static str>,
}

/// What the background task and the readers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ended: Arc<ArcSwap<EndedSet>>,
    pub(super) max_staleness: Duration,
    pub(super) when_stale: WhenStale,
    started: Duration,
    /// When the last complete reading began, in milliseconds of the running clock.
    read: AtomicU64,
    /// When the next poll is due, likewise.
    next: AtomicU64,
    /// Whether it listens to a stream that has caught up.
    streaming: AtomicBool,
    /// Whether the first reading has ended, well or badly.
    first_ended: watch::Sender<bool>,
    waiting: Semaphore,
    /// The number of the last poll's outcome: 0 if it ended well, else a fault's and one.
    last: AtomicU64,
    polls: [AtomicU64; 1 + FeedFault::ALL.len()],
}

impl Shared {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        ended: Arc<ArcSwap<EndedSet>>,
        max_staleness: Duration,
        when_stale: WhenStale,
    ) -> Self {
        Self {
            started: clock.running(),
            clock,
            ended,
            max_staleness,
            when_stale,
            read: AtomicU64::new(NEVER),
            next: AtomicU64::new(0),
            streaming: AtomicBool::new(false),
            first_ended: watch::Sender::new(false),
            waiting: Semaphore::new(MOST_WAITING),
            last: AtomicU64::new(0),
            polls: [const { AtomicU64::new(0) }; _],
        }
    }

    fn check(&self, sub: &str, facts: Facts, running: Duration) -> Standing {
        if self.ended.load().contains(sub, facts) {
            return Standing::Ended;
        }
        match self.when_stale {
            WhenStale::Refuse if self.is_stale(running) => Standing::Stale,
            WhenStale::Allow | WhenStale::Refuse => Standing::Live,
        }
    }

    /// Whether what is known is older than it may be.
    pub(super) fn is_stale(&self, running: Duration) -> bool {
        self.freshness().is_stale(running, self.max_staleness)
    }

    fn freshness(&self) -> Freshness {
        let read = self.read.load(Ordering::Acquire);
        let read = (read != NEVER).then(|| Duration::from_millis(read));
        Freshness { read, started: self.started }
    }

    fn health(&self) -> RevocationsHealth {
        let (freshness, now) = (self.freshness(), self.clock.running());
        let last = usize::try_from(self.last.load(Ordering::Relaxed)).unwrap_or_default();
        let stale = freshness.is_stale(now, self.max_staleness);
        RevocationsHealth {
            age_seconds: freshness.read.map(|_| freshness.age(now).as_secs()),
            stale,
            refusing: stale && self.when_stale == WhenStale::Refuse,
            streaming: self.streaming.load(Ordering::Relaxed),
            entries: self.ended.load().len(),
            last_error: last.checked_sub(1).and_then(|at| FeedFault::ALL.get(at)).map(|fault| fault.code()),
        }
    }

    /// The feed was read to its end; the last request for it left at `began`, on the running clock.
    pub(super) fn read(&self, began: Duration) {
        self.read.store(millis(began), Ordering::Release);
        self.count(0);
    }

    /// The stream says that nothing has come since; it was waited for from `began` on.
    pub(super) fn heard(&self, began: Duration) {
        self.read.store(millis(began), Ordering::Release);
    }

    /// Whether ended sessions are told by a stream from now on.
    pub(super) fn set_streaming(&self, streaming: bool) {
        self.streaming.store(streaming, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, fault: FeedFault) {
        self.count(fault as u64 + 1);
    }

    /// The next poll is due in `wait`.
    pub(super) fn next_in(&self, wait: Duration) {
        self.next.store(millis(self.clock.running().saturating_add(wait)), Ordering::Relaxed);
    }

    fn count(&self, outcome: u64) {
        self.last.store(outcome, Ordering::Relaxed);
        let counter = usize::try_from(outcome).ok().and_then(|at| self.polls.get(at));
        counter.map(|counter| counter.fetch_add(1, Ordering::Relaxed));
        self.first_ended.send_if_modified(|ended| !std::mem::replace(ended, true));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER - 1)
}
