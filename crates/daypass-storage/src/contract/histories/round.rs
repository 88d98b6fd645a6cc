//! One round: a person, some sessions, actors that do things to them at the same time, and the
//! history of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_core::{
    AttemptDigest, Clients, Decision, EndingReason, Generation, NewSession, Origin, Presented,
    PresentedAttempts, PresentedBy, Proof, Session, SessionId, SubjectId, Timestamp, TokenKeyId,
};

use super::act::{Act, Answer, Call, Password};
use super::draw::Draw;
use super::rules::opened;
use super::{Kind, Plan};
use crate::contract::stage::{Stage, from_test, own_id, sub};
use crate::{Opened, PasswordChange, RotateRequest, SubjectChange};

/// Who plays the beginning and the end, when nobody else does anything.
const NARRATOR: usize = 99;

/// A round that is being played.
pub(super) struct Round {
    pub(super) plan: Plan,
    pub(super) person: SubjectId,
    pub(super) began: Timestamp,
    pub(super) clients: Arc<Clients>,
    /// Openings of the data; actors are spread over them.
    stages: Vec<Stage>,
    counter: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    slots: Vec<Slot>,
}

/// A session that actors may take on.
#[derive(Clone, Copy)]
struct Slot {
    session: SessionId,
    /// Whether its client sends no attempt ids.
    bare: bool,
}

/// One of those who act at the same time.
pub(super) struct Actor {
    number: usize,
    draw: Draw,
    /// The generation of the newest token that this actor holds, where it is not the first.
    tokens: HashMap<SessionId, u32>,
}

impl Round {
    /// A round of a new person, who is added.
    pub(super) async fn begin(stages: Vec<Stage>, number: usize, plan: Plan) -> Self {
        let name = format!("person-{number}");
        let [stage, ..] = stages.as_slice() else { panic!("there is a store") };
        let began = stage.now();
        stage.add_person(&name).await;
        let clients = stage.request(SessionId::from_bytes([0; 16]), 0, &[]).clients;
        let (counter, seen) = (AtomicU64::default(), Mutex::default());
        Self { plan, person: sub(&name), began, clients, stages, counter, seen }
    }

    /// A session that is over by itself soon after, long before the others begin.
    pub(super) async fn open_the_old_one(&self) {
        let life = Some(Duration::from_secs(1));
        self.sign_in(NARRATOR, NewSession { life, ..self.new_session() }, None, false).await;
    }

    /// Two sessions that have been renewed once, one of them by a client without attempt ids.
    pub(super) async fn open_the_others(&self) {
        let mut narrator = self.actor(NARRATOR);
        for bare in [false, true] {
            let session =
                self.sign_in(NARRATOR, self.new_session(), None, bare).await.expect("nobody is disabled");
            self.renew(&mut narrator, Slot { session, bare }).await;
        }
    }

    /// Does what the plan has for one actor.
    pub(super) async fn act(&self, number: usize) {
        let mut actor = self.actor(number);
        for kind in &self.plan.actors[number] {
            self.act_once(&mut actor, *kind).await;
        }
    }

    /// When everybody is done: how everything is, whether it renews, and whether one can sign in.
    pub(super) async fn look_around(&self) {
        let mut narrator = self.actor(NARRATOR);
        self.perform(NARRATOR, Act::LookAtPerson).await;
        for slot in self.slots() {
            if let Some(generation) = self.look(NARRATOR, slot.session).await {
                narrator.tokens.insert(slot.session, generation);
            }
        }
        for slot in self.slots() {
            self.renew(&mut narrator, slot).await;
        }
        if let Some(session) = self.sign_in(NARRATOR, self.new_session(), None, false).await {
            self.renew(&mut narrator, Slot { session, bare: false }).await;
        }
        self.perform(NARRATOR, Act::LookAtList).await;
    }

    /// What happened, once it is over.
    pub(super) fn history(&self) -> Vec<Call> {
        std::mem::take(&mut self.seen.lock().unwrap().calls)
    }

    /// Notes that time has passed, for everybody.
    pub(super) fn note_step(&self, by: Duration) {
        let began = self.tick();
        self.note(NARRATOR, Act::Step(by), Answer::Done, began);
    }

    fn actor(&self, number: usize) -> Actor {
        let seed = u64::try_from(number).unwrap();
        let draw = Draw::new(self.plan.seed.wrapping_mul(0x1000).wrapping_add(seed));
        // The two that were renewed once.
        let renewed = self.slots().into_iter().skip(1).map(|slot| (slot.session, 1));
        Actor { number, draw, tokens: renewed.collect() }
    }

    fn slots(&self) -> Vec<Slot> {
        self.seen.lock().unwrap().slots.clone()
    }

    fn new_session(&self) -> NewSession {
        self.stages[0].new_session(self.person.as_str(), self.plan.client)
    }

