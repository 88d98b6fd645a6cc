//! Rotation inside the writer's transaction: read, decide, write what was decided.

use daypass_core::{
    Decision, EndingReason, Event, EventKind, OnReuse, Policy, Refusal, Revoked, RotationState, Session,
    SessionId, Subject, SubjectId, decide,
};
use daypass_storage::{RotateRequest, Rotated, StoreResult};

use crate::rows::{SessionKey, corrupt, select_sessions, session_and_subject, store_error};
use crate::writer::{Tx, in_savepoint};
use crate::{feed, sessions};

/// Rotates one session.
pub(crate) fn rotate(tx: &Tx<'_>, request: &RotateRequest) -> StoreResult<Rotated> {
    let mut row = find(tx.conn, request.session)?;
    if let Some((session, _)) = &mut row {
        tx.redate(&mut session.rotation);
    }
    let registered = row.as_ref().and_then(|(session, _)| request.clients.get(session.client.as_str()));
    let (client, policy) =
        registered.map_or((None, &Policy::DEFAULT), |(client, policy)| (Some(client), policy));
    let decision = match &row {
        Some((session, subject)) => {
            decide(Some(session), subject, client, &request.presented, policy, tx.now)
        }
        None => decide(None, &nobody()?, None, &request.presented, policy, tx.now),
    };
    let mut rotated = Rotated { decision, now: tx.now, row };
    let event = decision.event();
    match &mut rotated.row {
        Some(row) if event.is_none() => apply(tx, row, &decision)?,
        Some(row) => in_savepoint(tx, |tx| {
            apply(tx, row, &decision)?;
            event.map_or(Ok(()), |kind| feed::record(tx, &describe(tx, kind, row, request)))
        })?,
        None => {}
    }
    Ok(rotated)
}

/// Reads a session with its subject.
pub(crate) fn find(conn: &rusqlite::Connection, id: SessionId) -> StoreResult<Option<(Session, Subject)>> {
    let sql = select_sessions!("", "where s.key = ?1 and s.tail = ?2");
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let SessionKey { key, tail } = SessionKey::of(id);
    let mut rows = statement.query((key, tail)).map_err(store_error)?;
    rows.next().map_err(store_error)?.map(session_and_subject).transpose()
}

/// Writes what was decided, and brings the row in hand up to it.
fn apply(tx: &Tx<'_>, (session, subject): &mut (Session, Subject), decision: &Decision) -> StoreResult<()> {
    if let Some(state) = decision.state() {
        session.rotation = *state;
        return write_state(tx, session.id, state);
    }
    if matches!(decision, Decision::Refuse(Refusal::Expired)) && session.expired(tx.now) {
        // What was told is over stays over, whatever the clock says next. Verifiers need not hear of
        // it: no access token outlives its session. Not so where it was only idle: after a fail-over
        // the row may be behind a token that its holder has and that heals it.
        let why = EndingReason::Expired;
        session.revoked = Some(Revoked { at: tx.now, why });
        return sessions::mark_ended_quietly(tx, session.id, why);
    }
    if let Decision::Reuse { ends } = decision {
        let why = EndingReason::Reused;
        session.revoked = Some(Revoked { at: tx.now, why });
        match ends {
            OnReuse::Session => sessions::mark_ended(tx, session, why)?,
            OnReuse::Subject => {
                sessions::mark_ended_quietly(tx, session.id, why)?;
                subject.cutoff = Some(sessions::cut_off(tx, &subject.id, why)?);
            }
        }
    }
    Ok(())
}

fn write_state(tx: &Tx<'_>, id: SessionId, state: &RotationState) -> StoreResult<()> {
    let sql = "update sessions set generation = ?2, token_key = ?3, rotated_at = ?4, seen_at = ?5, grace_run = ?6, \
               grace_used = ?7, attempts = ?8 where key = ?1";
    let changed = tx.execute(
        sql,
        (
            SessionKey::of(id).key,
            state.generation.0,
            state.token_key.0,
            state.rotated_at.millis(),
            state.seen_at.millis(),
            state.grace_run,
            state.grace_used,
            state.attempts.to_bytes(),
        ),
    )?;
    if changed == 1 { Ok(()) } else { Err(corrupt("session, which vanished inside a transaction")) }
}

fn describe(
    tx: &Tx<'_>,
    kind: EventKind,
    (session, _): &(Session, Subject),
    request: &RotateRequest,
) -> Event {
    let (c, g) = (session.rotation.generation, request.presented.generation);
    let detail = match kind {
        EventKind::Healed => format!("the store was behind the token of generation {g}"),
        _ => format!("a token of generation {g} came, the session is at {c}"),
    };
    Event::new(tx.now, kind)
        .of(&session.subject)
        .in_session(session.id)
        .through(&session.client)
        .from(request.address.as_deref())
        .saying(detail)
}

/// Stands in for the subject of a session that is not there; the decision does not look at it.
fn nobody() -> StoreResult<Subject> {
    SubjectId::new("-").map(Subject::new).map_err(|_| corrupt("sub"))
}
