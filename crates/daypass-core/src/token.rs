//! The refresh token: an opaque string that names a session and a generation and proves that the
//! service issued it.
//!
//! `dpr_` + base64url( key id (1) ‖ session id (16) ‖ generation (u32, big endian) ‖ tag (32) ),
//! where the tag is HMAC-SHA-256 over a fixed context and all that precedes it. A forged token is
//! refused without touching storage; the store holds no token, hashed or plain; and a successor can
//! be derived again, byte for byte, for a retry.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::id::{Generation, SessionId, TokenKeyId};

/// What every refresh token begins with, for people and secret scanners to recognise it by.
pub const PREFIX: &str = "dpr_";

const CONTEXT: &[u8] = b"daypass refresh token, version 1\0";
const NAMED: usize = 1 + 16 + 4;
const TAG: usize = 32;
const BYTES: usize = NAMED + TAG;
const ENCODED: usize = (BYTES * 4).div_ceil(3);

/// The length of a refresh token in characters.
pub const LENGTH: usize = PREFIX.len() + ENCODED;

/// A refresh token in the form that travels. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// The token's text, for the answer that carries it and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// What a refresh token with a good tag names. Only [`TokenSecrets::open`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedToken {
    session: SessionId,
    generation: Generation,
}

impl OpenedToken {
    /// The session that the token belongs to.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The generation that it is the token of.
    pub const fn generation(&self) -> Generation {
        self.generation
    }
}

/// Why a token was refused before anything was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a refresh token, or not in its one spelling.
    #[error("not a refresh token")]
    Malformed,
    /// Tagged with a secret that is not known here: perhaps one made a moment ago by another node.
    #[error("tagged with an unknown secret")]
    UnknownKey(TokenKeyId),
    /// The tag is wrong: the service did not issue this.
    #[error("not issued here")]
    Forged,
}

/// The service's secrets that tag refresh tokens, by id.
///
/// The error to fear is a false accept: [`TokenSecrets::open`] accepts only what [`TokenSecrets::issue`]
/// made with one of these secrets. A false refusal is an error of the operator's, who dropped one.
#[derive(Clone, Default)]
pub struct TokenSecrets {
    keys: Vec<(TokenKeyId, hmac::Key)>,
}

impl fmt::Debug for TokenSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecrets").field("known", &self.keys.len()).finish()
    }
}

impl TokenSecrets {
    /// The given secrets, each 32 bytes.
    pub fn new(secrets: impl IntoIterator<Item = (TokenKeyId, [u8; 32])>) -> Self {
        let key = |(id, secret): (TokenKeyId, [u8; 32])| (id, hmac::Key::new(hmac::HMAC_SHA256, &secret));
        Self { keys: secrets.into_iter().map(key).collect() }
    }

