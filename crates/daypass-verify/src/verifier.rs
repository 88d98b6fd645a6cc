//! The verifier: one issuer's tokens, or those of several issuers each by its own rules.

use std::fmt;
use std::sync::Arc;

use crate::builder::{NeedsIssuer, Parts};
use crate::health::Health;
use crate::issuers::Issuers;
use crate::{AuthError, ConfigError, VerifiedToken, VerifierBuilder};

/// Judges access tokens. A clone is cheap and shares keys, memory and counters.
///
/// ```
/// use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
/// use daypass_verify::{StaticKeys, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let verifier = Verifier::builder()
///     .issuer("https://id.example")
///     .audience("https://api.example")
///     .keys(StaticKeys::from(KeySet::new([key.verifying_key()])?))
///     .build()?;
/// assert_eq!(verifier.verify_now("not a token").unwrap_err().code(), "malformed");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Issuers>);

impl Verifier {
    /// Starts with the issuer, which has no default.
    pub fn builder() -> VerifierBuilder<NeedsIssuer> {
        VerifierBuilder::new()
    }

    /// A verifier for the tokens of several issuers. A token's `iss` picks the verifier that judges it, by its
    /// keys and its rules alone (RFC 8725 section 3.8).
    ///
    /// [`ConfigError::DuplicateIssuer`] if two are for the same issuer, [`ConfigError::NoVerifier`] if there
    /// is none.
    pub fn any_of(verifiers: impl IntoIterator<Item = Self>) -> Result<Self, ConfigError> {
        let all = verifiers.into_iter().flat_map(|verifier| verifier.0.members().to_vec());
        Ok(Self(Arc::new(Issuers::of(all.collect())?)))
    }

    /// Judges a token. One that was seen before takes well under a microsecond, no allocation, and no lock but a
    /// reader's in the cache, which a writer holds for as long as it inserts.
    ///
    /// Waits up to 1 s, and only if the token's key is not known and is being fetched, or if a list of ended
    /// sessions is insisted on and is being fetched for the first time.
    ///
    /// - [`AuthError::Invalid`] and [`AuthError::Revoked`]: the token is not, or no longer, good.
    /// - [`AuthError::Scope`]: it is good and lacks a scope that every token must carry.
    /// - [`AuthError::Unavailable`]: it cannot be judged now.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        self.0.verify(token).await
    }

    /// Judges a token by what is known now, without waiting: [`AuthError::Unavailable`] if its key has to be
    /// fetched first, which is then asked for. The other errors are those of [`Self::verify`].
    pub fn verify_now(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        self.0.verify_now(token)
    }

    /// How the keys and the lists of ended sessions are: for a readiness check.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// What is counted and measured, in the OpenMetrics text format that Prometheus reads.
    pub fn metrics_text(&self) -> String {
        self.0.metrics_text()
    }

    pub(crate) fn start(parts: Parts) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Issuers::one(parts)?)))
    }

    pub(crate) fn issuers(&self) -> &Issuers {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.0).finish()
    }
}
