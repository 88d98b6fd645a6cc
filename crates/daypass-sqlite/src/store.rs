//! The store's front: options, threads, and the [`Store`] trait over them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
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

use crate::readers::Readers;
use crate::schema::{self, Durability};
use crate::writer::{self, Tx, Writer};
use crate::{checkpoint, feed, people, registry, rotate, sessions};

/// The database's file name inside the data folder.
const FILE: &str = "daypass.db";

/// How the store is run. None of these changes what it promises.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The writer's page cache, in bytes.
    pub cache: usize,
    /// How many reading connections there are.
    pub readers: usize,
    /// How many writes share one commit at most.
    pub batch: usize,
    /// How many writes may wait; more are refused at once.
    pub queue: usize,
    /// For the durability test only.
    #[doc(hidden)]
    pub durability: Durability,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { cache: 56 << 20, readers: 2, batch: 512, queue: 4096, durability: Durability::Full }
    }
}

/// Told of every commit; for metrics.
pub trait Observer: Send + Sync + 'static {
    /// A monotonic reading, in nanoseconds.
    fn nanos(&self) -> u64;
    /// A commit of `batch` writes took `nanos` nanoseconds.
    fn committed(&self, batch: usize, nanos: u64);
}

/// Nobody is told.
impl Observer for () {
    fn nanos(&self) -> u64 {
        0
    }

    fn committed(&self, _batch: usize, _nanos: u64) {}
}

/// The embedded store. Dropping it finishes what was queued and closes the file.
pub struct SqliteStore {
    writer: Option<Writer>,
    readers: Readers,
    clock: Arc<dyn Clock>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in the folder `data`, which must exist, making or migrating the file.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a file of a newer release or of something else;
    /// [`StoreError::Unavailable`] where the file cannot be opened.
    pub fn open(
        data: &Path,
        options: &SqliteOptions,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> StoreResult<Self> {
        let path = Self::path(data);
        schema::make_file(&path)?;
        let mut conn = schema::writer(&path, options.cache, options.durability)?;
        schema::migrate(&mut conn, &path)?;
        let readers = Readers::open(&path, options.readers)?;
        let (gauge, checkpointer) = checkpoint::start(&path, options.durability)?;
        let thread = writer::Thread {
            conn,
            clock: Arc::clone(&clock),
            observer,
            batch: options.batch.max(1),
            gauge,
            time: writer::Timeline::START,
            failed: Arc::default(),
        };
        let (writer, thread) = writer::start(thread, options.queue.max(1))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { writer: Some(writer), readers, clock, threads: Mutex::new(vec![thread, checkpointer]) })
    }

