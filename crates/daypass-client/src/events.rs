//! What a session tells its host without being asked.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::SignOutReason;

/// How many events a listener may be behind before it misses some.
pub(crate) const CAPACITY: usize = 64;

/// Something has happened. Events come after the session is in the state that they tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody is signed in now, here or in another process that shares the store.
    SignedIn,
    /// The session is over. Once for each session.
    SignedOut(SignOutReason),
    /// There is a new access token.
    Refreshed,
    /// A renewal has been given up because the service did not answer. The session is kept.
    Unreachable,
    /// The service answers again.
    Reachable,
    /// The store could not be written. Calls go on, and so do renewals as long as the rotation on record can be
    /// repeated.
    PersistFailed,
    /// The store keeps the session's tokens again.
    Persisted,
    /// The service's clock is this many seconds ahead of this machine's, or behind it if negative. Told when it is
    /// more than a minute, and again when it has changed by more than one.
    Skew(i64),
    /// The listener was too slow, and this many events were dropped. [`Session::state`](crate::Session::state)
    /// tells what is true now.
    Missed(u64),
}

/// What a session is worth at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// The store has not been read.
    Unknown,
    /// There is no session.
    SignedOut(SignOutReason),
    /// Signed in, with an access token that serves.
    Active,
    /// Signed in, without an access token that serves: the next call renews it.
    Stale,
    /// Signed in, but the last renewal was given up because the service did not answer.
    Unreachable,
}

/// Listens to a session. Every listener hears every event that comes after it began to listen.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(receiver)
    }

    /// Waits for the next event. `None`: the last clone of the session is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
