//! Points in time, and the clock as an interface that somebody else implements.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The point `seconds` seconds after the Unix epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: a JWT's NumericDate (RFC 7519 section 2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds from `earlier` to `self`; negative where the clock went back between the two.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// What remains from `self` until `later`; zero if it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.millis_since(self)).unwrap_or(0))
    }

    /// `self` moved on by `by`, saturating.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

/// How far back a clock may go and be taken to have stood still.
pub(crate) const STEADY: i64 = 1000;

/// The time of a transaction whose clock reads `now` after one at `last`.
///
/// A clock that is set back by up to a second, as time synchronisation does, is taken to have stood
/// still, so that a retry never seems to come before the rotation that it repeats. A greater step is
/// somebody's intention and is followed.
#[must_use]
pub fn steady(now: Timestamp, last: Timestamp) -> Timestamp {
    if (0..=STEADY).contains(&last.millis_since(now)) { last } else { now }
}

/// A duration in whole milliseconds, saturating.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where the time comes from. Nothing in this crate reads one: the decision takes `now` as a value.
///
/// A store asks its clock once per transaction, inside it, so that no two rotations of one session
/// are decided in one order and timed in another.
pub trait Clock: Send + Sync + 'static {
    /// The present, to the millisecond. It may go back; no rule relies on its being monotonic.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_step_back_is_standing_still_and_a_great_one_is_followed() {
        let at = Timestamp::from_millis;
        assert_eq!(steady(at(5_000), at(4_000)), at(5_000));
        assert_eq!(steady(at(5_000), at(5_000)), at(5_000));
        assert_eq!(steady(at(5_000), at(5_001)), at(5_001));
        assert_eq!(steady(at(5_000), at(6_000)), at(6_000));
        assert_eq!(steady(at(5_000), at(6_001)), at(5_000));
    }

    #[test]
    fn seconds_are_rounded_down_on_either_side_of_the_epoch() {
        assert_eq!(Timestamp::from_millis(1_999).seconds(), 1);
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
        assert_eq!(Timestamp::from_seconds(i64::MAX).millis(), i64::MAX);
    }
}
