//! When the feed is read again. Pure: dice and times come from outside.

use std::time::Duration;

/// The longest wait after the first failure; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait of our own choice after a failure.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// The longest wait that a server's `Retry-After` is followed for.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A number that was drawn evenly from all 32-bit numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(pub(super) u32);

impl Dice {
    /// Evenly from zero up to `most`.
    fn up_to(self, most: Duration) -> Duration {
        most.mul_f64(f64::from(self.0) / f64::from(u32::MAX))
    }
}

/// When the next poll is due.
#[derive(Debug)]
pub(super) struct Schedule {
    every: Duration,
    failures: u32,
}

impl Schedule {
    pub(super) const fn new(every: Duration) -> Self {
        Self { every, failures: 0 }
    }

    /// The wait after a poll that ended well: the interval, a tenth more or less, so that many verifiers do not
    /// come at once.
    pub(super) fn succeeded(&mut self, dice: Dice) -> Duration {
        self.failures = 0;
        let tenth = self.every / 10;
        self.every.saturating_sub(tenth).saturating_add(dice.up_to(tenth * 2))
    }

    /// The wait after a stream ended that had caught up: somewhere in the interval, so that the many that a service has to
    /// let go when it restarts do not come back at once.
    pub(super) fn let_go(&mut self, dice: Dice) -> Duration {
        self.failures = 0;
        dice.up_to(self.every)
    }

    /// The wait after a poll that failed: drawn from all up to a bound that doubles, and never less than what the
    /// server asked for, of which a minute at most is granted.
    pub(super) fn failed(&mut self, retry_after: Option<Duration>, dice: Dice) -> Duration {
        let bound = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(4)).min(LONGEST_BACK_OFF);
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        dice.up_to(bound).max(asked)
    }
}

/// How old what is known may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// When the last complete reading began.
    pub(super) read: Option<Duration>,
    /// When following the feed began.
    pub(super) started: Duration,
}

impl Freshness {
    /// How old what is known is: since the start, if nothing is.
    pub(super) fn age(self, now: Duration) -> Duration {
        now.saturating_sub(self.read.unwrap_or(self.started))
    }

    /// Whether it is older than `bound`. Nothing is known before the first complete reading.
    pub(super) fn is_stale(self, now: Duration, bound: Duration) -> bool {
        self.read.is_none() || self.age(now) > bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Dice = Dice(0);
    const ALL: Dice = Dice(u32::MAX);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_good_poll_is_followed_in_the_interval_more_or_less() {
        let mut schedule = Schedule::new(millis(1000));
        assert_eq!(schedule.succeeded(NONE), millis(900));
        assert_eq!(schedule.succeeded(ALL), millis(1100));
    }

    #[test]
    fn those_that_were_let_go_come_back_spread_over_the_interval() {
        let mut schedule = Schedule::new(millis(1000));
        assert_eq!(schedule.let_go(NONE), Duration::ZERO);
        assert_eq!(schedule.let_go(Dice(u32::MAX / 2)), millis(500));
        assert_eq!(schedule.let_go(ALL), millis(1000));
    }

    #[test]
    fn failures_space_polls_out_up_to_ten_seconds_and_one_good_poll_forgets_them() {
        let mut schedule = Schedule::new(millis(1000));
        let bounds: Vec<_> = (0..7).map(|_| schedule.failed(None, ALL).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 10, 10, 10]);
        for _ in 0..40 {
            assert_eq!(schedule.failed(None, ALL), millis(10_000));
        }
        assert_eq!(schedule.failed(None, NONE), Duration::ZERO);
        schedule.succeeded(NONE);
        assert_eq!(schedule.failed(None, ALL), millis(1000));
    }

    #[test]
    fn a_server_that_asks_for_a_wait_gets_it_up_to_a_minute() {
        let wait = |asked, dice| Schedule::new(millis(1000)).failed(Some(millis(asked)), dice);
        assert_eq!(wait(7000, NONE), millis(7000));
        assert_eq!(wait(7000, ALL), millis(7000));
        assert_eq!(wait(500, ALL), millis(1000));
        assert_eq!(wait(86_400_000, NONE), millis(60_000));
    }

    #[test]
    fn what_is_known_grows_old() {
        let (started, bound) = (millis(1000), millis(30_000));
        let table = [
            (None, 1000, 0, true),
            (None, 3000, 2000, true),
            (Some(2000), 2000, 0, false),
            (Some(2000), 32_000, 30_000, false),
            (Some(2000), 32_001, 30_001, true),
        ];
        for (read, now, age, stale) in table {
            let freshness = Freshness { read: read.map(millis), started };
            assert_eq!(freshness.age(millis(now)), millis(age), "{read:?} at {now}");
            assert_eq!(freshness.is_stale(millis(now), bound), stale, "{read:?} at {now}");
        }
    }
}
