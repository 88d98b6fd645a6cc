//! Subjects: the people whose sessions these are, as far as tokens need to know them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::SubjectId;
use crate::revocation::EndingReason;
use crate::scope::Scope;
use crate::time::Timestamp;

/// What a rotation needs to know of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The `sub` claim.
    pub id: SubjectId,
    /// A disabled subject can neither sign in nor renew.
    pub disabled: bool,
    /// Sessions that started before this are over.
    pub cutoff: Option<Cutoff>,
    /// Scopes that the subject may be granted beyond its clients' own.
    pub scope: Scope,
    /// The subject's own claims.
    pub claims: Claims,
}

impl Subject {
    /// A subject of which nothing is recorded yet.
    pub fn new(id: SubjectId) -> Self {
        Self { id, disabled: false, cutoff: None, scope: Scope::empty(), claims: Claims::default() }
    }

    /// The earliest start that a live session of this subject can have.
    pub fn not_before(&self) -> Timestamp {
        self.cutoff.map_or(Timestamp::from_millis(i64::MIN), |cutoff| cutoff.not_before)
    }

    /// Why a session that started at `start` is over, if the subject is the cause.
    pub fn ended(&self, start: Timestamp) -> Option<EndingReason> {
        let cut = self.cutoff.and_then(|cutoff| cutoff.ended(start));
        cut.or(self.disabled.then_some(EndingReason::Disabled))
    }
}

/// The end of all of a subject's sessions up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// Sessions that started before this are over. Compared with the start in the session's id.
    pub not_before: Timestamp,
    /// Why.
    pub why: EndingReason,
    /// Sessions that started before this are over because a used refresh token came back, whatever
    /// ended the later ones.
    pub reused_before: Option<Timestamp>,
}

impl Cutoff {
    /// The cutoff that ends, at `now`, every session of a subject whose latest started at `latest`
    /// (which is later than `now` where the clock has gone back). It never moves backwards.
    pub fn at(now: Timestamp, latest: Option<Timestamp>, before: Option<Self>, why: EndingReason) -> Self {
        let past_all = latest.map_or(now, |latest| latest.max(now)).millis().saturating_add(1);
        let not_before = Timestamp::from_millis(past_all);
        let floor = before.map_or(not_before, |before| before.not_before);
        let not_before = not_before.max(floor);
        let reused_before = match why {
            EndingReason::Reused => Some(not_before),
            _ => before.and_then(|before| before.reused_before),
        };
        Self { not_before, why, reused_before }
    }

    /// Why a session that started at `start` is over, if it is.
    fn ended(&self, start: Timestamp) -> Option<EndingReason> {
        if self.reused_before.is_some_and(|before| before > start) {
            return Some(EndingReason::Reused);
        }
        (self.not_before > start).then_some(self.why)
    }
}

/// Names that a subject's own claims cannot take: they are Daypass's to state.
pub const RESERVED_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "client_id",
    "scope",
    "auth_time",
    "amr",
    "acr",
    "cnf",
    "act",
    "may_act",
    "azp",
    "nonce",
    "at_hash",
    "events",
    "status",
    "token_use",
];

/// The most that a subject's claims may take up, in bytes of JSON: an access token has to fit into a
/// cookie, 4096 bytes with its name, beside everything else.
pub const MAX_CLAIMS_BYTES: usize = 2048;

/// The most claims that a subject may have, of all that a verifier reads in one token.
pub const MAX_CLAIMS: usize = 100;

/// How deep claims may be nested, less than a verifier follows.
pub const MAX_CLAIMS_DEPTH: usize = 8;

/// A subject's own claims (name, email, roles…), a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why claims were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// One of [`RESERVED_CLAIMS`].
    #[error("the claim \"{0}\" is stated by the service and cannot be set")]
    Reserved(&'static str),
    /// More than [`MAX_CLAIMS_BYTES`].
    #[error("the claims take up more than {MAX_CLAIMS_BYTES} bytes")]
    TooLarge,
    /// More than [`MAX_CLAIMS`].
    #[error("there are more than {MAX_CLAIMS} claims")]
    TooMany,
    /// Nested deeper than [`MAX_CLAIMS_DEPTH`].
    #[error("the claims are nested deeper than {MAX_CLAIMS_DEPTH} levels")]
    TooDeep,
    /// A name that JSON libraries keep for themselves.
    #[error("a claim's name begins with $")]
    Name,
}

