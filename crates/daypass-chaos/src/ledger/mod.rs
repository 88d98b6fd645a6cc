//! What the wire shows of every session: who presented what, what was answered, and what that proves.

mod lineage;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_core::SessionId;
use tokio::sync::Notify;

use crate::account::{Account, What, Zero};
use crate::token::{Named, Print};
use lineage::{Admission, Contradiction, Given, Lineage};

pub(crate) use lineage::Lateness;

/// So many lines of a session's past are kept, to be told if something goes wrong with it.
const LINES: usize = 32;

/// A request to rotate, as the wire shows it.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
    /// The attempt ids sent along, by generation.
    pub(crate) ids: Vec<(u32, Print)>,
    pub(crate) party: Party,
    /// Whether the session had been robbed when the request arrived.
    pub(crate) after_theft: bool,
    /// Whether it is a second copy, which nobody waits for.
    pub(crate) copy: bool,
    /// Whether the token came in its cookie, of which a browser's ids know nothing: a tab that is closed in between leaves a
    /// newer cookie than its ids are for.
    pub(crate) by_cookie: bool,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Owner,
    Thief,
}

impl Presented {
    /// Reads the token and the ids of a request: `7:Xk3…, 6:p0Q…`, or one id without a label.
    pub(crate) fn read(token: &str, ids: Option<&str>, party: Party) -> Option<Self> {
        let Named { session, generation } = Named::read(token)?;
        let pair = |text: &str| match text.trim().split_once(':') {
            Some((label, id)) => Some((label.parse().ok()?, Print::of(id))),
            None => Some((generation, Print::of(text.trim()))),
        };
        let ids = ids.map_or(Some(Vec::new()), |ids| ids.split(',').map(pair).collect())?;
        Some(Self { session, generation, ids, party, after_theft: false, copy: false, by_cookie: false })
    }

    /// Whether the token came in its cookie, with ids of which none is for it.
    fn is_of_another_cookie(&self) -> bool {
        self.by_cookie && !self.ids.is_empty() && self.id(self.generation).is_none()
    }

    fn id(&self, generation: u32) -> Option<Print> {
        self.ids.iter().find(|(label, _)| *label == generation).map(|(_, id)| *id)
    }
}

/// What the service answered, or that it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The token of this generation.
    Successor { generation: u32, token: Print },
    /// `invalid_grant` and its reason.
    Refused(Option<String>),
    /// 409.
    Mismatch,
    /// 429 or 503.
    Busy,
    /// Something that its contract does not know.
    Odd(u16),
    /// It was gone before it answered; whether it has acted is unknown.
    Unknown,
    /// The request never reached it.
    NotDelivered,
}

/// What has been seen of a theft since it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing seen or not seen, and any may come with any"
)]
pub(crate) struct Robbed {
    /// Whether a request of the owner's that arrived since has been answered.
    pub(crate) owner_answered: bool,
    /// Whether one of the thief's has been answered.
    pub(crate) thief_answered: bool,
    /// Whether one of the thief's was refused as superseded.
    pub(crate) thief_superseded: bool,
    /// Whether the session was refused as over.
    pub(crate) dead: bool,
    /// Whether a request of the thief's has been delivered.
    thief_came: bool,
    /// Requests that came after the theft, were delivered and are not answered.
    open: u32,
    /// Whether one of these went unanswered when the service was killed.
    lost: bool,
}

impl Robbed {
    /// Whether this request may be refused. What was asked before the theft cannot raise the alarm and may only come
    /// after it, so some request that can must be known to have raised it, or may have.
    fn excuses(self, request: &Presented) -> bool {
        self.dead || (self.thief_came && (request.after_theft || self.open > 0 || self.lost))
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sessions: Mutex<HashMap<SessionId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    lineage: Lineage,
    robbed: Option<Robbed>,
    /// Whether its holder has given it up, so that its end is nothing to wonder at.
    abandoned: bool,
    changed: Arc<Notify>,
    past: VecDeque<String>,
}

/// A session at the end of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) session: SessionId,
    /// The newest generation that was acknowledged.
    pub(crate) newest: u32,
    pub(crate) robbed: bool,
    pub(crate) abandoned: bool,
}

