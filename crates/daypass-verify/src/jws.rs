//! Other kinds of JWT by the same keys: logout tokens, for one.

use std::sync::Arc;

use daypass_ambient::Clock;
use daypass_jwt::{Algorithms, VerifiedJws, verify_jws};

use crate::judge::header_of;
use crate::keys::{KeySnapshot, KeySource, Want};
use crate::{AuthError, ConfigError, Keys, Verifier};

/// Checks the form and the signature of JWTs that are no access tokens, as strictly as those. **No claim is
/// checked**: issuer, audience and times are the caller's. The type must be named to get at the claims
/// ([`VerifiedJws::payload`]), so that one kind is never taken for another (RFC 8725 section 3.11).
///
/// ```
/// use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
/// use daypass_verify::{StaticKeys, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let verifier = Verifier::builder()
///     .issuer("https://id.example")
///     .audience("https://api.example")
///     .keys(StaticKeys::from(KeySet::new([key.verifying_key()])?))
///     .build()?;
/// let token = key.sign("logout+jwt", &std::collections::BTreeMap::from([("sub", "ada")]))?;
///
/// let jws = verifier.jws(Algorithm::ES256)?.verify(&token).await?;
/// assert_eq!(jws.payload("logout+jwt")?, br#"{"sub":"ada"}"#);
/// assert!(jws.payload("at+jwt").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JwsVerifier {
    keys: Arc<KeySource>,
    algorithms: Algorithms,
}

impl JwsVerifier {
    /// A verifier with keys of its own. With remote keys it starts a task on the tokio runtime that this is called
    /// in, which ends with the last clone.
    ///
    /// [`ConfigError::NoUsableKey`], and for remote keys [`ConfigError::Url`], [`ConfigError::NoRuntime`] and
    /// [`ConfigError::Transport`].
    pub fn new(
        keys: impl Into<Keys>,
        algorithms: impl Into<Algorithms>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let algorithms = algorithms.into();
        Ok(Self { keys: Arc::new(KeySource::start(keys.into(), algorithms, clock)?), algorithms })
    }

    /// Checks a token. Waits up to 1 s if its key is not known and is being fetched. Nothing is remembered.
    ///
    /// [`AuthError::Invalid`] or [`AuthError::Unavailable`].
    pub async fn verify(&self, token: &str) -> Result<VerifiedJws, AuthError> {
        // Without a time of issue an unknown key cannot be told from one that is too new.
        let want = Want { header: header_of(token), published_by: None };
        self.keys.resolve(want, |keys: &KeySnapshot| verify_jws(token, keys.keys(), self.algorithms)).await
    }
}

impl Verifier {
    /// A verifier of other kinds of JWT that shares this one's keys.
    ///
    /// [`ConfigError::SeveralIssuers`] if this one has several.
    pub fn jws(&self, algorithms: impl Into<Algorithms>) -> Result<JwsVerifier, ConfigError> {
        match self.issuers().members() {
            [sole] => Ok(JwsVerifier { keys: Arc::clone(sole.keys()), algorithms: algorithms.into() }),
            _ => Err(ConfigError::SeveralIssuers),
        }
    }
}
