//! The pair of tokens, as the service writes it.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::{AccessToken, RefreshToken, SessionError};

/// Tokens as the service answers them to a sign-in or through the admin API. `Debug` shows none of them.
///
/// ```
/// let json = br#"{"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 600, "refresh_in": 480,
///     "refresh_token": "dpr_x", "generation": 0, "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
///     "server_time": 1750000000000, "scope": ""}"#;
/// assert!(daypass_client::Pair::from_json(json).is_ok());
/// assert!(daypass_client::Pair::from_json(b"<html>").is_err());
/// ```
#[derive(Clone)]
pub struct Pair {
    pub(crate) access: OwnToken,
    pub(crate) refresh: Tokens,
}

/// The half of an answer that is about the access token.
#[derive(Clone)]
pub(crate) struct OwnToken {
    pub(crate) token: AccessToken,
    /// In seconds.
    pub(crate) expires_in: u64,
    /// In seconds.
    pub(crate) refresh_in: Option<u64>,
    /// The service's clock, since the Unix epoch.
    pub(crate) server_time: Option<Duration>,
}

/// The half of an answer that is about the session.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) token: RefreshToken,
    pub(crate) generation: u32,
    pub(crate) session_id: String,
    /// What remains of the session, in seconds; none for a session without end.
    pub(crate) expires_in: Option<u64>,
}

/// What an answer holds. Other members are for later versions.
#[derive(Deserialize)]
struct Content {
    access_token: AccessToken,
    token_type: String,
    expires_in: u64,
    refresh_in: Option<u64>,
    server_time: Option<u64>,
    refresh_token: Option<RefreshToken>,
    refresh_expires_in: Option<u64>,
    generation: Option<u32>,
    session_id: Option<String>,
}

impl Pair {
    /// Reads the JSON that the service answered. Its members are read, and no other: they may come with more.
    pub fn from_json(json: &[u8]) -> Result<Self, SessionError> {
        Self::read(json).ok_or_else(|| SessionError::config("this is not a pair of tokens"))
    }

    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let content = Content::read(json)?;
        let refresh = Tokens {
            token: content.refresh_token.clone().filter(|token| !token.expose().is_empty())?,
            generation: content.generation?,
            session_id: content.session_id.clone().filter(|id| !id.is_empty())?,
            expires_in: content.refresh_expires_in,
        };
        Some(Self { access: content.access(), refresh })
    }
}

impl OwnToken {
    /// Reads an answer without regard to a session.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        Some(Content::read(json)?.access())
    }
}

impl Content {
    /// A token that is not to be sent as a Bearer (RFC 6750) is of no use here.
    fn read(json: &[u8]) -> Option<Self> {
        let content: Self = serde_json::from_slice(json).ok()?;
        let bearer = content.token_type.eq_ignore_ascii_case("bearer");
        (bearer && is_sendable(content.access_token.expose())).then_some(content)
    }

    fn access(self) -> OwnToken {
        OwnToken {
            token: self.access_token,
            expires_in: self.expires_in,
            refresh_in: self.refresh_in,
            server_time: self.server_time.map(Duration::from_millis),
        }
    }
}

/// Whether a token can stand in a header: the `b64token` of RFC 6750 section 2.1, without its finer points.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("session_id", &self.refresh.session_id)
            .field("generation", &self.refresh.generation)
            .finish_non_exhaustive()
    }
}
