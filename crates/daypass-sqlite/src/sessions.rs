//! Opening, ending and listing sessions.

use daypass_core::{
    Cutoff, Ending, EndingReason, Event, EventKind, FeedEntry, NewSession, Origin, Session, SessionId,
    Subject, SubjectId, Timestamp,
};
use daypass_storage::{EndOutcome, Opened, SessionEntry, Source, StoreResult};
use rusqlite::{Connection, OptionalExtension as _};

use crate::rows::{SESSION_COLUMNS, get, select_sessions, session_and_subject, store_error};
use crate::writer::Tx;
use crate::{feed, people, registry, rotate};

/// Opens a session, recording its subject if it is new.
pub(crate) fn open(tx: &Tx<'_>, new: &NewSession, origin: &Origin) -> StoreResult<Opened> {
    if registry::is_client(tx.conn, new.subject.as_str())? {
        return Ok(Opened::SubjectIsClient);
    }
    let (row, subject) = match people::find_subject(tx.conn, &new.subject)? {
        Some(found) => found,
        None => (
            people::insert_subject(tx, &Subject::new(new.subject.clone()))?,
            Subject::new(new.subject.clone()),
        ),
    };
    let Ok(session) = new.open(&subject, tx.now) else { return Ok(Opened::Disabled) };
    insert(tx, row, &session, origin)?;
    let event = Event::new(tx.now, EventKind::SignedIn).of(&subject.id).in_session(session.id);
    feed::record(tx, &event.through(&session.client).from(origin.address.as_deref()))?;
    Ok(Opened::Session(session, subject))
}

/// Writes a new session's rows.
pub(crate) fn insert(tx: &Tx<'_>, subject: i64, session: &Session, origin: &Origin) -> StoreResult<()> {
    let rotation = &session.rotation;
    let id = session.id.as_bytes().as_slice();
    tx.execute(
        "insert into sessions (id, subject, client, generation, token_key, rotated_at, seen_at, expires_at, \
         auth_time, amr, scope, jkt) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        (
            id,
            subject,
            session.client.as_str(),
            rotation.generation.0,
            rotation.token_key.0,
            rotation.rotated_at.millis(),
            rotation.seen_at.millis(),
            session.expires_at.map(Timestamp::millis),
            session.auth_time.millis(),
            &session.amr,
            session.scope.as_str(),
            session.jkt.map(|jkt| jkt.0),
        ),
    )?;
    if *origin != Origin::default() {
        let values = (id, &origin.label, &origin.user_agent, &origin.address);
        tx.execute(
            "insert into origins (session, label, user_agent, address) values (?1, ?2, ?3, ?4)",
            values,
        )?;
    }
    tx.count_sessions(1);
    Ok(())
}

/// Ends one session.
pub(crate) fn end(
    tx: &Tx<'_>,
    id: SessionId,
    owner: Option<&SubjectId>,
    why: EndingReason,
    source: Source,
) -> StoreResult<EndOutcome> {
    let found = rotate::find(tx.conn, id)?;
    let Some((session, subject)) =
        found.filter(|(session, _)| owner.is_none_or(|owner| *owner == session.subject))
    else {
        return Ok(EndOutcome::NotFound);
    };
    if !session.lives(&subject, tx.now) {
        return Ok(EndOutcome::AlreadyEnded);
    }
    mark_ended(tx, id, why)?;
    feed::record(tx, &ended(tx.now, &session.subject, why, source).in_session(id).through(&session.client))?;
    Ok(EndOutcome::Ended)
}

/// Ends all of a subject's sessions, or all but one.
pub(crate) fn end_all(
    tx: &Tx<'_>,
    sub: &SubjectId,
    except: Option<SessionId>,
    why: EndingReason,
    source: Source,
) -> StoreResult<()> {
    match except {
        None => cut_off(tx, sub, why).map(|_| ())?,
        Some(kept) => {
            for entry in list(tx.conn, sub, usize::MAX, tx.now)? {
                if entry.session.id != kept {
                    mark_ended(tx, entry.session.id, why)?;
                }
            }
        }
    }
    feed::record(tx, &ended(tx.now, sub, why, source))
}

