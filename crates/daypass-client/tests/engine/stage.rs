//! What the scenarios share: a service, a client of it, and stores that misbehave.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{ManualClock, SeededEntropy};
use daypass_client::store::{Exchange, Guard, StoreError, Stored, TokenStore, Version};
use daypass_client::{AccessToken, Event, Events, MemoryStore, Pair, Record, Session, SessionBuilder};
use daypass_testkit::{Faults, Gate, TestService};
use tokio::sync::watch;

pub(crate) const REFRESH: &str = "/v1/refresh";
pub(crate) const LOGOUT: &str = "/v1/logout";
pub(crate) const TOKEN: &str = "/oauth2/token";

/// How long an access token serves.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);

/// For a lock it is five seconds, and between two tries what the service asked for, two, and what was drawn on top of
/// it, up to four. The limit of a request is longer, unless it is the last.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(7);

/// A service, and the store of a client of it.
pub(crate) struct Stage {
    pub(crate) service: TestService,
    pub(crate) store: MemoryStore,
    /// No two sessions draw the same attempt ids.
    seeds: AtomicU64,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with_lifetime(LIFETIME).await
    }

    pub(crate) async fn with_lifetime(lifetime: Duration) -> Self {
        let service = TestService::builder().access(lifetime).start().await;
        Self::with(service)
    }

    pub(crate) fn with(service: TestService) -> Self {
        Self { service, store: MemoryStore::new(), seeds: AtomicU64::new(1) }
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        self.service.clock()
    }

    pub(crate) fn faults(&self) -> &Faults {
        self.service.faults()
    }

    /// A session on the stage's store.
    pub(crate) fn builder(&self) -> SessionBuilder {
        self.builder_on(self.store.clone())
    }

    pub(crate) fn builder_on(&self, store: impl TokenStore) -> SessionBuilder {
        Session::builder(self.service.url())
            .store(store)
            .clock(self.service.ambient())
            .entropy(Arc::new(SeededEntropy::new(self.seeds.fetch_add(1 << 32, Ordering::Relaxed))))
    }

    pub(crate) async fn session(&self) -> Session {
        self.builder().build().await.unwrap()
    }

    /// A session that somebody is signed in with, as the service's person.
    pub(crate) async fn signed_in(&self) -> Session {
        let session = self.session().await;
        session.adopt(self.pair().await).await.unwrap();
        session
    }

    /// Tokens of a new session of the service's person.
    pub(crate) async fn pair(&self) -> Pair {
        pair(&self.service.sign_in().await)
    }

    /// Signed in, with an access token that has expired.
    pub(crate) async fn expired(&self) -> (Session, AccessToken) {
        let session = self.signed_in().await;
        let token = session.access_token().await.unwrap();
        self.clock().advance(LIFETIME);
        (session, token)
    }

    pub(crate) fn requests(&self) -> usize {
        self.faults().arrived(REFRESH)
    }

    /// The attempt ids of every request for a renewal so far.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let requests = self.faults().requests(REFRESH);
        requests
            .iter()
            .map(|request| request.header("daypass-attempt").unwrap_or_default().to_owned())
            .collect()
    }

    /// What the store holds.
    pub(crate) async fn record(&self) -> Option<Record> {
        self.store.load().await.unwrap().record
    }

    /// Returns as soon as the store holds such a record, or none.
    pub(crate) async fn until_stored(&self, described: impl Fn(Option<&Record>) -> bool) {
        let mut changes = self.store.changes().unwrap();
        while !described(self.record().await.as_ref()) {
            changes.changed().await.unwrap();
        }
    }

    /// Lets the time go by that `call` waits between its tries, a step at a time, until it ends.
    pub(crate) async fn through_waits<T>(&self, call: impl Future<Output = T>) -> T {
        tokio::pin!(call);
        loop {
            let waiting = self.clock().until(|waits| waits.iter().any(|wait| *wait <= LONGEST_WAIT));
            tokio::select! {
                biased;
                result = &mut call => return result,
                () = waiting => {}
            }
            if let Some(shortest) = self.clock().waits().first() {
                self.clock().advance(*shortest);
            }
        }
    }
}

pub(crate) fn pair(json: &serde_json::Value) -> Pair {
    Pair::from_json(json.to_string().as_bytes()).unwrap()
}

/// Fails rather than hang. No test's outcome depends on it.
pub(crate) async fn watched<T>(test: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, test).await.expect("the test hangs")
}

/// As many calls at once, each on a task of its own, of which every one has begun.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    number: usize,
    call: impl Fn() -> F,
) -> Vec<tokio::task::JoinHandle<T>> {
    let begun = Gate::new();
    let tasks = (0..number).map(|_| {
        let (begun, call) = (begun.clone(), call());
        tokio::spawn(async move {
            begun.pass().await;
            call.await
        })
    });
    let tasks = tasks.collect();
    begun.arrivals(number).await;
    begun.open();
    tasks
}

/// All results.
pub(crate) async fn all<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// The event that comes next, of those that `wanted` wants.
pub(crate) async fn event(events: &mut Events, wanted: impl Fn(Event) -> bool) -> Event {
    loop {
        let event = events.next().await.expect("the session lives");
        if wanted(event) {
            return event;
        }
    }
}

/// Every event that has come, from a session whose last clone is gone.
pub(crate) async fn drained(mut events: Events) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

/// A memory store that fails, or waits, where a test says so. Clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty {
    inner: MemoryStore,
    full: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
    /// Holds the next write that is described.
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug)]
struct Held {
    gate: Gate,
    generation: u32,
}

impl Faulty {
    /// The same store, with what befalls those who use it here.
    pub(crate) fn over(inner: MemoryStore) -> Self {
        Self { inner, ..Self::default() }
    }

    /// From now on nothing can be written.
    pub(crate) fn fill(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// From now on nothing can be read.
    pub(crate) fn hide(&self, unreadable: bool) {
        self.unreadable.store(unreadable, Ordering::SeqCst);
    }

    /// The next write of a token of `generation` waits here.
    pub(crate) fn hold(&self, generation: u32) -> Gate {
        let gate = Gate::new();
        *self.held.lock().unwrap() = Some(Held { gate: gate.clone(), generation });
        gate
    }
}

#[async_trait]
impl TokenStore for Faulty {
    async fn load(&self) -> Result<Stored, StoreError> {
        if self.unreadable.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone").into());
        }
        self.inner.load().await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        let held = {
            let mut held = self.held.lock().unwrap();
            held.take_if(|held| new.is_some_and(|record| record.generation == held.generation))
        };
        if let Some(held) = held {
            held.gate.pass().await;
        }
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        self.inner.compare_exchange(read, new).await
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        self.inner.lock(wait).await
    }

    fn changes(&self) -> Option<watch::Receiver<Version>> {
        self.inner.changes()
    }
}

impl Faulty {
    /// No write is held any more that has not come.
    pub(crate) fn let_go(&self) {
        self.held.lock().unwrap().take();
    }

    /// What is kept, even if it cannot be read.
    pub(crate) async fn inner_record(&self) -> Option<Record> {
        self.inner.load().await.unwrap().record
    }
}
