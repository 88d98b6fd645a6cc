//! Connections that only read, on threads where blocking is allowed.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::schema;

/// How many reads may wait for a connection.
const MAX_WAITING: usize = 4096;

/// A bounded set of reading connections.
#[derive(Clone)]
pub(crate) struct Readers {
    /// None once the store is closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
    free: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn open(path: &Path, count: usize) -> StoreResult<Self> {
        let count = count.max(1);
        let idle = (0..count).map(|_| schema::reader(path)).collect::<StoreResult<Vec<_>>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(Some(idle))),
            free: Arc::new(Semaphore::new(count)),
            places: Arc::new(Semaphore::new(count.saturating_add(MAX_WAITING))),
        })
    }

    /// Runs a read on a connection of its own.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let full = |_| StoreError::Overloaded { retry_after: Duration::from_secs(1) };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let free = Arc::clone(&self.free).acquire_owned().await.map_err(|_| closed())?;
        let idle = Arc::clone(&self.idle);
        let on_thread = move || {
            let _held = (place, free);
            let conn = idle.lock().map_err(|_| closed())?.as_mut().and_then(Vec::pop).ok_or_else(closed)?;
            let lent = Lent { conn: Some(conn), idle };
            lent.conn.as_ref().ok_or_else(closed).and_then(read)
        };
        tokio::task::spawn_blocking(on_thread)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Closes the connections that are idle; the others close when their read has ended.
    pub(crate) fn close(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            *idle = None;
        }
    }
}

/// A connection in use, which goes back even if the read panics.
struct Lent {
    /// None only while it goes back.
    conn: Option<Connection>,
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Ok(mut idle) = self.idle.lock()
            && let (Some(idle), Some(conn)) = (idle.as_mut(), self.conn.take())
        {
            idle.push(conn);
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the readers are closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Durability;

    #[tokio::test]
    async fn a_read_that_panics_gives_its_connection_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        schema::migrate(&mut schema::writer(&path, 1 << 20, Durability::Off).unwrap(), &path).unwrap();
        let readers = Readers::open(&path, 1).unwrap();
        for _ in 0..3 {
            let panicked = readers
                .read(|conn| -> StoreResult<()> {
                    let mut statement = conn.prepare_cached("select key from meta").unwrap();
                    let mut rows = statement.query([]).unwrap();
                    let row = rows.next().unwrap();
                    panic!("as this test wants, at {row:?}")
                })
                .await;
            assert!(matches!(panicked, Err(StoreError::Unavailable(_))));
        }
        let epoch = readers.read(|conn| crate::registry::meta::<[u8; 16]>(conn, "epoch")).await;
        assert!(epoch.is_ok(), "{epoch:?}");
        readers.close();
        assert!(readers.read(|_| Ok(())).await.is_err());
    }
}
