//! Names of things: sessions, subjects, clients, generations, keys.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a name was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidId {
    /// What kind of name it was.
    pub what: &'static str,
    /// What would have been accepted.
    pub expected: &'static str,
}

/// A session's id, the `sid` claim: a UUIDv7 (RFC 9562 section 5.7), whose first 48 bits are the
/// session's start in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// The id of a session that starts at `start`, with 74 bits drawn from `random`.
    pub fn new(start: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(start.millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id in its 16 bytes; any 16 bytes name a session, though perhaps none that exists.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes, in the order in which ids sort by start.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When the session started, as its id says.
    pub fn start(&self) -> Timestamp {
        let millis = u128::from_be_bytes(*self.as_bytes()) >> 80;
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    /// Reads the hyphenated form in lower case, the only one that is ever written.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = Uuid::try_parse(text).map(Self).ok();
        id.filter(|id| id.to_string() == text)
            .ok_or(InvalidId { what: "a session id", expected: "a lower-case hyphenated UUID" })
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes a cheaply cloned, validated string name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// Says what would have been accepted; the refused text is not repeated.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else {
                    Err(InvalidId { what: $what, expected: $expected })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Who signed in: the `sub` claim, at most 255 printable ASCII characters without space
    /// (OpenID Connect Core section 2).
    SubjectId, "a subject", "1 to 255 printable ASCII characters without spaces",
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

name! {
    /// Which client a session belongs to: the `client_id` claim (RFC 6749 section 2.2).
    ClientId, "a client id", "1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
}

/// A session's counter: 0 at sign-in, one up at each rotation. Never a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl Generation {
    /// The next generation, unless four thousand million have passed.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of the service's secrets tagged a refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenKeyId(pub u8);

/// The RFC 7638 SHA-256 thumbprint of a DPoP key (RFC 9449 section 6.1, `jkt`), 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_carries_its_start_and_sorts_by_it() {
        let early = SessionId::new(Timestamp::from_millis(1_700_000_000_123), [0xff; 10]);
        let late = SessionId::new(Timestamp::from_millis(1_700_000_000_124), [0; 10]);
        assert_eq!(early.start().millis(), 1_700_000_000_123);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn a_session_id_has_one_spelling() {
        let id = SessionId::new(Timestamp::from_millis(1_700_000_000_123), [0xab; 10]).to_string();
        for other in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")] {
            assert!(other.parse::<SessionId>().is_err(), "{other}");
        }
    }

    #[test]
    fn names_refuse_what_headers_and_claims_cannot_hold() {
        for bad in ["", "a b", "a\nb", "ä", &"x".repeat(256)] {
            assert!(SubjectId::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "a:b", "a/b", &"x".repeat(65)] {
            assert!(ClientId::new(bad).is_err(), "{bad:?}");
        }
        assert!(SubjectId::new("auth0|42").is_ok());
        assert!(ClientId::new("web-app_1.~").is_ok());
    }
}
