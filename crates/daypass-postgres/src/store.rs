//! The store's front: options, the tasks behind it, and the [`Store`] trait over them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_core::guess::Guesses;
use daypass_core::{
    Client, ClientId, Clock, EndingReason, Event, NewSession, Origin, Session, SessionId, Subject, SubjectId,
    Timestamp,
};
use daypass_storage::{
    AddClient, AddKey, AddUser, DropKey, EndOutcome, FeedCursor, FeedPage, KeyRecord, Lease, Opened,
    PasswordChange, PasswordHash, PasswordUse, Pruned, RotateRequest, Rotated, SessionEntry, Source, Store,
    StoreError, StoreResult, SubjectChange, User, Username, Versions,
};
use tokio::time::timeout;

use crate::address::DatabaseUrl;
use crate::calls::Calls;
use crate::connect::Connector;
use crate::lanes::{Lane, Lanes};
use crate::moment::Timekeeper;
use crate::pool::Pool;
use crate::trouble::Trouble;
use crate::tx::Durability;
use crate::{feed, people, registry, schema, sessions};

/// How the store is run. None of these changes what it promises.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Tasks that rotate, each with a connection of its own.
    pub lanes: usize,
    /// How many rotations share one transaction at most.
    pub batch: usize,
    /// How many rotations may wait for a lane, and how many other calls for a connection; more are
    /// refused at once.
    pub queue: usize,
    /// Connections for everything but rotations.
    pub connections: usize,
    /// For how long a rotation or a read is waited for, before it is answered that the store is
    /// unavailable.
    pub answer: Duration,
    /// For how long a statement may take, and a node may leave a transaction open.
    pub longest: Duration,
    /// Tells the time instead of the database, in tests.
    #[doc(hidden)]
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            lanes: 2,
            batch: 512,
            queue: 4096,
            connections: 8,
            answer: Duration::from_millis(900),
            longest: Duration::from_secs(2),
            clock: None,
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("lanes", &self.lanes)
            .field("batch", &self.batch)
            .field("queue", &self.queue)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Told of every batch of rotations; for metrics.
pub trait Observer: Send + Sync + 'static {
    /// A monotonic reading, in nanoseconds.
    fn nanos(&self) -> u64;
    /// A transaction of `batch` rotations took `nanos` nanoseconds.
    fn committed(&self, batch: usize, nanos: u64);
}

/// Nobody is told.
impl Observer for () {
    fn nanos(&self) -> u64 {
        0
    }

    fn committed(&self, _batch: usize, _nanos: u64) {}
}

/// The store on PostgreSQL.
pub struct PostgresStore {
    lanes: Lanes,
    calls: Calls,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store at `url`, whose schema must fit. Needs a runtime of tokio, on which its tasks
    /// live until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Schema`] if `migrate` has to run first, or this release is too old;
    /// [`StoreError::Unavailable`] where the database cannot be reached.
    pub async fn open(
        url: &DatabaseUrl,
        options: &PostgresOptions,
        observer: Arc<dyn Observer>,
    ) -> StoreResult<Self> {
        let PostgresOptions { lanes, batch, queue, connections, answer, longest, .. } = *options;
        // The server's own time-out comes first, and leaves the connection usable.
        let patience = longest.saturating_add(Duration::from_millis(500));
        let connector = Connector::new(url, patience)?;
        let time = Arc::new(Timekeeper::new(longest.saturating_mul(2), options.clock.clone()));
        let pool = Pool::new(connector.clone(), connections.max(1), queue, answer);
        let first = pool.borrow().await.map_err(Trouble::into_error)?;
        schema::check(&first.connection).await.map_err(Trouble::into_error)?;
        first.give_back();
        let lane = Lane { connector, time: Arc::clone(&time), observer, batch: batch.max(1), longest };
        let lanes = Lanes::start(lanes, queue.max(1), &lane);
        Ok(Self { lanes, calls: Calls::new(pool, time, longest, answer) })
    }

    /// Gives places to what was committed to the feed. One that a fail-over loses is given anew: the epoch is
    /// another by then, and all read from the start.
    async fn place(&self) -> StoreResult<()> {
        self.calls.write_to(Durability::Primary, |tx| Box::pin(feed::place(tx))).await
    }

