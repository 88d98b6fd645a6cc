//! The model: one subject as it would be if everything happened one after the other.
//!
//! It is as naive as can be, and takes the rules themselves ([`decide`], [`Cutoff::at`],
//! [`NewSession::open`]) as they are shipped: a store has nothing to add to them.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use daypass_core::{
    Clients, Cutoff, Decision, Ending, EndingReason, Event, EventKind, FeedEntry, NewSession, OnReuse,
    Presented, Refusal, Revoked, Session, SessionId, Subject, SubjectId, Timestamp, decide,
};

use super::act::{Act, Answer, Password};
use crate::{EndOutcome, Opened};

/// What is told of a subject besides the answers, in no order: a store may number rows as it likes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Told {
    feed: Vec<(Timestamp, Ended)>,
    events: Vec<(Timestamp, &'static str, Option<SessionId>)>,
}

/// What an entry of the feed ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Ended {
    Session(SessionId),
    Before(Timestamp),
}

impl Told {
    pub(super) fn end(&mut self, entry: &FeedEntry) {
        let ending = match &entry.ending {
            Ending::Session(id) => Ended::Session(*id),
            Ending::Subject { not_before, .. } => Ended::Before(*not_before),
        };
        self.feed.push((entry.at, ending));
        self.feed.sort();
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.events.push((event.at, event.kind.name(), event.session));
        self.events.sort();
    }
}

/// One person with all sessions, and the time.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct World {
    now: Timestamp,
    subject: Subject,
    password: Password,
    sessions: BTreeMap<SessionId, Session>,
    told: Told,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let rows = self.sessions.values().map(|session| (session.id, session.rotation));
        rows.collect::<Vec<_>>().hash(state);
        (self.now, self.password, self.subject.disabled, &self.told).hash(state);
    }
}

impl World {
    /// A person who has just been added.
    pub(super) fn new(sub: SubjectId, now: Timestamp) -> Self {
        let mut told = Told::default();
        told.event(&Event::new(now, EventKind::UserAdded));
        let [password, ..] = Password::ALL;
        Self { now, subject: Subject::new(sub), password, sessions: BTreeMap::new(), told }
    }

    /// What has been told so far.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Does what was asked for, and says whether the answer is the one that it then has.
    pub(super) fn allows(&mut self, act: &Act, answer: &Answer, clients: &Clients) -> bool {
        match (act, answer) {
            (Act::Rotate { session, presented }, Answer::Rotated(rotated)) => {
                let (decision, row) = self.rotate(*session, presented, clients);
                (decision, self.now, &row) == (rotated.decision, rotated.now, &rotated.row)
            }
            (Act::SignIn { proven: Some(password), .. }, Answer::Opened(opened))
                if self.password != *password =>
            {
                matches!(**opened, Opened::PasswordChanged)
            }
            (Act::SignIn { new, .. }, Answer::Opened(opened)) => self.sign_in(new, opened),
            (Act::End { session, why, .. }, Answer::Ended(outcome)) => self.end(*session, *why) == *outcome,
            (Act::EndAll { except, why }, Answer::Done) => {
                self.end_all(*except, *why);
                true
            }
            (Act::Disable(disabled), Answer::Flag(changed)) => {
                self.disable(*disabled);
                *changed
            }
            (Act::NewPassword { password, from, keep }, Answer::Flag(changed)) => {
                let fits = from.is_none_or(|from| self.password == from);
                if fits {
                    self.password = *password;
                    self.end_all(*keep, EndingReason::PasswordChanged);
                }
                fits == *changed
            }
            (Act::Rehash { from, to }, Answer::Flag(changed)) => {
                let fits = self.password == *from;
                self.password = if fits { *to } else { self.password };
                fits == *changed
            }
            (Act::Prune, Answer::Done) => {
                self.prune();
                true
            }
            (Act::Step(by), Answer::Done) => {
                self.now = self.now.plus(*by);
                true
            }
            (Act::LookAtSession(id), Answer::Session(seen)) => {
                let row = self.sessions.get(id).map(|session| (session, &self.subject));
                row == seen.as_deref().map(|(session, subject)| (session, subject))
            }
            (Act::LookAtList, Answer::List(seen)) => {
                let mut seen: Vec<_> = seen.iter().collect();
                seen.sort_by_key(|session| session.id);
                seen.into_iter().eq(self.live())
            }
            (Act::LookAtPerson, Answer::Person(hash, subject)) => {
                *hash == self.password.hash() && **subject == self.subject
            }
            (act, answer) => panic!("{act:?} was answered with {answer:?}"),
        }
    }

