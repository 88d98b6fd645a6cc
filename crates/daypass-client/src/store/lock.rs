//! A lock of the kernel's on a file that has no other use: it ends with the process that holds it, however that
//! ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Clock;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Guard, StoreError, private};

/// How long to wait before asking the kernel again. It has a queue, but whoever stands in it blocks a thread for
/// as long as the holder pleases.
const PAUSE: Duration = Duration::from_millis(1);

/// How long to wait at most for a lock that is held for a write.
const FOR_A_WRITE: Duration = Duration::from_millis(4);

/// How long to wait at most for one that is held for a request.
const FOR_A_REQUEST: Duration = Duration::from_millis(32);

/// A lock that is shared by everybody who names the same path. Clones queue fairly, others take turns by chance.
#[derive(Clone)]
pub(super) struct FileLock {
    path: Arc<Path>,
    here: Arc<Mutex<()>>,
    clock: Arc<dyn Clock>,
    longest_pause: Duration,
}

/// Gives the lock back when it is dropped.
pub(super) struct Held {
    file: File,
    _here: OwnedMutexGuard<()>,
}

impl FileLock {
    /// One that whoever writes has while he does.
    pub(super) fn of_writers(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path: path.into(), here: Arc::default(), clock, longest_pause: FOR_A_WRITE }
    }

    /// One that whoever renews has while he does.
    pub(super) fn of_renewal(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { longest_pause: FOR_A_REQUEST, ..Self::of_writers(path, clock) }
    }

    pub(super) fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = clock;
    }

    /// Waits up to `wait` for the lock. It is asked for once in any case.
    pub(super) async fn acquire(&self, wait: Duration) -> io::Result<Option<Held>> {
        if let Ok(here) = Arc::clone(&self.here).try_lock_owned()
            && let Some(file) = self.ask().await?
        {
            return Ok(Some(Held { file, _here: here }));
        }
        tokio::select! {
            held = self.turn() => held.map(Some),
            () = self.clock.sleep(wait) => Ok(None),
        }
    }

    /// The same for the right to renew, which only saves work: where there is no lock to be had, less is saved.
    pub(super) async fn renew(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        match self.acquire(wait).await {
            Ok(held) => Ok(held.map(Guard::new)),
            Err(error) => {
                tracing::debug!(%error, "the renewal lock cannot be had");
                Ok(None)
            }
        }
    }

    async fn turn(&self) -> io::Result<Held> {
        let here = Arc::clone(&self.here).lock_owned().await;
        let mut pause = PAUSE;
        loop {
            if let Some(file) = self.ask().await? {
                return Ok(Held { file, _here: here });
            }
            self.clock.sleep(pause).await;
            pause = self.longest_pause.min(pause * 2);
        }
    }

    async fn ask(&self) -> io::Result<Option<File>> {
        let path = Arc::clone(&self.path);
        blocking(move || {
            let file = private::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        })
        .await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file does it too, unless a child process that is just being started has it open as well.
        let _closed_next = self.file.unlock();
    }
}

/// Runs what waits for a disk or a key ring where waiting is allowed. It runs to its end, whether or not anybody
/// waits for it.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
