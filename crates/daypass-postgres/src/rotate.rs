//! Rotation of a batch in one transaction: lock and read, decide, write what was decided.
//!
//! Two round trips: the first begins, locks the sessions in the order of their ids and then their
//! subjects, so that these do not change, and reads the clock; the second writes all new states and commits.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use daypass_core::{
    Decision, EndingReason, Event, EventKind, OnReuse, Policy, Refusal, Revoked, Session, SessionId, Subject,
    SubjectId, Timestamp, decide,
};
use daypass_storage::{RotateRequest, Rotated, StoreError, StoreResult};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::moment::{Moment, Timekeeper};
use crate::rows::{Id, corrupt, get, session, session_columns, subject, subject_columns};
use crate::trouble::Trouble;
use crate::tx::{Durability, Tx, begin, now_millis};
use crate::{feed, sessions};

/// What a batch came to.
pub(crate) enum Outcome {
    /// Committed; an answer for each request, in their order.
    Done(Vec<StoreResult<Rotated>>),
    /// Nothing happened. The requests for these sessions belong to [`Batches::Ending`].
    Ending(BTreeSet<SessionId>),
}

/// What a batch may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batches {
    /// Nothing ends, and nobody is told that anything has. Subjects are locked so that they do not change, no
    /// row is waited for for long, and the commit waits for the primary's disk alone: a rotation that a
    /// fail-over loses heals.
    Renewing,
    /// A reuse may end sessions. Subjects are locked so that they can be changed, from the start, since
    /// of two who share a lock neither can have it alone; and the commit waits for the standby, as does
    /// the answer that a session is over: whoever drops his token over it must not be the only one to know.
    Ending,
}

/// How long a batch that renews waits for a row. Other batches are over sooner; who keeps a row for longer waits for a
/// standby.
const ROW_WAIT: &str = "; set local lock_timeout = 100";

/// Locks the sessions `$1`.
const SESSIONS: &str = concat!(
    "select ",
    session_columns!(),
    " from daypass.sessions s where s.id = any($1) order by s.id for update"
);

/// Locks the subjects of the sessions `$1`. A statement of its own: one that had waited for a session
/// would show its subject as it was before the wait.
macro_rules! subjects {
    ($lock:literal) => {
        concat!(
            "select ",
            subject_columns!(),
            " from daypass.subjects u where u.sub in \
             (select s.subject from daypass.sessions s where s.id = any($1)) order by u.sub for ",
            $lock,
            " of u"
        )
    };
}

/// Reads the clock, when all is locked.
const CLOCK: &str = concat!("select ", now_millis!());

/// Rotates all that is asked for, in one transaction.
pub(crate) async fn rotate(
    connection: &Connection,
    time: &Timekeeper,
    requests: &[&RotateRequest],
    batches: Batches,
    longest: Duration,
) -> Result<Outcome, Trouble> {
    let ids: BTreeSet<Id> = requests.iter().map(|request| request.session.into()).collect();
    let ids: Vec<Id> = ids.into_iter().collect();
    let which: [_; 1] = [(&ids as _, Type::UUID_ARRAY)];
    let mut begin = begin(longest);
    let locking = match batches {
        Batches::Renewing => {
            begin.push_str(ROW_WAIT);
            subjects!("key share")
        }
        Batches::Ending => subjects!("update"),
    };
    // All are sent before the first is answered.
    let (opened, sessions, people, clock) = tokio::join!(
        biased;
        connection.batch(&begin),
        connection.rows(SESSIONS, &which),
        connection.rows(locking, &which),
        connection.row(CLOCK, &[]),
    );
    opened?;
    let (sessions, people) = (sessions?, people?);
    let clock = clock?.ok_or_else(|| corrupt("clock"))?;
    let moment = time.moment(Timestamp::from_millis(get(&clock, 0)?));
    let tx = Tx::on(connection, time);
    let mut batch = Batch {
        tx: &tx,
        moment,
        rows: gather(&sessions, &people, &moment)?,
        changed: BTreeSet::new(),
        batches,
        durability: Durability::Primary,
    };
    let mut answers = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        match batch.answer(request).await? {
            Some(answer) => answers.push(answer),
            None => return Ok(Outcome::Ending(batch.ending(requests.get(at..).unwrap_or_default()))),
        }
    }
    batch.write(connection).await?;
    Ok(Outcome::Done(answers))
}

