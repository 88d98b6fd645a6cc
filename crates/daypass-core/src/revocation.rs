//! Ends of sessions, and the entries that tell verifiers of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{SessionId, SubjectId};
use crate::time::Timestamp;

/// The longest life of an access token, in any configuration: verifiers refuse longer ones.
pub const MAX_ACCESS_LIFE: Duration = Duration::from_hours(1);

/// How long an ending stays in the feed: until the last access token of the session has expired at
/// a verifier with the widest leeway (five minutes).
pub const FEED_LIFE: Duration = Duration::from_mins(65);

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingReason {
    /// The person logged out, or the client gave the token back (RFC 7009).
    SignedOut,
    /// The person, or an administrator, ended it from elsewhere.
    Revoked,
    /// A used refresh token came back.
    Reused,
    /// The password changed.
    PasswordChanged,
    /// The subject was disabled.
    Disabled,
    /// The subject was deleted.
    Deleted,
    /// Its own end had come and a holder was told so: recorded, so that a clock that is set back
    /// revives nothing that was said to be over. Never for a session that was merely idle, which may
    /// have a newer token than the one that was refused.
    Expired,
}

impl EndingReason {
    /// The reason's number in stores; never changed, never used again.
    pub const fn code(self) -> u8 {
        match self {
            Self::SignedOut => 1,
            Self::Revoked => 2,
            Self::Reused => 3,
            Self::PasswordChanged => 4,
            Self::Disabled => 5,
            Self::Deleted => 6,
            Self::Expired => 7,
        }
    }

    /// The reason with that number; an unknown one, from a newer release, is read as `Revoked`.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::SignedOut,
            3 => Self::Reused,
            4 => Self::PasswordChanged,
            5 => Self::Disabled,
            6 => Self::Deleted,
            7 => Self::Expired,
            _ => Self::Revoked,
        }
    }
}

/// When and why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: EndingReason,
}

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// One session.
    Session(SessionId),
    /// Every session of a subject that started before a moment.
    Subject {
        /// Whose.
        sub: SubjectId,
        /// Sessions that started before this are over.
        not_before: Timestamp,
    },
}

/// An entry of the revocation feed. Entries are idempotent and may be read twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FeedEntry {
    /// What ended.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
    /// From when on the entry says nothing any more: all access tokens concerned have expired.
    pub until: Timestamp,
}

impl FeedEntry {
    /// The entry for an ending at `at` of what was last given an access token at `minted`, which is
    /// later where the clock has gone back since.
    pub fn new(ending: Ending, at: Timestamp, minted: Timestamp) -> Self {
        Self { ending, at, until: at.max(minted).plus(FEED_LIFE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_number() {
        use EndingReason::{Deleted, Disabled, Expired, PasswordChanged, Reused, Revoked, SignedOut};
        for why in [SignedOut, Revoked, Reused, PasswordChanged, Disabled, Deleted, Expired] {
            assert_eq!(EndingReason::from_code(why.code()), why);
        }
    }
}
