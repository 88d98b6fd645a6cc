//! What the engine knows between two calls, and how it changes: values in, values out, under a lock that nobody
//! waits with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::backoff::Backoff;
use super::skew::Skew;
use crate::policy::{Asked, Jitter, Life, Moment, Need};
use crate::store::{Stored, Version};
use crate::{Access, AccessToken, Event, Record, SessionError, SessionState, SignOutReason};

/// What is known.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) known: Known,
    /// The renewal under way. What is not under way here any more has been overtaken.
    pub(super) flight: Option<Handle>,
    flights: u64,
    pub(super) backoff: Backoff,
    pub(super) skew: Skew,
    /// The session that ended here last: what a store still holds of it is not used.
    pub(super) ended: Option<String>,
    /// The last change of the store that was looked at.
    pub(super) noticed: Option<Version>,
    unreachable: bool,
    unpersisted: bool,
    told: SessionState,
    outbox: VecDeque<Notice>,
    pub(super) is_sending: bool,
}

/// Who is signed in.
#[derive(Debug)]
pub(super) enum Known {
    /// The store has not been read.
    Unknown,
    /// Nobody.
    Out(SignOutReason),
    /// Somebody, or the client for itself.
    In(Box<Held>),
}

/// What is held of a session.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// None for a client that acts for itself.
    pub(super) kept: Option<Kept>,
    /// The access token that is given out.
    pub(super) access: Option<Current>,
}

/// A record as the store has it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) record: Record,
    pub(super) version: Version,
    /// What the store would not take: never sent, and written when the store takes it.
    pub(super) unwritten: Option<Record>,
}

/// An access token, and what tells how long it serves.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) token: AccessToken,
    pub(super) life: Life,
    pub(super) asked: Asked,
}

/// A renewal under way, as those see it who wait for it.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) id: u64,
    pub(super) end: Arc<watch::Sender<Option<End>>>,
}

/// How a renewal ended for those who waited.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// Here is a token.
    Token(AccessToken),
    /// Somebody else is signed in now, or nobody: look again.
    Overtaken,
    /// No token.
    Failed(SessionError),
}

/// What others are told when nobody holds the lock any more, in this order.
#[derive(Debug)]
pub(super) enum Notice {
    State(SessionState),
    End(Arc<watch::Sender<Option<End>>>, End),
    Event(Event),
}

impl Memory {
    pub(super) fn new(known: Known) -> Self {
        Self {
            known,
            flight: None,
            flights: 0,
            backoff: Backoff::default(),
            skew: Skew::default(),
            ended: None,
            noticed: None,
            unreachable: false,
            unpersisted: false,
            told: SessionState::Unknown,
            outbox: VecDeque::new(),
            is_sending: false,
        }
    }

    /// What the session is worth.
    pub(super) fn state(&self, now: Moment) -> SessionState {
        match &self.known {
            Known::Unknown => SessionState::Unknown,
            Known::Out(reason) => SessionState::SignedOut(*reason),
            Known::In(_) if self.unreachable => SessionState::Unreachable,
            Known::In(held) if held.serving(now).is_some() => SessionState::Active,
            Known::In(_) => SessionState::Stale,
        }
    }

    pub(super) fn held(&self) -> Option<&Held> {
        if let Known::In(held) = &self.known { Some(held) } else { None }
    }

    pub(super) fn kept(&self) -> Option<&Kept> {
        self.held()?.kept.as_ref()
    }

    /// Why nobody is signed in.
    pub(super) fn reason(&self) -> SignOutReason {
        if let Known::Out(reason) = self.known { reason } else { SignOutReason::NotSignedIn }
    }