    /// The refresh token of a generation of a session, always the same for the same three; `None`
    /// if the secret is not known here.
    pub fn issue(&self, key: TokenKeyId, session: SessionId, generation: Generation) -> Option<RefreshToken> {
        let secret = self.key(key)?;
        let mut named = Vec::with_capacity(BYTES);
        named.push(key.0);
        named.extend_from_slice(session.as_bytes());
        named.extend_from_slice(&generation.0.to_be_bytes());
        let tag = Self::context(secret, &named).sign();
        named.extend_from_slice(tag.as_ref());
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&named, &mut text);
        Some(RefreshToken(Zeroizing::new(text)))
    }

    /// Checks a presented token and reads what it names.
    ///
    /// # Errors
    /// See [`TokenError`]. Wrong lengths, padding and non-canonical base64url are malformed.
    pub fn open(&self, text: &str) -> Result<OpenedToken, TokenError> {
        let encoded = text.strip_prefix(PREFIX).filter(|rest| rest.len() == ENCODED);
        let mut bytes = [0; BYTES];
        let decoded = encoded.and_then(|rest| URL_SAFE_NO_PAD.decode_slice(rest, &mut bytes).ok());
        if decoded != Some(BYTES) {
            return Err(TokenError::Malformed);
        }
        let (named, tag) = bytes.split_at(NAMED);
        let Some((key, rest)) = named.split_first() else { return Err(TokenError::Malformed) };
        let (Some(session), Some(generation)) = (rest.first_chunk::<16>(), rest.last_chunk::<4>()) else {
            return Err(TokenError::Malformed);
        };
        let secret = self.key(TokenKeyId(*key)).ok_or(TokenError::UnknownKey(TokenKeyId(*key)))?;
        let expected = Self::context(secret, named).sign();
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), tag)
            .map_err(|_| TokenError::Forged)?;
        Ok(OpenedToken {
            session: SessionId::from_bytes(*session),
            generation: Generation(u32::from_be_bytes(*generation)),
        })
    }

    fn key(&self, id: TokenKeyId) -> Option<&hmac::Key> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    fn context(key: &hmac::Key, named: &[u8]) -> hmac::Context {
        let mut context = hmac::Context::with_key(key);
        context.update(CONTEXT);
        context.update(named);
        context
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn secrets() -> TokenSecrets {
        TokenSecrets::new([(TokenKeyId(1), [1; 32]), (TokenKeyId(2), [2; 32])])
    }

    fn session() -> SessionId {
        SessionId::new(Timestamp::from_millis(1_700_000_000_000), [9; 10])
    }

    #[test]
    fn a_token_names_its_session_and_generation_and_is_derived_again_byte_for_byte() {
        let secrets = secrets();
        for key in [TokenKeyId(1), TokenKeyId(2)] {
            let token = secrets.issue(key, session(), Generation(7)).unwrap();
            assert_eq!(token.expose().len(), LENGTH);
            assert_eq!(token, secrets.issue(key, session(), Generation(7)).unwrap());
            let opened = secrets.open(token.expose()).unwrap();
            assert_eq!((opened.session(), opened.generation()), (session(), Generation(7)));
        }
        assert!(secrets.issue(TokenKeyId(3), session(), Generation(0)).is_none());
    }

    #[test]
    fn a_token_of_an_unknown_secret_is_told_apart_from_a_forged_one() {
        let other = TokenSecrets::new([(TokenKeyId(9), [9; 32])]);
        let token = other.issue(TokenKeyId(9), session(), Generation(0)).unwrap();
        assert_eq!(secrets().open(token.expose()), Err(TokenError::UnknownKey(TokenKeyId(9))));
        let liar = TokenSecrets::new([(TokenKeyId(2), [3; 32])]);
        let token = liar.issue(TokenKeyId(2), session(), Generation(0)).unwrap();
        assert_eq!(secrets().open(token.expose()), Err(TokenError::Forged));
    }

    #[test]
    fn a_token_has_one_spelling() {
        let secrets = secrets();
        let good = secrets.issue(TokenKeyId(1), session(), Generation(7)).unwrap().expose().to_owned();
        let last = good.chars().last().unwrap();
        let twin = if last == 'A' { 'B' } else { char::from(u8::try_from(u32::from(last)).unwrap() + 1) };
        let variants = [
            format!("{good}="),
            format!(" {good}"),
            format!("{good}\n"),
            good.replacen("dpr_", "DPR_", 1),
            good.replacen("dpr_", "", 1),
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            format!("{}{twin}", &good[..good.len() - 1]),
            String::new(),
            PREFIX.to_owned(),
            format!("{}é", &good[..good.len() - 2]),
        ];
        for variant in variants {
            assert_ne!(variant, good);
            assert!(secrets.open(&variant).is_err(), "{variant:?}");
        }
        assert!(
            !format!("{:?}", secrets.issue(TokenKeyId(1), session(), Generation(7))).contains(&good[8..])
        );
    }

    proptest! {
        #[test]
        fn any_changed_character_is_refused(at in 0..LENGTH, to in any::<u8>()) {
            let secrets = secrets();
            let good = secrets.issue(TokenKeyId(1), session(), Generation(7)).unwrap().expose().to_owned();
            let mut bytes = good.clone().into_bytes();
            bytes[at] = to;
            if let Ok(text) = String::from_utf8(bytes) && text != good {
                prop_assert!(secrets.open(&text).is_err());
            }
        }

        #[test]
        fn no_outside_text_panics(text in ".*") {
            let _ = secrets().open(&text);
            let _ = secrets().open(&format!("{PREFIX}{text}"));
        }
    }
}
