//! A file in which a session is kept, on a disk that takes no simulated time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::ManualClock;
use daypass_client::store::{Exchange, Guard, StoreError, Stored, TokenStore, Version};
use daypass_client::{FileStore, Record};

use crate::run::Run;

/// The client's file store. The clock stands still while it reads and writes; waiting for its lock takes time.
#[derive(Debug)]
pub(crate) struct Disk {
    file: FileStore,
    /// The same file, for its lock alone; absent where there is none.
    locks: Option<FileStore>,
    run: Arc<Run>,
}

impl Disk {
    /// A file whose programs take turns at renewing.
    pub(crate) fn open(path: &Path, clock: ManualClock, run: Arc<Run>) -> Result<Self, StoreError> {
        let locks = FileStore::open(path)?.with_clock(Arc::new(clock));
        Ok(Self { locks: Some(locks), ..Self::without_lock(path, run)? })
    }

    /// A file on a system that knows no locks: all of its programs renew at the same time.
    pub(crate) fn without_lock(path: &Path, run: Arc<Run>) -> Result<Self, StoreError> {
        // Writers wait for each other in real time, since the clock stands still meanwhile.
        Ok(Self { file: FileStore::open(path)?, locks: None, run })
    }
}

#[async_trait]
impl TokenStore for Disk {
    async fn load(&self) -> Result<Stored, StoreError> {
        let _standing_still = self.run.hold_clock();
        self.file.load().await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        let _standing_still = self.run.hold_clock();
        self.file.compare_exchange(read, new).await
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        match &self.locks {
            Some(locks) => locks.lock(wait).await,
            None => Ok(None),
        }
    }

    fn changes(&self) -> Option<tokio::sync::watch::Receiver<Version>> {
        self.file.changes()
    }
}
