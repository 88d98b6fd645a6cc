//! Reading access tokens as a verifier does, and damaging refresh tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_service::Pair;
use daypass_service::jwt::{Algorithm, Algorithms, KeySet, Policy, Verified, VerifyError, verify};
use serde_json::Value;

use super::{ISSUER, World};

/// A verifier's copy of the published keys.
pub(crate) struct Jwks(pub(crate) KeySet);

impl Jwks {
    /// Fetches the keys as they are published now.
    pub(crate) fn fetch(world: &World) -> Self {
        let read = KeySet::from_jwks(&world.service.published_keys().json).unwrap();
        assert_eq!(read.skipped, [], "every published key can be used");
        Self(read.keys)
    }

    /// Verifies an access token as an API does, without leeway.
    pub(crate) fn verify(&self, token: &str, audience: &str, now: i64) -> Result<Verified, VerifyError> {
        use Algorithm::{ES256, Ed25519, PS256, RS256};
        let algorithms: Algorithms = [ES256, Ed25519, RS256, PS256].into_iter().collect();
        let policy = Policy::builder(ISSUER, audience, algorithms).leeway_seconds(0).build().unwrap();
        verify(token, &policy, &self.0, now)
    }

    pub(crate) fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid() == kid)
    }
}

/// The header of a token, unverified.
pub(crate) fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The `kid` of a token, unverified.
pub(crate) fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

/// The claims of a pair's access token, verified against the published keys for the issuer.
pub(crate) fn payload(world: &World, pair: &Pair) -> Value {
    payload_for(world, pair, ISSUER)
}

pub(crate) fn payload_for(world: &World, pair: &Pair, audience: &str) -> Value {
    let now = world.now().seconds();
    let verified = Jwks::fetch(world).verify(pair.access.expose(), audience, now).unwrap();
    assert_eq!(verified.typ(), "at+jwt");
    serde_json::from_slice(verified.extra().as_bytes()).unwrap()
}

fn decode(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.strip_prefix("dpr_").unwrap()).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    format!("dpr_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The token with another key id, which no service has.
pub(crate) fn renamed(token: &str, key: u8) -> String {
    let mut bytes = decode(token);
    bytes[0] = key;
    encode(&bytes)
}

/// The token with each of its bytes behind the key id changed in turn.
pub(crate) fn forged_everywhere(token: &str) -> Vec<String> {
    let bytes = decode(token);
    let forge = |at: usize| {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        encode(&forged)
    };
    (1..bytes.len()).map(forge).collect()
}
