//! Keys that are known beforehand.

use daypass_jwt::{Algorithms, KeySet, VerifyingKey};

use super::{KeySnapshot, any_usable};
use crate::ConfigError;

/// Keys that never change: of a file, of the configuration, of a test.
///
/// ```
/// use daypass_verify::jwt::Algorithm;
/// use daypass_verify::{StaticKeys, Verifier};
///
/// # fn main() -> Result<(), daypass_verify::ConfigError> {
/// // A secret that the issuer and this server share.
/// let verifier = Verifier::builder()
///     .issuer("https://id.example")
///     .audience("https://api.example")
///     .keys(StaticKeys::from_secret(b"an example has no secrets: 32 bytes or more")?)
///     .algorithms(Algorithm::HS256)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StaticKeys(KeySet);

impl StaticKeys {
    /// The usable keys of a JWK set (RFC 7517 section 5), up to
    /// [`MAX_JWKS_BYTES`](daypass_jwt::MAX_JWKS_BYTES). [`ConfigError::Jwks`] if it is no set that may be used;
    /// one without a usable key is refused when the verifier is built.
    pub fn from_jwks(json: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self(KeySet::from_jwks(json)?.keys))
    }

    /// A secret for HS256 of at least 32 bytes, taken as it is. Whoever has it can also sign.
    ///
    /// [`ConfigError::Key`] if it is shorter, or is a PEM document.
    pub fn from_secret(secret: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self(KeySet::new([VerifyingKey::from_secret(secret)?])?))
    }

    pub(super) fn snapshot(self, algorithms: Algorithms) -> Result<KeySnapshot, ConfigError> {
        if any_usable(&self.0, algorithms) {
            Ok(KeySnapshot::first(self.0))
        } else {
            Err(ConfigError::NoUsableKey)
        }
    }
}

impl From<KeySet> for StaticKeys {
    fn from(keys: KeySet) -> Self {
        Self(keys)
    }
}