fn ended(now: Timestamp, sub: &SubjectId, why: EndingReason, source: Source) -> Event {
    let kind = match why {
        EndingReason::SignedOut => EventKind::SignedOut,
        EndingReason::PasswordChanged => EventKind::PasswordChanged,
        EndingReason::Reused => EventKind::Reused,
        EndingReason::Revoked | EndingReason::Disabled | EndingReason::Deleted => EventKind::Revoked,
    };
    Event { client: source.client, detail: source.detail, ..Event::new(now, kind) }
        .of(sub)
        .from(source.address.as_deref())
}

/// Marks a session as ended and tells verifiers.
pub(crate) fn mark_ended(tx: &Tx<'_>, id: SessionId, why: EndingReason) -> StoreResult<()> {
    mark_ended_quietly(tx, id, why)?;
    feed::append(tx, &FeedEntry::new(Ending::Session(id), tx.now))
}

/// Marks a session as ended where a wider entry of the feed covers it.
pub(crate) fn mark_ended_quietly(tx: &Tx<'_>, id: SessionId, why: EndingReason) -> StoreResult<()> {
    let sql = "update sessions set revoked_at = ?2, revoked_why = ?3 where id = ?1 and revoked_at is null";
    tx.execute(sql, (id.as_bytes().as_slice(), tx.now.millis(), why.code()))?;
    Ok(())
}

/// Ends all sessions that a subject has, whatever their number, by one row.
pub(crate) fn cut_off(tx: &Tx<'_>, sub: &SubjectId, why: EndingReason) -> StoreResult<Cutoff> {
    let found = people::find_subject(tx.conn, sub)?;
    let latest = match &found {
        Some((row, _)) => latest_start(tx.conn, *row)?,
        None => None,
    };
    let before = found.as_ref().and_then(|(_, subject)| subject.cutoff);
    let cutoff = Cutoff::at(tx.now, latest, before, why);
    if found.is_none() {
        people::insert_subject(tx, &Subject::new(sub.clone()))?;
    }
    let sql = "update subjects set not_before = ?2, not_before_why = ?3, reused_before = ?4 where sub = ?1";
    let reused_before = cutoff.reused_before.map(Timestamp::millis);
    tx.execute(sql, (sub.as_str(), cutoff.not_before.millis(), why.code(), reused_before))?;
    let ending = Ending::Subject { sub: sub.clone(), not_before: cutoff.not_before };
    feed::append(tx, &FeedEntry::new(ending, tx.now))?;
    Ok(cutoff)
}

/// When a subject's latest session started, which is later than now if the clock went back.
fn latest_start(conn: &Connection, subject: i64) -> StoreResult<Option<Timestamp>> {
    let sql = "select id from sessions where subject = ?1 order by id desc limit 1";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let id: Option<[u8; 16]> =
        statement.query_row([subject], |row| row.get(0)).optional().map_err(store_error)?;
    Ok(id.map(|id| SessionId::from_bytes(id).start()))
}

/// A subject's live sessions, newest first.
pub(crate) fn list(
    conn: &Connection,
    sub: &SubjectId,
    limit: usize,
    now: Timestamp,
) -> StoreResult<Vec<SessionEntry>> {
    let sql = select_sessions!(
        ", o.label, o.user_agent, o.address",
        "left join origins o on o.session = s.id where u.sub = ?1 and s.revoked_at is null \
         and s.id >= ?2 order by s.id desc"
    );
    let Some((_, subject)) = people::find_subject(conn, sub)? else { return Ok(Vec::new()) };
    let oldest = SessionId::new(subject.not_before(), [0; 10]);
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query((sub.as_str(), oldest.as_bytes().as_slice())).map_err(store_error)?;
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(row) = rows.next().map_err(store_error)?
    {
        let (session, subject) = session_and_subject(row)?;
        if session.lives(&subject, now) {
            let origin = Origin {
                label: get(row, SESSION_COLUMNS)?,
                user_agent: get(row, SESSION_COLUMNS + 1)?,
                address: get(row, SESSION_COLUMNS + 2)?,
            };
            entries.push(SessionEntry { session, origin });
        }
    }
    Ok(entries)
}

/// Whether a session that started before `before` could still renew.
pub(crate) fn any_before(conn: &Connection, before: Timestamp, now: Timestamp) -> StoreResult<bool> {
    let sql = "select exists (select 1 from sessions where id < ?1 and revoked_at is null \
               and (expires_at is null or expires_at > ?2))";
    let bound = SessionId::new(before, [0; 10]);
    conn.query_row(sql, (bound.as_bytes().as_slice(), now.millis()), |row| row.get(0)).map_err(store_error)
}
