//! What the task and the readers share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use daypass_ambient::Clock;
use daypass_jwt::{KeySet, VerifyError};
use tokio::sync::{Notify, watch};

use super::Looked;
use super::answer::KeysFault;
use super::state::{FRESH_FOR, GOOD_FOR, Hope, Next, Outcome, Schedule};
use super::waiters::Waiters;
use crate::AuthError;
use crate::keys::{KeySnapshot, Want};

/// What the task writes and readers read.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) at_hand: ArcSwapOption<AtHand>,
    pub(super) waiters: Waiters,
    pub(super) fetched: AtomicU64,
    pub(super) faults: [AtomicU64; KeysFault::ALL.len()],
    /// Taken by the task, and by whoever misses a key; never on the way of a token whose key is at hand.
    state: Mutex<State>,
    /// Wakes the task.
    wake: Notify,
    /// Changes at each end of a fetch.
    ends: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    last_fault: Option<KeysFault>,
}

/// The last good answer.
pub(super) struct AtHand {
    pub(super) keys: KeySnapshot,
    /// When it was asked for.
    asked: Duration,
    /// Whether a reader has found it older than the task lets it become.
    overdue: AtomicBool,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            at_hand: ArcSwapOption::empty(),
            waiters: Waiters::default(),
            fetched: AtomicU64::new(0),
            faults: Default::default(),
            state: Mutex::default(),
            wake: Notify::new(),
            ends: watch::Sender::new(()),
        }
    }

    /// How long ago the keys were asked for.
    pub(super) fn age(&self, set: &AtHand) -> Duration {
        self.clock.running().saturating_sub(set.asked)
    }

    /// Whether the keys may be relied upon at `running`.
    ///
    /// The task's timer stands still while the machine is suspended: the first reader who finds the keys
    /// overdue wakes it.
    pub(super) fn is_good(&self, set: &AtHand, running: Duration) -> bool {
        let age = running.saturating_sub(set.asked);
        if age >= FRESH_FOR
            && !set.overdue.load(Ordering::Relaxed)
            && !set.overdue.swap(true, Ordering::Relaxed)
        {
            self.wake.notify_one();
        }
        age < GOOD_FOR
    }

    /// Applies `find` to the keys at hand.
    pub(super) fn look<T>(&self, find: &mut impl FnMut(&KeySnapshot) -> Result<T, VerifyError>) -> Looked<T> {
        let at_hand = self.at_hand.load();
        let running = self.clock.running();
        match at_hand.as_ref().filter(|set| self.is_good(set, running)).map(|set| find(&set.keys)) {
            Some(Ok(found)) => Looked::Found(found),
            Some(Err(why)) if !why.is_unknown_key() => Looked::Refused(why),
            Some(Err(_)) | None => Looked::Lacking,
        }
    }

    /// What somebody may hope for who misses a key: asks the task for a fetch if there may be one, and refuses
    /// the token if there is no such key for certain.
    pub(super) fn hope(&self, want: Want<'_>) -> Result<Hope, AuthError> {
        let now = self.clock.running();
        let mut state = self.state();
        let hope = state.schedule.miss(now);
        let unbroken = state.schedule.unbroken();
        drop(state);
        match hope {
            Hope::Next(_) => self.wake.notify_one(),
            Hope::None(_) => self.refuse_if_published_before(want, unbroken, now)?,
            Hope::Running(_) => {}
        }
        Ok(hope)
    }

    /// A key is published before it signs. One that should have been published before the keys at hand were
    /// asked for, and is not among them, does not exist.
    fn refuse_if_published_before(
        &self,
        want: Want<'_>,
        asked: Option<Duration>,
        now: Duration,
    ) -> Result<(), VerifyError> {
        let (Some(published_by), Some(asked)) = (want.published_by, asked) else { return Ok(()) };
        // Reckoned back from now, so that a step of the wall clock since then does not count.
        let asked_on_the_wall = self.clock.wall().saturating_sub(now.saturating_sub(asked));
        let asked_on_the_wall = i64::try_from(asked_on_the_wall.as_secs()).unwrap_or(i64::MAX);
        if published_by < asked_on_the_wall { Err(VerifyError::UnknownKey) } else { Ok(()) }
    }

    /// Waits for the end of a fetch.
    pub(super) async fn ended(&self, number: u64) -> Outcome {
        let mut ends = self.ends.subscribe();
        loop {
            match self.state().schedule.outcome(number) {
                Outcome::Pending => {}
                outcome => return outcome,
            }
            if ends.changed().await.is_err() {
                // The sender is in `self`: this is not reached.
                return Outcome::Failed;
            }
        }
    }

    /// How long there will be no fetch, and one second at least.
    pub(super) fn rest(&self) -> Duration {
        self.state().schedule.rest(self.clock.running()).max(super::LONGEST_WAIT)
    }

    pub(super) fn last_fault(&self) -> Option<KeysFault> {
        self.state().last_fault
    }

    pub(super) fn next(&self) -> Next {
        self.state().schedule.next(self.clock.running())
    }

    /// Returns when somebody wants the task.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The task has new keys, asked for at `asked`. Returns the fault that this mends.
    pub(super) fn fetched(&self, keys: KeySet, asked: Duration) -> Option<KeysFault> {
        let keys = KeySnapshot::after(self.at_hand.load().as_ref().map(|set| &set.keys), keys);
        // Before the end is told: whoever waits for it looks at once.
        self.at_hand.store(Some(Arc::new(AtHand { keys, asked, overdue: AtomicBool::new(false) })));
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.schedule.fetched(self.clock.running());
        let mended = state.last_fault.take();
        drop(state);
        self.ends.send_replace(());
        mended
    }

    /// The task got no keys.
    pub(super) fn failed(&self, fault: KeysFault) {
        let counter = KeysFault::ALL.iter().zip(&self.faults).find(|(known, _)| known.code() == fault.code());
        if let Some((_, counter)) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let mut state = self.state();
        state.schedule.failed(self.clock.running());
        state.last_fault = Some(fault);
        drop(state);
        self.ends.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
