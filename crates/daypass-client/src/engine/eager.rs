//! Renewing while nobody calls, for those who asked for it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::Engine;
use super::memory::End;
use crate::SessionState;

/// How soon to look again where a renewal failed, or cannot be begun.
const AGAIN: Duration = Duration::from_secs(15);

/// Starts the one task, which holds nothing of the engine while it waits and ends with it.
pub(super) fn start(engine: &Arc<Engine>) {
    tokio::spawn(run(Arc::downgrade(engine), engine.state.subscribe()));
}

async fn run(engine: Weak<Engine>, mut state: watch::Receiver<SessionState>) {
    loop {
        let Some(there) = engine.upgrade() else { return };
        state.mark_unchanged();
        let clock = Arc::clone(&there.clock);
        let wait = if let Some(mut end) = there.renew_ahead() {
            drop(there);
            let end = end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
            match end {
                // A token that is due as soon as it is there is looked at later, not at once.
                Some(End::Token(_)) => engine.upgrade().and_then(|there| there.until_due()),
                _ => Some(AGAIN),
            }
        } else {
            let due = there.until_due();
            // While it waits it must not keep the session.
            drop(there);
            due
        };
        let wait = async {
            match wait {
                Some(wait) => clock.sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() {
                return;
            },
            () = wait => {}
        }
    }
}

impl Engine {
    /// When to look again; not before the state changes if nobody is signed in.
    fn until_due(&self) -> Option<Duration> {
        let now = self.now();
        let memory = self.memory();
        let due = memory.held()?.due_in(now);
        // What is due and not begun is under way, or cannot be begun yet.
        Some(if due.is_zero() { AGAIN } else { due })
    }
}
