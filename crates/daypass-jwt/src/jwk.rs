//! Keys as they are published: RFC 7517 sets of RFC 7518 and RFC 8037 public keys.

use serde::Serialize;

use crate::compact::encode;
use crate::verifying::{PublicParts, RSA_EXPONENT};
use crate::{Algorithm, KeyError, VerifyingKey};

/// A public key for publication, always with `kid`, `alg` and `use: "sig"`. There is no member for private
/// numbers, so none can be published. Coordinates have their full length (RFC 7518 section 6.2.1.2).
///
/// ```
/// use daypass_jwt::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let jwk = key.public_jwk().expect("ES256 keys have a public half");
/// assert_eq!(jwk.kid(), key.kid());
/// assert!(serde_json::to_string(&jwk)?.contains(r#""crv":"P-256""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: Algorithm,
    kid: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl Jwk {
    pub(crate) fn new(alg: Algorithm, kid: &str, parts: &PublicParts) -> Self {
        let empty = Self {
            kty: "",
            usage: "sig",
            alg,
            kid: kid.into(),
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
        };
        match parts {
            PublicParts::P256 { x, y } => {
                Self { kty: "EC", crv: Some("P-256"), x: Some(encode(x)), y: Some(encode(y)), ..empty }
            }
            PublicParts::Ed25519 { x } => {
                Self { kty: "OKP", crv: Some("Ed25519"), x: Some(encode(x)), ..empty }
            }
            PublicParts::Rsa { n } => {
                Self { kty: "RSA", n: Some(encode(n)), e: Some(encode(&RSA_EXPONENT)), ..empty }
            }
        }
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key's only algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }
}

/// The set that a service publishes, `{"keys":[…]}`. The media type is `application/jwk-set+json`.
///
/// ```
/// use daypass_jwt::{Algorithm, JwkSet, KeySet, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let published = JwkSet::new([&key.verifying_key()])?.to_json();
/// let read = KeySet::from_jwks(published.as_bytes())?;
/// assert_eq!(read.keys.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// The public halves of the keys, in their order. Shared secrets are left out.
    ///
    /// [`KeyError::DuplicateKeyId`] if two of them have the same key id: many readers look no further than
    /// the first.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a VerifyingKey>) -> Result<Self, KeyError> {
        let mut published: Vec<Jwk> = Vec::new();
        for jwk in keys.into_iter().filter_map(VerifyingKey::public_jwk) {
            if published.iter().any(|known| known.kid == jwk.kid) {
                return Err(KeyError::DuplicateKeyId);
            }
            published.push(jwk);
        }
        Ok(Self { keys: published })
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The set as the body of an answer.
    pub fn to_json(&self) -> String {
        // Strings and numbers always serialise; an empty answer would only be refused by its reader.
        serde_json::to_string(self).unwrap_or_default()
    }
}