/// How deep a value is nested: 0 for a text or number.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    deepest.unwrap_or(0).saturating_add(1)
}

/// Whether any name in a value begins with a dollar sign, as those do that JSON libraries mark their
/// own inventions with.
fn has_dollar(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_dollar),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.starts_with('$') || has_dollar(value))
        }
        _ => false,
    }
}

impl TryFrom<Map<String, Value>> for Claims {
    type Error = InvalidClaims;

    fn try_from(members: Map<String, Value>) -> Result<Self, InvalidClaims> {
        if let Some(name) = RESERVED_CLAIMS.iter().find(|name| members.contains_key(**name)) {
            return Err(InvalidClaims::Reserved(name));
        }
        if members.len() > MAX_CLAIMS {
            return Err(InvalidClaims::TooMany);
        }
        if members.values().map(depth).max().is_some_and(|depth| depth > MAX_CLAIMS_DEPTH) {
            return Err(InvalidClaims::TooDeep);
        }
        if members.iter().any(|(name, value)| name.starts_with('$') || has_dollar(value)) {
            return Err(InvalidClaims::Name);
        }
        let size = serde_json::to_vec(&members).map_or(usize::MAX, |json| json.len());
        if size > MAX_CLAIMS_BYTES { Err(InvalidClaims::TooLarge) } else { Ok(Self(members)) }
    }
}

impl From<Claims> for Map<String, Value> {
    fn from(claims: Claims) -> Self {
        claims.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_cutoff_ends_all_that_started_and_never_moves_back() {
        let first = Cutoff::at(at(100), None, None, EndingReason::SignedOut);
        assert_eq!(first.not_before, at(101));
        let clock_went_back = Cutoff::at(at(50), Some(at(90)), None, EndingReason::SignedOut);
        assert_eq!(clock_went_back.not_before, at(91));
        let second = Cutoff::at(at(60), Some(at(70)), Some(first), EndingReason::Reused);
        let reused_before = Some(at(101));
        assert_eq!(second, Cutoff { not_before: at(101), why: EndingReason::Reused, reused_before });
    }

    #[test]
    fn a_cutoff_is_compared_with_the_start_exactly() {
        let mut subject = Subject::new(SubjectId::new("s").unwrap());
        subject.cutoff = Some(Cutoff::at(at(99), None, None, EndingReason::Reused));
        assert_eq!(subject.ended(at(99)), Some(EndingReason::Reused));
        assert_eq!(subject.ended(at(100)), None);
        subject.disabled = true;
        assert_eq!(subject.ended(at(100)), Some(EndingReason::Disabled));
    }

    #[test]
    fn what_a_reuse_ended_stays_reused_and_what_ended_later_does_not_become_so() {
        let mut subject = Subject::new(SubjectId::new("s").unwrap());
        let reuse = Cutoff::at(at(100), None, None, EndingReason::Reused);
        subject.cutoff = Some(Cutoff::at(at(200), None, Some(reuse), EndingReason::Revoked));
        assert_eq!(subject.ended(at(100)), Some(EndingReason::Reused));
        assert_eq!(subject.ended(at(101)), Some(EndingReason::Revoked));
        assert_eq!(subject.ended(at(200)), Some(EndingReason::Revoked));
        assert_eq!(subject.ended(at(201)), None);
    }

    #[test]
    fn claims_cannot_state_what_the_service_states() {
        for name in RESERVED_CLAIMS {
            let claims: Result<Claims, _> = serde_json::from_value(serde_json::json!({ *name: 1 }));
            assert!(claims.unwrap_err().to_string().contains(name));
        }
        assert!(serde_json::from_value::<Claims>(serde_json::json!({ "a": "x".repeat(5000) })).is_err());
        assert!(serde_json::from_str::<Claims>("[]").is_err());
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(serde_json::from_str::<Claims>(&nested(MAX_CLAIMS_DEPTH)).is_ok());
        assert!(serde_json::from_str::<Claims>(&nested(MAX_CLAIMS_DEPTH + 1)).is_err());
        let many = |count: usize| (0..count).map(|n| (n.to_string(), n.into())).collect::<Map<_, _>>();
        assert!(Claims::try_from(many(MAX_CLAIMS)).is_ok());
        assert_eq!(Claims::try_from(many(MAX_CLAIMS + 1)), Err(InvalidClaims::TooMany));
        assert!(serde_json::from_str::<Claims>(r#"{"a":{"$b":1}}"#).is_err());
    }
}
