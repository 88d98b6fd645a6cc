//! Between rows and values.

use daypass_core::{
    ClientId, Cutoff, EndingReason, Event, EventKind, FeedEntry, Generation, RememberedAttempts, Revoked,
    RotationState, Session, SessionId, Subject, SubjectId, Thumbprint, Timestamp, TokenKeyId,
};
use daypass_storage::StoreError;
use rusqlite::{ErrorCode, Row};

/// Sorts SQLite's errors by what a caller may do about them.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) | None => {
            StoreError::Corrupt(text)
        }
        Some(_) => StoreError::Unavailable(text),
    }
}

/// A session id as the two integers that its row is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionKey {
    /// The primary key: the start in milliseconds (48 bits), and the 15 random bits that follow the
    /// version in the id. It sorts by start and is never negative.
    pub(crate) key: i64,
    /// The last 8 bytes of the id, as they are.
    pub(crate) tail: i64,
}

/// Where the version stands in the upper half of a UUID (RFC 9562 section 5.7).
const VERSION: u64 = 0x7000;

impl SessionKey {
    /// The key of an id. Ids that are no UUIDv7 have one too, which no session has.
    pub(crate) fn of(id: SessionId) -> Self {
        let bits = u128::from_be_bytes(*id.as_bytes());
        let field = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let key = field(80, 48) << 15 | field(64, 12) << 3 | field(59, 3);
        let tail = id.as_bytes().last_chunk().map_or(0, |tail| i64::from_be_bytes(*tail));
        Self { key: i64::try_from(key).unwrap_or(i64::MAX), tail }
    }

    /// The least key of a session that starts at `start`.
    pub(crate) fn first_at(start: Timestamp) -> i64 {
        Self::of(SessionId::new(start, [0; 10])).key
    }

    /// The id.
    pub(crate) fn id(self) -> SessionId {
        let key = self.key.cast_unsigned();
        let upper = key >> 15 << 16 | VERSION | (key >> 3 & 0xfff);
        SessionId::from_bytes((u128::from(upper) << 64 | u128::from(self.tail.cast_unsigned())).to_be_bytes())
    }
}

/// A column that does not hold what this release writes there.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("unreadable {what}"))
}

/// A query of sessions with their subjects, `s` and `u`, in the columns that
/// [`session_and_subject`] reads and [`SESSION_COLUMNS`] counts; what `$more` adds comes after.
macro_rules! select_sessions {
    ($more:literal, $rest:literal) => {
        concat!(
            "select s.key, s.client, s.generation, s.token_key, s.rotated_at, s.seen_at, s.grace_run, s.grace_used, ",
            "s.attempts, s.expires_at, s.auth_time, s.amr, s.scope, s.jkt, s.revoked_at, s.revoked_why, s.tail, ",
            "u.sub, u.disabled, u.not_before, u.not_before_why, u.reused_before, u.scope, u.claims",
            $more,
            " from sessions s join subjects u on u.id = s.subject ",
            $rest
        )
    };
}
pub(crate) use select_sessions;

/// Where the subject's columns begin in a row of [`select_sessions`].
const SUBJECT_AT: usize = 17;

/// How many columns [`select_sessions`] has of its own.
pub(crate) const SESSION_COLUMNS: usize = 24;

/// Reads a row of [`select_sessions`].
pub(crate) fn session_and_subject(row: &Row<'_>) -> Result<(Session, Subject), StoreError> {
    let subject = subject(row, SUBJECT_AT)?;
    let session = Session {
        id: SessionKey { key: get(row, 0)?, tail: get(row, 16)? }.id(),
        subject: subject.id.clone(),
        client: ClientId::new(text(row, 1)?).map_err(|_| corrupt("client id"))?,
        rotation: RotationState {
            generation: Generation(get(row, 2)?),
            token_key: TokenKeyId(get(row, 3)?),
            rotated_at: time(row, 4)?,
            seen_at: time(row, 5)?,
            grace_run: get(row, 6)?,
            grace_used: get(row, 7)?,
            attempts: RememberedAttempts::from_bytes(
                row.get_ref(8).map_err(store_error)?.as_blob_or_null().ok().flatten(),
            )
            .map_err(|_| corrupt("attempts"))?,
        },
        expires_at: optional_time(row, 9)?,
        auth_time: time(row, 10)?,
        amr: get(row, 11)?,
        scope: text(row, 12)?.parse().map_err(|_| corrupt("scope"))?,
        jkt: get::<Option<[u8; 32]>>(row, 13)?.map(Thumbprint),
        revoked: match (optional_time(row, 14)?, get::<Option<u8>>(row, 15)?) {
            (Some(at), Some(why)) => Some(Revoked { at, why: EndingReason::from_code(why) }),
            _ => None,
        },
    };
    Ok((session, subject))
}

