//! Limits on guessing: how long an account must be left alone after wrong passwords.

use std::time::Duration;

use crate::time::{STEADY, Timestamp, millis};

/// Wrong passwords older than this are forgotten.
const MEMORY: Duration = Duration::from_hours(24);

/// The longest wait that is asked for.
const LONGEST: Duration = Duration::from_mins(15);

/// The wrong passwords seen in a row for one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guesses {
    /// How many, since the last right one.
    pub failures: u32,
    /// When the last came.
    pub last: Timestamp,
}

impl Guesses {
    /// Whether another try may be made now, with `free` failures before any wait.
    ///
    /// From there on the wait doubles with each failure: 1 s, 2 s, 4 s… up to 15 minutes.
    ///
    /// # Errors
    /// How long to wait.
    pub fn admit(&self, free: u32, now: Timestamp) -> Result<(), Duration> {
        if now.millis_since(self.last) > millis(MEMORY) {
            return Ok(());
        }
        let Some(over) = self.failures.checked_sub(free) else { return Ok(()) };
        let wait = Duration::from_secs(1u64.checked_shl(over).unwrap_or(u64::MAX)).min(LONGEST);
        let since = now.millis_since(self.last);
        // The clock has gone back: nobody can tell how long ago it was, and the wait must not last
        // until the clock has come there again. The next failure is dated anew.
        if since < -STEADY {
            return Ok(());
        }
        let since = since.max(0);
        let left = millis(wait).saturating_sub(since);
        if left <= 0 { Ok(()) } else { Err(Duration::from_millis(left.unsigned_abs())) }
    }

    /// The state after another wrong password.
    #[must_use]
    pub fn failed(&self, now: Timestamp) -> Self {
        let forgotten = now.millis_since(self.last) > millis(MEMORY);
        let failures = if forgotten { 1 } else { self.failures.saturating_add(1) };
        Self { failures, last: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    #[test]
    fn the_wait_starts_after_the_free_tries_and_doubles() {
        let mut guesses = Guesses::default();
        for _ in 0..3 {
            assert_eq!(guesses.admit(3, at(0)), Ok(()));
            guesses = guesses.failed(at(0));
        }
        assert_eq!(guesses.admit(3, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(guesses.admit(3, at(1)), Ok(()));
        guesses = guesses.failed(at(1));
        assert_eq!(guesses.admit(3, at(1)), Err(Duration::from_secs(2)));
        for _ in 0..100 {
            guesses = guesses.failed(at(1));
        }
        assert_eq!(guesses.admit(3, at(1)), Err(LONGEST));
        assert_eq!(guesses.admit(3, at(0)), Err(LONGEST), "the clock went back a little");
        assert_eq!(guesses.admit(3, at(-1)), Ok(()), "the clock went back");
    }

    #[test]
    fn failures_are_forgotten_after_a_day() {
        let guesses = Guesses { failures: 50, last: at(0) };
        assert_eq!(guesses.admit(3, at(24 * 3600 + 1)), Ok(()));
        assert_eq!(guesses.failed(at(24 * 3600 + 1)).failures, 1);
    }
}
