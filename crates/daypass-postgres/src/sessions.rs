//! Opening, ending and listing sessions.

use std::collections::BTreeSet;

use daypass_core::{
    Cutoff, Ending, EndingReason, Event, EventKind, FeedEntry, NewSession, Origin, Session, SessionId,
    Subject, SubjectId, Timestamp,
};
use daypass_storage::{EndOutcome, Opened, PasswordHash, SessionEntry, Source, StoreError};
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::moment::{Moment, Timekeeper};
use crate::rows::{
    Id, SESSION_COLUMNS, SUBJECT_COLUMNS, corrupt, get, kept_if, session, session_columns, subject,
    subject_columns,
};
use crate::trouble::Trouble;
use crate::tx::Tx;
use crate::{feed, people};

/// In how many parts sessions are counted.
const PARTS: u8 = 64;

/// Opens a session, recording its subject if it is new.
pub(crate) async fn open(
    tx: &Tx<'_>,
    new: &NewSession,
    origin: &Origin,
    proven: Option<&PasswordHash>,
) -> Result<Opened, Trouble> {
    if proven.is_some() && people::lock_password(tx, &new.subject).await?.as_ref() != proven {
        return Ok(Opened::PasswordChanged);
    }
    let Some(subject) = people::share_or_add_subject(tx, &new.subject).await? else {
        return Ok(Opened::SubjectIsClient);
    };
    let moment = tx.moment().await?;
    let mut new = new.clone();
    let session = loop {
        let Ok(session) = new.open(&subject, moment.now) else { return Ok(Opened::Disabled) };
        if insert(tx, &session).await? {
            break session;
        }
        // Another session has this id.
        new.random = draw(tx).await?;
    };
    if *origin != Origin::default() {
        let sql = "insert into daypass.origins (session, label, user_agent, address) values ($1, $2, $3, $4)";
        let (label, agent) = (kept_if(origin.label.as_deref()), kept_if(origin.user_agent.as_deref()));
        let (id, address) = (Id::from(session.id), kept_if(origin.address.as_deref()));
        let values: [_; 4] = [
            (&id as _, Type::UUID),
            (&label as _, Type::TEXT),
            (&agent as _, Type::TEXT),
            (&address as _, Type::TEXT),
        ];
        tx.execute(sql, &values).await?;
    }
    let event = Event::new(moment.now, EventKind::SignedIn).of(&subject.id).in_session(session.id);
    feed::record(tx, &event.through(&session.client).from(origin.address.as_deref())).await?;
    // The last lock, and the only one of its kind: nobody waits in a circle for it.
    count(tx, part_of(session.id), 1).await?;
    Ok(Opened::Session(session, subject))
}

/// Random bytes for an id.
async fn draw(tx: &Tx<'_>) -> Result<[u8; 10], Trouble> {
    let row = tx.row("select gen_random_uuid()", &[]).await?;
    let Id(bytes) = row.map_or(Ok(Id([0; 16])), |row| get(&row, 0))?;
    // Not the bytes that hold version and variant.
    let drawn = bytes.iter().enumerate().filter(|(at, _)| *at != 6 && *at != 8).map(|(_, byte)| *byte);
    let mut random = [0; 10];
    random.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
    Ok(random)
}

fn part_of(id: SessionId) -> i16 {
    i16::from(id.as_bytes().last().map_or(0, |byte| byte % PARTS))
}

/// Counts sessions that came, or, negative, went.
pub(crate) async fn count(tx: &Tx<'_>, part: i16, came: i64) -> Result<(), Trouble> {
    let sql = "update daypass.counts set sessions = sessions + $2 where part = $1";
    tx.execute(sql, &[(&part, Type::INT2), (&came, Type::INT8)]).await.map(drop)
}

/// Writes a new session's row, unless there is one of that id.
async fn insert(tx: &Tx<'_>, session: &Session) -> Result<bool, Trouble> {
    let rotation = &session.rotation;
    let id = Id::from(session.id);
    let (expires, auth) = (session.expires_at.map(Timestamp::millis), session.auth_time.millis());
    let (sub, client) = (session.subject.as_str(), session.client.as_str());
    let (scope, jkt) = (session.scope.as_str(), session.jkt.as_ref().map(|jkt| jkt.0.as_slice()));
    let (generation, key) = (i64::from(rotation.generation.0), i16::from(rotation.token_key.0));
    let (rotated, seen) = (rotation.rotated_at.millis(), rotation.seen_at.millis());
    let attempts = rotation.attempts.to_bytes();
    let sql = "insert into daypass.sessions (id, auth_time, expires_at, subject, client, amr, scope, jkt, generation, \
               rotated_at, seen_at, token_key, attempts) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
               on conflict (id) do nothing";
    let values: [_; 13] = [
        (&id as _, Type::UUID),
        (&auth as _, Type::INT8),
        (&expires as _, Type::INT8),
        (&sub as _, Type::TEXT),
        (&client as _, Type::TEXT),
        (&session.amr as _, Type::TEXT),
        (&scope as _, Type::TEXT),
        (&jkt as _, Type::BYTEA),
        (&generation as _, Type::INT8),
        (&rotated as _, Type::INT8),
        (&seen as _, Type::INT8),
        (&key as _, Type::INT2),
        (&attempts as _, Type::BYTEA),
    ];
    Ok(tx.execute(sql, &values).await? == 1)
}

