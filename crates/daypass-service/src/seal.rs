//! Sealing keys at rest: AES-256-GCM under a master key that the store never sees.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use daypass_storage::KeyPurpose;
use zeroize::Zeroizing;

use crate::entropy::{self, Entropy};

/// The key under which all other keys are sealed: 32 bytes.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The length in bytes.
    pub const LENGTH: usize = 32;

    /// Takes the 32 bytes.
    pub fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws a new one.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::new(entropy::bytes(entropy))
    }

    /// The bytes, for the file that keeps them.
    pub fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Seals `plain` for one key of one purpose: nonce (12) ‖ ciphertext ‖ tag (16). The id and the
    /// purpose are bound in, so that a sealed key cannot be passed off as another.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        purpose: KeyPurpose,
        id: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_LEN] = entropy::bytes(entropy);
        let mut sealed = Zeroizing::new(plain.to_vec());
        let bound = Aad::from(bound(purpose, id));
        self.key()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut *sealed)
            .map_err(|_| SealError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`MasterKey::seal`] made for the same id and purpose.
    pub(crate) fn open(
        &self,
        purpose: KeyPurpose,
        id: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .key()?
            .open_in_place(nonce, Aad::from(bound(purpose, id)), &mut plain)
            .map_err(|_| SealError)?;
        let length = opened.len();
        plain.truncate(length);
        Ok(plain)
    }

    fn key(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map(LessSafeKey::new).map_err(|_| SealError)
    }
}

fn bound(purpose: KeyPurpose, id: &str) -> Vec<u8> {
    [b"daypass sealed key, version 1\0", purpose.name().as_bytes(), b"\0", id.as_bytes()].concat()
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// A sealed key that does not open: another master key sealed it, or it was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealError;

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            (0u8..).zip(bytes).for_each(|(n, byte)| *byte = n);
        }
    }

    #[test]
    fn a_sealed_key_opens_only_for_its_own_id_and_purpose_under_its_own_master_key() {
        let master = MasterKey::new([1; 32]);
        let sealed = master.seal(&Counting, KeyPurpose::AccessToken, "a", b"private").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert_eq!(master.open(KeyPurpose::AccessToken, "a", &sealed).unwrap().as_slice(), b"private");
        assert!(master.open(KeyPurpose::AccessToken, "b", &sealed).is_err());
        assert!(master.open(KeyPurpose::RefreshToken, "a", &sealed).is_err());
        assert!(MasterKey::new([2; 32]).open(KeyPurpose::AccessToken, "a", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(master.open(KeyPurpose::AccessToken, "a", &damaged).is_err(), "byte {at}");
        }
        assert!(master.open(KeyPurpose::AccessToken, "a", &[]).is_err());
    }
}
