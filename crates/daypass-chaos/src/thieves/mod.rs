//! Sessions that are robbed, again and again: each theft has to be noticed, and the owner signs in again.
//!
//! A theft is noticed when the alarm ends the session. That has to be so
//! - of a token that its owner has used: at the thief's first answer;
//! - of the current token: as soon as both have had an answer to a request that came after the theft;
//! - of a stolen store: as soon as both have presented one generation under different ids, and so within a few turns.
//!
//! A thief of an old copy of the store may instead be told that it is superseded: he has gained nothing, nobody has to
//! notice, and the session goes on. Nothing else ends a theft: at the end of the run the alarms in the store and the
//! thefts that gained nothing are as many as there were thefts.

mod owner;
mod thief;

use std::sync::Arc;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_client::{Record, SessionError};
use daypass_core::SessionId;
use tokio::time::timeout;

use crate::account::{What, Zero};
use crate::clients::{PATIENCE, Said, Wire};
use crate::ledger::Robbed;
use crate::run::Run;
use daypass_chaos::dice::Dice;
use daypass_chaos::service::Registered;
use owner::Owner;
use thief::Thief;

/// A client of whose person only the robbed session ends.
pub(crate) const ONE_ENDS: Registered =
    Registered { id: "one-ends", options: &["--access", "1", "--on-reuse", "session"] };

/// The owner renews so often at least, and at most, before somebody steals.
const BEFORE: (u64, u64) = (1, 9);

/// After so many turns of thief and owner a theft counts as unnoticed. A copy of the store made in mid-renewal shares one
/// more rotation with the owner's; after that each turns once.
const TURNS: u64 = 4;

/// In so many of a thousand turns both act at the same moment.
const TOGETHER: u64 = 333;

/// What is stolen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loot {
    /// The refresh token of the present.
    Token,
    /// One that the owner has used before.
    OldToken,
    /// The whole record, with its attempt ids.
    Store,
}

/// How a theft ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The session is over, after so many turns.
    Over(u64),
    /// The thief was told that what he has is superseded, and never got anything.
    NothingGained,
    /// Both go on, which has been objected to.
    Unnoticed,
}

/// Somebody who is robbed again and again.
pub(crate) struct Victim {
    run: Arc<Run>,
    owner: Owner,
    service: String,
    wire: Wire,
    dice: Dice,
    name: String,
}

impl Victim {
    /// A victim of this name, whose person signs in on this client; none for the built-in one, where all sessions of the
    /// person end. `stream` names the chance.
    pub(crate) async fn new(
        run: &Arc<Run>,
        service: &str,
        (person, client): (&str, Option<&'static str>),
        stream: u64,
    ) -> Result<Self, SessionError> {
        let dice = run.dice(stream.wrapping_mul(64));
        let owner = Owner::new(run, service, person, client, &dice).await?;
        let wire = Wire::new(service, true).map_err(|error| SessionError::Config(error.to_string()))?;
        let (run, service) = (Arc::clone(run), service.to_owned());
        Ok(Self { run, owner, service, wire, dice, name: format!("victim {stream}") })
    }

    /// Is robbed until the run is over. What has begun by then is brought to its end.
    pub(crate) async fn suffer(&self) {
        while !self.run.is_over() {
            if let Err(error) = self.episode().await {
                let what = format!("{}: {error}", self.name);
                return self.run.account.object(Zero::Others, what, None);
            }
        }
    }

    /// From sign-in to the end of the session.
    async fn episode(&self) -> Result<(), SessionError> {
        self.owner.sign_in().await?;
        let (mut settled, mut in_mid_renewal) = (Vec::new(), None);
        for _ in 0..self.dice.between(BEFORE.0, BEFORE.1) {
            let Some(seen) = self.owner.renew_before_theft(&self.name).await? else { return Ok(()) };
            in_mid_renewal = seen.in_mid_renewal.or(in_mid_renewal);
            settled.push(seen.settled);
        }
        let Some((newest, older)) = settled.split_last() else { return Ok(()) };
        let Ok(session) = newest.session_id.parse::<SessionId>() else { return Ok(()) };
        let (loot, record) = self.choose(newest, older, in_mid_renewal.as_ref());
        self.run.ledger.rob(session);
        match self.struggle(session, loot, record).await? {
            End::Over(turns) => self.was_alarm(session, loot, newest, turns).await?,
            End::NothingGained => {
                self.run.account.add(What::NothingGained);
                if !self.owner.act().await? {
                    let what = format!("{} was signed out by a thief who gained nothing", self.name);
                    self.run.account.object(Zero::SignOuts, what, Some(session));
                }
                // The owner signs in anew, and whatever becomes of this one is nothing to wonder at.
                self.run.ledger.abandon(session);
            }
            End::Unnoticed => {}
        }
        Ok(())
    }

    /// Counts a theft as noticed if it was the alarm that ended the session.
    async fn was_alarm(
        &self,
        session: SessionId,
        loot: Loot,
        newest: &Record,
        turns: u64,
    ) -> Result<(), SessionError> {
        let said = match self.service_says(newest).await? {
            Said::Refused(Some(reason)) if reason == "reused" => {
                self.run.account.noticed(turns);
                return Ok(());
            }
            Said::Refused(reason) => reason.unwrap_or_else(|| "refused without a reason".to_owned()),
            Said::Token(_) => "renewed".to_owned(),
        };
        let what = format!("{}: after a theft ({loot:?}) the session is {said}, not reused", self.name);
        self.run.account.object(Zero::Unnoticed, what, Some(session));
        Ok(())
    }

    fn choose<'a>(
        &self,
        newest: &'a Record,
        older: &'a [Record],
        in_mid_renewal: Option<&'a Record>,
    ) -> (Loot, &'a Record) {
        let old = || {
            let place = usize::try_from(self.dice.below(older.len() as u64)).ok()?;
            older.get(place).filter(|older| older.generation < newest.generation)
        };
        match self.dice.below(3) {
            0 if !older.is_empty() => old().map_or((Loot::Token, newest), |old| (Loot::OldToken, old)),
            1 => (Loot::Token, newest),
            _ => (Loot::Store, in_mid_renewal.filter(|_| self.dice.chance(500)).unwrap_or(newest)),
        }
    }