/// A session with its subject, as last committed.
pub(crate) async fn find(
    connection: &Connection,
    id: SessionId,
) -> Result<Option<(Session, Subject)>, Trouble> {
    let sql = concat!(
        "select ",
        session_columns!(),
        ", ",
        subject_columns!(),
        " from daypass.sessions s join daypass.subjects u on u.sub = s.subject where s.id = $1"
    );
    let row = connection.row(sql, &[(&Id::from(id), Type::UUID)]).await?;
    Ok(row.map(|row| Ok::<_, StoreError>((session(&row)?, subject(&row, SESSION_COLUMNS)?))).transpose()?)
}

async fn lock(tx: &Tx<'_>, id: SessionId) -> Result<Option<Session>, Trouble> {
    let sql = concat!("select ", session_columns!(), " from daypass.sessions s where s.id = $1 for update");
    let row = tx.row(sql, &[(&Id::from(id), Type::UUID)]).await?;
    Ok(row.as_ref().map(session).transpose()?)
}

/// Ends one session.
pub(crate) async fn end(
    tx: &Tx<'_>,
    id: SessionId,
    owner: Option<&SubjectId>,
    why: EndingReason,
    source: &Source,
) -> Result<EndOutcome, Trouble> {
    let found = lock(tx, id).await?;
    let Some(session) = found.filter(|session| owner.is_none_or(|owner| *owner == session.subject)) else {
        return Ok(EndOutcome::NotFound);
    };
    let subject = people::share_subject(tx, &session.subject).await?.ok_or_else(|| corrupt("subject"))?;
    if session.ended(&subject).is_some() {
        return Ok(EndOutcome::AlreadyEnded);
    }
    // Also where its time seems to be up: the clock may be wrong, and whoever ends it is told that it is over.
    let moment = tx.moment().await?;
    mark_ended(tx, &session, why, &moment).await?;
    let event = ended(moment.now, &session.subject, why, source).in_session(id).through(&session.client);
    feed::record(tx, &event).await?;
    Ok(EndOutcome::Ended)
}

/// Ends all of a subject's sessions, or all but one.
pub(crate) async fn end_all(
    tx: &Tx<'_>,
    sub: &SubjectId,
    except: Option<SessionId>,
    why: EndingReason,
    source: &Source,
) -> Result<(), Trouble> {
    let now = match except {
        None => {
            people::lock_subject(tx, sub).await?;
            let moment = tx.moment().await?;
            cut_off(tx, sub, why, &moment).await?;
            moment.now
        }
        Some(kept) => {
            let unended = lock_unended(tx, sub).await?;
            let moment = tx.moment().await?;
            for session in unended.iter().filter(|session| session.id != kept) {
                mark_ended(tx, session, why, &moment).await?;
            }
            moment.now
        }
    };
    feed::record(tx, &ended(now, sub, why, source)).await
}

/// Locks the sessions of a subject that have not ended, and then the subject, so that nobody signs in
/// meanwhile.
async fn lock_unended(tx: &Tx<'_>, sub: &SubjectId) -> Result<Vec<Session>, Trouble> {
    let name = sub.as_str();
    let locked = concat!(
        "select ",
        session_columns!(),
        " from daypass.sessions s where s.subject = $1 and s.revoked_at is null order by s.id for update"
    );
    let rows = tx.rows(locked, &[(&name, Type::TEXT)]).await?;
    let sessions: Vec<Session> = rows.iter().map(session).collect::<Result<_, _>>()?;
    let Some(subject) = people::lock_subject(tx, sub).await? else { return Ok(Vec::new()) };
    let newest = "select id from daypass.sessions where subject = $1 and revoked_at is null";
    for row in tx.rows(newest, &[(&name, Type::TEXT)]).await? {
        let id = SessionId::from(get::<Id>(&row, 0)?);
        if !sessions.iter().any(|session| session.id == id) {
            // Its lock has to be had before the subject's.
            return Err(Trouble::Conflict("somebody signed in meanwhile".to_owned()));
        }
    }
    Ok(sessions.into_iter().filter(|session| session.ended(&subject).is_none()).collect())
}