    /// The file that a store in the folder `data` lives in.
    pub fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Opens many sessions at once, each of a subject of its own; for filling a store before a
    /// measurement. `new` are taken in batches of one transaction each; the answers keep their order.
    ///
    /// # Errors
    /// As for any write; a batch that fails leaves nothing behind.
    pub async fn open_many(&self, new: Vec<NewSession>) -> StoreResult<Vec<SessionId>> {
        self.write(move |tx| {
            let mut ids = Vec::with_capacity(new.len());
            for new in &new {
                let subject = Subject::new(new.subject.clone());
                let row = people::insert_subject(tx, &subject)?;
                let opened = sessions::insert(tx, new, (row, &subject), &Origin::default())?;
                ids.extend(opened.map(|session| session.id));
            }
            Ok(ids)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.writer()?.write(write).await
    }

    fn writer(&self) -> StoreResult<&Writer> {
        self.writer.as_ref().ok_or_else(|| StoreError::Unavailable("the store is closed".to_owned()))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // SQLite tidies the log away when the last connection of all processes closes, if that is
        // one that may write: so those that only read go first.
        self.readers.close();
        drop(self.writer.take());
        let threads =
            self.threads.lock().map(|mut threads| std::mem::take(&mut *threads)).unwrap_or_default();
        for thread in threads {
            let _panicked = thread.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn rotate(&self, request: RotateRequest) -> StoreResult<Rotated> {
        self.writer()?.rotate(request).await
    }

    async fn open_session(
        &self,
        new: NewSession,
        origin: Origin,
        proven: Option<PasswordHash>,
    ) -> StoreResult<Opened> {
        self.write(move |tx| sessions::open(tx, &new, &origin, proven.as_ref())).await
    }

    async fn session(&self, id: SessionId) -> StoreResult<Option<(Session, Subject)>> {
        self.readers.read(move |conn| rotate::find(conn, id)).await
    }

    async fn sessions_of(&self, sub: &SubjectId, limit: usize) -> StoreResult<Vec<SessionEntry>> {
        let (sub, now) = (sub.clone(), self.clock.now());
        self.readers.read(move |conn| sessions::list(conn, &sub, limit, now)).await
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Option<SubjectId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<EndOutcome> {
        self.write(move |tx| sessions::end(tx, id, owner.as_ref(), why, source)).await
    }

    async fn end_sessions_of(
        &self,
        sub: SubjectId,
        except: Option<SessionId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<()> {
        self.write(move |tx| sessions::end_all(tx, &sub, except, why, source)).await
    }

    async fn add_user(&self, user: User, source: Source) -> StoreResult<AddUser> {
        self.write(move |tx| people::add(tx, &user, source)).await
    }

    async fn user(&self, name: &Username) -> StoreResult<Option<User>> {
        let name = name.clone();
        self.readers.read(move |conn| people::by_name(conn, &name)).await
    }

    async fn user_of(&self, sub: &SubjectId) -> StoreResult<Option<User>> {
        let sub = sub.clone();
        self.readers.read(move |conn| people::by_sub(conn, &sub)).await
    }

    async fn users(&self, after: Option<Username>, limit: usize) -> StoreResult<Vec<User>> {
        self.readers.read(move |conn| people::page(conn, after.as_ref(), limit)).await
    }

    async fn change_subject(
        &self,
        sub: SubjectId,
        change: SubjectChange,
        source: Source,
    ) -> StoreResult<bool> {
        self.write(move |tx| people::change(tx, &sub, &change, source)).await
    }

    async fn set_password(
        &self,
        sub: SubjectId,
        change: PasswordChange,
        source: Source,
    ) -> StoreResult<bool> {
        self.write(move |tx| people::set_password(tx, &sub, &change, source)).await
    }

    async fn guesses(&self, account: [u8; 32]) -> StoreResult<Guesses> {
        self.readers.read(move |conn| people::guesses(conn, &account)).await
    }

    async fn record_password_use(&self, account: [u8; 32], outcome: PasswordUse) -> StoreResult<()> {
        self.write(move |tx| people::record_password_use(tx, &account, outcome)).await
    }

    async fn clients(&self) -> StoreResult<Vec<Client>> {
        self.readers.read(registry::clients).await
    }

    async fn add_client(&self, client: Client, source: Source) -> StoreResult<AddClient> {
        self.write(move |tx| registry::add_client(tx, &client, source)).await
    }

    async fn remove_client(&self, id: ClientId, source: Source) -> StoreResult<bool> {
        self.write(move |tx| registry::remove_client(tx, &id, source)).await
    }

    async fn keys(&self) -> StoreResult<Vec<KeyRecord>> {
        self.readers.read(registry::keys).await
    }

    async fn add_key(&self, request: AddKey) -> StoreResult<bool> {
        self.write(move |tx| registry::add_key(tx, &request)).await
    }

    async fn drop_key(&self, request: DropKey) -> StoreResult<bool> {
        self.write(move |tx| registry::drop_key(tx, &request)).await
    }

    async fn lease(&self, holder: [u8; 16], time: Duration) -> StoreResult<Option<Lease>> {
        self.write(move |tx| registry::lease(tx, holder, time)).await
    }

    async fn has_sessions_before(&self, before: Timestamp) -> StoreResult<bool> {
        let now = self.clock.now();
        self.readers.read(move |conn| sessions::any_before(conn, before, now)).await
    }

    async fn feed(&self, since: Option<FeedCursor>, limit: usize) -> StoreResult<FeedPage> {
        self.readers.read(move |conn| feed::page(conn, since, limit)).await
    }

    async fn record(&self, event: Event) -> StoreResult<()> {
        self.write(move |tx| feed::record(tx, &Event { at: tx.now, ..event })).await
    }

    async fn events(&self, after: u64, limit: usize) -> StoreResult<Vec<(u64, Event)>> {
        self.readers.read(move |conn| feed::events(conn, after, limit)).await
    }

    async fn versions(&self) -> StoreResult<Versions> {
        self.readers.read(registry::versions).await
    }

    async fn session_count(&self) -> StoreResult<u64> {
        self.readers.read(|conn| registry::meta(conn, "session_count")).await
    }

    async fn prune(&self, events: Duration, limit: usize) -> StoreResult<Pruned> {
        self.write(move |tx| feed::prune(tx, events, limit)).await
    }

    async fn check(&self) -> StoreResult<()> {
        self.readers.read(|conn| registry::versions(conn).map(|_| ())).await?;
        // A transaction that changes nothing would succeed on a full disk.
        let count =
            "insert into meta values ('checked', 1) on conflict (key) do update set value = value + 1";
        let written = self.write(|tx| tx.execute(count, [])).await;
        // So little may fit where others' writes did not. What this write met is told by itself.
        let failed = self.writer()?.take_failure();
        written?;
        if failed {
            return Err(StoreError::Unavailable("a write has failed since the last check".to_owned()));
        }
        Ok(())
    }

    fn queue_depth(&self) -> usize {
        self.writer.as_ref().map_or(0, Writer::depth)
    }
}
