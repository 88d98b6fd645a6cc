//! A session in the operating system's key ring.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use keyring_core::{CredentialStore, Entry, Error};
use tokio::sync::watch;

use super::file::Place;
use super::lock::{FileLock, blocking};
use super::{Exchange, FileStore, Guard, StoreError, Stored, TokenStore, Version, WRITERS_WAIT, format};
use crate::Record;

/// Keeps the session in the operating system's key ring: the Secret Service (GNOME, KDE) on Linux and its kin, the
/// key chain on macOS, the credential manager on Windows. Clones are one store.
///
/// A key ring has no atomic exchange, and so every write holds a lock on a file, whose path is an argument:
/// **everybody who uses this entry names the same lock file**, or writers may undo each other's work. The file
/// itself stays empty, is its owner's alone, and needs a local disk.
///
/// Windows keeps at most 2,560 bytes in an entry. A session that has more is written without its access token, and
/// whoever loads it renews at once. An entry stays on its machine there: it does not roam with the user's profile.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use daypass_client::store::{Keeper, KeyringStore};
///
/// let home = std::env::home_dir().ok_or("nobody's home")?;
/// let store = KeyringStore::builder("example-cli", "ada", home.join(".example/session.lock"))
///     .or_file(home.join(".example/session.json"))
///     .open()
///     .await?;
/// if store.keeper() == Keeper::File {
///     eprintln!("There is no key ring here: the session is kept in a file.");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeyringStore(Inner);

#[derive(Clone)]
enum Inner {
    Ring(Ring),
    File(FileStore),
}

/// Where a [`KeyringStore`] keeps its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keeper {
    /// In the key ring.
    KeyRing,
    /// In the file that was named for want of a key ring.
    File,
}

