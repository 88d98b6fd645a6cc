//! The revocation feed and the audit events, and forgetting what has had its time.
//!
//! A transaction draws the number of its feed entry before it commits, so that numbers become visible
//! out of order: whoever reads on from the highest seen would miss what commits late. The feed is
//! therefore read by *places*, which are given to entries after their commit, by whoever reads next,
//! under the lock of one row: places become visible in their order, however long a transaction took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daypass_core::{Ending, Event, FeedEntry};
use daypass_storage::{FeedCursor, FeedPage, Pruned, StoreError};
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::rows::{Id, corrupt, event, feed_entry, get, kept_if, number};
use crate::sessions;
use crate::trouble::Trouble;
use crate::tx::Tx;

/// How long a session's row outlives the session, so that its tokens are still called expired.
const SESSION_AFTERLIFE: Duration = Duration::from_hours(24);

/// How long the row of an ended session stays that would have had no end of its own; after a month
/// signing in anew surprises nobody.
const ENDED_AFTERLIFE: Duration = Duration::from_hours(30 * 24);

/// Wrong passwords older than this say nothing any more.
const GUESSES_AFTERLIFE: Duration = Duration::from_hours(48);

/// How long an entry stays after it says nothing any more, in case the clock is wrong about that.
const FEED_AFTERLIFE: Duration = Duration::from_hours(2);

/// The sessions whose own end was longest ago.
const EXPIRED: &str = "select id from daypass.sessions where expires_at <= $1 order by expires_at limit $2";

/// The sessions without an end of their own that were ended longest ago.
const ENDED: &str = "select id from daypass.sessions where expires_at is null and revoked_at <= $1 \
                     order by revoked_at limit $2";

/// Tells verifiers of an ending.
pub(crate) async fn append(tx: &Tx<'_>, entry: &FeedEntry) -> Result<(), Trouble> {
    let (session, sub, not_before) = match &entry.ending {
        Ending::Session(id) => (Some(Id::from(*id)), None, None),
        Ending::Subject { sub, not_before } => (None, Some(sub.as_str()), Some(not_before.millis())),
    };
    let (at, until) = (entry.at.millis(), entry.until.millis());
    let sql = "insert into daypass.feed (session, sub, not_before, at, until) values ($1, $2, $3, $4, $5)";
    let values: [_; 5] = [
        (&session as _, Type::UUID),
        (&sub as _, Type::TEXT),
        (&not_before as _, Type::INT8),
        (&at as _, Type::INT8),
        (&until as _, Type::INT8),
    ];
    tx.execute(sql, &values).await.map(drop)
}

/// What the feed is at.
pub(crate) struct Head {
    epoch: [u8; 16],
    placed: u64,
    /// Whether entries wait for a place.
    pub(crate) unplaced: bool,
}

/// Whether the database can say which of its lives it is in. What only speaks its protocol cannot.
pub(crate) struct Lives(AtomicBool);

impl Lives {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(true))
    }
}

/// Looks at the feed. The epoch is the one that was drawn when the schema was made, mixed with the
/// cluster's own number and its timeline, which changes at every fail-over and restore.
pub(crate) async fn head(connection: &Connection, lives: &Lives) -> Result<Head, Trouble> {
    const HEAD: &str = "select epoch, placed, exists (select 1 from daypass.feed where place is null)";
    let life = "system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) \
                from daypass.feed_head, pg_control_system()";
    let mut refused = false;
    let row = if lives.0.load(Ordering::Relaxed) {
        let asked = connection.row(&format!("{HEAD}, {life}"), &[]).await;
        refused = matches!(asked, Err(Trouble::Store(StoreError::Schema(_))));
        if refused { None } else { asked? }
    } else {
        None
    };
    let (row, life) = if let Some(row) = row {
        let cluster = get::<i64>(&row, 3)?.cast_unsigned();
        let timeline = u32::from_str_radix(get(&row, 4)?, 16).map_err(|_| corrupt("timeline"))?;
        (row, u128::from(cluster) << 64 | u128::from(timeline))
    } else {
        let row = connection.row(&format!("{HEAD} from daypass.feed_head"), &[]).await?;
        // The rest of what was asked is there: what is not are the functions that tell of its lives.
        lives.0.fetch_and(!refused, Ordering::Relaxed);
        (row.ok_or_else(|| corrupt("head of the feed"))?, 0)
    };
    let Id(drawn) = get(&row, 0)?;
    let epoch = (u128::from_be_bytes(drawn) ^ life).to_be_bytes();
    Ok(Head { epoch, placed: number::<i64, _>(&row, 1, "place")?, unplaced: get(&row, 2)? })
}

/// Gives places to the entries that have none, in the order of their numbers.
pub(crate) async fn place(tx: &Tx<'_>) -> Result<(), Trouble> {
    let row = tx.row("select placed from daypass.feed_head for update", &[]).await?;
    let placed: i64 = row.map_or_else(|| Err(corrupt("head of the feed")), |row| get(&row, 0))?;
    // A statement of its own, so that it sees what was committed before the lock was had.
    let sql = "update daypass.feed f set place = $1 + n.rank from (select seq, row_number() over (order by seq) as rank \
               from daypass.feed where place is null) n where f.seq = n.seq";
    let given = tx.execute(sql, &[(&placed, Type::INT8)]).await?;
    let placed = placed.saturating_add(i64::try_from(given).unwrap_or(0));
    tx.execute("update daypass.feed_head set placed = $1", &[(&placed, Type::INT8)]).await.map(drop)
}