    /// Takes over what a store holds, if it is not what is known already. The answer is what it holds that can be
    /// used.
    pub(super) fn reconcile(
        &mut self,
        stored: Stored,
        usable: bool,
        now: Moment,
        jitter: Jitter,
    ) -> Option<Kept> {
        let ended = self.ended.as_deref();
        let record = stored.record.filter(|record| usable && ended != Some(&record.session_id));
        let Some(record) = record else {
            match self.known {
                Known::Unknown => self.known = Known::Out(SignOutReason::NotSignedIn),
                Known::In(_) => {
                    // It did not end here: if the store has it again, it is used again.
                    let ended = self.ended.take();
                    self.sign_out(SignOutReason::SignedOut);
                    self.ended = ended;
                }
                Known::Out(_) => {}
            }
            return None;
        };
        if self.kept().is_none_or(|kept| kept.version != stored.version) {
            self.take(record, stored.version, now, jitter);
        }
        self.kept().cloned()
    }

    /// Takes over a record that somebody else wrote, or that was there before.
    fn take(&mut self, record: Record, version: Version, now: Moment, jitter: Jitter) {
        let before = match std::mem::replace(&mut self.known, Known::Unknown) {
            Known::In(held) => *held,
            Known::Out(_) => {
                self.tell(Event::SignedIn);
                Held::default()
            }
            Known::Unknown => Held::default(),
        };
        let (old, old_access) = (before.kept, before.access);
        let same = old.as_ref().is_some_and(|old| old.record.is_of_session(&record));
        if old.is_some() && !same {
            self.tell(Event::SignedIn);
        }
        // Ours that was never written is still the newest there is, or somebody has written as much.
        let unwritten = old.filter(|_| same).and_then(|old| old.unwritten);
        let unwritten = unwritten.filter(|unwritten| unwritten.generation > record.generation);
        let read = record.access.as_ref().map(|access| Current::read(access, now, jitter));
        let access = match (old_access, read) {
            (Some(ours), _) if same && unwritten.is_some() => Some(ours),
            // What this process asked for itself it knows the age of.
            (Some(ours), Some(read)) if ours.token == read.token => Some(ours),
            (_, Some(read)) => Some(read),
            (ours, None) => ours.filter(|_| same),
        };
        if unwritten.is_none() {
            self.persisted();
        }
        self.known = Known::In(Box::new(Held { kept: Some(Kept { record, version, unwritten }), access }));
    }

    /// What a renewal has brought.
    pub(super) fn hold(&mut self, kept: Kept, access: Current) {
        self.known = Known::In(Box::new(Held { kept: Some(kept), access: Some(access) }));
    }

    /// What a client has got for itself.
    pub(super) fn hold_own(&mut self, access: Current) {
        self.known = Known::In(Box::new(Held { kept: None, access: Some(access) }));
    }

    /// The session is over.
    pub(super) fn sign_out(&mut self, reason: SignOutReason) {
        let was = std::mem::replace(&mut self.known, Known::Out(reason));
        if let Known::In(held) = was {
            self.ended = held.kept.map(|kept| kept.record.session_id).or(self.ended.take());
            self.unpersisted = false;
            self.unreachable = false;
            self.tell(Event::SignedOut(reason));
        }
    }

    /// Somebody has signed in, and the store has it.
    pub(super) fn sign_in(&mut self, record: Record, version: Version, access: Current) {
        self.overtake();
        self.ended = None;
        let signed_in = self.kept().is_none_or(|kept| !kept.record.is_of_session(&record));
        self.known = Known::In(Box::new(Held {
            kept: Some(Kept { record, version, unwritten: None }),
            access: Some(access),
        }));
        self.persisted();
        if signed_in {
            self.tell(Event::SignedIn);
        }
    }

    /// Makes room for a renewal, which is under way from now on.
    pub(super) fn enlist(&mut self) -> Handle {
        self.flights = self.flights.wrapping_add(1);
        let handle = Handle { id: self.flights, end: Arc::new(watch::Sender::new(None)) };
        self.flight = Some(handle.clone());
        handle
    }

    /// Whoever waits for the renewal under way looks again; what it brings is not wanted any more.
    pub(super) fn overtake(&mut self) {
        self.land(End::Overtaken);
    }

