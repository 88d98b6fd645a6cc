//! The keys of one issuer, found by key id.

use crate::{Algorithm, KeyError, VerifyError, VerifyingKey};

/// The verifying keys of **one** issuer. Keys of different issuers belong into different sets, so that no
/// issuer can sign for another (RFC 8725 section 3.8).
///
/// Looking up takes no lock and no allocation.
///
/// ```
/// use daypass_jwt::{Algorithm, KeySet, SigningKey, VerifyError};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let keys = KeySet::new([key.verifying_key()])?;
/// assert!(keys.find(Some(key.kid()), Algorithm::ES256).is_ok());
/// assert_eq!(keys.find(Some("other"), Algorithm::ES256).unwrap_err(), VerifyError::UnknownKey);
/// # Ok::<(), daypass_jwt::KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// In the order of key id and algorithm, which together are unique.
    keys: Vec<VerifyingKey>,
}

impl KeySet {
    /// A set of known keys, HS256 included. A key that is there twice counts once.
    ///
    /// [`KeyError::DuplicateKeyId`] if two different keys have the same key id and algorithm.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeyError> {
        let mut set = Self::default();
        for key in keys {
            match set.position(key.kid(), key.algorithm()) {
                Err(place) => set.keys.insert(place, key),
                Ok(place) if set.keys.get(place).is_some_and(|known| known.same_material(&key)) => {}
                Ok(_) => return Err(KeyError::DuplicateKeyId),
            }
        }
        Ok(set)
    }

    /// The key that a token's header asks for.
    ///
    /// - [`VerifyError::UnknownKey`]: no key has this id; the issuer may have a new one.
    /// - [`VerifyError::Algorithm`]: the key with this id is for another algorithm.
    /// - [`VerifyError::Header`]: no id was given and more than one key has the algorithm.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&VerifyingKey, VerifyError> {
        let Some(kid) = kid else {
            return self.sole(algorithm);
        };
        match self.position(kid, algorithm) {
            Ok(place) => self.keys.get(place).ok_or(VerifyError::UnknownKey),
            Err(_) if self.keys.iter().any(|key| key.kid() == kid) => Err(VerifyError::Algorithm),
            Err(_) => Err(VerifyError::UnknownKey),
        }
    }

    fn sole(&self, algorithm: Algorithm) -> Result<&VerifyingKey, VerifyError> {
        let mut eligible = self.keys.iter().filter(|key| key.algorithm() == algorithm);
        match (eligible.next(), eligible.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(VerifyError::UnknownKey),
            (Some(_), Some(_)) => Err(VerifyError::Header("kid")),
        }
    }

    fn position(&self, kid: &str, algorithm: Algorithm) -> Result<usize, usize> {
        self.keys.binary_search_by(|key| (key.kid(), key.algorithm()).cmp(&(kid, algorithm)))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none: nothing verifies then.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }
}
