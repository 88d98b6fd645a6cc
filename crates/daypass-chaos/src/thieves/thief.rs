//! Thieves: one presents tokens by himself, the other acts as the client whose store he has copied.

use std::sync::Arc;

use daypass_client::store::{TokenStore as _, Version};
use daypass_client::{MemoryStore, Record, Session, SessionError};

use super::{Loot, Victim, until_said};
use crate::arguments::Sabotage;
use crate::clients::{Said, describe, headers, renew_patiently};
use crate::fast::FastClock;
use daypass_chaos::dice::Dice;

/// A thief of tokens presents so many running at most.
const RUNNING: u64 = 3;

/// A thief.
pub(super) enum Thief {
    /// Has a token, and perhaps makes ids of his own.
    OfToken { token: String, ids: bool, dice: Dice },
    /// Has a copy of the store.
    OfStore { session: Session, clock: FastClock },
}

impl Thief {
    /// A thief of `loot`, who has copied this record or its token.
    pub(super) async fn new(victim: &Victim, loot: Loot, record: &Record) -> Result<Self, SessionError> {
        if loot != Loot::Store {
            let dice = Dice::new(victim.dice.word(), 0);
            let token = record.refresh_token.expose().to_owned();
            return Ok(Self::OfToken { token, ids: dice.chance(500), dice });
        }
        let clock = victim.run.clock;
        let store = if victim.run.is(Sabotage::SharedStore) {
            victim.owner.store()
        } else {
            let store = MemoryStore::new().with_clock(Arc::new(clock));
            store.compare_exchange(Version::EMPTY, Some(record)).await?;
            store
        };
        let http = reqwest::Client::builder().no_proxy().default_headers(headers(true));
        let described = describe(&victim.service, clock, victim.dice.word());
        let mut described = described.store(store).http(http);
        if let Some(id) = &record.client_id {
            described = described.client_id(id);
        }
        Ok(Self::OfStore { session: described.build().await?, clock })
    }

    /// Renews, or learns that there is nothing to be had any more. Whether he got anything.
    pub(super) async fn act(&mut self, victim: &Victim) -> Result<bool, SessionError> {
        match self {
            Self::OfToken { token, ids, dice } => {
                let mut gained = false;
                for _ in 0..dice.between(1, RUNNING) {
                    let id = ids.then(|| dice.attempt_id());
                    match until_said(&victim.wire, token, id.as_deref(), dice).await? {
                        Said::Token(newer) => (*token, gained) = (newer, true),
                        Said::Refused(_) => break,
                    }
                }
                Ok(gained)
            }
            Self::OfStore { session, clock } => match renew_patiently(session, *clock).await {
                Ok(_) => Ok(true),
                Err(SessionError::SignedOut(_)) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}
