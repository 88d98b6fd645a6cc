//! What a refresh token says to those who cannot check it: its session and its generation (`docs/rotation.md`,
//! "The token").

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::SessionId;

/// What stands in a token: 1 byte of key id, 16 of session, 4 of generation, 32 of tag.
const LENGTH: usize = 53;

/// A token's session and generation. Nothing has checked its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
}

impl Named {
    /// Reads a refresh token's text.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("dpr_")?).ok()?;
        let rest = bytes.get(1..).filter(|_| bytes.len() == LENGTH)?;
        let session = SessionId::from_bytes(*rest.first_chunk()?);
        let generation = u32::from_be_bytes(*rest.get(16..)?.first_chunk()?);
        Some(Self { session, generation })
    }
}

/// Tells two secrets apart without keeping either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Print(u64);

impl Print {
    pub(crate) fn of(secret: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Twelve bits of it: enough to tell a handful apart, and nothing to guess from.
impl std::fmt::Display for Print {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03x}", self.0 & 0xfff)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token of this session and generation, whose tag is `tag` all over.
    pub(crate) fn token(session: u8, generation: u32, tag: u8) -> String {
        let mut bytes = vec![1];
        bytes.extend([session; 16]);
        bytes.extend(generation.to_be_bytes());
        bytes.extend([tag; 32]);
        format!("dpr_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn a_token_names_its_session_and_generation() {
        let named = Named::read(&token(9, 0x0102_0304, 7)).unwrap();
        assert_eq!((*named.session.as_bytes(), named.generation), ([9; 16], 0x0102_0304));
        assert_eq!(Named::read("dpr_AAAA"), None);
        assert_eq!(Named::read(&token(9, 1, 7).replace("dpr_", "dps_")), None);
        assert_eq!(Named::read(&format!("{}AAAA", token(9, 1, 7))), None);
    }

    #[test]
    fn prints_tell_secrets_apart_and_show_little() {
        assert_ne!(Print::of("a"), Print::of("b"));
        assert_eq!(Print::of("a"), Print::of("a"));
        assert_eq!(Print::of("a").to_string().len(), 3);
    }
}
