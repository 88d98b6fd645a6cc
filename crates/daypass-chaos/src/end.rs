//! What is found when everything stands still: the store, its audit and the logs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use daypass_core::{Clock, Event, EventKind, Generation, SessionId, Timestamp};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::{Store, StoreError};

use crate::account::{What, Zero};
use crate::run::Run;
use daypass_chaos::audit;
use daypass_chaos::service::{holds_token, panics};

/// What the store says of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Found {
    /// Rotations that are there, of all sessions.
    pub(crate) rotations: u64,
    /// Sessions that anybody renewed.
    pub(crate) sessions: u64,
    /// Alarms that were raised.
    pub(crate) alarms: u64,
    /// Rotations that the service found to have been lost.
    pub(crate) healed: u64,
    /// Late copies that it refused.
    pub(crate) superseded: u64,
}

/// Opens the store of a service that has ended.
pub(crate) fn open(data: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(data, &SqliteOptions::default(), Arc::new(Never), Arc::new(()))
}

/// Compares a store that nobody writes to any more with what the wire showed.
pub(crate) async fn compare(run: &Run, store: &dyn Store) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let standings = run.ledger.standings();
    for standing in &standings {
        let session = standing.session;
        let row = store.session(session).await?;
        let stored = row.as_ref().map(|(session, _)| session.rotation.generation);
        let Generation(generation) = stored.unwrap_or_default();
        found.sessions += 1;
        found.rotations += u64::from(generation);
        if row.is_none() || generation < standing.newest {
            let what = format!("{} was acknowledged, {generation} is stored", standing.newest);
            run.account.object(Zero::LostRotations, what, Some(session));
        }
        let ended = row.and_then(|(session, subject)| session.ended(&subject));
        if let Some(why) = ended.filter(|_| !standing.robbed && !standing.abandoned && standing.newest > 0) {
            let what = format!("an honest session was ended: {why:?}");
            run.account.object(Zero::FalseAlarms, what, Some(session));
        }
    }
    let robbed: BTreeMap<_, _> = standings
        .iter()
        .filter(|standing| standing.robbed)
        .map(|standing| (standing.session, standing.abandoned))
        .collect();
    blame(run);
    let after_all = read_audit(run, store, &robbed, &mut found).await?;
    balance(run, found.alarms.saturating_sub(after_all));
    Ok(found)
}

/// The machine holds up few requests. Of more, the clients' own doing is the likelier cause: they would be presenting tokens
/// that they should have forgotten.
fn blame(run: &Run) {
    let (held_up, requests) = (run.account.count(What::HeldUpTooLong), run.account.count(What::Requests));
    if held_up > 5 + requests / 2_000 {
        let what =
            format!("{held_up} of {requests} requests came too late, which is too many for the machine");
        run.account.object(Zero::Others, what, None);
    }
}

/// Each theft has raised one alarm, or has gained nothing. Of those that gained nothing some raise an alarm after all, by a
/// copy of what the thief sent: they are not among `alarms`.
fn balance(run: &Run, alarms: u64) {
    let (thefts, nothing) = (run.account.thefts(), run.account.count(What::NothingGained));
    let zero = match alarms.saturating_add(nothing).cmp(&thefts) {
        Ordering::Less => Zero::Unnoticed,
        Ordering::Equal => return,
        Ordering::Greater => Zero::FalseAlarms,
    };
    let what = format!("of {thefts} thefts {alarms} raised the alarm and {nothing} gained nothing");
    run.account.object(zero, what, None);
}

/// Reads the audit. `robbed` says of each session that was robbed whether its owner has given it up since, to a thief who
/// had gained nothing; the answer is how many of those raised an alarm.
async fn read_audit(
    run: &Run,
    store: &dyn Store,
    robbed: &BTreeMap<SessionId, bool>,
    found: &mut Found,
) -> Result<u64, StoreError> {
    let mut after_all = 0;
    let tell = |event: Event| match event.kind {
        EventKind::Superseded => found.superseded += 1,
        EventKind::Healed | EventKind::GenerationAhead => {
            found.healed += 1;
            let what = format!("the store had lost rotations: {}", event.kind.name());
            run.account.object(Zero::LostRotations, what, event.session);
        }
        EventKind::Reused => {
            found.alarms += 1;
            match event.session.and_then(|session| robbed.get(&session)) {
                Some(given_up) => after_all += u64::from(*given_up),
                None => run.account.object(Zero::FalseAlarms, "an alarm for nobody's theft", event.session),
            }
        }
        _ => {}
    };
    audit::read(store, tell).await?;
    Ok(after_all)
}

/// Looks for what must not be in a log.
pub(crate) fn search(run: &Run, name: &str, log: &Path) {
    for _ in 0..panics(log) {
        run.account.object(Zero::Panics, format!("{name} panicked: see {}", log.display()), None);
    }
    if holds_token(log) {
        run.account.object(Zero::Others, format!("there is a refresh token in {}", log.display()), None);
    }
}

/// The store is only read: nothing asks for the time.
#[derive(Debug)]
struct Never;

impl Clock for Never {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

#[cfg(test)]
mod tests;