    fn live(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| session.lives(&self.subject, self.now))
    }

    fn rotate(
        &mut self,
        id: SessionId,
        presented: &Presented,
        clients: &Clients,
    ) -> (Decision, Option<(Session, Subject)>) {
        let session = self.sessions.get(&id);
        let client = session.map_or("", |session| session.client.as_str());
        let (client, policy) =
            clients.get(client).or_else(|| clients.get(daypass_core::client::BUILT_IN)).unwrap();
        let decision = decide(session, &self.subject, Some(client), presented, policy, self.now);
        if let (Some(kind), Some(_)) = (decision.event(), session) {
            self.told.event(&Event::new(self.now, kind).in_session(id));
        }
        if let (Some(state), Some(session)) = (decision.state(), self.sessions.get_mut(&id)) {
            session.rotation = *state;
        }
        match decision {
            Decision::Reuse { ends: OnReuse::Session } => self.revoke(id, EndingReason::Reused),
            Decision::Reuse { ends: OnReuse::Subject } => {
                self.mark(id, EndingReason::Reused);
                self.cut_off(EndingReason::Reused);
            }
            // What was told is over stays over, unless it was only idle.
            Decision::Refuse(Refusal::Expired)
                if self.sessions.get(&id).is_some_and(|session| session.expired(self.now)) =>
            {
                self.mark(id, EndingReason::Expired);
            }
            _ => {}
        }
        (decision, self.sessions.get(&id).map(|session| (session.clone(), self.subject.clone())))
    }

    fn sign_in(&mut self, new: &NewSession, opened: &Opened) -> bool {
        match (new.open(&self.subject, self.now), opened) {
            // Which of its millisecond's ids it gets is the store's to choose.
            (Ok(session), Opened::Session(told, subject)) => {
                let known = self.sessions.contains_key(&told.id);
                let fits = told.start() == session.start() && !known && *subject == self.subject;
                let session = Session { id: told.id, ..session };
                let same = session == *told;
                self.told.event(&Event::new(self.now, EventKind::SignedIn).in_session(session.id));
                self.sessions.insert(session.id, session);
                fits && same
            }
            (Err(_), Opened::Disabled) => true,
            _ => false,
        }
    }

    fn end(&mut self, id: SessionId, why: EndingReason) -> EndOutcome {
        let Some(session) = self.sessions.get(&id) else { return EndOutcome::NotFound };
        if session.ended(&self.subject).is_some() {
            return EndOutcome::AlreadyEnded;
        }
        self.revoke(id, why);
        self.told.event(&Event::new(self.now, event_of(why)).in_session(id));
        EndOutcome::Ended
    }

    fn end_all(&mut self, except: Option<SessionId>, why: EndingReason) {
        match except {
            None => self.cut_off(why),
            Some(kept) => {
                let unended = self.sessions.values().filter(|session| session.ended(&self.subject).is_none());
                let others: Vec<_> = unended.map(|session| session.id).filter(|id| *id != kept).collect();
                for id in others {
                    self.revoke(id, why);
                }
            }
        }
        self.told.event(&Event::new(self.now, event_of(why)));
    }

    fn disable(&mut self, disabled: bool) {
        let before = std::mem::replace(&mut self.subject.disabled, disabled);
        if disabled && !before {
            self.cut_off(EndingReason::Disabled);
        }
        self.told.event(&Event::new(self.now, EventKind::UserChanged));
    }

    fn revoke(&mut self, id: SessionId, why: EndingReason) {
        self.mark(id, why);
        self.told.end(&FeedEntry::new(Ending::Session(id), self.now, self.now));
    }

    fn mark(&mut self, id: SessionId, why: EndingReason) {
        self.sessions.get_mut(&id).unwrap().revoked = Some(Revoked { at: self.now, why });
    }

    fn cut_off(&mut self, why: EndingReason) {
        let latest = self.sessions.values().map(Session::start).max();
        let cutoff = Cutoff::at(self.now, latest, self.subject.cutoff, why);
        self.subject.cutoff = Some(cutoff);
        let ending = Ending::Subject { sub: self.subject.id.clone(), not_before: cutoff.not_before };
        self.told.end(&FeedEntry::new(ending, self.now, self.now));
    }

    fn prune(&mut self) {
        let now = self.now;
        let past = |moment: Timestamp, life: Duration| moment.plus(life) <= now;
        let day = Duration::from_hours(24);
        self.sessions.retain(|_, session| match (session.expires_at, session.revoked) {
            (Some(end), _) => !past(end, day),
            (None, Some(revoked)) => !past(revoked.at, 30 * day),
            (None, None) => true,
        });
        self.told
            .feed
            .retain(|(at, _)| !past(*at, daypass_core::revocation::FEED_LIFE + Duration::from_hours(2)));
    }
}

fn event_of(why: EndingReason) -> EventKind {
    match why {
        EndingReason::SignedOut => EventKind::SignedOut,
        EndingReason::PasswordChanged => EventKind::PasswordChanged,
        EndingReason::Reused => EventKind::Reused,
        EndingReason::Revoked | EndingReason::Disabled | EndingReason::Deleted | EndingReason::Expired => {
            EventKind::Revoked
        }
    }
}