    async fn act_once(&self, actor: &mut Actor, kind: Kind) {
        let slots = self.slots();
        let old = if self.plan.uses(Kind::Prune) { 2 } else { 8 };
        let [first, others @ ..] = slots.as_slice() else { panic!("there are sessions") };
        let slot = if actor.draw.one_in(old) { *first } else { actor.draw.of(others) };
        let why = actor.draw.of(&[EndingReason::SignedOut, EndingReason::Revoked]);
        let act = match kind {
            Kind::Renew => return self.renew(actor, slot).await,
            Kind::Retry => return self.retry(actor, slot).await,
            Kind::Steal => return self.steal(actor, slot).await,
            Kind::SignIn => {
                let bare = actor.draw.one_in(2);
                // Only where time passes does it matter that it ends.
                let ends = self.plan.uses(Kind::Step) && actor.draw.one_in(2);
                let life = ends.then_some(Duration::from_secs(30));
                let proven = self.proven(actor).await;
                self.sign_in(actor.number, NewSession { life, ..self.new_session() }, proven, bare).await;
                return;
            }
            Kind::End => Act::End { session: slot.session, owned: actor.draw.one_in(2), why },
            Kind::EndAll => Act::EndAll { except: None, why },
            Kind::EndOthers => Act::EndAll { except: Some(slot.session), why },
            Kind::Disable => Act::Disable(true),
            Kind::Enable => Act::Disable(false),
            Kind::NewPassword => {
                let keep = (!actor.draw.one_in(4)).then_some(slot.session);
                let from = self.proven(actor).await;
                Act::NewPassword { password: actor.draw.of(&Password::ALL), from, keep }
            }
            Kind::Rehash => {
                Act::Rehash { from: actor.draw.of(&Password::ALL), to: actor.draw.of(&Password::ALL) }
            }
            Kind::Prune => Act::Prune,
            // Within the grace, past it, past the idle time, past a day.
            Kind::Step => Act::Step(Duration::from_secs(actor.draw.of(&[3, 8, 40, 90_000]))),
            Kind::Look => Act::LookAtSession(slot.session),
            Kind::List => Act::LookAtList,
            Kind::LookAtPerson => Act::LookAtPerson,
        };
        self.perform(actor.number, act).await;
    }

    /// Presents the newest token in hand as its holder does; whoever holds the same token sends the
    /// same ids.
    async fn renew(&self, actor: &mut Actor, slot: Slot) {
        let held = actor.token(slot);
        let ids = if slot.bare { Vec::new() } else { own_ids(held) };
        self.present(actor, slot, held, ids).await;
    }

    /// Presents the token before that once more.
    async fn retry(&self, actor: &mut Actor, slot: Slot) {
        let back = 1 + u32::try_from(actor.draw.below(8) / 7).unwrap();
        let held = actor.token(slot).saturating_sub(back);
        let ids = if slot.bare { Vec::new() } else { own_ids(held) };
        self.present(actor, slot, held, ids).await;
    }

    /// Presents a copied token, the newest or one that was used.
    async fn steal(&self, actor: &mut Actor, slot: Slot) {
        let back = u32::try_from(actor.draw.below(3).min(1)).unwrap();
        let copied = actor.token(slot).saturating_sub(back);
        let ids = vec![(copied, format!("attempt-of-thief-{}-for-{copied:05}", actor.number))];
        self.present(actor, slot, copied, ids).await;
    }

    async fn present(&self, actor: &mut Actor, slot: Slot, g: u32, ids: Vec<(u32, String)>) {
        let pairs: Vec<_> = ids.iter().map(|(of, id)| (Generation(*of), AttemptDigest::of(id))).collect();
        let presented = Presented {
            generation: Generation(g),
            attempts: PresentedAttempts::from_pairs(&pairs).unwrap(),
            by: PresentedBy::FirstParty,
            proof: Proof::Absent,
            successor_key: TokenKeyId(1),
        };
        let act = Act::Rotate { session: slot.session, presented };
        if let Answer::Rotated(rotated) = self.perform(actor.number, act).await
            && let Decision::Rotate { state, .. } | Decision::Repeat { state, .. } = rotated.decision
        {
            actor.tokens.insert(slot.session, state.generation.0);
        }
    }

    /// The password that is in place, for one of two: who has to know it looks first.
    async fn proven(&self, actor: &mut Actor) -> Option<Password> {
        if self.plan.alone() || actor.draw.one_in(2) {
            return None;
        }
        match self.perform(actor.number, Act::LookAtPerson).await {
            Answer::Person(hash, _) => Password::ALL.into_iter().find(|password| password.hash() == hash),
            other => panic!("a look was answered with {other:?}"),
        }
    }