fn ended(now: Timestamp, sub: &SubjectId, why: EndingReason, source: &Source) -> Event {
    let kind = match why {
        EndingReason::SignedOut => EventKind::SignedOut,
        EndingReason::PasswordChanged => EventKind::PasswordChanged,
        EndingReason::Reused => EventKind::Reused,
        EndingReason::Revoked | EndingReason::Disabled | EndingReason::Deleted | EndingReason::Expired => {
            EventKind::Revoked
        }
    };
    Event { client: source.client.clone(), detail: source.detail.clone(), ..Event::new(now, kind) }
        .of(sub)
        .from(source.address.as_deref())
}

/// Marks a session, which is locked, as ended and tells verifiers.
pub(crate) async fn mark_ended(
    tx: &Tx<'_>,
    session: &Session,
    why: EndingReason,
    moment: &Moment,
) -> Result<(), Trouble> {
    mark_ended_quietly(tx, session.id, why, moment.now).await?;
    let minted = moment.minted.max(session.rotation.seen_at);
    feed::append(tx, &FeedEntry::new(Ending::Session(session.id), moment.now, minted)).await
}

/// Marks a session, which is locked, as ended where verifiers need no entry of its own in the feed: a
/// wider one covers it, or all its access tokens have expired.
pub(crate) async fn mark_ended_quietly(
    tx: &Tx<'_>,
    id: SessionId,
    why: EndingReason,
    now: Timestamp,
) -> Result<(), Trouble> {
    let sql =
        "update daypass.sessions set revoked_at = $2, revoked_why = $3 where id = $1 and revoked_at is null";
    let (id, at, why) = (Id::from(id), now.millis(), i16::from(why.code()));
    tx.execute(sql, &[(&id, Type::UUID), (&at, Type::INT8), (&why, Type::INT2)]).await.map(drop)
}

/// Ends all sessions that a subject has, whatever their number, by one row, which is locked if it is
/// there.
pub(crate) async fn cut_off(
    tx: &Tx<'_>,
    sub: &SubjectId,
    why: EndingReason,
    moment: &Moment,
) -> Result<Cutoff, Trouble> {
    let name = sub.as_str();
    let added = "insert into daypass.subjects (sub) values ($1) on conflict (sub) do nothing";
    tx.execute(added, &[(&name, Type::TEXT)]).await?;
    let sql = concat!("select ", subject_columns!(), " from daypass.subjects u where u.sub = $1 for update");
    let row = tx.row(sql, &[(&name, Type::TEXT)]).await?;
    let before = row.map(|row| subject(&row, 0)).transpose()?.and_then(|subject| subject.cutoff);
    let latest = "select id from daypass.sessions where subject = $1 order by id desc limit 1";
    let latest = tx.row(latest, &[(&name, Type::TEXT)]).await?;
    let latest = latest.map(|row| get::<Id>(&row, 0)).transpose()?;
    let cutoff = Cutoff::at(moment.now, latest.map(|id| SessionId::from(id).start()), before, why);
    let sql =
        "update daypass.subjects set not_before = $2, not_before_why = $3, reused_before = $4 where sub = $1";
    let (not_before, code) = (cutoff.not_before.millis(), i16::from(why.code()));
    let reused_before = cutoff.reused_before.map(Timestamp::millis);
    let values: [_; 4] = [
        (&name as _, Type::TEXT),
        (&not_before as _, Type::INT8),
        (&code as _, Type::INT2),
        (&reused_before as _, Type::INT8),
    ];
    tx.execute(sql, &values).await?;
    let ending = Ending::Subject { sub: sub.clone(), not_before: cutoff.not_before };
    feed::append(tx, &FeedEntry::new(ending, moment.now, moment.minted)).await?;
    Ok(cutoff)
}

