//! Keeping the write-ahead log short without making the writer wait.
//!
//! SQLite starts the log anew only when all of it has been copied into the database, and while
//! there are writes a checkpoint beside them never quite catches up. So a thread of its own copies,
//! off the writer's path, until little is left; when the log has grown long, the writer is asked to
//! copy that little between two batches, and its next write starts the log anew.
//!
//! SQLite syncs the database only in the checkpoint that reaches the end of the log, which would be
//! the writer's: a hundred milliseconds for what all the passes before it wrote. So the thread syncs
//! the file itself after each pass, and leaves the writer little to sync as well.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use daypass_storage::{StoreError, StoreResult};
use rusqlite::Connection;

use crate::schema::{self, Durability};

/// Changed rows after which copying is worth while. Each dirties about one page.
const WORTH_COPYING: u64 = 12_000;

/// Frames (pages of 4 KiB) beyond which the log is to start anew: 96 MiB.
const LONG: i64 = 24_000;

/// Frames that the writer may be asked to copy itself.
const LITTLE: i64 = 1_500;

/// Passes after which the writer is asked even if more than a little is left.
const PASSES: usize = 6;

/// The writer's side: counts what it writes and wakes the checkpointer.
pub(crate) struct Gauge {
    changes_then: u64,
    wake: SyncSender<()>,
    finish: Arc<AtomicBool>,
}

impl Gauge {
    /// Notes a committed batch; between two batches the writer holds no transaction.
    pub(crate) fn committed(&mut self, conn: &Connection) {
        let changes = conn.total_changes();
        if changes.saturating_sub(self.changes_then) >= WORTH_COPYING {
            self.changes_then = changes;
            // A full channel means that it is awake already.
            let _awake = self.wake.try_send(());
        }
        if self.finish.swap(false, Ordering::Relaxed) {
            tracing::debug!("finishing");
            copy(conn);
        }
    }
}

/// The checkpointer's thread; it ends when the writer's [`Gauge`] is gone.
pub(crate) type Thread = std::thread::JoinHandle<()>;

/// Starts the checkpointer.
pub(crate) fn start(path: &Path, durability: Durability) -> StoreResult<(Gauge, Thread)> {
    let conn = schema::writer(path, 256 * 1024, durability)?;
    let unavailable = |error: std::io::Error| StoreError::Unavailable(error.to_string());
    // Never closed: closing any descriptor of a file drops all locks that the process holds on it
    // (POSIX fcntl), those of SQLite's connections included.
    let database: &'static File = Box::leak(Box::new(File::open(path).map_err(unavailable)?));
    let (wake, woken) = sync_channel(1);
    let finish = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&finish);
    let thread = std::thread::Builder::new()
        .name("daypass-checkpointer".to_owned())
        .spawn(move || run(&conn, database, &woken, &asked))
        .map_err(unavailable)?;
    // A process that was killed has left its log behind, and one that never lives long enough to change much would
    // only ever add to it.
    let _awake = wake.try_send(());
    Ok((Gauge { changes_then: 0, wake, finish }, thread))
}

fn run(conn: &Connection, database: &File, woken: &Receiver<()>, finish: &AtomicBool) {
    while woken.recv() == Ok(()) {
        let mut last = copy_and_sync(conn, database);
        for _ in 1..PASSES {
            match last {
                Some((log, copied)) if log > LONG && log - copied > LITTLE => {
                    last = copy_and_sync(conn, database);
                }
                _ => break,
            }
        }
        if last.is_some_and(|(log, _)| log > LONG) {
            // What was written while the last pass was being synced.
            copy_and_sync(conn, database);
            finish.store(true, Ordering::Relaxed);
        }
    }
}

fn copy_and_sync(conn: &Connection, database: &File) -> Option<(i64, i64)> {
    let lengths = copy(conn);
    if let Err(error) = database.sync_data() {
        tracing::warn!(%error, "the database could not be synced");
    }
    lengths
}

/// One pass beside whatever else goes on; the length of the log and how much of it is copied, in
/// frames.
fn copy(conn: &Connection) -> Option<(i64, i64)> {
    let lengths = conn.query_row("pragma wal_checkpoint(passive)", [], |row| Ok((row.get(1)?, row.get(2)?)));
    lengths
        .inspect(|(log, copied)| tracing::debug!(log, copied, "checkpoint"))
        .inspect_err(|error| tracing::warn!(%error, "a checkpoint failed"))
        .ok()
}