impl Ledger {
    /// A request has arrived.
    pub(crate) fn arrive(&self, request: &mut Presented) {
        let mut sessions = self.sessions();
        let entry = sessions.entry(request.session).or_insert_with(|| Entry::new(request.generation));
        request.after_theft = entry.robbed.is_some();
    }

    /// Waits until a request may be delivered. False: it must not be.
    pub(crate) async fn admit(&self, request: &Presented, lateness: Lateness, account: &Account) -> bool {
        let Some(changed) = self.with(request.session, |entry| Arc::clone(&entry.changed)) else {
            return true;
        };
        let mut waited = false;
        loop {
            let change = changed.notified();
            tokio::pin!(change);
            // From here on no change is missed.
            change.as_mut().enable();
            let now = SystemClock.running();
            match self.with(request.session, |entry| entry.admit(request, now, lateness)) {
                Some(Admission::Wait) => {
                    if !std::mem::replace(&mut waited, true) {
                        account.add(What::Waited);
                    }
                    change.await;
                }
                Some(Admission::Discard) => return false,
                Some(Admission::Deliver) | None => return true,
            }
        }
    }

    /// Waits until the session is so many generations ahead of a request, or for so long.
    pub(crate) async fn ahead(&self, request: &Presented, by: u32, at_most: Duration) {
        let Some(changed) = self.with(request.session, |entry| Arc::clone(&entry.changed)) else { return };
        let reached = async {
            loop {
                let change = changed.notified();
                tokio::pin!(change);
                change.as_mut().enable();
                let newest = self.with(request.session, |entry| entry.lineage.newest());
                if newest >= Some(request.generation.saturating_add(by)) {
                    return;
                }
                change.await;
            }
        };
        // Either will do.
        let _reached = tokio::time::timeout(at_most, reached).await;
    }

    /// A delivered request has met with its outcome.
    pub(crate) fn settle(&self, request: &Presented, outcome: &Outcome, account: &Account) {
        let mut sessions = self.sessions();
        let Some(entry) = sessions.get_mut(&request.session) else { return };
        entry.lineage.land(request, *outcome == Outcome::Unknown);
        entry.note(request, outcome);
        entry.judge(request, outcome, account);
        entry.changed.notify_waiters();
    }

    /// A sign-in was answered with this token.
    pub(crate) fn open(&self, token: &str) {
        let Some(Named { session, generation }) = Named::read(token) else { return };
        self.sessions().entry(session).or_insert_with(|| Entry::new(generation));
    }

    /// Somebody copies the session's tokens from its owner's store.
    pub(crate) fn rob(&self, session: SessionId) {
        let mut sessions = self.sessions();
        sessions.entry(session).or_insert_with(|| Entry::new(0)).robbed = Some(Robbed::default());
    }

    /// What has been seen since it was robbed.
    pub(crate) fn robbed(&self, session: SessionId) -> Option<Robbed> {
        self.with(session, |entry| entry.robbed).flatten()
    }

    /// Its holder gives it up.
    pub(crate) fn abandon(&self, session: SessionId) {
        self.with(session, |entry| entry.abandoned = true);
    }

    /// What is known of a session's past, the oldest first.
    pub(crate) fn past(&self, session: SessionId) -> Vec<String> {
        self.with(session, |entry| entry.past.iter().cloned().collect()).unwrap_or_default()
    }

