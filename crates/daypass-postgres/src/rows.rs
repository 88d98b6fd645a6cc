//! Between rows and values.

use std::borrow::Cow;
use std::error::Error;

use daypass_core::{
    Claims, ClientId, Cutoff, Ending, EndingReason, Event, EventKind, FeedEntry, Generation,
    RememberedAttempts, Revoked, RotationState, Session, SessionId, Subject, SubjectId, Thumbprint,
    Timestamp, TokenKeyId,
};
use daypass_storage::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A column that does not hold what this release writes there.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("unreadable {what}"))
}

/// Reads a column.
pub(crate) fn get<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a column of milliseconds.
pub(crate) fn time(row: &Row, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_millis)
}

/// Reads a column of milliseconds or null.
pub(crate) fn optional_time(row: &Row, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

/// Reads a column of a number that was written from a narrower or unsigned one.
pub(crate) fn number<'r, S: FromSql<'r>, T: TryFrom<S>>(
    row: &'r Row,
    at: usize,
    what: &str,
) -> Result<T, StoreError> {
    T::try_from(get::<S>(row, at)?).map_err(|_| corrupt(what))
}

/// A text without the one character that PostgreSQL cannot keep.
pub(crate) fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same, for a text that may be missing.
pub(crate) fn kept_if(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(kept)
}

/// A session's id as a `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 16]);

impl From<SessionId> for Id {
    fn from(id: SessionId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<Id> for SessionId {
    fn from(id: Id) -> Self {
        Self::from_bytes(id.0)
    }
}

impl Id {
    /// The least id of a session that starts at `start`.
    pub(crate) fn first_at(start: Timestamp) -> Self {
        SessionId::new(start, [0; 10]).into()
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl FromSql<'_> for Id {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// The columns that [`session`] reads, of `s`.
macro_rules! session_columns {
    () => {
        "s.id, s.subject, s.client, s.generation, s.token_key, s.rotated_at, s.seen_at, s.grace_run, \
         s.grace_used, s.attempts, s.expires_at, s.auth_time, s.amr, s.scope, s.jkt, s.revoked_at, s.revoked_why"
    };
}
pub(crate) use session_columns;

/// How many columns [`session`] reads.
pub(crate) const SESSION_COLUMNS: usize = 17;

/// The columns that [`subject`] reads, of `u`.
macro_rules! subject_columns {
    () => {
        "u.sub, u.disabled, u.not_before, u.not_before_why, u.reused_before, u.scope, u.claims"
    };
}
pub(crate) use subject_columns;

/// How many columns [`subject`] reads.
pub(crate) const SUBJECT_COLUMNS: usize = 7;

/// Reads a session from the first columns of a row.
pub(crate) fn session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: get::<Id>(row, 0)?.into(),
        subject: SubjectId::new(get(row, 1)?).map_err(|_| corrupt("sub"))?,
        client: ClientId::new(get(row, 2)?).map_err(|_| corrupt("client id"))?,
        rotation: RotationState {
            generation: Generation(number::<i64, _>(row, 3, "generation")?),
            token_key: TokenKeyId(number::<i16, _>(row, 4, "key of a token")?),
            rotated_at: time(row, 5)?,
            seen_at: time(row, 6)?,
            grace_run: number::<i16, _>(row, 7, "run of grace")?,
            grace_used: get(row, 8)?,
            attempts: RememberedAttempts::from_bytes(get(row, 9)?).map_err(|_| corrupt("attempts"))?,
        },
        expires_at: optional_time(row, 10)?,
        auth_time: time(row, 11)?,
        amr: get(row, 12)?,
        scope: get::<&str>(row, 13)?.parse().map_err(|_| corrupt("scope"))?,
        jkt: get::<Option<&[u8]>>(row, 14)?
            .map(|jkt| jkt.try_into().map(Thumbprint).map_err(|_| corrupt("thumbprint")))
            .transpose()?,
        revoked: match (optional_time(row, 15)?, get::<Option<i16>>(row, 16)?) {
            (Some(at), Some(why)) => Some(Revoked { at, why: reason(why) }),
            _ => None,
        },
    })
}

/// Reads a subject's columns from `at` on.
pub(crate) fn subject(row: &Row, at: usize) -> Result<Subject, StoreError> {
    let claims: &str = get(row, at + 6)?;
    Ok(Subject {
        id: SubjectId::new(get(row, at)?).map_err(|_| corrupt("sub"))?,
        disabled: get(row, at + 1)?,
        cutoff: match (optional_time(row, at + 2)?, get::<Option<i16>>(row, at + 3)?) {
            (Some(not_before), why) => {
                let why = why.map_or(EndingReason::Revoked, reason);
                Some(Cutoff { not_before, why, reused_before: optional_time(row, at + 4)? })
            }
            (None, _) => None,
        },
        scope: get::<&str>(row, at + 5)?.parse().map_err(|_| corrupt("scope"))?,
        claims: if claims == "{}" {
            Claims::default()
        } else {
            serde_json::from_str(claims).map_err(|_| corrupt("claims"))?
        },
    })
}

fn reason(code: i16) -> EndingReason {
    u8::try_from(code).map_or(EndingReason::Revoked, EndingReason::from_code)
}

/// Reads a feed entry from `session, sub, not_before, at, until`, beginning at column `at`.
pub(crate) fn feed_entry(row: &Row, at: usize) -> Result<FeedEntry, StoreError> {
    let ending = match (get::<Option<Id>>(row, at)?, get::<Option<&str>>(row, at + 1)?) {
        (Some(session), _) => Ending::Session(session.into()),
        (None, Some(sub)) => Ending::Subject {
            sub: SubjectId::new(sub).map_err(|_| corrupt("sub"))?,
            not_before: time(row, at + 2)?,
        },
        (None, None) => return Err(corrupt("feed entry")),
    };
    Ok(FeedEntry { ending, at: time(row, at + 3)?, until: time(row, at + 4)? })
}

/// Reads an event from `at, kind, sub, session, client, address, detail`, beginning at column `at`;
/// none for a kind that only a newer release knows.
pub(crate) fn event(row: &Row, at: usize) -> Result<Option<Event>, StoreError> {
    let kind = serde_json::Value::String(get(row, at + 1)?);
    let Ok(kind) = serde_json::from_value::<EventKind>(kind) else { return Ok(None) };
    let sub = get::<Option<&str>>(row, at + 2)?;
    let client = get::<Option<&str>>(row, at + 4)?;
    Ok(Some(Event {
        at: time(row, at)?,
        kind,
        subject: sub.map(SubjectId::new).transpose().map_err(|_| corrupt("sub"))?,
        session: get::<Option<Id>>(row, at + 3)?.map(SessionId::from),
        client: client.map(ClientId::new).transpose().map_err(|_| corrupt("client id"))?,
        address: get(row, at + 5)?,
        detail: get(row, at + 6)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_cannot_keep_is_replaced() {
        assert_eq!(kept("a\0b"), "a\u{fffd}b");
        assert_eq!(kept_if(Some("ab")), Some(Cow::Borrowed("ab")));
    }
}
