//! The signature algorithms, and the explicit list of them that every verification asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A JWS signature algorithm. A key has exactly one (RFC 8725 section 3.1).
///
/// Names are compared exactly, case included (RFC 7515 section 4.1.1).
///
/// ```
/// use daypass_jwt::Algorithm;
///
/// assert_eq!("ES256".parse(), Ok(Algorithm::ES256));
/// assert!("es256".parse::<Algorithm>().is_err());
/// assert!("none".parse::<Algorithm>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). Signatures are 64 bytes.
    ES256,
    /// EdDSA on Curve25519 under its fully specified name (RFC 9864 section 2.2). Signatures are 64 bytes.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3). Signatures are as long as the modulus.
    RS256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 section 3.5).
    PS256,
    /// HMAC with SHA-256 (RFC 7518 section 3.2): whoever can verify can also sign. Tags are 32 bytes.
    HS256,
}

impl Algorithm {
    /// Every algorithm of this crate.
    pub const ALL: [Self; 5] = [Self::ES256, Self::Ed25519, Self::RS256, Self::PS256, Self::HS256];

    /// The name in the `alg` header and JWK member.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::Ed25519 => "Ed25519",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::HS256 => "HS256",
        }
    }

    /// Whether keys of this algorithm have a public half that may be published.
    pub const fn is_asymmetric(self) -> bool {
        !matches!(self, Self::HS256)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// The name is not one of [`Algorithm::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature algorithm; known are ES256, Ed25519, RS256, PS256 and HS256")]
pub struct UnknownAlgorithm;

/// The explicit list of algorithms that a verification accepts. There is no "any" and no "as the header says"
/// (RFC 8725 section 3.1). An empty list accepts nothing.
///
/// ```
/// use daypass_jwt::{Algorithm, Algorithms};
///
/// let accepted = Algorithms::from([Algorithm::ES256, Algorithm::Ed25519]);
/// assert!(accepted.contains(Algorithm::Ed25519));
/// assert!(!accepted.contains(Algorithm::HS256));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Algorithms {
    bits: u8,
    legacy_eddsa: bool,
}

impl Algorithms {
    /// Also accepts the deprecated header name `EdDSA` for Ed25519 keys (RFC 9864 section 4.1.2), for an
    /// issuer that still writes it. Without effect unless Ed25519 is on the list.
    #[must_use]
    pub const fn with_legacy_eddsa(mut self) -> Self {
        self.legacy_eddsa = true;
        self
    }

    /// Whether `algorithm` is on the list.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.bits & algorithm.bit() != 0
    }

    /// Whether nothing is on the list.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The algorithm that a header's `alg` names, if it is on the list.
    pub(crate) fn accepted(self, name: &str) -> Option<Algorithm> {
        let algorithm = match name {
            "EdDSA" if self.legacy_eddsa => Algorithm::Ed25519,
            _ => name.parse().ok()?,
        };
        self.contains(algorithm).then_some(algorithm)
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(list: I) -> Self {
        Self { bits: list.into_iter().fold(0, |bits, algorithm| bits | algorithm.bit()), legacy_eddsa: false }
    }
}

impl From<Algorithm> for Algorithms {
    fn from(algorithm: Algorithm) -> Self {
        Self::from_iter([algorithm])
    }
}

impl<const N: usize> From<[Algorithm; N]> for Algorithms {
    fn from(list: [Algorithm; N]) -> Self {
        Self::from_iter(list)
    }
}

impl From<&[Algorithm]> for Algorithms {
    fn from(list: &[Algorithm]) -> Self {
        list.iter().copied().collect()
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(Algorithm::ALL.into_iter().filter(|algorithm| self.contains(*algorithm)));
        if self.legacy_eddsa {
            list.entry(&"EdDSA");
        }
        list.finish()
    }
}
