//! What the service under test is given instead of the world: a clock that is set, randomness that
//! is seeded, and a store that can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use daypass_service::Entropy;
use daypass_service::core::guess::Guesses;
use daypass_service::core::{
    Client, ClientId, Clock, EndingReason, Event, NewSession, Origin, Session, SessionId, Subject, SubjectId,
    Timestamp,
};
use daypass_service::storage::{
    AddClient, AddKey, AddUser, DropKey, EndOutcome, FeedCursor, FeedPage, KeyRecord, Lease, Opened,
    PasswordChange, PasswordHash, PasswordUse, Pruned, RotateRequest, Rotated, SessionEntry, Source, Store,
    StoreError, StoreResult, SubjectChange, User, Username, Versions,
};

/// A clock that stands still unless it is moved.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(1_750_000_000_000))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Randomness from a seed (SplitMix64).
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let step = 0x9e37_79b9_7f4a_7c15_u64;
            let mut z = self.0.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A store that passes every call on until it is told to fail.
pub(crate) struct Fallible {
    inner: Arc<dyn Store>,
    failing: AtomicBool,
}

impl Fallible {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, failing: AtomicBool::new(false) }
    }

    pub(crate) fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    fn called(&self) -> StoreResult<()> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk said something private".to_owned()));
        }
        Ok(())
    }
}

macro_rules! delegate {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Fallible {
            $(async fn $name(&self, $($arg: $ty),*) -> StoreResult<$out> {
                self.called()?;
                self.inner.$name($($arg),*).await
            })*

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
