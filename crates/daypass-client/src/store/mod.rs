//! Where a session is kept: [`MemoryStore`] for one process, [`FileStore`] for any number of them that share a file.

mod memory;

mod file;

#[cfg(feature = "keyring")]
mod keyring;

#[cfg(feature = "contract")]
pub mod contract;

mod format;
mod lock;
mod private;

use std::any::Any;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::Record;

pub use file::FileStore;
#[cfg(feature = "contract")]
pub use file::Step;
#[cfg(feature = "keyring")]
pub use keyring::{Keeper, KeyringBuilder, KeyringStore};
pub use memory::MemoryStore;

/// How long a writer waits for another before he gives up. Writing takes milliseconds.
const WRITERS_WAIT: Duration = Duration::from_secs(5);

/// Keeps one session, and lets nobody overwrite what he has not read.
///
/// Correctness rests on [`compare_exchange`](Self::compare_exchange) alone; [`lock`](Self::lock) only saves work.
/// The safe error is to fail: a store that is not sure that a record will be there after a crash says so, and the
/// client then repeats the rotation that it has on record instead of starting another.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// Reads what is kept.
    async fn load(&self) -> Result<Stored, StoreError>;

    /// Replaces what is kept if it is still of the version that the caller read, atomically and durably. `None`
    /// removes the record.
    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError>;

    /// Waits up to `wait` for the right to renew, across everybody who shares the store. `None` if the wait was in
    /// vain, or if the store has no such lock: the caller then goes on without. Dropping the guard gives it back;
    /// so does the end of the process.
    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError>;

    /// Tells the version of the last change that this store heard of, whoever made it. `None` from a store that
    /// hears of nothing: the client then notices a change when it next reads.
    fn changes(&self) -> Option<watch::Receiver<Version>> {
        None
    }
}

/// Gives a lock back when it is dropped.
pub struct Guard(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send>);

impl Guard {
    /// A guard that gives back by dropping `held`.
    pub fn new(held: impl Any + Send) -> Self {
        Self(Box::new(held))
    }
}

impl Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

/// Names one state of a store. Every write makes a new one, which never comes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(pub u128);

impl Version {
    /// The state of a store that was never written to.
    pub const EMPTY: Self = Self(0);
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Names this state.
    pub version: Version,
    /// The session, if there is one.
    pub record: Option<Record>,
}

/// How an exchange went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The new record is there, under this version.
    Done(Version),
    /// Somebody was quicker: this is what is there now.
    Conflict(Stored),
}

/// Why a store could not do as asked. Nothing that was there before is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file, the disk or the key ring refused.
    #[error("the token store cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// What is kept cannot be read as a session: it is left as it is. [`FileStore::set_aside`] makes room.
    #[error("the token store holds what cannot be read as a session: {0}")]
    Foreign(&'static str),
    /// There is no key ring here, and no file was named to do without.
    #[error("there is no key ring to keep the session in: {0}")]
    NoKeyRing(String),
    /// Somebody else holds the store's lock for longer than anybody should.
    #[error("the token store is held by somebody else")]
    Busy,
}
