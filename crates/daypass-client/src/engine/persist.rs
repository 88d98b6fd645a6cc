//! What becomes of new tokens: written first, given out then.

use std::time::Duration;

use super::Engine;
use super::flight::{Flight, Stop};
use super::memory::{Current, Kept, Memory};
use crate::policy::Moment;
use crate::store::{Exchange, StoreError, Stored, Version};
use crate::wire::Pair;
use crate::{AccessToken, Event, Record};

/// How often somebody else may have written first before this counts as a store that does not write.
const MOST_EXCHANGES: usize = 16;

/// New tokens on their way into the store.
struct New {
    record: Record,
    access: Current,
    pair: Pair,
    asked: Moment,
    answered: Duration,
}

impl Flight {
    /// Writes the tokens of a renewal that was asked for at `asked`, and gives out the access token. Where they are
    /// not wanted any more they are handed back.
    pub(super) async fn keep(&self, kept: Kept, pair: Pair, asked: Moment) -> Result<AccessToken, Stop> {
        let record = kept.record.renewed(&pair, asked.wall);
        let access = crate::Access::of(&pair.access, asked.wall);
        let access = Current::asked_here(&access, asked, self.engine.jitter());
        let new = New { record, access, pair, asked, answered: self.engine.clock.wall() };
        let written = self.write(kept, &new).await;
        if let Err(Stop::Overtaken) = &written {
            self.engine.discard(&new.record);
        }
        written
    }

    async fn write(&self, mut kept: Kept, new: &New) -> Result<AccessToken, Stop> {
        for _ in 0..MOST_EXCHANGES {
            match self.engine.store.compare_exchange(kept.version, Some(&new.record)).await {
                Ok(Exchange::Done(version)) => return self.publish(new, version),
                Ok(Exchange::Conflict(stored)) => match Theirs::of(&stored, &new.record) {
                    Theirs::Older => kept.version = stored.version,
                    Theirs::AsNew => return self.take_theirs(stored, new).await,
                    Theirs::Elses => {
                        let theirs = stored.record.clone();
                        let stop = self.take(stored).await.map_or_else(|stop| stop, |_| Stop::Changed);
                        if !matches!(stop, Stop::Overtaken) {
                            self.engine.discard_unless(&new.record, theirs.as_ref());
                        }
                        return Err(stop);
                    }
                },
                Err(error) => return self.publish_unwritten(kept, new, Some(&error)),
            }
        }
        self.publish_unwritten(kept, new, None)
    }

    /// The store has it: now everybody may.
    fn publish(&self, new: &New, version: Version) -> Result<AccessToken, Stop> {
        let kept = Kept { record: new.record.clone(), version, unwritten: None };
        self.settle(|memory| {
            memory.persisted();
            Self::give_out(memory, kept, new)
        })
    }

    /// The store does not take it. The access token serves all the same; the refresh token is not sent before it is
    /// written, and until then renewals repeat the rotation that is.
    fn publish_unwritten(
        &self,
        kept: Kept,
        new: &New,
        error: Option<&StoreError>,
    ) -> Result<AccessToken, Stop> {
        tracing::warn!(error = error.map(tracing::field::display), "the new tokens cannot be stored");
        let kept = Kept { unwritten: Some(new.record.clone()), ..kept };
        self.settle(|memory| {
            memory.persist_failed();
            Self::give_out(memory, kept, new)
        })
    }

    fn give_out(memory: &mut Memory, kept: Kept, new: &New) -> AccessToken {
        let token = new.access.token.clone();
        memory.hold(kept, new.access.clone());
        memory.tell(Event::Refreshed);
        Self::note_clock(memory, new.pair.access.server_time, new.asked.wall, new.answered);
        token
    }

    /// Somebody who shares the store has renewed at the same time, or gone on since: his tokens serve everybody, and
    /// if there are none that serve, the one that came here does.
    async fn take_theirs(&self, stored: Stored, new: &New) -> Result<AccessToken, Stop> {
        let kept = self.take(stored).await?;
        if let Some(token) = self.served()? {
            return Ok(token);
        }
        self.settle(|memory| Self::give_out(memory, kept, new))
    }

    /// Tries again to write what the store would not take, so that it may be sent.
    pub(super) async fn write_what_was_not(&self, kept: Kept) -> Result<Kept, Stop> {
        let Some(record) = &kept.unwritten else { return Ok(kept) };
        match self.engine.store.compare_exchange(kept.version, Some(record)).await {
            Ok(Exchange::Done(version)) => self.take(Stored { version, record: Some(record.clone()) }).await,
            Ok(Exchange::Conflict(stored)) => self.take(stored).await,
            Err(error) => {
                tracing::debug!(%error, "the tokens can still not be stored");
                Ok(kept)
            }
        }
    }
}

/// What somebody else wrote where new tokens were to be written.
#[derive(Debug, PartialEq, Eq)]
enum Theirs {
    /// The same session, and its old token.
    Older,
    /// The same session, and the new token or one that is newer still.
    AsNew,
    /// Another session, or none.
    Elses,
}

impl Theirs {
    fn of(stored: &Stored, new: &Record) -> Self {
        match &stored.record {
            Some(record) if record.is_of_session(new) && record.generation >= new.generation => Self::AsNew,
            Some(record) if record.is_of_session(new) => Self::Older,
            _ => Self::Elses,
        }
    }
}

impl Engine {
    /// Hands back tokens that came too late, unless whoever is signed in now is of the same session.
    fn discard(self: &std::sync::Arc<Self>, record: &Record) {
        let known = self.memory().kept().map(|kept| kept.record.clone());
        self.discard_unless(record, known.as_ref());
    }

    fn discard_unless(self: &std::sync::Arc<Self>, record: &Record, known: Option<&Record>) {
        if known.is_none_or(|known| !known.is_of_session(record)) {
            self.log_out_behind(record.refresh_token.clone());
        }
    }
}