/// Reads a subject's columns from `at` on.
pub(crate) fn subject(row: &Row<'_>, at: usize) -> Result<Subject, StoreError> {
    let claims = text(row, at + 6)?;
    Ok(Subject {
        id: SubjectId::new(text(row, at)?).map_err(|_| corrupt("sub"))?,
        disabled: get(row, at + 1)?,
        cutoff: match (optional_time(row, at + 2)?, get::<Option<u8>>(row, at + 3)?) {
            (Some(not_before), why) => {
                let why = why.map_or(EndingReason::Revoked, EndingReason::from_code);
                Some(Cutoff { not_before, why, reused_before: optional_time(row, at + 4)? })
            }
            (None, _) => None,
        },
        scope: text(row, at + 5)?.parse().map_err(|_| corrupt("scope"))?,
        claims: if claims == "{}" {
            daypass_core::Claims::default()
        } else {
            serde_json::from_str(claims).map_err(|_| corrupt("claims"))?
        },
    })
}

/// Reads a column.
pub(crate) fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, at: usize) -> Result<T, StoreError> {
    row.get(at).map_err(store_error)
}

/// Reads a column of text without copying it.
pub(crate) fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, StoreError> {
    row.get_ref(at).map_err(store_error)?.as_str().map_err(|_| corrupt("text"))
}

/// Reads a column of milliseconds.
pub(crate) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_millis)
}

/// Reads a column of milliseconds or null.
pub(crate) fn optional_time(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

/// Reads a feed entry from `session, sub, not_before, at, until`, beginning at column `at`.
pub(crate) fn feed_entry(row: &Row<'_>, at: usize) -> Result<FeedEntry, StoreError> {
    use daypass_core::Ending;
    let ending = match (get::<Option<[u8; 16]>>(row, at)?, get::<Option<String>>(row, at + 1)?) {
        (Some(session), _) => Ending::Session(SessionId::from_bytes(session)),
        (None, Some(sub)) => Ending::Subject {
            sub: SubjectId::new(&sub).map_err(|_| corrupt("sub"))?,
            not_before: time(row, at + 2)?,
        },
        (None, None) => return Err(corrupt("feed entry")),
    };
    Ok(FeedEntry { ending, at: time(row, at + 3)?, until: time(row, at + 4)? })
}

/// Reads an event from `at, kind, sub, session, client, address, detail`, beginning at column `at`;
/// none for a kind that only a newer release knows.
pub(crate) fn event(row: &Row<'_>, at: usize) -> Result<Option<Event>, StoreError> {
    let kind = serde_json::Value::String(text(row, at + 1)?.to_owned());
    let Ok(kind) = serde_json::from_value::<EventKind>(kind) else { return Ok(None) };
    let sub = get::<Option<String>>(row, at + 2)?;
    let client = get::<Option<String>>(row, at + 4)?;
    Ok(Some(Event {
        at: time(row, at)?,
        kind,
        subject: sub.map(|sub| SubjectId::new(&sub)).transpose().map_err(|_| corrupt("sub"))?,
        session: get::<Option<[u8; 16]>>(row, at + 3)?.map(SessionId::from_bytes),
        client: client.map(|id| ClientId::new(&id)).transpose().map_err(|_| corrupt("client id"))?,
        address: get(row, at + 5)?,
        detail: get(row, at + 6)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_key_and_keys_sort_by_start() {
        let id = |millis, fill| SessionId::new(Timestamp::from_millis(millis), [fill; 10]);
        for (millis, fill) in [(0, 0), (1, 0xff), (1_700_000_000_000, 0x5a), ((1 << 48) - 1, 0xff)] {
            let key = SessionKey::of(id(millis, fill));
            assert_eq!(key.id(), id(millis, fill));
            assert!(key.key >= SessionKey::first_at(Timestamp::from_millis(millis)));
            assert!(
                key.key < SessionKey::first_at(Timestamp::from_millis(millis + 1)) || millis == (1 << 48) - 1
            );
        }
        assert_ne!(SessionKey::of(SessionId::from_bytes([0xff; 16])).id(), SessionId::from_bytes([0xff; 16]));
    }
}
