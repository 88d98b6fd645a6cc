//! A store that passes every call on, counts it, and can be made to fail or to wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daypass_service::core::guess::Guesses;
use daypass_service::core::{
    Client, ClientId, EndingReason, Event, NewSession, Origin, Session, SessionId, Subject, SubjectId,
    Timestamp,
};
use daypass_service::storage::{
    AddClient, AddKey, AddUser, DropKey, EndOutcome, FeedCursor, FeedPage, KeyRecord, Lease, Opened,
    PasswordChange, PasswordHash, PasswordUse, Pruned, RotateRequest, Rotated, SessionEntry, Source, Store,
    StoreError, StoreResult, SubjectChange, User, Username, Versions,
};
use tokio::sync::Semaphore;

/// The calls made by one flow, by name, in order.
pub(crate) type Calls = Arc<Mutex<Vec<&'static str>>>;

tokio::task_local! {
    static FLOW: Calls;
}

/// Runs a flow and lists the calls that it made of the store; those of the service's own upkeep are
/// not among them.
pub(crate) async fn watched<T>(flow: impl Future<Output = T>) -> (T, Vec<&'static str>) {
    let calls = Calls::default();
    let answer = FLOW.scope(Arc::clone(&calls), flow).await;
    let calls = calls.lock().unwrap().clone();
    (answer, calls)
}

/// A call that is held back.
pub(crate) struct Held {
    came: Semaphore,
    go: Semaphore,
}

impl Held {
    /// Waits until the call has come.
    pub(crate) async fn came(&self) {
        let _came = self.came.acquire().await;
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.go.add_permits(1);
    }
}

pub(crate) struct Watched {
    inner: Arc<dyn Store>,
    counts: Mutex<HashMap<&'static str, usize>>,
    failing: AtomicBool,
    /// Methods whose next call is held back.
    held: Mutex<HashMap<&'static str, Arc<Held>>>,
    /// How many callers may go on to look up a user.
    pub(crate) gate: Semaphore,
    at_gate: AtomicUsize,
    most_at_gate: AtomicUsize,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            counts: Mutex::default(),
            failing: AtomicBool::new(false),
            held: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            at_gate: AtomicUsize::new(0),
            most_at_gate: AtomicUsize::new(0),
        }
    }

    /// How often a method has answered, whoever called it.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.counts.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    /// From now on every call fails, or none does.
    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Holds the next call of a method back, before it reaches the store.
    pub(crate) fn hold(&self, method: &'static str) -> Arc<Held> {
        let held = Arc::new(Held { came: Semaphore::new(0), go: Semaphore::new(0) });
        self.held.lock().unwrap().insert(method, Arc::clone(&held));
        held
    }

    async fn wait_if_held(&self, method: &'static str) {
        let held = self.held.lock().unwrap().remove(method);
        if let Some(held) = held {
            held.came.add_permits(1);
            let _let_go = held.go.acquire().await;
        }
    }

    /// How many look up a user at this moment, and how many did at once at most.
    pub(crate) fn looking_up(&self) -> (usize, usize) {
        (self.at_gate.load(Ordering::SeqCst), self.most_at_gate.load(Ordering::SeqCst))
    }

    /// The person of that name.
    pub(crate) async fn user_named(&self, name: &str) -> User {
        self.inner.user(&name.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Registers a client as it stands.
    pub(crate) async fn add_client_quietly(&self, client: Client) {
        assert_eq!(self.inner.add_client(client, Source::default()).await.unwrap(), AddClient::Added);
    }

    fn called(&self, method: &'static str) -> StoreResult<()> {
        let _no_flow = FLOW.try_with(|calls| calls.lock().unwrap().push(method));
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("made to fail".to_owned()));
        }
        Ok(())
    }

    async fn pass_gate(&self) {
        let now = self.at_gate.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_gate.fetch_max(now, Ordering::SeqCst);
        let _passed = self.gate.acquire().await;
        self.at_gate.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Passes methods on to the store behind.
macro_rules! delegate {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Watched {
            $(
                async fn $name(&self, $($arg: $ty),*) -> StoreResult<$out> {
                    self.called(stringify!($name))?;
                    if stringify!($name) == "user" {
                        self.pass_gate().await;
                    }
                    self.wait_if_held(stringify!($name)).await;
                    let answer = self.inner.$name($($arg),*).await;
                    *self.counts.lock().unwrap().entry(stringify!($name)).or_default() += 1;
                    answer
                }
            )*

            fn queue_depth(&self) -> usize {
                self.inner.queue_depth()
            }
        }
    };
}

delegate! {
    fn rotate(request: RotateRequest) -> Rotated;
    fn open_session(new: NewSession, origin: Origin, proven: Option<PasswordHash>) -> Opened;
    fn session(id: SessionId) -> Option<(Session, Subject)>;
    fn sessions_of(sub: &SubjectId, limit: usize) -> Vec<SessionEntry>;
    fn end_session(id: SessionId, owner: Option<SubjectId>, why: EndingReason, source: Source) -> EndOutcome;
    fn end_sessions_of(sub: SubjectId, except: Option<SessionId>, why: EndingReason, source: Source) -> ();
    fn add_user(user: User, source: Source) -> AddUser;
    fn user(name: &Username) -> Option<User>;
    fn user_of(sub: &SubjectId) -> Option<User>;
    fn users(after: Option<Username>, limit: usize) -> Vec<User>;
    fn change_subject(sub: SubjectId, change: SubjectChange, source: Source) -> bool;
    fn set_password(sub: SubjectId, change: PasswordChange, source: Source) -> bool;
    fn guesses(account: [u8; 32]) -> Guesses;
    fn record_password_use(account: [u8; 32], outcome: PasswordUse) -> ();
    fn clients() -> Vec<Client>;
    fn add_client(client: Client, source: Source) -> AddClient;
    fn remove_client(id: ClientId, source: Source) -> bool;
    fn keys() -> Vec<KeyRecord>;
    fn add_key(request: AddKey) -> bool;
    fn drop_key(request: DropKey) -> bool;
    fn lease(holder: [u8; 16], time: Duration) -> Option<Lease>;
    fn has_sessions_before(before: Timestamp) -> bool;
    fn feed(since: Option<FeedCursor>, limit: usize) -> FeedPage;
    fn record(event: Event) -> ();
    fn events(after: u64, limit: usize) -> Vec<(u64, Event)>;
    fn versions() -> Versions;
    fn session_count() -> u64;
    fn prune(events: Duration, limit: usize) -> Pruned;
    fn check() -> ();
}
