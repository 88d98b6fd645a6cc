//! What is kept of a session between two calls, two processes and two weeks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::{OwnToken, Pair};
use crate::{AccessToken, RefreshToken};

/// How many attempt ids a request lists at most: one for the coming rotation, three of past ones.
pub(crate) const MOST_ATTEMPTS: usize = 4;

/// A session as it is stored. `Debug` shows no token and no attempt id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The service that the session is with, as the client was configured: a record of another service is not
    /// used.
    pub service: String,
    /// The client that the session was opened on, if it is not the service's built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The session's id.
    pub session_id: String,
    /// The generation of `refresh_token`.
    pub generation: u32,
    /// The token of the next rotation.
    pub refresh_token: RefreshToken,
    /// The ids of rotations, newest first, at most four, each of another generation. The id for
    /// `generation` itself is there from just before the first request that rotates it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The access token that came with the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// When the session itself ends, on the wall clock, in milliseconds since the Unix epoch. None for a session
    /// without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
}

/// An access token and how long it serves. Times are by this machine's clock: it is never compared with the
/// token's own `exp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The token.
    pub token: AccessToken,
    /// When the request that brought it was sent, on the wall clock, in milliseconds since the Unix epoch.
    pub requested_at_ms: u64,
    /// How long it serves from then on, in seconds: the service's `expires_in`.
    pub expires_in: u64,
    /// When the service would like it renewed if it is in use, in seconds from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_in: Option<u64>,
}

impl Record {
    /// The record of a pair that was asked for at `wall`, in a session that this client has no past with.
    pub(crate) fn first(service: &str, client_id: Option<&str>, pair: &Pair, wall: Duration) -> Self {
        let refresh = &pair.refresh;
        let ends_in = refresh.expires_in.map(Duration::from_secs);
        Self {
            service: service.to_owned(),
            client_id: client_id.map(str::to_owned),
            session_id: refresh.session_id.clone(),
            generation: refresh.generation,
            refresh_token: refresh.token.clone(),
            attempts: Vec::new(),
            access: Some(Access::of(&pair.access, wall)),
            ends_at_ms: ends_in.map(|left| millis(wall.saturating_add(left))),
        }
    }

    /// The record after a renewal that was asked for at `wall`. The ids of the rotations so far stay.
    pub(crate) fn renewed(&self, pair: &Pair, wall: Duration) -> Self {
        let attempts = self.attempts.clone();
        Self { attempts, ..Self::first(&self.service, self.client_id.as_deref(), pair, wall) }
    }

    /// Whether both are of one session.
    pub(crate) fn is_of_session(&self, other: &Self) -> bool {
        self.service == other.service && self.session_id == other.session_id
    }

    /// How much of the session remains, by the wall clock. None if it has no end.
    pub(crate) fn session_left(&self, wall: Duration) -> Option<Duration> {
        self.ends_at_ms.map(|ends| Duration::from_millis(ends).saturating_sub(wall))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Access {
    pub(crate) fn of(own: &OwnToken, wall: Duration) -> Self {
        Self {
            token: own.token.clone(),
            requested_at_ms: millis(wall),
            expires_in: own.expires_in,
            refresh_in: own.refresh_in,
        }
    }

    /// How long the token serves in all.
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.expires_in)
    }
}

/// An id that this client made for rotating one generation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The generation that it rotates.
    pub generation: u32,
    /// 128 random bits, base64url.
    pub id: String,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attempt({}:..)", self.generation)
    }
}
