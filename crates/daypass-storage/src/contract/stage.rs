//! What the rules play on: a store, a clock that they set, clients, and short ways to say what
//! happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use daypass_core::{
    AttemptDigest, Client, ClientId, ClientKind, Clients, Clock, Decision, Ending, Event, EventKind,
    Generation, NewSession, OnReuse, Origin, Policy, Presented, PresentedAttempts, PresentedBy, Proof,
    Refusal, RotationState, Scope, Session, SessionId, Subject, SubjectId, Timestamp, TokenKeyId,
};

use super::Harness;
use crate::{Opened, PasswordHash, RotateRequest, Rotated, Source, Store, User};

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that stands at `millis` milliseconds after the Unix epoch.
    pub fn at(millis: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(millis)))
    }

    /// Moves the clock by so many milliseconds, backwards if they are negative.
    pub fn step(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The client under the service's policy: reuse ends all sessions of the subject; grace 10 s.
pub(super) const BUILT_IN: &str = daypass_core::client::BUILT_IN;
/// The client whose sessions end one by one on reuse.
pub(super) const SINGLE: &str = "single";
/// The client whose sessions end after a minute without renewal.
pub(super) const IDLE: &str = "idle";

/// When everything begins.
const BEGINNING: i64 = 1_800_000_000_000;

/// A store with everything around it.
#[derive(Clone)]
pub(super) struct Stage {
    harness: Arc<dyn Harness>,
    pub(super) clock: Arc<TestClock>,
    pub(super) store: Arc<dyn Store>,
    clients: Arc<Clients>,
    drawn: Arc<AtomicU64>,
}

impl Stage {
    /// An empty store.
    pub(super) async fn set(harness: impl Harness) -> Self {
        let harness: Arc<dyn Harness> = Arc::new(harness);
        let clock = TestClock::at(BEGINNING);
        let store = harness.open(Arc::clone(&clock)).await;
        let mut single = public(SINGLE);
        single.on_reuse = Some(OnReuse::Session);
        let mut idle = public(IDLE);
        idle.ttl.idle = Some(60);
        let clients = Arc::new(Clients::new([single, idle], &Policy::DEFAULT));
        Self { harness, clock, store, clients, drawn: Arc::default() }
    }

    /// The same data, opened again. `between` has it with nobody using it.
    pub(super) async fn reopened(self, between: impl AsyncFnOnce(&dyn Harness)) -> Self {
        let Self { harness, clock, store, clients, drawn } = self;
        drop(store);
        between(&*harness).await;
        let store = harness.open(Arc::clone(&clock)).await;
        Self { harness, clock, store, clients, drawn }
    }

    /// The same data under a second store beside the first.
    pub(super) async fn opened_again(&self) -> Self {
        Self { store: self.harness.open(Arc::clone(&self.clock)).await, ..self.clone() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A sign-in of `subject` on `client`, not yet made.
    pub(super) fn new_session(&self, subject: &str, client: &str) -> NewSession {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.drawn.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        NewSession {
            random,
            subject: sub(subject),
            client: ClientId::new(client).unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: None,
            jkt: None,
            token_key: TokenKeyId(1),
        }
    }

    pub(super) async fn open(&self, new: NewSession) -> Session {
        match self.store.open_session(new, Origin::default(), None).await.unwrap() {
            Opened::Session(session, _) => session,
            refused => panic!("no session was opened: {refused:?}"),
        }
    }

    /// A session of `subject` on the built-in client.
    pub(super) async fn sign_in(&self, subject: &str) -> Session {
        self.sign_in_on(subject, BUILT_IN).await
    }

    pub(super) async fn sign_in_on(&self, subject: &str, client: &str) -> Session {
        self.open(self.new_session(subject, client)).await
    }

    /// A session of `subject` that ends after `millis` milliseconds.
    pub(super) async fn sign_in_for(&self, subject: &str, millis: u64) -> Session {
        let life = Some(Duration::from_millis(millis));
        self.open(NewSession { life, ..self.new_session(subject, BUILT_IN) }).await
    }

    /// A request with the session's token of generation `g` and these ids, newest first.
    pub(super) fn request(&self, session: SessionId, g: u32, ids: &[(u32, &str)]) -> RotateRequest {
        let pairs: Vec<_> = ids.iter().map(|(of, id)| (Generation(*of), AttemptDigest::of(id))).collect();
        RotateRequest {
            session,
            presented: Presented {
                generation: Generation(g),
                attempts: PresentedAttempts::from_pairs(&pairs).unwrap(),
                by: PresentedBy::FirstParty,
                proof: Proof::Absent,
                successor_key: TokenKeyId(1),
            },
            clients: Arc::clone(&self.clients),
            address: Some("192.0.2.1".into()),
        }
    }

    pub(super) async fn ask(&self, request: RotateRequest) -> Rotated {
        self.store.rotate(request).await.unwrap()
    }

    /// Presents a token and says what was decided.
    pub(super) async fn rotate(&self, session: &Session, g: u32, ids: &[(u32, &str)]) -> Decision {
        self.ask(self.request(session.id, g, ids)).await.decision
    }

    /// What becomes of the session's token of generation `g`: its successor's generation, or why not.
    pub(super) async fn renew(&self, session: &Session, g: u32) -> Result<u32, Refusal> {
        match self.rotate(session, g, &[(g, &own_id(g))]).await {
            Decision::Rotate { state, .. } => Ok(state.generation.0),
            Decision::Refuse(refusal) => Err(refusal),
            other => panic!("neither rotated nor refused: {other:?}"),
        }
    }

    /// The session as the store holds it.
    pub(super) async fn session(&self, id: SessionId) -> Session {
        self.store.session(id).await.unwrap().expect("the session is there").0
    }

    pub(super) async fn state(&self, id: SessionId) -> RotationState {
        self.session(id).await.rotation
    }

    /// All events so far.
    pub(super) async fn events(&self) -> Vec<Event> {
        let events = self.store.events(0, 10_000).await.unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }

    pub(super) async fn kinds(&self) -> Vec<EventKind> {
        self.events().await.into_iter().map(|event| event.kind).collect()
    }

    /// All of the feed.
    pub(super) async fn endings(&self) -> Vec<Ending> {
        let page = self.store.feed(None, 10_000).await.unwrap();
        page.entries.into_iter().map(|entry| entry.ending).collect()
    }

    /// Adds a person whose name is also the `sub`.
    pub(super) async fn add_person(&self, name: &str) {
        let added = self.store.add_user(self.person(name), Source::command_line()).await.unwrap();
        assert_eq!(added, crate::AddUser::Added);
    }

    pub(super) fn person(&self, name: &str) -> User {
        User {
            name: name.parse().unwrap(),
            subject: Subject::new(sub(name)),
            password: Some(hash("first")),
            created_at: self.now(),
        }
    }
}

/// The id of a client that makes one for each generation and sends it again on every retry.
pub(super) fn own_id(g: u32) -> String {
    format!("attempt-of-generation-{g:010}")
}

pub(super) fn sub(name: &str) -> SubjectId {
    SubjectId::new(name).unwrap()
}

pub(super) fn hash(what: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=8,t=1,p=1$c2FsdA${what}")).unwrap()
}

/// A public first-party client.
pub(super) fn public(id: &str) -> Client {
    let mut client = Client::new(ClientId::new(id).unwrap(), ClientKind::Public);
    client.first_party = true;
    client
}

pub(super) fn from_test() -> Source {
    Source {
        client: Some(ClientId::new(BUILT_IN).unwrap()),
        address: Some("192.0.2.7".to_owned()),
        detail: Some("by a test".to_owned()),
    }
}
