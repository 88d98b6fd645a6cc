//! The renewal of a person's session, step by step.

use std::sync::Arc;
use std::time::Duration;

use super::attempts;
use super::flight::{Flight, Stop};
use super::memory::Kept;
use super::memory::Memory;
use super::tries::Tries;
use crate::store::{Exchange, Guard, Stored};
use crate::wire::{Answer, Denial, successor};
use crate::{AccessToken, Event, Record, SessionError, SignOutReason};

/// How long to wait for whoever else renews the same session. He may be frozen: then this client goes on under the
/// same attempt id, and the service gives both the same.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How often a session is given another generation by the service before that makes no sense.
const MOST_MISMATCHES: u32 = 2;

/// What a step led to.
enum Step {
    Done(AccessToken),
    /// Look at this again.
    Again(Box<Kept>),
}

impl Step {
    fn again(kept: Kept) -> Self {
        Self::Again(Box::new(kept))
    }
}

impl Flight {
    /// Reads the store, rotates, writes the store. What somebody else has written meanwhile serves as well.
    pub(super) async fn renew(&mut self) -> Result<AccessToken, Stop> {
        self.read().await?;
        if let Some(token) = self.served()? {
            return Ok(token);
        }
        let _only_to_save_work = self.lock().await;
        let mut kept = self.read().await?;
        kept = self.write_what_was_not(kept).await?;
        let mut mismatches = 0;
        loop {
            if let Some(token) = self.served()? {
                return Ok(token);
            }
            let step = match attempts::header(&kept.record) {
                None => Step::again(self.put_attempt(kept).await?),
                Some(header) => self.ask(kept, &header, &mut mismatches).await?,
            };
            match step {
                Step::Done(token) => return Ok(token),
                Step::Again(now) => kept = *now,
            }
        }
    }

    /// Reads the store, and takes over what is there.
    async fn read(&self) -> Result<Kept, Stop> {
        let stored = self.engine.load().await?;
        self.take(stored).await
    }

    /// Takes over what the store holds. The error: nobody is signed in.
    pub(super) async fn take(&self, stored: Stored) -> Result<Kept, Stop> {
        let (now, jitter, version) = (self.engine.now(), self.engine.jitter(), stored.version);
        let session = stored.record.as_ref().filter(|record| self.engine.is_ours(record));
        let session = session.map(|record| record.session_id.clone());
        let taken = self.settle(|memory| {
            let left_over = session.is_some() && memory.ended == session;
            let kept = memory.reconcile(stored, session.is_some(), now, jitter);
            kept.ok_or_else(|| (memory.reason(), left_over))
        })?;
        let (reason, left_over) = match taken {
            Ok(kept) => return Ok(kept),
            Err(nobody) => nobody,
        };
        if left_over {
            // It was signed out while the store would not let go of it.
            self.engine.clear(version).await;
        }
        Err(SessionError::SignedOut(reason).into())
    }

    /// Waits for whoever renews the same session. In vain, or without such a lock, all goes on: it only saves work.
    async fn lock(&self) -> Option<Guard> {
        tokio::select! {
            biased;
            guard = self.engine.store.lock(LOCK_WAIT) => guard.unwrap_or_else(|error| {
                tracing::debug!(%error, "the token store's lock cannot be had");
                None
            }),
            () = self.engine.clock.sleep(LOCK_WAIT) => None,
        }
    }

    /// Makes the id for the coming rotation and writes it down. Unless it is written, no request may leave.
    async fn put_attempt(&mut self, kept: Kept) -> Result<Kept, Stop> {
        let id = attempts::new_id(&*self.engine.entropy);
        let id = id.map_err(|error| SessionError::config(error.to_string()))?;
        self.put(kept.version, attempts::with_id(&kept.record, id)).await
    }

    /// Writes a record that says more about the same token. If somebody was quicker, what he wrote is taken over.
    async fn put(&mut self, version: crate::store::Version, record: Record) -> Result<Kept, Stop> {
        match self.engine.store.compare_exchange(version, Some(&record)).await {
            Ok(Exchange::Done(version)) => self.take(Stored { version, record: Some(record) }).await,
            Ok(Exchange::Conflict(stored)) => self.take(stored).await,
            Err(error) => {
                self.tries.failed(None);
                self.settle(Memory::persist_failed)?;
                Err(error.into())
            }
        }
    }

