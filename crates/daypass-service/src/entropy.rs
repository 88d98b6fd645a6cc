//! Where randomness comes from.

/// A source of random bytes that nobody can predict.
///
/// The error to fear is predictability: session ids, secrets and keys come from here. A source that
/// cannot deliver has to panic or block rather than return bytes that are not random.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
