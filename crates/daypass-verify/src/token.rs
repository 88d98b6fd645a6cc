//! A token that passed.

use std::fmt;
use std::sync::Arc;

use daypass_jwt::{AccessClaims, Verified, VerifyError};
use serde::de::DeserializeOwned;

use crate::revocation::Facts;

/// An access token that passed every step. Only a verifier makes one; a clone shares what it holds.
#[derive(Clone)]
pub struct VerifiedToken(Arc<Accepted>);

struct Accepted {
    verified: Verified,
    /// Read once, if there is a list of ended sessions to hold them against.
    facts: Option<Facts>,
}

impl VerifiedToken {
    pub(crate) fn new(verified: Verified, facts: Option<Facts>) -> Self {
        Self(Arc::new(Accepted { verified, facts }))
    }

    /// The registered claims.
    pub fn claims(&self) -> &AccessClaims {
        self.0.verified.claims()
    }

    /// Who the token stands for: the claim `sub`.
    pub fn subject(&self) -> &str {
        &self.claims().sub
    }

    /// The session that the token belongs to. `None` for a client that acts for itself.
    pub fn session_id(&self) -> Option<&str> {
        self.claims().sid.as_deref()
    }

    /// Whether the token carries this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims().scope.contains(scope)
    }

    /// Reads all claims, registered ones too, as a type of the caller's.
    ///
    /// [`VerifyError::Malformed`] if they do not fit.
    pub fn decode<C: DeserializeOwned>(&self) -> Result<C, VerifyError> {
        serde_json::from_slice(self.payload())
            .map_err(|_| VerifyError::Malformed("the claims are not of the expected form"))
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.0.verified.extra().as_bytes()
    }

    pub(crate) fn facts(&self) -> Option<Facts> {
        self.0.facts
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").field("jti", &self.claims().jti).finish_non_exhaustive()
    }
}