    /// The renewal under way is over.
    pub(super) fn land(&mut self, end: End) {
        if let Some(flight) = self.flight.take() {
            self.outbox.push_back(Notice::End(flight.end, end));
        }
    }

    /// The service has answered, whatever it said.
    pub(super) fn reached(&mut self) {
        self.backoff.answered();
        self.reachable();
    }

    /// The service is there.
    pub(super) fn reachable(&mut self) {
        if std::mem::take(&mut self.unreachable) {
            self.tell(Event::Reachable);
        }
    }

    /// A renewal was given up.
    pub(super) fn unreached(&mut self) {
        if !std::mem::replace(&mut self.unreachable, true) {
            self.tell(Event::Unreachable);
        }
    }

    /// The store has all there is.
    pub(super) fn persisted(&mut self) {
        if std::mem::take(&mut self.unpersisted) {
            self.tell(Event::Persisted);
        }
    }

    /// The store would not take something.
    pub(super) fn persist_failed(&mut self) {
        if !std::mem::replace(&mut self.unpersisted, true) {
            self.tell(Event::PersistFailed);
        }
    }

    /// Puts an event behind those that have not been sent yet.
    pub(super) fn tell(&mut self, event: Event) {
        self.outbox.push_back(Notice::Event(event));
    }

    /// How many notices wait to be sent.
    pub(super) fn untold(&self) -> usize {
        self.outbox.len()
    }

    /// Puts the state, if it has changed, before those notices that have come since there were `before`.
    pub(super) fn tell_state(&mut self, before: usize, now: Moment) {
        let state = self.state(now);
        if std::mem::replace(&mut self.told, state) != state {
            self.outbox.insert(before.min(self.outbox.len()), Notice::State(state));
        }
    }

    pub(super) fn next_notice(&mut self) -> Option<Notice> {
        self.outbox.pop_front()
    }
}

impl Held {
    /// What to do with the token at hand.
    pub(super) fn need(&self, now: Moment) -> Need {
        let Some(current) = &self.access else { return Need::Wait };
        let left = self.kept.as_ref().and_then(|kept| kept.newest().session_left(now.wall));
        current.life.need(current.asked.age(now), left)
    }

    /// The token at hand, while it serves.
    pub(super) fn serving(&self, now: Moment) -> Option<&AccessToken> {
        let current = self.access.as_ref()?;
        (current.asked.age(now) < current.life.lifetime).then_some(&current.token)
    }

    /// How long until the token at hand is renewed if it is in use; nothing if there is none.
    pub(super) fn due_in(&self, now: Moment) -> Duration {
        let due = |current: &Current| current.life.renewed_at().saturating_sub(current.asked.age(now));
        self.access.as_ref().map(due).unwrap_or_default()
    }
}

impl Kept {
    /// The newest record of the session, written or not.
    pub(super) fn newest(&self) -> &Record {
        self.unwritten.as_ref().unwrap_or(&self.record)
    }
}

impl Current {
    /// A token that this process asked for.
    pub(super) fn asked_here(access: &Access, asked: Moment, jitter: Jitter) -> Self {
        Self::new(access, Asked::Here(asked), jitter)
    }

    /// A token that was read from a store.
    fn read(access: &Access, now: Moment, jitter: Jitter) -> Self {
        let wall = Duration::from_millis(access.requested_at_ms);
        Self::new(access, Asked::Before { wall, read: now }, jitter)
    }

    fn new(access: &Access, asked: Asked, jitter: Jitter) -> Self {
        let refresh_in = access.refresh_in.map(Duration::from_secs);
        Self {
            token: access.token.clone(),
            life: Life { lifetime: access.lifetime(), refresh_in, jitter },
            asked,
        }
    }

    /// Whether a refusal of this token means that it has to be renewed.
    pub(super) fn is_refusable(&self, now: Moment) -> bool {
        !self.asked.is_sure(now) || !self.life.too_young_to_be_refused(self.asked.age(now))
    }
}
