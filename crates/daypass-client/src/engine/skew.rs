//! How far this machine's clock is off.

use std::time::Duration;

/// What is less is of no consequence.
const TOLD_FROM: i64 = 60;

/// The last skew that the host was told of, in seconds; none so far is none at all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew(i64);

impl Skew {
    /// Takes note of the service's time, as it was when a request was answered that was sent at `sent`. Returns what
    /// the host has to be told: how many seconds the service's clock is ahead.
    pub(super) fn note(&mut self, service: Duration, sent: Duration, answered: Duration) -> Option<i64> {
        // The service wrote it somewhere between the two; a wall clock that jumped meanwhile is one that jumps.
        let here = sent.saturating_add(answered) / 2;
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let ahead = seconds(service).saturating_sub(seconds(here));
        let ahead = if ahead.unsigned_abs() > TOLD_FROM.unsigned_abs() { ahead } else { 0 };
        let changed = ahead.abs_diff(self.0) > TOLD_FROM.unsigned_abs();
        changed.then(|| {
            self.0 = ahead;
            ahead
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_per_change() {
        let at = |seconds: u64| Duration::from_secs(seconds);
        let mut skew = Skew::default();
        let mut note =
            |service: u64, sent: u64, answered: u64| skew.note(at(service), at(sent), at(answered));
        assert_eq!(note(10_060, 10_000, 10_000), None);
        assert_eq!(note(13_600, 10_000, 10_000), Some(3600));
        assert_eq!(note(13_650, 10_000, 10_000), None);
        assert_eq!(note(13_661, 10_000, 10_000), Some(3661));
        assert_eq!(note(10_000, 10_000, 10_000), Some(0), "put right");
        assert_eq!(note(10_000, 13_600, 13_600), Some(-3600));
        assert_eq!(note(10_000, 9_900, 10_100), Some(0), "half of the way there and back");
        assert_eq!(note(u64::MAX, 0, 0), Some(i64::MAX));
    }
}
