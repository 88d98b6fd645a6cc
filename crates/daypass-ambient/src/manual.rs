//! A clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;

use crate::{Clock, Sleep};

/// When a manual clock starts: 2025-06-15, 15:06:40 UTC.
const START: Duration = Duration::from_secs(1_750_000_000);

/// A clock that a test moves by hand. Clones are the same clock.
///
/// What waits on it can be seen and waited for, so that a test moves the time when the code under test has come
/// to where it waits, and not before:
///
/// ```
/// # use std::time::Duration;
/// # use daypass_ambient::{Clock, ManualClock};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = ManualClock::new();
/// let waiting = tokio::spawn(clock.sleep(Duration::from_secs(10)));
/// clock.until(|waits| waits == [Duration::from_secs(10)]).await;
/// clock.advance(Duration::from_secs(10));
/// waiting.await.unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    wall: Duration,
    running: Duration,
    /// The time that the machine was awake: what waits are measured by.
    awake: Duration,
    waits: BTreeMap<Ticket, Option<Waker>>,
    tickets: u64,
}

/// Ordered by when the wait ends, then by when it began.
type Ticket = (Duration, u64);

impl ManualClock {
    /// A clock at some day in June 2025.
    pub fn new() -> Self {
        let state = State {
            wall: START,
            running: Duration::ZERO,
            awake: Duration::ZERO,
            waits: BTreeMap::new(),
            tickets: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(()) }))
    }

    /// Time passes, and ends the waits whose time comes.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.wall += by;
        state.running += by;
        state.awake += by;
        let after = state.awake.saturating_add(Duration::from_nanos(1));
        let later = state.waits.split_off(&(after, 0));
        let due = std::mem::replace(&mut state.waits, later);
        drop(state);
        for waker in due.into_values().flatten() {
            waker.wake();
        }
        self.0.changed.send_replace(());
    }

    /// The machine sleeps: the time of day and the running time go on, and no wait comes nearer to its end.
    pub fn suspend(&self, duration: Duration) {
        let mut state = self.state();
        state.wall += duration;
        state.running += duration;
    }

    /// Somebody sets the time of day, to a time since the Unix epoch. Nothing else changes.
    pub fn set_wall(&self, wall: Duration) {
        self.state().wall = wall;
    }

    /// How long each wait has still to go, the shortest first.
    pub fn waits(&self) -> Vec<Duration> {
        let state = self.state();
        state.waits.keys().map(|(at, _)| at.saturating_sub(state.awake)).collect()
    }

    /// Returns as soon as the [waits](Self::waits) are as described.
    pub async fn until(&self, described: impl Fn(&[Duration]) -> bool) {
        let mut changed = self.0.changed.subscribe();
        while !described(&self.waits()) {
            // The sender lives as long as this clock.
            let _ = changed.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything could panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, ticket: Ticket) {
        if self.state().waits.remove(&ticket).is_some() {
            self.0.changed.send_replace(());
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("wall", &self.wall()).finish_non_exhaustive()
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Duration {
        self.state().wall
    }

    fn running(&self) -> Duration {
        self.state().running
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut state = self.state();
        state.tickets += 1;
        let ticket = (state.awake.saturating_add(duration), state.tickets);
        if !duration.is_zero() {
            state.waits.insert(ticket, None);
        }
        drop(state);
        self.0.changed.send_replace(());
        let wait = Wait { clock: self.clone(), ticket };
        Box::pin(async move { wait.ended().await })
    }
}

struct Wait {
    clock: ManualClock,
    ticket: Ticket,
}

impl Wait {
    async fn ended(&self) {
        poll_fn(|context| match self.clock.state().waits.get_mut(&self.ticket) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.clock.forget(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_wait_ends_at_its_time_and_not_before() {
        let clock = ManualClock::new();
        let wait = tokio::spawn(clock.sleep(2 * SECOND));
        clock.advance(SECOND);
        assert_eq!(clock.waits(), [SECOND]);
        assert!(!wait.is_finished());
        clock.advance(SECOND);
        wait.await.unwrap();
        assert!(clock.waits().is_empty());
        clock.sleep(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_dropped_wait_is_forgotten() {
        let clock = ManualClock::new();
        let wait = clock.sleep(SECOND);
        assert_eq!(clock.waits(), [SECOND]);
        drop(wait);
        clock.until(<[Duration]>::is_empty).await;
    }

    #[test]
    fn suspension_moves_the_clocks_and_no_wait() {
        let clock = ManualClock::new();
        let _wait = clock.sleep(SECOND);
        let (wall, running) = (clock.wall(), clock.running());
        clock.suspend(10 * SECOND);
        assert_eq!((clock.wall(), clock.running()), (wall + 10 * SECOND, running + 10 * SECOND));
        assert_eq!(clock.waits(), [SECOND]);
        clock.set_wall(SECOND);
        assert_eq!((clock.wall(), clock.running()), (SECOND, running + 10 * SECOND));
    }
}
