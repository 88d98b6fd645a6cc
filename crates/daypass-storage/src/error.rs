//! What can go wrong with a store, told apart by what the caller may do about it.

use std::time::Duration;

/// An error of a store. The text is for operators and never reaches a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// More waits than the store takes on. Nothing happened; try again after a while.
    #[error("the store's queue is full")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store cannot be reached, is locked or its disk is full. Nothing happened.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The change may or may not have happened. A client repeats its attempt.
    #[error("the outcome of the commit is unknown: {0}")]
    OutcomeUnknown(String),
    /// The store holds something that this release cannot read.
    #[error("the store's content cannot be read: {0}")]
    Corrupt(String),
    /// The store was made by another release.
    #[error("{0}")]
    Schema(String),
}

impl StoreError {
    /// When a client may try again.
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Overloaded { retry_after } => *retry_after,
            Self::Unavailable(_) | Self::OutcomeUnknown(_) => Duration::from_secs(1),
            Self::Corrupt(_) | Self::Schema(_) => Duration::from_secs(10),
        }
    }
}