/// Reads on in the feed.
pub(crate) async fn page(
    connection: &Connection,
    head: &Head,
    since: Option<FeedCursor>,
    limit: usize,
) -> Result<FeedPage, Trouble> {
    // A place that was not given yet is from a store that this one was restored to before.
    let known = since.filter(|cursor| cursor.epoch == head.epoch && cursor.sequence <= head.placed);
    let start = known.map_or(0, |cursor| cursor.sequence);
    let sql = "select place, session, sub, not_before, at, until from daypass.feed \
               where place > $1 order by place limit $2";
    let after = i64::try_from(start).unwrap_or(i64::MAX);
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let rows = connection.rows(sql, &[(&after, Type::INT8), (&wanted, Type::INT8)]).await?;
    let mut page = FeedPage {
        entries: Vec::new(),
        cursor: FeedCursor { epoch: head.epoch, sequence: start },
        complete: rows.len() <= limit,
        reset: known.is_none(),
    };
    for row in rows.iter().take(limit) {
        page.cursor.sequence = number::<i64, _>(row, 0, "place")?;
        page.entries.push(feed_entry(row, 1)?);
    }
    Ok(page)
}

/// Writes an audit event.
pub(crate) async fn record(tx: &Tx<'_>, event: &Event) -> Result<(), Trouble> {
    let sql = "insert into daypass.events (at, kind, sub, session, client, address, detail) \
               values ($1, $2, $3, $4, $5, $6, $7)";
    let (at, kind) = (event.at.millis(), event.kind.name());
    let sub = event.subject.as_ref().map(daypass_core::SubjectId::as_str);
    let session = event.session.map(Id::from);
    let client = event.client.as_ref().map(daypass_core::ClientId::as_str);
    let (address, detail) = (kept_if(event.address.as_deref()), kept_if(event.detail.as_deref()));
    let values: [_; 7] = [
        (&at as _, Type::INT8),
        (&kind as _, Type::TEXT),
        (&sub as _, Type::TEXT),
        (&session as _, Type::UUID),
        (&client as _, Type::TEXT),
        (&address as _, Type::TEXT),
        (&detail as _, Type::TEXT),
    ];
    tx.execute(sql, &values).await.map(drop)
}

/// Reads on in the audit events.
pub(crate) async fn events(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Event)>, Trouble> {
    let sql = "select seq, at, kind, sub, session, client, address, detail from daypass.events \
               where seq > $1 order by seq limit $2";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut events = Vec::new();
    for row in connection.rows(sql, &[(&after, Type::INT8), (&limit, Type::INT8)]).await? {
        if let Some(event) = event(&row, 1)? {
            events.push((number::<i64, _>(&row, 0, "number of an event")?, event));
        }
    }
    Ok(events)
}

/// Forgets what nobody can ask for any more, at most `limit` rows of each kind; of the feed, what has a place.
pub(crate) async fn prune(tx: &Tx<'_>, events: Duration, limit: usize) -> Result<Pruned, Trouble> {
    let now = tx.moment().await?.now;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let before = |age: Duration| now.millis().saturating_sub(daypass_core::time::millis(age));
    let expired = forget_sessions(tx, EXPIRED, before(SESSION_AFTERLIFE), limit).await?;
    let rest = limit.saturating_sub(expired);
    let ended = forget_sessions(tx, ENDED, before(ENDED_AFTERLIFE), rest).await?;
    let feed = "delete from daypass.feed where seq in (select seq from daypass.feed where place is not null \
                order by place limit $2) and until <= $1";
    let feed = forget(tx, feed, before(FEED_AFTERLIFE), limit).await?;
    let old = "delete from daypass.events where seq in (select seq from daypass.events order by seq limit $2) \
               and at <= $1";
    let events = forget(tx, old, before(events), limit).await?;
    let quiet = "delete from daypass.guesses where account in (select account from daypass.guesses \
                 where last <= $1 order by last limit $2 for update skip locked)";
    forget(tx, quiet, before(GUESSES_AFTERLIFE), limit).await?;
    let gone = expired.saturating_add(ended);
    if gone > 0 {
        sessions::count(tx, 0, gone.saturating_neg()).await?;
    }
    Ok(Pruned { sessions: usize::try_from(gone).unwrap_or(usize::MAX), feed, events })
}

async fn forget(tx: &Tx<'_>, sql: &str, before: i64, limit: i64) -> Result<usize, Trouble> {
    let gone = tx.execute(sql, &[(&before, Type::INT8), (&limit, Type::INT8)]).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}

/// Forgets the sessions that `which` finds, and where they were opened; says how many.
async fn forget_sessions(tx: &Tx<'_>, which: &str, before: i64, limit: i64) -> Result<i64, Trouble> {
    let rows = tx.rows(which, &[(&before, Type::INT8), (&limit, Type::INT8)]).await?;
    let ids: Vec<Id> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: [_; 1] = [(&ids as _, Type::UUID_ARRAY)];
    // Locked in the order in which rotations do.
    tx.rows("select from daypass.sessions where id = any($1) order by id for update", &ids).await?;
    tx.execute("delete from daypass.origins where session = any($1)", &ids).await?;
    let gone = tx.execute("delete from daypass.sessions where id = any($1)", &ids).await?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}
