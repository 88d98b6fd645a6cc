//! The revocation feed and the audit events, and forgetting what has had its time.

use std::time::Duration;

use daypass_core::{Ending, Event, FeedEntry};
use daypass_storage::{FeedCursor, FeedPage, Pruned, StoreResult};
use rusqlite::Connection;

use crate::registry::meta;
use crate::rows::{event, feed_entry, get, store_error};
use crate::writer::Tx;

/// How long a session's row outlives the session, so that its tokens are still called expired.
const SESSION_AFTERLIFE: Duration = Duration::from_hours(24);

/// How long the row of an ended session stays that would have had no end of its own. Verifiers need
/// the ending only while an access token lives, and the feed tells them; a client asks once, when it
/// is used again, and after a month signing in anew surprises nobody: no reason has to be told.
const ENDED_AFTERLIFE: Duration = Duration::from_hours(30 * 24);

/// The sessions whose own end was longest ago.
const EXPIRED: &str = "select key from sessions where expires_at <= ?1 order by expires_at limit ?2";

/// The sessions without an end of their own that were ended longest ago.
const ENDED: &str =
    "select key from sessions where expires_at is null and revoked_at <= ?1 order by revoked_at limit ?2";

/// The accounts on which the last wrong password was tried longest ago.
const QUIET: &str = "select account from guesses where last <= ?1 order by last limit ?2";

/// Wrong passwords older than this say nothing any more.
const GUESSES_AFTERLIFE: Duration = Duration::from_hours(48);

/// How long an entry stays after it says nothing any more, in case the clock is wrong about that.
const FEED_AFTERLIFE: Duration = Duration::from_hours(2);

/// Tells verifiers of an ending.
pub(crate) fn append(tx: &Tx<'_>, entry: &FeedEntry) -> StoreResult<()> {
    let (session, sub, not_before) = match &entry.ending {
        Ending::Session(id) => (Some(id.as_bytes().as_slice()), None, None),
        Ending::Subject { sub, not_before } => (None, Some(sub.as_str()), Some(not_before.millis())),
    };
    let sql = "insert into feed (session, sub, not_before, at, until) values (?1, ?2, ?3, ?4, ?5)";
    tx.execute(sql, (session, sub, not_before, entry.at.millis(), entry.until.millis())).map(|_| ())
}

/// Reads on in the feed.
pub(crate) fn page(conn: &Connection, since: Option<FeedCursor>, limit: usize) -> StoreResult<FeedPage> {
    let epoch: [u8; 16] = meta(conn, "epoch")?;
    // A cursor beyond the last entry comes from a store that this one was restored to before.
    let last: u64 = conn
        .query_row("select coalesce(max(seq), 0) from sqlite_sequence where name = 'feed'", [], |row| {
            row.get(0)
        })
        .map_err(store_error)?;
    let known = since.filter(|cursor| cursor.epoch == epoch && cursor.sequence <= last);
    let start = known.map_or(0, |cursor| cursor.sequence);
    let sql =
        "select seq, session, sub, not_before, at, until from feed where seq > ?1 order by seq limit ?2";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((start, wanted.saturating_add(1))).map_err(store_error)?;
    let mut page = FeedPage {
        entries: Vec::new(),
        cursor: FeedCursor { epoch, sequence: start },
        complete: true,
        reset: known.is_none(),
    };
    while let Some(row) = rows.next().map_err(store_error)? {
        if page.entries.len() == limit {
            page.complete = false;
            break;
        }
        page.cursor.sequence = get(row, 0)?;
        page.entries.push(feed_entry(row, 1)?);
    }
    Ok(page)
}

/// Writes an audit event.
pub(crate) fn record(tx: &Tx<'_>, event: &Event) -> StoreResult<()> {
    let sql = "insert into events (at, kind, sub, session, client, address, detail) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = (
        event.at.millis(),
        event.kind.name(),
        event.subject.as_ref().map(daypass_core::SubjectId::as_str),
        event.session.map(|id| *id.as_bytes()),
        event.client.as_ref().map(daypass_core::ClientId::as_str),
        event.address.as_deref(),
        event.detail.as_deref(),
    );
    tx.execute(sql, values).map(|_| ())
}

/// Reads on in the audit events.
pub(crate) fn events(conn: &Connection, after: u64, limit: usize) -> StoreResult<Vec<(u64, Event)>> {
    let sql = "select seq, at, kind, sub, session, client, address, detail from events \
               where seq > ?1 order by seq limit ?2";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query((after, i64::try_from(limit).unwrap_or(i64::MAX))).map_err(store_error)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        if let Some(event) = event(row, 1)? {
            events.push((get(row, 0)?, event));
        }
    }
    Ok(events)
}

/// Forgets what nobody can ask for any more, at most `limit` rows of each kind.
pub(crate) fn prune(tx: &Tx<'_>, events: Duration, limit: usize) -> StoreResult<Pruned> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let before = |age: Duration| tx.now.millis().saturating_sub(daypass_core::time::millis(age));
    let expired = forget_sessions(tx, EXPIRED, before(SESSION_AFTERLIFE), limit)?;
    let ended = forget_sessions(tx, ENDED, before(ENDED_AFTERLIFE), limit.saturating_sub(expired))?;
    let sessions = usize::try_from(expired.saturating_add(ended)).unwrap_or(usize::MAX);
    let feed = tx.execute(
        "delete from feed where seq in (select seq from feed order by seq limit ?2) and until <= ?1",
        (before(FEED_AFTERLIFE), limit),
    )?;
    let events = tx.execute(
        "delete from events where seq in (select seq from events order by seq limit ?2) and at <= ?1",
        (before(events), limit),
    )?;
    let quiet = format!("delete from guesses where account in ({QUIET})");
    tx.execute(&quiet, (before(GUESSES_AFTERLIFE), limit))?;
    Ok(Pruned { sessions, feed, events })
}

/// Forgets the sessions that `which` finds, and where they were opened; says how many.
fn forget_sessions(tx: &Tx<'_>, which: &str, before: i64, limit: i64) -> StoreResult<i64> {
    tx.execute(&format!("delete from origins where session in ({which})"), (before, limit))?;
    let sessions = tx.execute(&format!("delete from sessions where key in ({which})"), (before, limit))?;
    let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
    tx.count_sessions(sessions.saturating_neg());
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{self, Durability};

    #[test]
    fn what_is_forgotten_is_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut conn = schema::writer(&path, 1 << 20, Durability::Off).unwrap();
        schema::migrate(&mut conn, &path).unwrap();
        let wanted =
            [(EXPIRED, "sessions_by_end "), (ENDED, "sessions_by_ending "), (QUIET, "guesses_by_last ")];
        for (which, index) in wanted {
            let mut statement = conn.prepare(&format!("explain query plan {which}")).unwrap();
            let steps = statement.query_map((1, 1), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].starts_with("SEARCH") && steps[0].contains(index), "{steps:?}");
        }
    }
}