/// The sessions that could not be locked now, or are not there.
pub(crate) async fn blocked(
    connection: &Connection,
    requests: &[&RotateRequest],
    longest: Duration,
) -> Result<BTreeSet<SessionId>, Trouble> {
    const FREE: &str = "select s.id from daypass.sessions s join daypass.subjects u on u.sub = s.subject \
                        where s.id = any($1) for update of s skip locked for key share of u skip locked";
    let mut sessions: BTreeSet<SessionId> = requests.iter().map(|request| request.session).collect();
    let ids: Vec<Id> = sessions.iter().map(|id| (*id).into()).collect();
    let which: [_; 1] = [(&ids as _, Type::UUID_ARRAY)];
    let beginning = begin(longest);
    // A commit, even of nothing but locks, would wait for the standby.
    let (opened, free, ended) = tokio::join!(
        biased;
        connection.batch(&beginning),
        connection.rows(FREE, &which),
        connection.batch("rollback"),
    );
    opened?;
    for row in free? {
        sessions.remove(&SessionId::from(get::<Id>(&row, 0)?));
    }
    ended?;
    Ok(sessions)
}

type Found = HashMap<SessionId, StoreResult<(Session, Subject)>>;

/// Puts sessions and subjects together. A row that cannot be read is its own session's trouble.
fn gather(sessions: &[Row], subjects: &[Row], moment: &Moment) -> Result<Found, Trouble> {
    let mut people: HashMap<&str, &Row> = HashMap::with_capacity(subjects.len());
    for row in subjects {
        people.insert(get(row, 0)?, row);
    }
    let mut found = HashMap::with_capacity(sessions.len());
    for row in sessions {
        let read = || {
            let mut session = session(row)?;
            moment.redate(&mut session.rotation);
            let person = people.get(session.subject.as_str()).ok_or_else(|| corrupt("subject"))?;
            Ok((session, subject(person, 0)?))
        };
        found.insert(SessionId::from(get::<Id>(row, 0)?), read());
    }
    Ok(found)
}

struct Batch<'b> {
    tx: &'b Tx<'b>,
    moment: Moment,
    rows: Found,
    /// The sessions whose state is to be written.
    changed: BTreeSet<Id>,
    batches: Batches,
    /// What the commit waits for: a standby only if something ends.
    durability: Durability,
}

