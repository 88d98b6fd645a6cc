//! What can go wrong, by what the caller can do about it.

use std::sync::Arc;
use std::time::Duration;

use crate::store::StoreError;

/// Why there is no access token. Only [`SignedOut`](Self::SignedOut) means that somebody has to sign in again.
///
/// A clone is cheap: everybody who waited for the same renewal is told the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no session: nobody has signed in, or it is over.
    #[error("signed out: {0}")]
    SignedOut(SignOutReason),
    /// The user name or the password is wrong. Only a sign-in answers so.
    #[error("the user name or the password is wrong")]
    Credentials,
    /// The service cannot be reached or cannot answer. The session is kept; ask again, not before `retry_after`
    /// if the service named a time.
    #[error("the token service cannot be reached")]
    Unavailable {
        /// How long the service asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The store cannot be read, or not be written when that is needed before a request may leave. The session is
    /// kept as it was.
    #[error("the token store failed")]
    Store(#[source] Arc<StoreError>),
    /// The service answered what its contract does not allow. The session is kept.
    #[error("the token service gave an answer that was not understood: {0}")]
    Protocol(&'static str),
    /// What the caller configured or asked for cannot be.
    #[error("{0}")]
    Config(String),
}

impl SessionError {
    /// Whether somebody has to sign in before there can be an access token again.
    pub const fn is_signed_out(&self) -> bool {
        matches!(self, Self::SignedOut(_))
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Store(_))
    }

    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::Config(what.into())
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignOutReason {
    /// Nobody has signed in on this store.
    NotSignedIn,
    /// Whoever holds this session signed out, here or in another process that shares the store.
    SignedOut,
    /// The session's time is over.
    Expired,
    /// The session was ended elsewhere: revoked, or its owner disabled.
    Revoked,
    /// A refresh token was presented twice by different holders: somebody may have copied it.
    Reused,
    /// The service knows the session no more, and does not say why.
    Unknown,
}

impl std::fmt::Display for SignOutReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSignedIn => "nobody has signed in",
            Self::SignedOut => "the session was signed out",
            Self::Expired => "the session's time is over",
            Self::Revoked => "the session was ended elsewhere",
            Self::Reused => "a copy of the session's refresh token was used",
            Self::Unknown => "the service does not know the session",
        })
    }
}
