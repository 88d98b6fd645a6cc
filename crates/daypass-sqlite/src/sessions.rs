//! Opening, ending and listing sessions.

use std::borrow::Cow;

use daypass_core::{
    Cutoff, Ending, EndingReason, Event, EventKind, FeedEntry, NewSession, Origin, Session, SessionId,
    Subject, SubjectId, Timestamp,
};
use daypass_storage::{EndOutcome, Opened, PasswordHash, SessionEntry, Source, StoreError, StoreResult};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::rows::{SESSION_COLUMNS, SessionKey, get, select_sessions, session_and_subject, store_error};
use crate::writer::Tx;
use crate::{feed, people, registry, rotate};

/// How often an id is drawn anew before its millisecond counts as full. With half of its 32,768 keys
/// taken, that many draws fail once in 10^19 times.
const DRAWS: usize = 64;

/// Opens a session, recording its subject if it is new.
pub(crate) fn open(
    tx: &Tx<'_>,
    new: &NewSession,
    origin: &Origin,
    proven: Option<&PasswordHash>,
) -> StoreResult<Opened> {
    if registry::is_client(tx.conn, new.subject.as_str())? {
        return Ok(Opened::SubjectIsClient);
    }
    if proven.is_some() {
        let user = people::by_sub(tx.conn, &new.subject)?;
        if user.as_ref().and_then(|user| user.password.as_ref()) != proven {
            return Ok(Opened::PasswordChanged);
        }
    }
    let (row, subject) = match people::find_subject(tx.conn, &new.subject)? {
        Some(found) => found,
        None => (
            people::insert_subject(tx, &Subject::new(new.subject.clone()))?,
            Subject::new(new.subject.clone()),
        ),
    };
    let Some(session) = insert(tx, new, (row, &subject), origin)? else { return Ok(Opened::Disabled) };
    let event = Event::new(tx.now, EventKind::SignedIn).of(&subject.id).in_session(session.id);
    feed::record(tx, &event.through(&session.client).from(origin.address.as_deref()))?;
    Ok(Opened::Session(session, subject))
}

/// Opens a session and writes its rows; none where the subject may not sign in.
pub(crate) fn insert(
    tx: &Tx<'_>,
    new: &NewSession,
    (row, subject): (i64, &Subject),
    origin: &Origin,
) -> StoreResult<Option<Session>> {
    let mut new = Cow::Borrowed(new);
    let mut draws = 0;
    let session = loop {
        let Ok(session) = new.open(subject, tx.now) else { return Ok(None) };
        if insert_row(tx, row, &session)? {
            break session;
        }
        draws += 1;
        if draws == DRAWS {
            let text = "too many sessions have started in this millisecond";
            return Err(StoreError::Unavailable(text.to_owned()));
        }
        // Another session of this millisecond has the same 15 bits.
        let again = tx.conn.query_row("select randomblob(10)", [], |row| row.get(0)).map_err(store_error)?;
        new = Cow::Owned(NewSession { random: again, ..new.into_owned() });
    };
    if *origin != Origin::default() {
        let values = (SessionKey::of(session.id).key, &origin.label, &origin.user_agent, &origin.address);
        tx.execute(
            "insert into origins (session, label, user_agent, address) values (?1, ?2, ?3, ?4)",
            values,
        )?;
    }
    tx.count_sessions(1);
    Ok(Some(session))
}

/// Writes a new session's row, unless its key is taken.
fn insert_row(tx: &Tx<'_>, subject: i64, session: &Session) -> StoreResult<bool> {
    let rotation = &session.rotation;
    let SessionKey { key, tail } = SessionKey::of(session.id);
    let written = tx.execute(
        "insert into sessions (key, tail, subject, client, generation, token_key, rotated_at, seen_at, expires_at, \
         auth_time, amr, scope, jkt) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
         on conflict (key) do nothing",
        (
            key,
            tail,
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
    Ok(written == 1)
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
    if session.ended(&subject).is_some() {
        return Ok(EndOutcome::AlreadyEnded);
    }
    // Also where its time seems to be up: the clock may be wrong, and whoever ends it is told that it is over.
    mark_ended(tx, &session, why)?;
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
            let unended = |session: &Session, subject: &Subject| session.ended(subject).is_none();
            for entry in listed(tx.conn, sub, usize::MAX, unended)? {
                if entry.session.id != kept {
                    mark_ended(tx, &entry.session, why)?;
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
        EndingReason::Revoked | EndingReason::Disabled | EndingReason::Deleted | EndingReason::Expired => {
            EventKind::Revoked
        }
    };
    Event { client: source.client, detail: source.detail, ..Event::new(now, kind) }
        .of(sub)
        .from(source.address.as_deref())
}

/// Marks a session as ended and tells verifiers.
pub(crate) fn mark_ended(tx: &Tx<'_>, session: &Session, why: EndingReason) -> StoreResult<()> {
    mark_ended_quietly(tx, session.id, why)?;
    feed::append(
        tx,
        &FeedEntry::new(Ending::Session(session.id), tx.now, tx.latest.max(session.rotation.seen_at)),
    )
}

/// Marks a session as ended where verifiers need no entry of its own in the feed: a wider one covers
/// it, or all its access tokens have expired.
pub(crate) fn mark_ended_quietly(tx: &Tx<'_>, id: SessionId, why: EndingReason) -> StoreResult<()> {
    let sql = "update sessions set revoked_at = ?2, revoked_why = ?3 where key = ?1 and revoked_at is null";
    tx.execute(sql, (SessionKey::of(id).key, tx.now.millis(), why.code()))?;
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
    feed::append(tx, &FeedEntry::new(ending, tx.now, tx.latest))?;
    Ok(cutoff)
}

/// When a subject's latest session started, which is later than now if the clock went back.
fn latest_start(conn: &Connection, subject: i64) -> StoreResult<Option<Timestamp>> {
    let sql = "select key, tail from sessions where subject = ?1 order by key desc limit 1";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let read = |row: &Row<'_>| Ok(SessionKey { key: row.get(0)?, tail: row.get(1)? }.id().start());
    statement.query_row([subject], read).optional().map_err(store_error)
}

/// A subject's live sessions, newest first.
pub(crate) fn list(
    conn: &Connection,
    sub: &SubjectId,
    limit: usize,
    now: Timestamp,
) -> StoreResult<Vec<SessionEntry>> {
    listed(conn, sub, limit, |session, subject| session.lives(subject, now))
}

/// A subject's sessions that were not ended by themselves and that `wanted` takes, newest first.
fn listed(
    conn: &Connection,
    sub: &SubjectId,
    limit: usize,
    wanted: impl Fn(&Session, &Subject) -> bool,
) -> StoreResult<Vec<SessionEntry>> {
    let sql = select_sessions!(
        ", o.label, o.user_agent, o.address",
        "left join origins o on o.session = s.key where u.sub = ?1 and s.revoked_at is null \
         and s.key >= ?2 order by s.key desc"
    );
    let Some((_, subject)) = people::find_subject(conn, sub)? else { return Ok(Vec::new()) };
    let oldest = SessionKey::first_at(subject.not_before());
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query((sub.as_str(), oldest)).map_err(store_error)?;
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(row) = rows.next().map_err(store_error)?
    {
        let (session, subject) = session_and_subject(row)?;
        if wanted(&session, &subject) {
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
    let sql = "select exists (select 1 from sessions where key < ?1 and revoked_at is null \
               and (expires_at is null or expires_at > ?2))";
    conn.query_row(sql, (SessionKey::first_at(before), now.millis()), |row| row.get(0)).map_err(store_error)
}
