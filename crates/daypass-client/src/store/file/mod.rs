//! A session in a file, for any number of processes that share it.

mod place;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock, Entropy, SystemClock, SystemEntropy};

pub(super) use self::place::Place;
use super::lock::{FileLock, blocking};
use super::private::Access;
use super::{Exchange, Guard, StoreError, Stored, TokenStore, Version, WRITERS_WAIT, format};
use crate::Record;

/// Keeps the session in a JSON file, which any number of processes may share. Clones are one store.
///
/// - The file and what stands beside it (`.lock`, `.renewal`) are their owner's alone (mode 0600), and so is the
///   folder if it had to be made (0700). A file that others can read is closed to them, with a warning. On Windows
///   a file has the access list of its folder: choose one in the user's profile.
/// - A write is a new file, synced and renamed over the old one, under a lock of the kernel's: a reader, a crash or
///   a power cut never meets half a session. Writers wait for each other, 5 s at most ([`StoreError::Busy`]).
///   A process that stops while it renews never holds up a writer: that is another lock.
/// - What is not a session of this format (another program's file, a damaged one, a newer release's, a symbolic
///   link, another user's file) is [`StoreError::Foreign`] to readers and writers alike and stays as it is. A
///   program that has asked its user calls [`set_aside`](Self::set_aside), and signs in again.
/// - The file stays after a sign-out and says that there is no session. Deleting it is a sign-out, too.
/// - The locks need a file system that has some: a local one, or NFS with its lock service. Nobody deletes their
///   files while the store is in use.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// use daypass_client::store::{FileStore, Stored, TokenStore};
///
/// let store = FileStore::open(folder.path().join("example/session.json"))?;
/// assert_eq!(store.load().await?, Stored::default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
    writers: FileLock,
    renewal: FileLock,
    entropy: Arc<dyn Entropy>,
    observer: Option<Observer>,
}

struct Shared {
    place: Place,
    cleaned: AtomicBool,
    warned: AtomicBool,
    /// The version that is known to survive a power cut.
    durable: Mutex<Version>,
}

type Observer = Arc<dyn Fn(Step) + Send + Sync>;

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(not(feature = "contract"), expect(unreachable_pub, reason = "only tests look on"))]
pub enum Step {
    /// The new file is on the disk, under a name of its own.
    Written,
    /// It has the old one's name. Whether that survives a power cut is not known yet.
    Renamed,
}

impl FileStore {
    /// The store at this path. Makes its folder if there is none, and touches nothing else: a missing file is a
    /// store that holds nothing.
    ///
    /// Fails if the folder cannot be made, or the path names no file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let place = Place::new(path.as_ref())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(Self {
            writers: FileLock::of_writers(place.beside(".lock"), Arc::clone(&clock)),
            renewal: FileLock::of_renewal(place.beside(".renewal"), clock),
            shared: Arc::new(Shared {
                place,
                cleaned: AtomicBool::new(false),
                warned: AtomicBool::new(false),
                durable: Mutex::default(),
            }),
            entropy: Arc::new(SystemEntropy),
            observer: None,
        })
    }

    /// The same store, which waits for locks by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.writers.set_clock(Arc::clone(&clock));
        self.renewal.set_clock(clock);
        self
    }

    /// The same store, which makes versions from this source. Two that share a file must not make the same.
    #[must_use]
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// The same store, which tells how far each write has come, on the thread that writes: for tests that end a
    /// process at a chosen point.
    #[cfg(feature = "contract")]
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Step) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Where the session is: an absolute path.
    pub fn path(&self) -> PathBuf {
        self.shared.place.file()
    }

    /// Moves away what is at this store's path, whatever it is, and tells where it is now: beside it, with
    /// `.aside-` and 32 digits at the end of its name. `None` if nothing was there. The store is then empty.
    ///
    /// This is the way out of [`StoreError::Foreign`], for a user who agreed: what is moved may be another
    /// program's file, or the session of a newer release.
    pub async fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        let (shared, name) = (Arc::clone(&self.shared), format::new_version(&*self.entropy)?);
        let held = self.writers.acquire(WRITERS_WAIT).await?.ok_or(StoreError::Busy)?;
        blocking(move || {
            let _held = held;
            Ok(shared.place.set_aside(name)?)
        })
        .await
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self) -> Result<Stored, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.load()).await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        let version = format::new_version(&*self.entropy)?;
        let bytes = format::encode(version, new)?;
        let (shared, observer) = (Arc::clone(&self.shared), self.observer.clone());
        let held = self.writers.acquire(WRITERS_WAIT).await?.ok_or(StoreError::Busy)?;
        // The lock goes along: it is held until the write has ended, even if nobody waits for that any more.
        blocking(move || {
            let _held = held;
            let there = shared.load()?;
            if there.version != read {
                return Ok(Exchange::Conflict(there));
            }
            shared.clean();
            let passed = |step| observer.iter().for_each(|observer| observer(step));
            shared.place.replace(&bytes, version, passed)?;
            *shared.durable() = version;
            Ok(Exchange::Done(version))
        })
        .await
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        self.renewal.renew(wait).await
    }
}

impl Shared {
    fn load(&self) -> Result<Stored, StoreError> {
        let Some(contents) = self.place.read()? else { return Ok(Stored::default()) };
        self.warn(contents.access);
        let stored = format::decode(&contents.bytes)?;
        self.make_durable(stored.version)?;
        Ok(stored)
    }

    /// A new file is seen before its name is on the disk: whoever wrote it may be about to sync the folder, or was
    /// killed just then. An attempt id that a power cut can still take back must not be sent by a reader either.
    fn make_durable(&self, read: Version) -> io::Result<()> {
        if *self.durable() != read {
            self.place.sync()?;
            *self.durable() = read;
        }
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, Version> {
        // It is one assignment: there is no half of it to see after a panic.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once is enough: whoever dies later leaves his file to whoever opens the store then.
    fn clean(&self) {
        if self.cleaned.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.place.clean() {
            tracing::debug!(%error, "unfinished files of ended writers cannot be removed");
        }
    }

    fn warn(&self, access: Access) {
        let text = match access {
            Access::Ours | Access::Theirs => return,
            Access::Closed => "others could read the session's file; it is closed to them now",
            Access::Open => "others can read the session's file, and its file system cannot forbid it",
        };
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(path = %self.place.file().display(), "{text}");
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path()).finish_non_exhaustive()
    }
}
