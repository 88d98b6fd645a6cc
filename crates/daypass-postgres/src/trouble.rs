//! What goes wrong in a transaction, told apart by what can be done about it.

use std::time::Duration;

use daypass_storage::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// When to come back if a queue is full or all connections are lent out.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is answered where no more can wait.
pub(crate) const fn overloaded() -> StoreError {
    StoreError::Overloaded { retry_after: RETRY_AFTER }
}

/// Why a transaction came to nothing, or may have.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Another transaction was in the way. Nothing happened; the same again may succeed.
    Conflict(String),
    /// Somebody holds a row for longer than was to be waited for. Nothing happened.
    Blocked(String),
    /// The connection is of no more use. Nothing was committed.
    Lost(String),
    /// The connection was lost after the commit was asked for.
    Unknown(String),
    /// Anything else. Nothing happened, and trying again at once would change nothing.
    Store(StoreError),
}

impl Trouble {
    /// What is answered if nothing more is tried.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Conflict(text) | Self::Blocked(text) | Self::Lost(text) => StoreError::Unavailable(text),
            Self::Unknown(text) => StoreError::OutcomeUnknown(text),
            Self::Store(error) => error,
        }
    }

    /// The same, told of a commit: only where the database says that it did not commit has it not.
    pub(crate) fn of_commit(self) -> Self {
        match self {
            Self::Lost(text) => Self::Unknown(text),
            other => other,
        }
    }

    /// Whether the connection can be used for another transaction.
    pub(crate) const fn spares_connection(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Blocked(_) | Self::Store(_))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        let Some(code) = error.code() else { return Self::Lost(text) };
        if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
            return Self::Conflict(text);
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            return Self::Blocked(text);
        }
        if code.code() == "40003" {
            // `statement_completion_unknown`: some engines say so of a commit.
            return Self::Unknown(text);
        }
        if ends_the_connection(code) {
            return Self::Lost(text);
        }
        Self::Store(match code.code() {
            // No such table, column, function or schema.
            "42P01" | "42703" | "42883" | "3F000" => StoreError::Schema(format!(
                "{text}: the schema does not fit this release; `daypass migrate` brings it up to date"
            )),
            "XX001" | "XX002" => StoreError::Corrupt(text),
            _ => StoreError::Unavailable(text),
        })
    }
}

/// Whether the server is leaving, or is not one to write to any more (a primary that was demoted).
fn ends_the_connection(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08") || code.starts_with("57P") || code == "25006" || code == "25P03"
}

/// An error in words that hold no value of a row: the server's message and code, without its detail.
pub(crate) fn describe(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