    /// One request under the ids of `header`.
    async fn ask(&mut self, kept: Kept, header: &str, mismatches: &mut u32) -> Result<Step, Stop> {
        if self.tries.ready().await? {
            // Somebody else may have been luckier. If that cannot be read, a repetition does no harm.
            if let Ok(stored) = self.engine.load().await
                && stored.version != kept.version
            {
                return self.take(stored).await.map(Step::again);
            }
        }
        let asked = self.engine.now();
        let record = &kept.record;
        let request = self.engine.speaker.refresh(&record.refresh_token, header);
        let (session, generation) = (&record.session_id, record.generation);
        let said = self.tries.ask(request, |json| successor(json, session, generation)).await;
        match said {
            None => Ok(Step::again(kept)),
            Some(Answer::Renewed(pair)) => self.keep(kept, pair, asked).await.map(Step::Done),
            Some(Answer::Ended(reason)) => self.ended(kept, reason).await.map(Step::again),
            Some(Answer::Superseded) => self.superseded(kept).await.map(Step::again),
            Some(Answer::Mismatch(stated)) => {
                *mismatches = mismatches.saturating_add(1);
                self.relabel(kept, stated, *mismatches).await.map(Step::again)
            }
            Some(Answer::Denied(denial)) => Err(denied(denial).into()),
        }
    }

    /// The service says that the session is over. It may speak of a token that somebody else has rotated since.
    async fn ended(&self, sent: Kept, reason: SignOutReason) -> Result<Kept, Stop> {
        let stored = self.engine.load().await?;
        if has_moved_on(&stored, &sent.record) {
            return self.take(stored).await;
        }
        self.remove(stored, reason).await
    }

    /// The service has gone on without this client. If nobody who shares the store has either, somebody else holds
    /// the session: it is ended for him too before anybody here is signed out.
    async fn superseded(&self, sent: Kept) -> Result<Kept, Stop> {
        let stored = self.engine.load().await?;
        if has_moved_on(&stored, &sent.record) {
            return self.take(stored).await;
        }
        let mut tries = Tries::apart(Arc::clone(&self.engine));
        tries.log_out(&sent.record.refresh_token).await?;
        self.remove(stored, SignOutReason::Reused).await
    }

    /// Removes the record of a session that is over, unless somebody has put another there meanwhile.
    async fn remove(&self, stored: Stored, reason: SignOutReason) -> Result<Kept, Stop> {
        match self.engine.store.compare_exchange(stored.version, None).await {
            Ok(Exchange::Conflict(now)) => return self.take(now).await,
            Ok(Exchange::Done(_)) => {}
            Err(error) => tracing::warn!(%error, "the token store keeps a session that is over"),
        }
        self.settle(|memory| memory.sign_out(reason))?;
        Err(SessionError::SignedOut(reason).into())
    }

    /// The service reads another generation from the token than the record has.
    async fn relabel(&mut self, kept: Kept, stated: u32, times: u32) -> Result<Kept, Stop> {
        if stated <= kept.record.generation || times > MOST_MISMATCHES {
            self.tries.failed(None);
            return Err(SessionError::Protocol("it names a generation that cannot be").into());
        }
        let record = Record { generation: stated, ..kept.record };
        let id = attempts::new_id(&*self.engine.entropy);
        let id = id.map_err(|error| SessionError::config(error.to_string()))?;
        self.put(kept.version, attempts::with_id(&record, id)).await
    }

    /// Takes note of the service's clock, by an answer to what was sent at `asked`.
    pub(super) fn note_clock(
        memory: &mut Memory,
        service: Option<Duration>,
        asked: Duration,
        answered: Duration,
    ) {
        let skew = service.and_then(|service| memory.skew.note(service, asked, answered));
        if let Some(seconds) = skew {
            memory.tell(Event::Skew(seconds));
        }
    }
}

/// Whether the store holds something else by now than the token that was sent. An id or an access token that was
/// added does not count.
fn has_moved_on(stored: &Stored, sent: &Record) -> bool {
    stored.record.as_ref().is_none_or(|record| {
        !record.is_of_session(sent)
            || record.generation > sent.generation
            || record.refresh_token != sent.refresh_token
    })
}

pub(super) fn denied(denial: Denial) -> SessionError {
    SessionError::config(match denial {
        Denial::Client => "the service does not know this client, or its secret is wrong",
        Denial::Grant => "the client is not registered for this grant",
        Denial::Scope => "the scope exceeds what was granted",
        Denial::Resource => "the client may not ask for that resource",
        Denial::Request => return SessionError::Protocol("it calls the request wrong"),
    })
}