    /// Thief and owner take turns, or act at the same moment, until the session is over or the thief is out of it.
    async fn struggle(&self, session: SessionId, loot: Loot, record: &Record) -> Result<End, SessionError> {
        let mut thief = Thief::new(self, loot, record).await?;
        let thief_begins = self.dice.chance(500);
        let (mut came, mut gained) = (false, false);
        for turn in 1..=TURNS {
            let together = self.dice.chance(TOGETHER);
            let thiefs = together || thief_begins == (turn % 2 == 1);
            if thiefs && !came {
                came = true;
                self.count(loot);
            }
            gained |= match (together, thiefs) {
                (true, _) => {
                    self.run.account.add(What::TurnsTogether);
                    let (acted, owned) = tokio::join!(thief.act(self), self.owner.act());
                    owned?;
                    acted?
                }
                (false, true) => thief.act(self).await?,
                (false, false) => {
                    self.owner.act().await?;
                    false
                }
            };
            let seen = self.run.ledger.robbed(session).unwrap_or_default();
            if seen.dead {
                return Ok(End::Over(turn));
            }
            if loot == Loot::Store && seen.thief_superseded && !gained {
                return Ok(End::NothingGained);
            }
            if is_due(seen, loot) {
                self.unnoticed(session, loot, turn);
                return Ok(End::Unnoticed);
            }
        }
        self.unnoticed(session, loot, TURNS);
        Ok(End::Unnoticed)
    }

    fn count(&self, loot: Loot) {
        self.run.account.add(match loot {
            Loot::Token => What::TokenThefts,
            Loot::OldToken => What::OldTokenThefts,
            Loot::Store => What::StoreThefts,
        });
    }

    fn unnoticed(&self, session: SessionId, loot: Loot, turns: u64) {
        let what = format!("{}: after {turns} turns a theft ({loot:?}) is not noticed", self.name);
        self.run.account.object(Zero::Unnoticed, what, Some(session));
    }

    /// What the service says to a token of the session.
    async fn service_says(&self, record: &Record) -> Result<Said, SessionError> {
        until_said(&self.wire, record.refresh_token.expose(), None, &self.dice).await
    }
}

/// Asks until there is an answer that says anything.
async fn until_said(wire: &Wire, token: &str, id: Option<&str>, dice: &Dice) -> Result<Said, SessionError> {
    let said = async {
        loop {
            if let Some(said) = wire.present(token, id).await {
                return said;
            }
            SystemClock.sleep(dice.millis(1, 20)).await;
        }
    };
    timeout(PATIENCE, said).await.map_err(|_late| SessionError::Unavailable { retry_after: None })
}

/// Whether a theft must have been noticed by now.
fn is_due(seen: Robbed, loot: Loot) -> bool {
    match loot {
        Loot::OldToken => seen.thief_answered,
        Loot::Token => seen.thief_answered && seen.owner_answered,
        // That it is noticed within so many turns says more than what the wire shows.
        Loot::Store => false,
    }
}
