//! Opening the file: settings, schema and migrations.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::rows::store_error;

/// Marks a file as Daypass's: "DayP".
const APPLICATION_ID: i32 = 0x4461_7950;

/// The steps from nothing to the present schema; a file's `user_version` counts those it has taken.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_start.sql"), include_str!("migrations/0002_lease.sql")];

/// To how many bytes the log's file is cut when the log starts anew.
const LOG_LIMIT: i64 = 128 << 20;

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// When a commit reaches the disk. Anything but [`Durability::Full`] loses acknowledged rotations
/// when the power fails, and exists so that the durability test can show that it would notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(hidden)]
pub enum Durability {
    /// The log is synced at every commit.
    #[default]
    Full,
    /// The log is synced at checkpoints only.
    Normal,
    /// Nothing is synced.
    Off,
}

/// Makes an empty file for the database, for its owner only, if there is none; SQLite gives the
/// files beside it the same mode.
pub(crate) fn make_file(path: &Path) -> StoreResult<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::Unavailable(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Opens a connection that writes.
pub(crate) fn writer(path: &Path, cache_bytes: usize, durability: Durability) -> StoreResult<Connection> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
        Durability::Off => "OFF",
    };
    conn.pragma_update(None, "journal_mode", "WAL").map_err(store_error)?;
    conn.pragma_update(None, "synchronous", synchronous).map_err(store_error)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(store_error)?;
    conn.pragma_update(None, "journal_size_limit", LOG_LIMIT).map_err(store_error)?;
    let kibibytes = i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX).saturating_neg();
    conn.pragma_update(None, "cache_size", kibibytes).map_err(store_error)?;
    Ok(conn)
}

/// Opens a connection that only reads.
pub(crate) fn reader(path: &Path) -> StoreResult<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, flags: OpenFlags) -> StoreResult<Connection> {
    let conn =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(store_error)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(store_error)?;
    // Without this, SQLite plans a statement anew whenever another value is bound to it, because the
    // value might fit a partial index.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(store_error)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Brings the file's schema up to date, after a backup copy beside it if it held anything.
pub(crate) fn migrate(conn: &mut Connection, path: &Path) -> StoreResult<()> {
    let taken = steps_taken(conn)?;
    if taken == MIGRATIONS.len() {
        return Ok(());
    }
    if taken > 0 {
        back_up(conn, path, taken)?;
    }
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(store_error)?;
    // Another process may have been faster.
    let taken = steps_taken(&tx)?;
    for step in MIGRATIONS.iter().skip(taken) {
        tx.execute_batch(step).map_err(store_error)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(store_error)?;
    tx.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(store_error)?;
    tx.commit().map_err(store_error)
}

/// How many migrations the file has seen.
fn steps_taken(conn: &Connection) -> StoreResult<usize> {
    let read = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(store_error);
    let (version, application) = (read("user_version")?, read("application_id")?);
    let tables: i64 =
        conn.query_row("select count(*) from sqlite_master", [], |row| row.get(0)).map_err(store_error)?;
    if tables > 0 && application != i64::from(APPLICATION_ID) {
        return Err(StoreError::Schema("the database file is not Daypass's".to_owned()));
    }
    let taken = usize::try_from(version).unwrap_or(usize::MAX);
    if taken > MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        let text =
            format!("the database has schema version {version}, this release knows {known}: use a newer one");
        return Err(StoreError::Schema(text));
    }
    Ok(taken)
}

fn back_up(conn: &Connection, path: &Path, taken: usize) -> StoreResult<()> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!(".before-{}", taken.saturating_add(1)));
    if Path::new(&copy).exists() {
        return Ok(());
    }
    conn.execute("vacuum into ?1", [copy.to_string_lossy()]).map_err(store_error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_file_and_a_foreign_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let newer = dir.path().join("newer.db");
        let mut conn = writer(&newer, 1 << 20, Durability::Full).unwrap();
        migrate(&mut conn, &newer).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut conn, &newer), Err(StoreError::Schema(text)) if text.contains("99")));

        let foreign = dir.path().join("foreign.db");
        let mut conn = writer(&foreign, 1 << 20, Durability::Full).unwrap();
        conn.execute_batch("create table t(x)").unwrap();
        assert!(matches!(migrate(&mut conn, &foreign), Err(StoreError::Schema(_))));
    }

    #[test]
    fn a_backup_is_a_whole_copy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut conn = writer(&path, 1 << 20, Durability::Full).unwrap();
        migrate(&mut conn, &path).unwrap();
        back_up(&conn, &path, 1).unwrap();
        let mut copy = Connection::open(dir.path().join("a.db.before-2")).unwrap();
        assert_eq!(steps_taken(&copy).unwrap(), MIGRATIONS.len());
        migrate(&mut copy, &path).unwrap();
    }

    #[test]
    fn the_log_is_synced_at_every_commit() {
        let dir = tempfile::tempdir().unwrap();
        let conn = writer(&dir.path().join("a.db"), 1 << 20, Durability::default()).unwrap();
        let read = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(read("synchronous"), 2, "FULL");
        assert_eq!(read("wal_autocheckpoint"), 0);
    }
}