/// A subject's live sessions, newest first.
pub(crate) async fn list(
    connection: &Connection,
    time: &Timekeeper,
    sub: &SubjectId,
    limit: usize,
) -> Result<Vec<SessionEntry>, Trouble> {
    let now = Tx::on(connection, time).moment().await?.now;
    let sql = concat!(
        "select ",
        session_columns!(),
        ", ",
        subject_columns!(),
        ", o.label, o.user_agent, o.address from daypass.sessions s join daypass.subjects u on u.sub = s.subject \
         left join daypass.origins o on o.session = s.id where s.subject = $1 and s.revoked_at is null \
         and (s.expires_at is null or s.expires_at > $2) and not u.disabled \
         and s.id >= $3 order by s.id desc limit $4"
    );
    let name = sub.as_str();
    let not_before = "select not_before from daypass.subjects where sub = $1";
    let row = connection.row(not_before, &[(&name, Type::TEXT)]).await?;
    let not_before = row.map(|row| get::<Option<i64>>(&row, 0)).transpose()?.flatten().unwrap_or(i64::MIN);
    let oldest = Id::first_at(Timestamp::from_millis(not_before));
    let (now_millis, limit) = (now.millis(), i64::try_from(limit).unwrap_or(i64::MAX));
    let values: [_; 4] = [
        (&name as _, Type::TEXT),
        (&now_millis as _, Type::INT8),
        (&oldest as _, Type::UUID),
        (&limit as _, Type::INT8),
    ];
    let mut entries = Vec::new();
    for row in connection.rows(sql, &values).await? {
        let (session, subject) = (session(&row)?, subject(&row, SESSION_COLUMNS)?);
        if session.lives(&subject, now) {
            let at = SESSION_COLUMNS + SUBJECT_COLUMNS;
            let origin =
                Origin { label: get(&row, at)?, user_agent: get(&row, at + 1)?, address: get(&row, at + 2)? };
            entries.push(SessionEntry { session, origin });
        }
    }
    Ok(entries)
}

/// Whether a session that started before `before` could still renew.
pub(crate) async fn any_before(
    connection: &Connection,
    time: &Timekeeper,
    before: Timestamp,
) -> Result<bool, Trouble> {
    let now = Tx::on(connection, time).moment().await?.now;
    let sql = "select exists (select 1 from daypass.sessions where id < $1 and revoked_at is null \
               and (expires_at is null or expires_at > $2))";
    let values: [_; 2] = [(&Id::first_at(before) as _, Type::UUID), (&now.millis() as _, Type::INT8)];
    let row = connection.row(sql, &values).await?;
    Ok(row.map_or(Ok(false), |row| get(&row, 0))?)
}

/// How many sessions there are.
pub(crate) async fn total(connection: &Connection) -> Result<u64, Trouble> {
    let row = connection.row("select coalesce(sum(sessions), 0)::int8 from daypass.counts", &[]).await?;
    let total: i64 = row.map_or(Ok(0), |row| get(&row, 0))?;
    Ok(u64::try_from(total).unwrap_or(0))
}

/// Writes many sessions, each of a subject of its own.
pub(crate) async fn open_many(tx: &Tx<'_>, new: &[NewSession]) -> Result<Vec<SessionId>, Trouble> {
    let moment = tx.moment().await?;
    let names: BTreeSet<&str> = new.iter().map(|new| new.subject.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let sql = "insert into daypass.subjects (sub) select unnest($1::text[]) on conflict do nothing";
    tx.execute(sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    let opened = new.iter().filter_map(|new| new.open(&Subject::new(new.subject.clone()), moment.now).ok());
    let opened: Vec<Session> = opened.collect();
    let ids: Vec<Id> = opened.iter().map(|session| session.id.into()).collect();
    let subjects: Vec<&str> = opened.iter().map(|session| session.subject.as_str()).collect();
    let clients: Vec<&str> = opened.iter().map(|session| session.client.as_str()).collect();
    let amr: Vec<&str> = opened.iter().map(|session| session.amr.as_str()).collect();
    let scopes: Vec<&str> = opened.iter().map(|session| session.scope.as_str()).collect();
    let keys: Vec<i16> = opened.iter().map(|session| i16::from(session.rotation.token_key.0)).collect();
    let ends: Vec<Option<i64>> =
        opened.iter().map(|session| session.expires_at.map(Timestamp::millis)).collect();
    let sql = "insert into daypass.sessions (id, auth_time, expires_at, subject, client, amr, scope, generation, rotated_at, \
               seen_at, token_key) select v.id, $8, v.ends, v.subject, v.client, v.amr, v.scope, 0, $8, $8, v.key from \
               unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int2[]) \
               as v (id, ends, subject, client, amr, scope, key)";
    let now = moment.now.millis();
    let values: [_; 8] = [
        (&ids as _, Type::UUID_ARRAY),
        (&ends as _, Type::INT8_ARRAY),
        (&subjects as _, Type::TEXT_ARRAY),
        (&clients as _, Type::TEXT_ARRAY),
        (&amr as _, Type::TEXT_ARRAY),
        (&scopes as _, Type::TEXT_ARRAY),
        (&keys as _, Type::INT2_ARRAY),
        (&now as _, Type::INT8),
    ];
    tx.execute(sql, &values).await?;
    count(tx, 0, i64::try_from(opened.len()).unwrap_or(0)).await?;
    Ok(opened.iter().map(|session| session.id).collect())
}
