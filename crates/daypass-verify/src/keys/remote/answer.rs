//! One request for a JWK set, and what its answer is worth.

use daypass_jwt::{Algorithms, JwksError, KeySet, MAX_JWKS_BYTES};
use reqwest::{Client, StatusCode, Url, header};

use crate::fetch::{FetchError, read_body};
use crate::keys::any_usable;

/// How to ask for the keys.
pub(super) struct Request {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) algorithms: Algorithms,
}

/// Why there are no new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeysFault {
    /// The answer took too long.
    Timeout,
    /// There is no whole answer.
    Fetch(FetchError),
    /// The status is not 200.
    Status,
    /// It is no JWK set that may be used.
    Jwks(JwksError),
    /// No key is of an accepted algorithm.
    NoUsableKey,
}

impl KeysFault {
    pub(super) const ALL: [Self; 9] = [
        Self::Timeout,
        Self::Status,
        Self::NoUsableKey,
        Self::Fetch(FetchError::Connect),
        Self::Fetch(FetchError::Interrupted),
        Self::Fetch(FetchError::TooLarge),
        Self::Jwks(JwksError::Malformed),
        Self::Jwks(JwksError::TooManyKeys),
        Self::Jwks(JwksError::PrivateMaterial),
    ];

    /// A stable name of the reason, in snake case.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::NoUsableKey => "no_usable_key",
            Self::Fetch(FetchError::Connect) => "connect",
            Self::Fetch(FetchError::Interrupted) => "interrupted",
            Self::Fetch(FetchError::TooLarge) | Self::Jwks(JwksError::TooLarge) => "too_large",
            Self::Jwks(JwksError::TooManyKeys) => "too_many_keys",
            Self::Jwks(JwksError::PrivateMaterial) => "private_material",
            Self::Jwks(_) => "malformed",
        }
    }
}

impl Request {
    /// Fetches the keys. The content type is not looked at: static file servers give any.
    pub(super) async fn keys(&self) -> Result<KeySet, KeysFault> {
        let request = self
            .client
            .get(self.url.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json;q=0.9, */*;q=0.1");
        let answer = request.send().await.map_err(|_| KeysFault::Fetch(FetchError::Connect))?;
        if answer.status() != StatusCode::OK {
            return Err(KeysFault::Status);
        }
        let body = read_body(answer, MAX_JWKS_BYTES).await.map_err(KeysFault::Fetch)?;
        self.read(&body)
    }

    fn read(&self, body: &[u8]) -> Result<KeySet, KeysFault> {
        let read = KeySet::from_jwks(body).map_err(KeysFault::Jwks)?;
        for skipped in &read.skipped {
            tracing::debug!(index = skipped.index, reason = %skipped.reason, "a key of the issuer's set is not used");
        }
        if any_usable(&read.keys, self.algorithms) { Ok(read.keys) } else { Err(KeysFault::NoUsableKey) }
    }
}
