//! The keys that the measured service publishes, to check a sample of its signatures with.

use daypass_jwt::{Algorithms, KeySet, verify_jws};

use super::BenchError;
use crate::wire::{Target, Wire};

/// Keys that no access token of the service may do without.
pub(crate) struct PublishedKeys {
    keys: KeySet,
    algorithms: Algorithms,
}

impl PublishedKeys {
    /// Fetches them. None where none are published, as with a shared secret, or where they cannot be had: the report
    /// says that no signature was checked, and the run itself shows whether the service answers.
    pub(crate) async fn fetch(target: &Target) -> Result<Option<Self>, BenchError> {
        let answer = Wire::new(target.clone()).get("/.well-known/jwks.json", &[]).await;
        let Some(answer) = answer.ok().filter(|answer| answer.status.is_success()) else {
            return Ok(None);
        };
        let keys = KeySet::from_jwks(&answer.body)?.keys;
        let algorithms = keys.iter().map(daypass_jwt::VerifyingKey::algorithm).collect();
        Ok((!keys.is_empty()).then_some(Self { keys, algorithms }))
    }

    /// Whether one of them signed this JWT.
    pub(crate) fn signed(&self, jwt: &str) -> bool {
        verify_jws(jwt, &self.keys, self.algorithms).is_ok()
    }
}
