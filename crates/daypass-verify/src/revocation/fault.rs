//! Why the feed could not be read.

use std::fmt;
use std::time::Duration;

/// Why a poll failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedFault {
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Unreachable,
    /// No token to read the feed with could be had.
    Token,
    /// The token is not accepted, or does not reach as far as the feed.
    Refused,
    /// An answer with another status, such as a failure of the server.
    Status,
    /// An answer longer than is read.
    TooLarge,
    /// An answer that is no page of the feed.
    Malformed,
    /// More ended sessions than are held.
    TooMany,
    /// Page after page, and no end.
    Endless,
}

impl FeedFault {
    /// Every fault, in the order of their numbers.
    pub(crate) const ALL: [Self; 9] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Token,
        Self::Refused,
        Self::Status,
        Self::TooLarge,
        Self::Malformed,
        Self::TooMany,
        Self::Endless,
    ];

    /// A stable name, for metrics, logs and the health report.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Token => "token",
            Self::Refused => "refused",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::TooMany => "too_many_entries",
            Self::Endless => "endless",
        }
    }
}

/// A poll that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PollError {
    pub(super) fault: FeedFault,
    /// The status of the answer that was not as wanted.
    pub(super) status: Option<u16>,
    /// What the server asked to wait.
    pub(super) retry_after: Option<Duration>,
}

impl From<FeedFault> for PollError {
    fn from(fault: FeedFault) -> Self {
        Self { fault, status: None, retry_after: None }
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.code())?;
        self.status.map_or(Ok(()), |status| write!(f, " ({status})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_stands_where_its_number_says() {
        for (number, fault) in FeedFault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, number);
        }
    }
}