    /// Every session as it stands.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let sessions = self.sessions();
        let standing = |(session, entry): (&SessionId, &Entry)| Standing {
            session: *session,
            newest: entry.lineage.newest(),
            robbed: entry.robbed.is_some(),
            abandoned: entry.abandoned,
        };
        sessions.iter().map(standing).collect()
    }

    fn with<T>(&self, session: SessionId, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.sessions().get_mut(&session).map(look)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        // Whoever panicked is counted; what he left is judged all the same.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(generation: u32) -> Self {
        Self {
            lineage: Lineage::new(generation),
            robbed: None,
            abandoned: false,
            changed: Arc::default(),
            past: VecDeque::new(),
        }
    }

    fn admit(&mut self, request: &Presented, now: Duration, lateness: Lateness) -> Admission {
        let admission = self.lineage.admit(request, now, lateness);
        if let (Some(robbed), Admission::Deliver) = (&mut self.robbed, admission) {
            robbed.open += u32::from(request.after_theft);
            robbed.thief_came |= request.after_theft && request.party == Party::Thief && !request.copy;
        }
        admission
    }

    /// Counts an outcome, and objects to what must not be.
    fn judge(&mut self, request: &Presented, outcome: &Outcome, account: &Account) {
        let session = request.session;
        let object = |zero, what: String| account.object(zero, what, Some(session));
        match outcome {
            Outcome::Successor { generation, token } => {
                match self.lineage.give(request, *generation, *token, SystemClock.running()) {
                    Ok(Given::Rotated(by)) => account.add_many(What::Rotations, by.into()),
                    Ok(Given::Repeated) => {
                        account.add(What::Repeats);
                        if request.ids.is_empty() {
                            account.add(What::GraceRepeats);
                        }
                    }
                    Err(contradiction) => object(contradiction.zero(), contradiction.to_string()),
                }
            }
            Outcome::Refused(Some(reason)) if reason == "superseded" => account.add(What::Superseded),
            Outcome::Refused(reason) => {
                let excused = self.abandoned || self.robbed.is_some_and(|robbed| robbed.excuses(request));
                if let Some(robbed) = &mut self.robbed {
                    robbed.dead = true;
                }
                if !excused {
                    let reason = reason.as_deref().unwrap_or("no reason");
                    object(Zero::FalseAlarms, format!("an honest request was refused: {reason}"));
                }
            }
            Outcome::Mismatch if request.is_of_another_cookie() => account.add(What::Mismatches),
            Outcome::Mismatch => object(Zero::Others, "ids without one for the token's generation".into()),
            Outcome::Odd(status) => object(Zero::Others, format!("a renewal was answered with {status}")),
            Outcome::Busy => account.add(What::Busy),
            Outcome::Unknown => account.add(What::Unknown),
            Outcome::NotDelivered => {}
        }
        self.follow_theft(request, outcome);
    }

    fn follow_theft(&mut self, request: &Presented, outcome: &Outcome) {
        let Some(robbed) = self.robbed.as_mut().filter(|_| request.after_theft) else { return };
        robbed.open = robbed.open.saturating_sub(1);
        robbed.lost |= *outcome == Outcome::Unknown;
        let answered = matches!(outcome, Outcome::Successor { .. } | Outcome::Refused(_));
        if !answered || request.copy {
            return;
        }
        match request.party {
            Party::Owner => robbed.owner_answered = true,
            Party::Thief => {
                robbed.thief_answered = true;
                robbed.thief_superseded |= is_superseded(outcome);
            }
        }
    }

    fn note(&mut self, request: &Presented, outcome: &Outcome) {
        let ids: Vec<_> = request.ids.iter().map(|(label, id)| format!("{label}:{id}")).collect();
        let copy = if request.copy { ", a late copy" } else { "" };
        let who = if request.party == Party::Thief { "thief" } else { "owner" };
        let line = format!("{who} {} [{}]{copy} -> {outcome}", request.generation, ids.join(" "));
        if self.past.len() == LINES {
            self.past.pop_front();
        }
        self.past.push_back(line);
    }
}

fn is_superseded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Some(reason)) if reason == "superseded")
}

impl Contradiction {
    fn zero(self) -> Zero {
        match self {
            Self::TwoTokens(_) | Self::TwoHolders(_) => Zero::Twins,
            Self::Backwards(_) => Zero::Others,
        }
    }
}

impl std::fmt::Display for Contradiction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TwoTokens(generation) => write!(f, "generation {generation} has two refresh tokens"),
            Self::TwoHolders(generation) => {
                write!(f, "the successor of generation {generation} was given under two different ids")
            }
            Self::Backwards(generation) => write!(f, "the answer leads back to generation {generation}"),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Successor { generation, token } => write!(f, "{generation} ({token})"),
            Self::Refused(reason) => write!(f, "refused: {}", reason.as_deref().unwrap_or("no reason")),
            Self::Mismatch => f.write_str("mismatch"),
            Self::Busy => f.write_str("busy"),
            Self::Odd(status) => write!(f, "status {status}"),
            Self::Unknown => f.write_str("no answer"),
            Self::NotDelivered => f.write_str("not delivered"),
        }
    }
}

#[cfg(test)]
mod tests;