    /// Opens many sessions at once, each of a subject of its own, in transactions of a thousand; for
    /// filling a store before a measurement. The answers keep the order of `new`.
    ///
    /// # Errors
    /// As for any write; of a thousand that fails nothing is left behind.
    pub async fn open_many(&self, new: Vec<NewSession>) -> StoreResult<Vec<SessionId>> {
        let mut ids = Vec::with_capacity(new.len());
        for some in new.chunks(1000) {
            let some = Arc::new(some.to_vec());
            let work = self.calls.write(move |tx| {
                let some = Arc::clone(&some);
                Box::pin(async move { sessions::open_many(tx, &some).await })
            });
            ids.extend(work.await?);
        }
        Ok(ids)
    }
}

/// A transaction's work on values that are shared between its tries.
macro_rules! in_transaction {
    ($self:ident, ($($name:ident),*), |$tx:ident| $work:expr) => {{
        let shared = Arc::new(($($name,)*));
        $self.calls.write(move |$tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let ($($name,)*) = &*shared;
                $work.await
            })
        })
        .await
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn rotate(&self, request: RotateRequest) -> StoreResult<Rotated> {
        let answer = self.lanes.submit(request)?;
        match timeout(self.calls.answer(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::OutcomeUnknown("the lane has stopped".to_owned())),
            Err(_) => Err(StoreError::OutcomeUnknown("a rotation has not been answered in time".to_owned())),
        }
    }

    async fn open_session(
        &self,
        new: NewSession,
        origin: Origin,
        proven: Option<PasswordHash>,
    ) -> StoreResult<Opened> {
        in_transaction!(self, (new, origin, proven), |tx| sessions::open(tx, new, origin, proven.as_ref()))
    }

    async fn session(&self, id: SessionId) -> StoreResult<Option<(Session, Subject)>> {
        self.calls.read(move |connection, _| Box::pin(sessions::find(connection, id))).await
    }

    async fn sessions_of(&self, sub: &SubjectId, limit: usize) -> StoreResult<Vec<SessionEntry>> {
        let sub = sub.clone();
        self.calls
            .read(move |connection, core| {
                let sub = sub.clone();
                Box::pin(async move { sessions::list(connection, &core.time, &sub, limit).await })
            })
            .await
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Option<SubjectId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<EndOutcome> {
        in_transaction!(self, (owner, source), |tx| sessions::end(tx, id, owner.as_ref(), why, source))
    }

    async fn end_sessions_of(
        &self,
        sub: SubjectId,
        except: Option<SessionId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<()> {
        in_transaction!(self, (sub, source), |tx| sessions::end_all(tx, sub, except, why, source))
    }

    async fn add_user(&self, user: User, source: Source) -> StoreResult<AddUser> {
        in_transaction!(self, (user, source), |tx| people::add(tx, user, source))
    }

    async fn user(&self, name: &Username) -> StoreResult<Option<User>> {
        let name = name.clone();
        self.calls
            .read(move |connection, _| {
                let name = name.clone();
                Box::pin(async move { people::by_name(connection, &name).await })
            })
            .await
    }

    async fn user_of(&self, sub: &SubjectId) -> StoreResult<Option<User>> {
        let sub = sub.clone();
        self.calls
            .read(move |connection, _| {
                let sub = sub.clone();
                Box::pin(async move { people::by_sub(connection, &sub).await })
            })
            .await
    }

    async fn users(&self, after: Option<Username>, limit: usize) -> StoreResult<Vec<User>> {
        self.calls
            .read(move |connection, _| {
                let after = after.clone();
                Box::pin(async move { people::page(connection, after.as_ref(), limit).await })
            })
            .await
    }

    async fn change_subject(
        &self,
        sub: SubjectId,
        change: SubjectChange,
        source: Source,
    ) -> StoreResult<bool> {
        in_transaction!(self, (sub, change, source), |tx| people::change(tx, sub, change, source))
    }

    async fn set_password(
        &self,
        sub: SubjectId,
        change: PasswordChange,
        source: Source,
    ) -> StoreResult<bool> {
        in_transaction!(self, (sub, change, source), |tx| people::set_password(tx, sub, change, source))
    }

    async fn guesses(&self, account: [u8; 32]) -> StoreResult<Guesses> {
        self.calls
            .read(move |connection, _| Box::pin(async move { people::guesses(connection, &account).await }))
            .await
    }

    async fn record_password_use(&self, account: [u8; 32], outcome: PasswordUse) -> StoreResult<()> {
        in_transaction!(self, (account), |tx| people::record_password_use(tx, account, outcome))
    }

    async fn clients(&self) -> StoreResult<Vec<Client>> {
        self.calls.read(|connection, _| Box::pin(registry::clients(connection))).await
    }

    async fn add_client(&self, client: Client, source: Source) -> StoreResult<AddClient> {
        in_transaction!(self, (client, source), |tx| registry::add_client(tx, client, source))
    }

    async fn remove_client(&self, id: ClientId, source: Source) -> StoreResult<bool> {
        in_transaction!(self, (id, source), |tx| registry::remove_client(tx, id, source))
    }

    async fn keys(&self) -> StoreResult<Vec<KeyRecord>> {
        self.calls.read(|connection, _| Box::pin(registry::keys(connection))).await
    }

    async fn add_key(&self, request: AddKey) -> StoreResult<bool> {
        in_transaction!(self, (request), |tx| registry::add_key(tx, request))
    }

    async fn drop_key(&self, request: DropKey) -> StoreResult<bool> {
        in_transaction!(self, (request), |tx| registry::drop_key(tx, request))
    }

    async fn lease(&self, holder: [u8; 16], time: Duration) -> StoreResult<Option<Lease>> {
        self.calls.write(move |tx| Box::pin(registry::lease(tx, holder, time))).await
    }

    async fn has_sessions_before(&self, before: Timestamp) -> StoreResult<bool> {
        self.calls
            .read(move |connection, core| Box::pin(sessions::any_before(connection, &core.time, before)))
            .await
    }

    async fn feed(&self, since: Option<FeedCursor>, limit: usize) -> StoreResult<FeedPage> {
        let unplaced = self
            .calls
            .read(|connection, core| {
                Box::pin(async { Ok(feed::head(connection, &core.lives).await?.unplaced) })
            })
            .await?;
        if unplaced {
            self.place().await?;
        }
        self.calls
            .read(move |connection, core| {
                Box::pin(async move {
                    let head = feed::head(connection, &core.lives).await?;
                    feed::page(connection, &head, since, limit).await
                })
            })
            .await
    }

    async fn record(&self, event: Event) -> StoreResult<()> {
        in_transaction!(self, (event), |tx| async {
            let at = tx.moment().await?.now;
            feed::record(tx, &Event { at, ..event.clone() }).await
        })
    }

    async fn events(&self, after: u64, limit: usize) -> StoreResult<Vec<(u64, Event)>> {
        self.calls.read(move |connection, _| Box::pin(feed::events(connection, after, limit))).await
    }

    async fn versions(&self) -> StoreResult<Versions> {
        self.calls.read(|connection, _| Box::pin(registry::versions(connection))).await
    }

    async fn session_count(&self) -> StoreResult<u64> {
        self.calls.read(|connection, _| Box::pin(sessions::total(connection))).await
    }

    async fn prune(&self, events: Duration, limit: usize) -> StoreResult<Pruned> {
        // Entries get places also where nobody reads the feed. In a transaction of its own: who reads it does not wait
        // until the rest is done.
        self.place().await?;
        self.calls.write(move |tx| Box::pin(feed::prune(tx, events, limit))).await
    }

    async fn check(&self) -> StoreResult<()> {
        // A lost standby keeps people from signing in, not from renewing: the node is of use without.
        self.calls.write_to(Durability::Primary, |tx| Box::pin(registry::changed(tx, "checked"))).await
    }

    fn queue_depth(&self) -> usize {
        self.lanes.depth().saturating_add(self.calls.waiting())
    }
}