impl Batch<'_> {
    /// Decides on a request after all that came before it in the batch; none if this batch must not end
    /// what the request ends.
    async fn answer(&mut self, request: &RotateRequest) -> Result<Option<StoreResult<Rotated>>, Trouble> {
        let now = self.moment.now;
        let Some(row) = self.rows.get(&request.session) else {
            let decision = decide(None, &nobody()?, None, &request.presented, &Policy::DEFAULT, now);
            return Ok(Some(Ok(Rotated { decision, now, row: None })));
        };
        let (session, subject) = match row {
            Ok(row) => row.clone(),
            Err(error) => return Ok(Some(Err(StoreError::Corrupt(error.to_string())))),
        };
        let decision = decided(request, (&session, &subject), now);
        if tells_of_an_end(&decision) {
            if self.batches == Batches::Renewing {
                return Ok(None);
            }
            self.durability = Durability::Standby;
        }
        let mut row = (session, subject);
        self.apply(&mut row, &decision).await?;
        if let Some(kind) = decision.event() {
            feed::record(self.tx, &describe(now, kind, &row.0, request)).await?;
        }
        self.rows.insert(request.session, Ok(row.clone()));
        Ok(Some(Ok(Rotated { decision, now, row: Some(row) })))
    }

    /// The sessions that requests end, or find to be over. What is changed on the way is never written.
    fn ending(&mut self, requests: &[&RotateRequest]) -> BTreeSet<SessionId> {
        let mut ending = BTreeSet::new();
        for request in requests {
            let Some(Ok((session, subject))) = self.rows.get_mut(&request.session) else { continue };
            let decision = decided(request, (session, subject), self.moment.now);
            if let Some(state) = decision.state() {
                session.rotation = *state;
            } else if tells_of_an_end(&decision) {
                ending.insert(request.session);
            }
        }
        ending
    }

    /// Does what was decided, and brings the row in hand up to it. Plain new states wait for the end.
    async fn apply(
        &mut self,
        (session, subject): &mut (Session, Subject),
        decision: &Decision,
    ) -> Result<(), Trouble> {
        let Moment { now, .. } = self.moment;
        if let Some(state) = decision.state() {
            session.rotation = *state;
            self.changed.insert(session.id.into());
            return Ok(());
        }
        if matches!(decision, Decision::Refuse(Refusal::Expired)) && session.expired(now) {
            // What was told is over stays over, whatever the clock says next. Verifiers need not hear of
            // it: no access token outlives its session. Not so where it was only idle: after a fail-over
            // the row may be behind a token that its holder has and that heals it.
            let why = EndingReason::Expired;
            session.revoked = Some(Revoked { at: now, why });
            return sessions::mark_ended_quietly(self.tx, session.id, why, now).await;
        }
        if let Decision::Reuse { ends } = decision {
            let why = EndingReason::Reused;
            session.revoked = Some(Revoked { at: now, why });
            match ends {
                OnReuse::Session => sessions::mark_ended(self.tx, session, why, &self.moment).await?,
                OnReuse::Subject => {
                    sessions::mark_ended_quietly(self.tx, session.id, why, now).await?;
                    let cutoff = sessions::cut_off(self.tx, &subject.id, why, &self.moment).await?;
                    subject.cutoff = Some(cutoff);
                    for (_, other) in self.rows.values_mut().flatten() {
                        if other.id == subject.id {
                            other.cutoff = Some(cutoff);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the new states by one statement, and commits.
    async fn write(self, connection: &Connection) -> Result<(), Trouble> {
        let states: Vec<_> = self
            .changed
            .iter()
            .filter_map(|id| Some((*id, self.rows.get(&SessionId::from(*id))?.as_ref().ok()?.0.rotation)))
            .collect();
        if states.is_empty() {
            return self.tx.commit(self.durability).await;
        }
        let ids: Vec<Id> = states.iter().map(|(id, _)| *id).collect();
        let generations: Vec<i64> = states.iter().map(|(_, state)| i64::from(state.generation.0)).collect();
        let rotated: Vec<i64> = states.iter().map(|(_, state)| state.rotated_at.millis()).collect();
        let seen: Vec<i64> = states.iter().map(|(_, state)| state.seen_at.millis()).collect();
        let keys: Vec<i16> = states.iter().map(|(_, state)| i16::from(state.token_key.0)).collect();
        let runs: Vec<i16> = states.iter().map(|(_, state)| i16::from(state.grace_run)).collect();
        let used: Vec<bool> = states.iter().map(|(_, state)| state.grace_used).collect();
        let attempts: Vec<_> = states.iter().map(|(_, state)| state.attempts.to_bytes()).collect();
        let sql = "update daypass.sessions s set generation = v.generation, rotated_at = v.rotated, seen_at = v.seen, \
                   token_key = v.key, grace_run = v.run, grace_used = v.used, attempts = v.attempts from \
                   unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int2[], $6::int2[], $7::bool[], $8::bytea[]) \
                   as v (id, generation, rotated, seen, key, run, used, attempts) where s.id = v.id";
        let values: [_; 8] = [
            (&ids as _, Type::UUID_ARRAY),
            (&generations as _, Type::INT8_ARRAY),
            (&rotated as _, Type::INT8_ARRAY),
            (&seen as _, Type::INT8_ARRAY),
            (&keys as _, Type::INT2_ARRAY),
            (&runs as _, Type::INT2_ARRAY),
            (&used as _, Type::BOOL_ARRAY),
            (&attempts as _, Type::BYTEA_ARRAY),
        ];
        // Where the first fails, so does the second, and whoever lent the connection rolls back.
        let (written, committed) =
            tokio::join!(biased; connection.execute(sql, &values), self.tx.commit(self.durability));
        let written = written.map_err(Trouble::of_commit)?;
        committed?;
        if usize::try_from(written).is_ok_and(|written| written == states.len()) {
            Ok(())
        } else {
            Err(corrupt("session, which vanished inside a transaction").into())
        }
    }
}

/// Whether a session is ended, or was.
const fn tells_of_an_end(decision: &Decision) -> bool {
    matches!(decision, Decision::Reuse { .. } | Decision::Refuse(Refusal::Ended(_)))
}

fn decided(request: &RotateRequest, (session, subject): (&Session, &Subject), now: Timestamp) -> Decision {
    let registered = request.clients.get(session.client.as_str());
    let (client, policy) =
        registered.map_or((None, &Policy::DEFAULT), |(client, policy)| (Some(client), policy));
    decide(Some(session), subject, client, &request.presented, policy, now)
}

fn describe(now: Timestamp, kind: EventKind, session: &Session, request: &RotateRequest) -> Event {
    let (c, g) = (session.rotation.generation, request.presented.generation);
    let detail = match kind {
        EventKind::Healed => format!("the store was behind the token of generation {g}"),
        _ => format!("a token of generation {g} came, the session is at {c}"),
    };
    Event::new(now, kind)
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
