//! What can go wrong that is nobody's fault who called.

use std::time::Duration;

use daypass_storage::StoreError;

/// The service cannot answer. Its text is for operators; callers learn only whether and when to
/// come back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much waits already.
    #[error("{what} are waiting in too great a number")]
    Busy {
        /// What.
        what: &'static str,
        /// When to come back.
        retry_after: Duration,
    },
    /// A key that is needed is not there, or does not open.
    #[error("a key is missing: {0}")]
    Key(String),
    /// Something that cannot happen did.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl ServiceError {
    /// When to come back.
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Store(error) => error.retry_after(),
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Key(_) => Duration::from_secs(1),
            Self::Internal(_) => Duration::from_secs(5),
        }
    }
}