    async fn sign_in(
        &self,
        actor: usize,
        new: NewSession,
        proven: Option<Password>,
        bare: bool,
    ) -> Option<SessionId> {
        let act = Act::SignIn { new: Box::new(new), proven };
        let Answer::Opened(opened) = self.perform(actor, act).await else {
            panic!("a sign-in was answered with something else")
        };
        match *opened {
            Opened::Session(Session { id, .. }, _) => {
                self.seen.lock().unwrap().slots.push(Slot { session: id, bare });
                Some(id)
            }
            Opened::Disabled | Opened::PasswordChanged => None,
            Opened::SubjectIsClient => panic!("nobody is a client"),
        }
    }

    async fn look(&self, actor: usize, session: SessionId) -> Option<u32> {
        match self.perform(actor, Act::LookAtSession(session)).await {
            Answer::Session(row) => row.map(|row| row.0.rotation.generation.0),
            other => panic!("a look was answered with {other:?}"),
        }
    }

    /// Does something, and notes when it began, when it ended, and what was answered.
    async fn perform(&self, actor: usize, act: Act) -> Answer {
        let began = self.tick();
        let answer = self.ask(actor, &act).await;
        self.note(actor, act, answer.clone(), began);
        answer
    }

    fn tick(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, actor: usize, act: Act, answer: Answer, began: u64) {
        let ended = self.tick();
        self.seen.lock().unwrap().calls.push(Call { actor, act, answer, began, ended });
    }

    async fn ask(&self, actor: usize, act: &Act) -> Answer {
        let stage = &self.stages[actor % self.stages.len()];
        let (store, person) = (&stage.store, &self.person);
        match act.clone() {
            Act::Rotate { session, presented } => {
                let clients = Arc::clone(&self.clients);
                let rotated = store.rotate(RotateRequest { session, presented, clients, address: None });
                Answer::Rotated(Box::new(rotated.await.unwrap()))
            }
            Act::SignIn { new, proven } => {
                let proven = proven.map(Password::hash);
                Answer::Opened(Box::new(store.open_session(*new, Origin::default(), proven).await.unwrap()))
            }
            Act::End { session, owned, why } => {
                let owner = owned.then(|| person.clone());
                Answer::Ended(store.end_session(session, owner, why, from_test()).await.unwrap())
            }
            Act::EndAll { except, why } => {
                store.end_sessions_of(person.clone(), except, why, from_test()).await.unwrap();
                Answer::Done
            }
            Act::Disable(disabled) => {
                let change = SubjectChange { disabled: Some(disabled), ..SubjectChange::default() };
                Answer::Flag(store.change_subject(person.clone(), change, from_test()).await.unwrap())
            }
            Act::NewPassword { password, from, keep } => {
                let from = from.map(Password::hash);
                let change = PasswordChange::New { hash: password.hash(), from, keep };
                Answer::Flag(store.set_password(person.clone(), change, from_test()).await.unwrap())
            }
            Act::Rehash { from, to } => {
                let change = PasswordChange::Rehash { from: from.hash(), to: to.hash() };
                Answer::Flag(store.set_password(person.clone(), change, from_test()).await.unwrap())
            }
            Act::Prune => {
                store.prune(Duration::from_hours(24 * 365 * 100), 100_000).await.unwrap();
                Answer::Done
            }
            Act::Step(by) => {
                stage.clock.step(daypass_core::time::millis(by));
                Answer::Done
            }
            Act::LookAtSession(session) => {
                Answer::Session(store.session(session).await.unwrap().map(Box::new))
            }
            Act::LookAtList => {
                let entries = store.sessions_of(person, 100).await.unwrap();
                Answer::List(entries.into_iter().map(|entry| entry.session).collect())
            }
            Act::LookAtPerson => {
                let user = store.user_of(person).await.unwrap().unwrap();
                Answer::Person(user.password.unwrap(), Box::new(user.subject))
            }
        }
    }
}

impl Actor {
    fn token(&self, slot: Slot) -> u32 {
        self.tokens.get(&slot.session).copied().unwrap_or(0)
    }
}

/// The ids that a holder of the token of generation `g` sends: that for its rotation, and those of
/// the last three, newest first.
fn own_ids(g: u32) -> Vec<(u32, String)> {
    (g.saturating_sub(3)..=g).rev().map(|of| (of, own_id(of))).collect()
}

/// Whether any two of the actors did something at the same time.
pub(super) fn overlapped(calls: &[Call]) -> bool {
    let pairs =
        calls.iter().enumerate().flat_map(|(at, one)| calls[at + 1..].iter().map(move |two| (one, two)));
    pairs.into_iter().any(|(one, two)| !one.before(two) && !two.before(one))
}

/// The sessions of a history.
pub(super) fn sessions(calls: &[Call]) -> Vec<SessionId> {
    calls.iter().filter_map(opened).map(|session| session.id).collect()
}
