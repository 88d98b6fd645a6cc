//! A set of keys whose members can be told apart over time.

use daypass_jwt::{Algorithm, KeySet, VerifyError, VerifyingKey};

/// A set of keys, each with a number. A key keeps its number in the sets that follow for as long as each of
/// them has it. One that was withdrawn and comes back gets another.
#[derive(Debug)]
pub(crate) struct KeySnapshot {
    keys: KeySet,
    /// In the order of `keys`.
    numbers: Box<[u64]>,
    next_number: u64,
}

impl KeySnapshot {
    pub(crate) fn first(keys: KeySet) -> Self {
        Self::after(None, keys)
    }

    /// The set that follows another.
    pub(crate) fn after(previous: Option<&Self>, keys: KeySet) -> Self {
        let mut next_number = previous.map_or(0, |previous| previous.next_number);
        let numbers = keys
            .iter()
            .map(|key| {
                previous.and_then(|previous| previous.number_of_equal(key)).unwrap_or_else(|| {
                    next_number += 1;
                    next_number
                })
            })
            .collect();
        Self { keys, numbers, next_number }
    }

    pub(crate) const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The key that a token's header asks for, and its number.
    pub(crate) fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(&VerifyingKey, u64), VerifyError> {
        let key = self.keys.find(kid, algorithm)?;
        let number = self.numbered().find(|(known, _)| std::ptr::eq(*known, key)).map(|(_, number)| number);
        Ok((key, number.ok_or(VerifyError::UnknownKey)?))
    }

    /// Whether the key of this number is in the set.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// The number of a key of the same name, algorithm and material. A secret has no public form, and is never
    /// found equal: sets with secrets do not change.
    fn number_of_equal(&self, key: &VerifyingKey) -> Option<u64> {
        let wanted = key.public_jwk()?;
        self.numbered()
            .find(|(known, _)| known.public_jwk().as_ref() == Some(&wanted))
            .map(|(_, number)| number)
    }

    fn numbered(&self) -> impl Iterator<Item = (&VerifyingKey, u64)> {
        self.keys.iter().zip(self.numbers.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use daypass_jwt::SigningKey;

    use super::*;

    #[test]
    fn a_key_keeps_its_number_until_it_is_withdrawn() {
        let [a, b] = [(), ()].map(|()| SigningKey::generate(Algorithm::ES256).unwrap().verifying_key());
        let number = |set: &KeySnapshot, key: &VerifyingKey| {
            set.find(Some(key.kid()), Algorithm::ES256).map(|(_, number)| number)
        };
        let set = |keys: &[&VerifyingKey]| KeySet::new(keys.iter().copied().cloned()).unwrap();

        let first = KeySnapshot::first(set(&[&a]));
        let of_a = number(&first, &a).unwrap();
        let both = KeySnapshot::after(Some(&first), set(&[&b, &a]));
        let of_b = number(&both, &b).unwrap();
        assert_eq!(number(&both, &a), Ok(of_a));
        assert_ne!(of_a, of_b);
        assert!(both.has(of_a) && both.has(of_b));

        let without_a = KeySnapshot::after(Some(&both), set(&[&b]));
        assert_eq!(
            (number(&without_a, &a), number(&without_a, &b)),
            (Err(VerifyError::UnknownKey), Ok(of_b))
        );
        assert!(!without_a.has(of_a));

        let again = KeySnapshot::after(Some(&without_a), set(&[&a, &b]));
        let anew = number(&again, &a).unwrap();
        assert!(anew != of_a && anew != of_b && !again.has(of_a));
    }

    #[test]
    fn another_key_of_the_same_name_is_another_key() {
        let jwks = |key: &SigningKey| {
            let mut set =
                serde_json::to_value(daypass_jwt::JwkSet::new([&key.verifying_key()]).unwrap()).unwrap();
            set["keys"][0]["kid"] = "same".into();
            KeySet::from_jwks(set.to_string().as_bytes()).unwrap().keys
        };
        let [one, other] = [(), ()].map(|()| SigningKey::generate(Algorithm::ES256).unwrap());
        let first = KeySnapshot::first(jwks(&one));
        let number = first.find(Some("same"), Algorithm::ES256).unwrap().1;
        assert!(KeySnapshot::after(Some(&first), jwks(&one)).has(number));
        assert!(!KeySnapshot::after(Some(&first), jwks(&other)).has(number));
    }
}
