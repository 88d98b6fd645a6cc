//! Connections that are lent out: so many at once, and a bounded number of callers who wait.
//!
//! A connection comes back only if its borrower says that nothing is left open on it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::connect::{Connection, Connector};
use crate::trouble::{Trouble, overloaded};

pub(crate) struct Pool {
    connector: Connector,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

impl Pool {
    /// At most `connections`, for which at most `waiting` callers wait, each at most `patience`.
    pub(crate) fn new(connector: Connector, connections: usize, waiting: usize, patience: Duration) -> Self {
        Self {
            connector,
            permits: Semaphore::new(connections),
            idle: Mutex::default(),
            waiting: AtomicUsize::new(0),
            most_waiting: waiting,
            patience,
        }
    }

    /// Lends a connection, a new one if none is idle.
    pub(crate) async fn borrow(&self) -> Result<Lent<'_>, Trouble> {
        let permit = self.permit().await?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        Ok(Lent { connection, pool: self, _permit: permit })
    }

    /// How many callers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Closes what is idle: one lost connection is seldom the only one.
    pub(crate) fn clear(&self) {
        self.shelf().clear();
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, Trouble> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let place = Place::take(&self.waiting, self.most_waiting).ok_or_else(overloaded)?;
        let permit = timeout(self.patience, self.permits.acquire()).await;
        drop(place);
        permit.map_err(|_| overloaded())?.map_err(|_| overloaded().into())
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.shelf();
        while let Some(connection) = idle.pop() {
            if !connection.is_lost() {
                return Some(connection);
            }
        }
        None
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A place in the queue, given up when dropped.
struct Place<'p>(&'p AtomicUsize);

impl<'p> Place<'p> {
    fn take(waiting: &'p AtomicUsize, most: usize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A borrowed connection. Dropped, it is closed.
pub(crate) struct Lent<'p> {
    pub(crate) connection: Connection,
    pool: &'p Pool,
    _permit: SemaphorePermit<'p>,
}

impl Lent<'_> {
    /// Gives the connection back: nothing is open on it, and nobody waits for an answer.
    pub(crate) fn give_back(self) {
        if !self.connection.is_lost() {
            self.pool.shelf().push(self.connection);
        }
    }
}
