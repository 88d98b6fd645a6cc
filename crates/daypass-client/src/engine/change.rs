//! Who is signed in: signing in, taking over, signing out.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::memory::{Current, Known, Memory};
use super::tries::Tries;
use crate::policy::Moment;
use crate::store::{Exchange, Version};
use crate::wire::{Pair, read_sign_in};
use crate::{Credentials, Event, Record, RefreshToken, SessionError, SignOutReason};

/// How long a sign-in may take: passwords are slow to check, on purpose.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(30);

/// How often somebody else may write first while somebody signs in or out.
const MOST_EXCHANGES: usize = 64;

impl Engine {
    /// Signs in, on a task of its own: tokens that have come are kept, whoever has stopped waiting.
    pub(crate) async fn sign_in(self: &Arc<Self>, credentials: Credentials) -> Result<(), SessionError> {
        self.people_only()?;
        let engine = Arc::clone(self);
        detached(async move {
            let asked = engine.now();
            let pair = engine.log_in(&credentials).await?;
            engine.settle(Memory::reachable);
            let token = pair.refresh.token.clone();
            let installed = engine.install(&pair, asked).await;
            if installed.is_err() {
                // A session that nobody could renew.
                engine.log_out_behind(token);
            }
            installed
        })
        .await
    }

    /// Takes over a pair that somebody else obtained.
    pub(crate) async fn adopt(self: &Arc<Self>, pair: Pair) -> Result<(), SessionError> {
        self.people_only()?;
        let engine = Arc::clone(self);
        detached(async move {
            let now = engine.now();
            engine.install(&pair, now).await
        })
        .await
    }

    /// Signs out: in memory, in the store, and at the service.
    pub(crate) async fn sign_out(self: &Arc<Self>) -> Result<(), SessionError> {
        self.people_only()?;
        let engine = Arc::clone(self);
        detached(async move { engine.leave().await }).await
    }

    /// Ends a session at the service as far as that can be done, while nobody waits for it.
    pub(super) fn log_out_behind(self: &Arc<Self>, token: RefreshToken) {
        let mut tries = Tries::apart(Arc::clone(self));
        tokio::spawn(async move {
            if tries.log_out(&token).await.is_err() {
                tracing::info!("a session that is not wanted any more could not be ended at the service");
            }
        });
    }

    /// Removes what is left of a session that is over. If it fails now, it is tried again.
    pub(super) async fn clear(&self, version: Version) {
        if let Err(error) = self.store.compare_exchange(version, None).await {
            tracing::debug!(%error, "the token store keeps a session that is over");
        }
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<Pair, SessionError> {
        let request = self.speaker.login(credentials);
        let unavailable = SessionError::Unavailable { retry_after: None };
        tokio::select! {
            biased;
            reply = self.speaker.transport.send(request) => read_sign_in(&reply.map_err(|_| unavailable)?),
            () = self.clock.sleep(SIGN_IN_LIMIT) => Err(unavailable),
        }
    }

    /// Writes a pair that was asked for at `asked`, makes it the one that is used, and ends the one before.
    async fn install(self: &Arc<Self>, pair: &Pair, asked: Moment) -> Result<(), SessionError> {
        let client = self.speaker.client.id();
        let record = Record::first(self.service(), client, pair, asked.wall);
        let changing = self.changing.lock().await;
        let mut stored = self.load().await?;
        let version = loop {
            if let Some(newer) = stored.record.as_ref().filter(|there| is_as_new(there, &record)) {
                tracing::debug!(generation = newer.generation, "the store has this session already");
                self.settle(|memory| memory.ended = None);
                self.reconcile(stored);
                return Ok(());
            }
            match self.store.compare_exchange(stored.version, Some(&record)).await? {
                Exchange::Done(version) => break version,
                Exchange::Conflict(now) => stored = now,
            }
        };
        let access = crate::Access::of(&pair.access, asked.wall);
        let access = Current::asked_here(&access, asked, self.jitter());
        let (answered, server_time) = (self.clock.wall(), pair.access.server_time);
        let before = self.settle(|memory| {
            let before = memory.kept().map(|kept| kept.record.clone());
            memory.sign_in(record.clone(), version, access);
            let skew = server_time.and_then(|service| memory.skew.note(service, asked.wall, answered));
            if let Some(seconds) = skew {
                memory.tell(Event::Skew(seconds));
            }
            before
        });
        drop(changing);
        let replaced = stored.record.filter(|there| self.is_ours(there));
        for token in others([replaced, before], &record) {
            self.log_out_behind(token);
        }
        Ok(())
    }

    async fn leave(self: &Arc<Self>) -> Result<(), SessionError> {
        let changing = self.changing.lock().await;
        // First of all nobody gets a token any more.
        let held = self.settle(|memory| {
            memory.overtake();
            let held = memory.kept().map(|kept| kept.record.clone());
            if matches!(memory.known, Known::In(_)) {
                memory.sign_out(SignOutReason::SignedOut);
            }
            held
        });
        let (stored, removed) = match self.remove_all().await {
            Ok(stored) => (stored, Ok(())),
            Err(error) => (None, Err(error)),
        };
        // Somebody may have read it meanwhile who did not know of it before.
        self.settle(|memory| {
            let known = memory
                .kept()
                .is_some_and(|kept| stored.as_ref().is_some_and(|r| r.is_of_session(&kept.record)));
            if known {
                memory.overtake();
                memory.sign_out(SignOutReason::SignedOut);
            }
        });
        drop(changing);
        let mut ended = Ok(());
        for token in tokens([stored, held]) {
            ended = ended.and(Tries::apart(Arc::clone(self)).log_out(&token).await);
        }
        removed.and(ended)
    }

    /// Removes whatever session the store holds, if it is of this service, and returns it.
    async fn remove_all(&self) -> Result<Option<Record>, SessionError> {
        let mut stored = self.load().await?;
        for _ in 0..MOST_EXCHANGES {
            let Some(record) = stored.record.take().filter(|record| self.is_ours(record)) else {
                return Ok(None);
            };
            match self.store.compare_exchange(stored.version, None).await? {
                Exchange::Done(_) => return Ok(Some(record)),
                Exchange::Conflict(now) => stored = now,
            }
        }
        Err(crate::store::StoreError::Busy.into())
    }

    fn people_only(&self) -> Result<(), SessionError> {
        if self.speaker.client.is_its_own() {
            return Err(SessionError::config("a client that acts for itself neither signs in nor out"));
        }
        Ok(())
    }
}

/// Runs to its end, whoever stops waiting.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, SessionError>> + Send + 'static,
) -> Result<T, SessionError> {
    // A task is lost with its runtime, or if a store of the host's panics.
    tokio::spawn(work).await.unwrap_or(Err(SessionError::Unavailable { retry_after: None }))
}

/// Whether the store has the session of a pair already, and is as far as it or further.
fn is_as_new(there: &Record, record: &Record) -> bool {
    there.is_of_session(record)
        && there.client_id == record.client_id
        && there.generation >= record.generation
}

/// The tokens of sessions other than `record`'s, one for each.
fn others(records: [Option<Record>; 2], record: &Record) -> Vec<RefreshToken> {
    tokens(records.map(|other| other.filter(|other| !other.is_of_session(record))))
}

/// A token of each session: any generation ends it.
fn tokens([first, second]: [Option<Record>; 2]) -> Vec<RefreshToken> {
    let second = second.filter(|second| first.as_ref().is_none_or(|first| !first.is_of_session(second)));
    [first, second].into_iter().flatten().map(|record| record.refresh_token).collect()
}
