//! The bare signature check: what no verification of a new token can do without, and nothing else.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_verify::jwt::{Algorithm, Jwk, SigningKey};
use serde::Deserialize;

use crate::bench::BenchError;

/// A key that the library has parsed.
pub(super) enum Bare {
    Public(Box<ParsedPublicKey>),
    Secret(Box<hmac::Key>),
}

/// The numbers of a public key, as a JWK shows them (RFC 7518 section 6).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Numbers {
    x: String,
    y: String,
    n: String,
    e: String,
}

impl Bare {
    /// The half of this key that verifies.
    pub(super) fn of(key: &SigningKey) -> Result<Self, BenchError> {
        let Some(jwk) = key.public_jwk() else {
            return Ok(Self::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key.to_private()))));
        };
        public(key.algorithm(), &jwk).map(|key| Self::Public(Box::new(key))).ok_or(BenchError::BareKey)
    }

    /// Whether the signature is this key's.
    pub(super) fn check(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn public(algorithm: Algorithm, jwk: &Jwk) -> Option<ParsedPublicKey> {
    let numbers: Numbers = serde_json::from_value(serde_json::to_value(jwk).ok()?).ok()?;
    let decoded = |number: &str| URL_SAFE_NO_PAD.decode(number).ok();
    let rsa = |parameters| {
        let (n, e) = (decoded(&numbers.n)?, decoded(&numbers.e)?);
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
    };
    match algorithm {
        Algorithm::ES256 => {
            let point = [vec![4], decoded(&numbers.x)?, decoded(&numbers.y)?].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
        }
        Algorithm::Ed25519 => ParsedPublicKey::new(&ED25519, decoded(&numbers.x)?).ok(),
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::HS256 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::mint::Tokens;
    use super::*;

    #[test]
    fn it_tells_right_signatures_from_wrong_ones() {
        for algorithm in Algorithm::ALL {
            let tokens = Tokens::mint(algorithm, 2, 5).unwrap();
            let bare = Bare::of(tokens.key()).unwrap();
            let [first, second] = tokens.good() else { panic!("two tokens") };
            assert!(bare.check(first.message(), first.signature()), "{algorithm}");
            assert!(!bare.check(first.message(), second.signature()), "{algorithm}");
        }
    }
}
