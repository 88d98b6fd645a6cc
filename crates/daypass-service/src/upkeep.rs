//! What the service does by itself: noticing changes, replacing keys, forgetting the past.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::entropy;
use crate::start::Inner;

/// How often clients and keys are compared with the store's: a change made by another process is
/// noticed within a second.
const NOTICE: Duration = Duration::from_millis(400);

/// How often keys are looked after and old rows removed.
const TIDY: Duration = Duration::from_secs(30);

/// Rows removed in one write, so that no renewal waits long behind it.
const PRUNED_AT_ONCE: usize = 500;

/// How soon after a reload another may be asked for by an unknown key.
const RELOAD_PAUSE: Duration = Duration::from_secs(1);

/// Begins the upkeep; it ends with the service.
pub(crate) fn start(inner: &Arc<Inner>) {
    tokio::spawn(notice(Arc::downgrade(inner)));
    tokio::spawn(tidy(Arc::downgrade(inner)));
}

async fn notice(inner: Weak<Inner>) {
    let mut ticks = interval(NOTICE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.reload_if_changed().await {
            tracing::warn!(%error, "clients and keys could not be compared with the store's");
        }
    }
}

async fn tidy(inner: Weak<Inner>) {
    // Whose lease it is: this service's, and nobody's once it is gone.
    let Some(holder) = inner.upgrade().map(|inner| entropy::bytes::<16>(&*inner.entropy)) else { return };
    let mut ticks = interval(TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.keeper.upkeep(holder).await {
            tracing::warn!(%error, "keys could not be looked after");
        }
        if let Err(error) = prune(&inner).await {
            tracing::warn!(%error, "old rows could not be removed");
        }
    }
}

async fn prune(inner: &Inner) -> Result<(), daypass_storage::StoreError> {
    loop {
        let pruned = inner.store.prune(inner.config.keep_events, PRUNED_AT_ONCE).await?;
        if pruned.sessions.max(pruned.feed).max(pruned.events) < PRUNED_AT_ONCE {
            return Ok(());
        }
        tracing::debug!(?pruned, "old rows were removed");
    }
}

impl Inner {
    /// Loads the keys again because a token names one that is not known here; many such tokens at
    /// once cause one reload, and forged ones no more than one a second.
    pub(crate) async fn reload_for_unknown_key(&self) {
        let mut last = self.reloading.lock().await;
        if last.is_some_and(|last| last.elapsed() < RELOAD_PAUSE) {
            return;
        }
        tracing::warn!("a token names a key that is not known here; the keys are looked up again");
        if let Err(error) = self.reload_if_changed().await {
            tracing::warn!(%error, "the keys could not be loaded again");
        }
        *last = Some(Instant::now());
    }
}
