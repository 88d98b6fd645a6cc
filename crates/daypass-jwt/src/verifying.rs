//! One key that verifies, bound to one algorithm.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};

use crate::compact::encode;
use crate::weak::{check_ed25519_point, check_rsa_modulus};
use crate::{Algorithm, Jwk, KeyError, MIN_SECRET_BYTES, VerifyError};

/// The only RSA exponent accepted, big-endian: 65537 (RFC 8725 section 3.5 and common practice).
pub(crate) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
/// Separates the key id of a secret from every other use of that secret.
const SECRET_KEY_ID_CONTEXT: &[u8] = b"daypass-jwt key id of an HS256 secret, version 1";
/// Bytes of the MAC that become a secret's key id.
const SECRET_KEY_ID_BYTES: usize = 16;

/// A key that verifies signatures of exactly one algorithm. The library has parsed it: verifying does not.
///
/// Keep keys in a [`crate::KeySet`]: a clone copies.
///
/// ```
/// use daypass_jwt::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::Ed25519)?.verifying_key();
/// assert_eq!(key.algorithm(), Algorithm::Ed25519);
/// assert_eq!(key.kid().len(), 43);
/// # Ok::<(), daypass_jwt::KeyError>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Box<str>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Public { parts: PublicParts, parsed: Box<ParsedPublicKey> },
    Secret(Box<hmac::Key>),
}

/// The numbers of a public key at their full lengths, as a JWK shows them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicParts {
    P256 {
        x: [u8; 32],
        y: [u8; 32],
    },
    Ed25519 {
        x: [u8; 32],
    },
    /// Big-endian without leading zeros; the exponent is [`RSA_EXPONENT`].
    Rsa {
        n: Box<[u8]>,
    },
}

impl VerifyingKey {
    /// A shared HS256 secret of at least [`MIN_SECRET_BYTES`] bytes, taken as it is.
    ///
    /// Its key id is 128 bits of a MAC under the secret, and so tells nothing about a secret that is random.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::Weak("an HS256 secret needs 32 bytes or more"));
        }
        // The classic confusion of algorithms turns somebody's public key into a shared secret.
        if secret.windows(10).any(|window| window == b"-----BEGIN") {
            return Err(KeyError::Weak("a PEM document is not a secret"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, SECRET_KEY_ID_CONTEXT);
        let kid = encode(tag.as_ref().get(..SECRET_KEY_ID_BYTES).unwrap_or_default());
        Ok(Self { algorithm: Algorithm::HS256, kid: kid.into(), material: Material::Secret(Box::new(key)) })
    }

    /// A public key. Without a key id it gets its thumbprint.
    pub(crate) fn from_parts(
        algorithm: Algorithm,
        kid: Option<&str>,
        parts: PublicParts,
    ) -> Result<Self, KeyError> {
        let parsed = parts.parse(algorithm)?;
        let kid = kid.map_or_else(|| parts.thumbprint(), str::to_owned).into();
        Ok(Self { algorithm, kid, material: Material::Public { parts, parsed: Box::new(parsed) } })
    }

    /// The key's only algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id: for own keys the RFC 7638 SHA-256 thumbprint (43 characters), for secrets 22 characters
    /// that are derived from it, for foreign keys whatever their set says.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key as it may be published, or `None` for a shared secret.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.public_parts().map(|parts| Jwk::new(self.algorithm, &self.kid, parts))
    }

    pub(crate) const fn public_parts(&self) -> Option<&PublicParts> {
        match &self.material {
            Material::Public { parts, .. } => Some(parts),
            Material::Secret(_) => None,
        }
    }

    /// Whether both keys verify the same signatures, whatever they are called.
    pub(crate) fn same_material(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
            && match (self.public_parts(), other.public_parts()) {
                (Some(this), Some(that)) => this == that,
                // A secret's key id is derived from it.
                (None, None) => self.kid == other.kid,
                _ => false,
            }
    }

    /// Checks a signature over a message. Lengths are exact: 64 bytes for ES256 (r and s, never DER) and
    /// Ed25519, the modulus for RSA, 32 for HS256. Tags are compared in constant time.
    ///
    /// The high-s twin of an ES256 signature is valid too, as RFC 7518 has it: tell tokens apart by `jti`,
    /// never by their text or its hash.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        match &self.material {
            Material::Public { parsed, .. } => parsed.verify_sig(message, signature),
            Material::Secret(key) => hmac::verify(key, message, signature),
        }
        .map_err(|_| VerifyError::BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl PublicParts {
    /// From the library's encoding of a point: `04 || x || y`.
    pub(crate) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let malformed = KeyError::Malformed("not an uncompressed P-256 point");
        let (x, y) = point.strip_prefix(&[4]).and_then(<[u8]>::split_first_chunk).ok_or(malformed)?;
        Ok(Self::P256 { x: *x, y: y.try_into().map_err(|_| malformed)? })
    }

    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, KeyError> {
        let x = point.try_into().map_err(|_| KeyError::Malformed("an Ed25519 point has 32 bytes"))?;
        Ok(Self::Ed25519 { x })
    }

    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        check_rsa_modulus(modulus)?;
        if exponent != RSA_EXPONENT {
            return Err(KeyError::Weak("the RSA exponent is not 65537"));
        }
        Ok(Self::Rsa { n: modulus.into() })
    }

    fn parse(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
        let off_curve = |_| KeyError::Malformed("the P-256 point is not on the curve");
        match (self, algorithm) {
            (Self::P256 { x, y }, Algorithm::ES256) => {
                let point = [&[4], x.as_slice(), y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(off_curve)
            }
            (Self::Ed25519 { x }, Algorithm::Ed25519) => {
                check_ed25519_point(x)?;
                ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::Crypto)
            }
            (Self::Rsa { n }, Algorithm::RS256 | Algorithm::PS256) => {
                let parameters = if algorithm == Algorithm::RS256 {
                    &RSA_PKCS1_2048_8192_SHA256
                } else {
                    &RSA_PSS_2048_8192_SHA256
                };
                RsaPublicKeyComponents { n: n.as_ref(), e: RSA_EXPONENT.as_slice() }
                    .to_parsed_public_key(parameters)
                    .map_err(|_| KeyError::Malformed("not an RSA public key"))
            }
            _ => Err(KeyError::Malformed("the key is of another type than its algorithm")),
        }
    }

    /// The RFC 7638 section 3 thumbprint with SHA-256, base64url: the required members in the order of their
    /// names.
    pub(crate) fn thumbprint(&self) -> String {
        let members = match self {
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
            Self::Rsa { n } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(&RSA_EXPONENT), encode(n))
            }
        };
        encode(digest::digest(&digest::SHA256, members.as_bytes()).as_ref())
    }
}