impl KeyringStore {
    /// The entry of this service and user in the key ring, guarded by a lock on the file at `lock`.
    pub fn builder(
        service: impl Into<String>,
        user: impl Into<String>,
        lock: impl AsRef<Path>,
    ) -> KeyringBuilder {
        KeyringBuilder {
            service: service.into(),
            user: user.into(),
            lock: lock.as_ref().to_owned(),
            file: None,
            ring: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Where the session is kept, which was decided when the store was opened.
    pub fn keeper(&self) -> Keeper {
        match self.0 {
            Inner::Ring(_) => Keeper::KeyRing,
            Inner::File(_) => Keeper::File,
        }
    }
}

/// Opens a [`KeyringStore`].
pub struct KeyringBuilder {
    service: String,
    user: String,
    lock: PathBuf,
    file: Option<PathBuf>,
    ring: Option<Arc<CredentialStore>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl KeyringBuilder {
    /// Allows a [`FileStore`] at this path where there is no key ring, as on a server. Without it, opening fails
    /// there.
    ///
    /// A session that is in the file stays there, even when there is a key ring the next time, until it is signed
    /// out or the key ring holds a session, too: nobody is signed out because he logged in at the desk.
    #[must_use]
    pub fn or_file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// Another key ring than the system's: any store of the crate `keyring-core`.
    #[must_use]
    pub fn ring(mut self, ring: Arc<CredentialStore>) -> Self {
        self.ring = Some(ring);
        self
    }

    /// Waits for locks by this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes versions from this source. Two stores that share an entry must not make the same.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Opens the key ring, or the file if there is no key ring and a file was allowed.
    ///
    /// Fails with [`StoreError::NoKeyRing`] if there is neither, and with another error if there is a key ring that
    /// refuses, as one does whose user does not unlock it: the file is not the way around that.
    pub async fn open(self) -> Result<KeyringStore, StoreError> {
        let file = match &self.file {
            Some(path) => Some(
                FileStore::open(path)?
                    .with_clock(Arc::clone(&self.clock))
                    .with_entropy(Arc::clone(&self.entropy)),
            ),
            None => None,
        };
        let inner = match (self.open_ring().await, file) {
            (Ok(ring), Some(file)) => stay(ring, file).await?,
            (Ok(ring), None) => Inner::Ring(ring),
            (Err(StoreError::NoKeyRing(why)), Some(file)) => {
                tracing::info!(why, "there is no key ring: the session is kept in a file");
                Inner::File(file)
            }
            (Err(error), _) => return Err(error),
        };
        Ok(KeyringStore(inner))
    }

    async fn open_ring(&self) -> Result<Ring, StoreError> {
        let place = Place::new(&self.lock)?;
        let (given, service, user) = (self.ring.clone(), self.service.clone(), self.user.clone());
        let entry = blocking(move || {
            let entry = match given {
                Some(ring) => ring.build(&service, &user, None),
                None => system_entry(&service, &user)?,
            };
            entry.map_err(|error| refused(&error))
        })
        .await?;
        Ok(Ring {
            entry: Arc::new(entry),
            writers: FileLock::of_writers(place.file(), Arc::clone(&self.clock)),
            renewal: FileLock::of_renewal(place.beside(".renewal"), Arc::clone(&self.clock)),
            entropy: Arc::clone(&self.entropy),
        })
    }
}

/// Whichever of the two holds the session; the key ring if both do, or none.
async fn stay(ring: Ring, file: FileStore) -> Result<Inner, StoreError> {
    let in_file = ring.load().await?.record.is_none() && file.load().await?.record.is_some();
    Ok(if in_file { Inner::File(file) } else { Inner::Ring(ring) })
}

/// The entry in the system's own key ring. The outer error means that there is none.
fn system_entry(service: &str, user: &str) -> Result<keyring_core::Result<Entry>, StoreError> {
    #[cfg(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))]
    let (ring, options) = (zbus_secret_service_keyring_store::Store::new(), None);
    #[cfg(target_os = "macos")]
    let (ring, options) = (apple_native_keyring_store::keychain::Store::new(), None);
    // By default an entry follows its user to other machines. Copies of a session must not come about like that.
    #[cfg(windows)]
    let local = std::collections::HashMap::from([("persistence", "Local")]);
    #[cfg(windows)]
    let (ring, options) = (windows_native_keyring_store::Store::new(), Some(&local));
    #[cfg(any(target_os = "ios", target_os = "android", not(any(unix, windows))))]
    let (ring, options) = (Err::<Arc<CredentialStore>, _>(Error::NoDefaultStore), None);

    let ring: Arc<CredentialStore> =
        ring.map_err(|error| StoreError::NoKeyRing(refused(&error).to_string()))?;
    Ok(ring.build(service, user, options))
}

#[derive(Clone)]
struct Ring {
    entry: Arc<Entry>,
    writers: FileLock,
    renewal: FileLock,
    entropy: Arc<dyn Entropy>,
}

impl Ring {
    async fn load(&self) -> Result<Stored, StoreError> {
        let entry = Arc::clone(&self.entry);
        blocking(move || read(&entry)).await
    }

    async fn compare_exchange(&self, before: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        let version = format::new_version(&*self.entropy)?;
        let (entry, new) = (Arc::clone(&self.entry), new.cloned());
        let held = self.writers.acquire(WRITERS_WAIT).await?.ok_or(StoreError::Busy)?;
        // The lock goes along: it is held until the write has ended, even if nobody waits for that any more.
        blocking(move || {
            let _held = held;
            let there = read(&entry)?;
            if there.version != before {
                return Ok(Exchange::Conflict(there));
            }
            write(&entry, version, new)?;
            Ok(Exchange::Done(version))
        })
        .await
    }
}

fn read(entry: &Entry) -> Result<Stored, StoreError> {
    match entry.get_secret().map(zeroize::Zeroizing::new) {
        Ok(bytes) => format::decode(&bytes),
        Err(Error::NoEntry) => Ok(Stored::default()),
        Err(error) => Err(refused(&error)),
    }
}

fn write(entry: &Entry, version: Version, new: Option<Record>) -> Result<(), StoreError> {
    match entry.set_secret(&format::encode(version, new.as_ref())?) {
        Err(Error::TooLong(..)) if new.as_ref().is_some_and(|record| record.access.is_some()) => {
            write(entry, version, new.map(|record| Record { access: None, ..record }))
        }
        written => written.map_err(|error| refused(&error)),
    }
}

/// Some of these errors hold what the entry holds: it goes no further.
fn refused(error: &Error) -> StoreError {
    let other = |text: String| StoreError::Io(std::io::Error::other(text));
    match error {
        Error::PlatformFailure(cause) | Error::NoStorageAccess(cause) => {
            other(format!("the key ring: {cause}"))
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => {
            StoreError::Foreign("it is a damaged entry of the key ring")
        }
        Error::Ambiguous(_) => StoreError::Foreign("it is several entries of the key ring"),
        Error::TooLong(what, most) => {
            other(format!("the key ring takes no {what} of more than {most} bytes"))
        }
        Error::Invalid(what, why) => other(format!("the key ring takes no such {what}: {why}")),
        _ => other("the key ring cannot do this".to_owned()),
    }
}

#[async_trait]
impl TokenStore for KeyringStore {
    async fn load(&self) -> Result<Stored, StoreError> {
        match &self.0 {
            Inner::Ring(ring) => ring.load().await,
            Inner::File(file) => file.load().await,
        }
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        match &self.0 {
            Inner::Ring(ring) => ring.compare_exchange(read, new).await,
            Inner::File(file) => file.compare_exchange(read, new).await,
        }
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        match &self.0 {
            Inner::Ring(ring) => ring.renewal.renew(wait).await,
            Inner::File(file) => file.lock(wait).await,
        }
    }

    fn changes(&self) -> Option<watch::Receiver<Version>> {
        match &self.0 {
            Inner::Ring(_) => None,
            Inner::File(file) => file.changes(),
        }
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("keeper", &self.keeper()).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyringBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringBuilder").field("service", &self.service).finish_non_exhaustive()
    }
}
