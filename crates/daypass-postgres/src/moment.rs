//! When a transaction happens: by the database's clock, which all nodes share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_core::time::steady;
use daypass_core::{Clock, RotationState, Timestamp};

/// The moment at which a transaction decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The time that is decided and recorded by.
    pub(crate) now: Timestamp,
    /// No access token of a rotation that is decided before this transaction commits is dated later:
    /// the latest time that any transaction of this node had, and as much more as one may take.
    pub(crate) minted: Timestamp,
    /// Where the clock last went back: from there, to there.
    step_back: Option<(Timestamp, Timestamp)>,
}

impl Moment {
    /// Dates a rotation from before the clock went back by the time that it has had since. What is
    /// not later than now may be from after it and stays.
    pub(crate) fn redate(&self, state: &mut RotationState) {
        if let Some((from, to)) = self.step_back.filter(|_| state.rotated_at > self.now) {
            let redated =
                |at: Timestamp| Timestamp::from_millis(at.millis().saturating_sub(from.millis_since(to)));
            state.rotated_at = redated(state.rotated_at);
            state.seen_at = redated(state.seen_at);
        }
    }
}

/// Makes moments of what the database's clock shows.
pub(crate) struct Timekeeper {
    /// Tells the time in the database's place, in tests.
    instead: Option<Arc<dyn Clock>>,
    longest: Duration,
    line: Mutex<Timeline>,
}

struct Timeline {
    last: Timestamp,
    latest: Timestamp,
    step_back: Option<(Timestamp, Timestamp)>,
}

impl Timekeeper {
    /// For transactions that take no longer than `longest`. With a clock, that one tells the time.
    pub(crate) fn new(longest: Duration, instead: Option<Arc<dyn Clock>>) -> Self {
        let start = Timestamp::from_millis(i64::MIN);
        let longest = if instead.is_some() { Duration::ZERO } else { longest };
        let line = Mutex::new(Timeline { last: start, latest: start, step_back: None });
        Self { instead, longest, line }
    }

    /// The moment of a transaction in which the database's clock showed `shown`.
    pub(crate) fn moment(&self, shown: Timestamp) -> Moment {
        let mut line = self.line.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Read with the lock held, or a transaction that came later could be given an earlier time.
        let shown = self.instead.as_ref().map_or(shown, Clock::now);
        let now = steady(shown, line.last);
        if now < line.last {
            tracing::warn!(millis = line.last.millis_since(now), "the database's clock went back");
            line.step_back = Some((line.last, now));
        }
        line.last = now;
        line.latest = line.latest.max(now);
        Moment { now, minted: line.latest.plus(self.longest), step_back: line.step_back }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_rotation_from_before_the_clock_went_back_keeps_its_age() {
        let keeper = Timekeeper::new(Duration::from_secs(2), None);
        assert_eq!(keeper.moment(at(1_000_000)).now, at(1_000_000));
        assert_eq!(keeper.moment(at(999_500)).now, at(1_000_000), "a small step is standing still");
        let moment = keeper.moment(at(900_000));
        assert_eq!((moment.now, moment.minted), (at(900_000), at(1_002_000)));
        let mut state = RotationState::first(at(1_000_000 - 5), daypass_core::TokenKeyId(1));
        moment.redate(&mut state);
        assert_eq!((state.rotated_at, state.seen_at), (at(899_995), at(899_995)));
        moment.redate(&mut state);
        assert_eq!(state.rotated_at, at(899_995), "once");
    }

    #[test]
    fn a_clock_of_a_test_is_taken_at_its_word() {
        let keeper = Timekeeper::new(Duration::from_secs(2), Some(Arc::new(Standing)));
        let moment = keeper.moment(at(5));
        assert_eq!((moment.now, moment.minted), (at(42), at(42)));
    }

    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            at(42)
        }
    }
}
