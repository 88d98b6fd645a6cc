//! Reading somebody else's JWK set, under limits. A key that cannot be used is skipped with its reason and
//! the others still load (RFC 7517 section 5); a set that leaks a private key is refused as a whole.

use std::collections::BTreeMap;

use crate::compact::{decode, is_key_id};
use crate::json::{Object, Value, parse_object};
use crate::verifying::PublicParts;
use crate::{Algorithm, JwksError, KeyError, KeySet, VerifyingKey};

/// The longest set that is read, in bytes: 512 KiB.
pub const MAX_JWKS_BYTES: usize = 512 * 1024;
/// The most keys that a set may have, skipped ones included.
pub const MAX_JWKS_KEYS: usize = 100;

/// Members that only private keys have (RFC 7518 section 6, RFC 9964). A secret's `k` is not among them:
/// `oct` keys are skipped.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// What [`KeySet::from_jwks`] read.
#[derive(Clone, Debug)]
pub struct ForeignKeys {
    /// The usable keys, all asymmetric.
    pub keys: KeySet,
    /// The others, for a log.
    pub skipped: Vec<SkippedKey>,
}

/// A key of a foreign set that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its key id, if that is well-formed.
    pub kid: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a key of a foreign set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// `kty: "oct"`: a shared secret has no place in a published set.
    #[error("a symmetric key")]
    Symmetric,
    /// A `kty` or `crv` that this crate does not know.
    #[error("an unsupported key type or curve")]
    UnsupportedType,
    /// An `alg` that this crate does not know, or not one for this type.
    #[error("an unsupported algorithm, or one of another key type")]
    UnsupportedAlgorithm,
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    #[error("not for verifying signatures")]
    NotForSignatures,
    /// `kid` is not a string, empty, too long, or has control characters.
    #[error("an ill-formed key id")]
    KeyId,
    /// The same key id and algorithm as another key with other numbers: both are dropped.
    #[error("ambiguous: another key has its key id and algorithm")]
    Ambiguous,
    /// Malformed or weak.
    #[error(transparent)]
    Key(KeyError),
}

impl KeySet {
    /// Reads the body of a foreign JWK set. Members it does not know are ignored.
    ///
    /// An RSA key without `alg` is taken for RS256, since a key has one algorithm.
    ///
    /// ```
    /// use daypass_jwt::{KeySet, SkipReason};
    ///
    /// let read = KeySet::from_jwks(br#"{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"}]}"#)?;
    /// assert!(read.keys.is_empty());
    /// assert_eq!(read.skipped[0].reason, SkipReason::Symmetric);
    /// # Ok::<(), daypass_jwt::JwksError>(())
    /// ```
    pub fn from_jwks(json: &[u8]) -> Result<ForeignKeys, JwksError> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let set = parse_object(json).ok_or(JwksError::Malformed)?;
        let Some(Value::Array(entries)) = set.get("keys") else {
            return Err(JwksError::Malformed);
        };
        if entries.len() > MAX_JWKS_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        if entries.iter().any(is_private) {
            return Err(JwksError::PrivateMaterial);
        }
        let mut skipped = Vec::new();
        let mut by_name: BTreeMap<(String, Algorithm), Vec<(usize, VerifyingKey)>> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            match read_key(entry) {
                Ok(key) => {
                    by_name.entry((key.kid().to_owned(), key.algorithm())).or_default().push((index, key));
                }
                Err(reason) => skipped.push(SkippedKey { index, kid: key_id_of(entry), reason }),
            }
        }
        let mut keys = Vec::new();
        for ((kid, _), same) in by_name {
            if same.iter().zip(same.iter().skip(1)).all(|((_, this), (_, next))| this.same_material(next)) {
                keys.extend(same.into_iter().next().map(|(_, key)| key));
            } else {
                let ambiguous =
                    |(index, _)| SkippedKey { index, kid: Some(kid.clone()), reason: SkipReason::Ambiguous };
                skipped.extend(same.into_iter().map(ambiguous));
            }
        }
        // Names are unique by now.
        let keys = Self::new(keys).map_err(|_| JwksError::Malformed)?;
        Ok(ForeignKeys { keys, skipped })
    }
}

