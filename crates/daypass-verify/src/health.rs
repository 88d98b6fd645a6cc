//! How a verifier is, for readiness checks and dashboards.

use serde::Serialize;

use crate::revocation::RevocationsHealth;

/// How a verifier is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// One entry for each issuer.
    pub issuers: Vec<IssuerHealth>,
}

impl Health {
    /// Whether good tokens of every issuer pass: the keys are at hand, and so is the list of ended sessions where
    /// it is insisted on. A server that waits for this before it takes requests does not answer 503 in its first
    /// moments.
    pub fn is_ready(&self) -> bool {
        let refusing = |issuer: &IssuerHealth| issuer.revocations.as_ref().is_some_and(|feed| feed.refusing);
        self.issuers.iter().all(|issuer| issuer.keys.usable && !refusing(issuer))
    }
}

/// How things are with one issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuerHealth {
    /// The issuer.
    pub issuer: String,
    /// Its keys.
    pub keys: KeysHealth,
    /// The list of its ended sessions, if there is one.
    pub revocations: Option<RevocationsHealth>,
}

/// How the keys of one issuer are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeysHealth {
    /// Whether tokens can be judged by them: false before the first answer, and when the last good one is
    /// more than an hour old.
    pub usable: bool,
    /// How many there are, usable or not.
    pub number: usize,
    /// Seconds since the last good answer was asked for. `None` for static keys, and before the first one.
    pub age_seconds: Option<u64>,
    /// Why the last request for them failed, in snake case; `None` if it did not fail. The codes are
    /// `timeout`, `connect`, `status`, `interrupted`, `too_large`, `malformed`, `too_many_keys`,
    /// `private_material` and `no_usable_key`.
    pub last_error: Option<&'static str>,
}