fn is_private(entry: &Value<'_>) -> bool {
    match entry {
        Value::Object(key) => key.iter().any(|(name, _)| PRIVATE_MEMBERS.contains(&name)),
        _ => false,
    }
}

fn key_id_of(entry: &Value<'_>) -> Option<String> {
    match entry {
        Value::Object(key) => {
            key.get("kid").and_then(Value::as_str).filter(|kid| is_key_id(kid)).map(str::to_owned)
        }
        _ => None,
    }
}

fn read_key(entry: &Value<'_>) -> Result<VerifyingKey, SkipReason> {
    let Value::Object(key) = entry else {
        return Err(SkipReason::Key(KeyError::Malformed("not an object")));
    };
    let kty = text(key, "kty")?.ok_or(SkipReason::UnsupportedType)?;
    if kty == "oct" {
        return Err(SkipReason::Symmetric);
    }
    check_use(key)?;
    let kid = match key.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().filter(|kid| is_key_id(kid)).ok_or(SkipReason::KeyId)?),
    };
    let (algorithm, parts) = match kty {
        "EC" => {
            let algorithm = algorithm_among(key, &[("ES256", Algorithm::ES256)], "P-256")?;
            let (x, y) = (number(key, "x", 32)?, number(key, "y", 32)?);
            (algorithm, PublicParts::p256(&[[4].as_slice(), &x, &y].concat()))
        }
        "OKP" => {
            let names = [("Ed25519", Algorithm::Ed25519), ("EdDSA", Algorithm::Ed25519)];
            let algorithm = algorithm_among(key, &names, "Ed25519")?;
            (algorithm, PublicParts::ed25519(&number(key, "x", 32)?))
        }
        "RSA" => {
            let names = [("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256)];
            let algorithm = algorithm_among(key, &names, "")?;
            (algorithm, PublicParts::rsa(&number(key, "n", 0)?, &number(key, "e", 0)?))
        }
        _ => return Err(SkipReason::UnsupportedType),
    };
    VerifyingKey::from_parts(algorithm, kid, parts.map_err(SkipReason::Key)?).map_err(SkipReason::Key)
}

/// The key's algorithm: the one it states, or else the first of its type. `curve` is empty for types without.
fn algorithm_among(
    key: &Object<'_>,
    names: &[(&str, Algorithm)],
    curve: &str,
) -> Result<Algorithm, SkipReason> {
    if !curve.is_empty() && text(key, "crv")? != Some(curve) {
        return Err(SkipReason::UnsupportedType);
    }
    let stated = text(key, "alg")?;
    let mut fitting = names.iter().filter(|(name, _)| stated.is_none_or(|stated| stated == *name));
    fitting.next().map(|(_, algorithm)| *algorithm).ok_or(SkipReason::UnsupportedAlgorithm)
}

fn check_use(key: &Object<'_>) -> Result<(), SkipReason> {
    let usage_fits = key.get("use").is_none_or(|usage| usage.as_str() == Some("sig"));
    let operations_fit = key.get("key_ops").is_none_or(|operations| match operations {
        Value::Array(list) => list.iter().any(|operation| operation.as_str() == Some("verify")),
        _ => false,
    });
    if usage_fits && operations_fit { Ok(()) } else { Err(SkipReason::NotForSignatures) }
}

/// An optional string member.
fn text<'k>(key: &'k Object<'_>, name: &str) -> Result<Option<&'k str>, SkipReason> {
    match key.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_str().map(Some).ok_or(SkipReason::Key(KeyError::Malformed("a member is not a string")))
        }
    }
}

/// A member with a base64url number of exactly `length` bytes, or of any length if that is 0.
fn number(key: &Object<'_>, name: &str, length: usize) -> Result<Vec<u8>, SkipReason> {
    let malformed =
        SkipReason::Key(KeyError::Malformed("a number is missing, ill-encoded or of a wrong length"));
    let bytes = text(key, name)?.and_then(decode).ok_or(malformed)?;
    if length != 0 && bytes.len() != length { Err(malformed) } else { Ok(bytes) }
}
