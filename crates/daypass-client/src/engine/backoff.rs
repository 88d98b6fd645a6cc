//! How long to wait before a service that did not answer is asked again.

use std::time::Duration;

/// What is known of a service that did not answer. Times are of the clock that counts suspension.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    /// When the next request may leave.
    next: Option<Duration>,
    /// Until when the service asked to be left alone.
    asked: Option<Duration>,
    /// When the host was last known to have come back.
    awoke: Option<Duration>,
}

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(4);
/// Just after waking, the network is about to come back.
const MOST_AFTER_WAKING: Duration = Duration::from_secs(1);
const JUST_AWAKE: Duration = Duration::from_secs(20);

impl Backoff {
    /// A request failed. The wait before the next is drawn from nothing to twice the last bound ("full jitter",
    /// from a quarter of a second to four), and is no shorter than the service asked for.
    pub(super) fn failed(&mut self, now: Duration, retry_after: Option<Duration>, random: u32) {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(self.most(now));
        let wait = bound.mul_f64(f64::from(random) / f64::from(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.next = Some(now.saturating_add(wait));
        if let Some(retry_after) = retry_after {
            // The others who were told the same do not come back at the same moment either.
            self.asked = Some(now.saturating_add(retry_after));
            self.next = Some(now.saturating_add(retry_after).saturating_add(wait));
        }
    }

    /// A request was answered.
    pub(super) fn answered(&mut self) {
        *self = Self { awoke: self.awoke, ..Self::default() };
    }

    /// The host is online or awake again: the past says nothing. What the service asked for stands.
    pub(super) fn woke(&mut self, now: Duration) {
        *self = Self { failures: 0, next: self.asked, asked: self.asked, awoke: Some(now) };
    }

    /// How long the next request has still to wait.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        self.next.unwrap_or_default().saturating_sub(now)
    }

    /// How long the service has still to be left alone, if it asked for it.
    pub(super) fn retry_after(&self, now: Duration) -> Option<Duration> {
        self.asked.map(|until| until.saturating_sub(now)).filter(|left| !left.is_zero())
    }

    fn most(&self, now: Duration) -> Duration {
        let just_awake = self.awoke.is_some_and(|awoke| now < awoke.saturating_add(JUST_AWAKE));
        if just_awake { MOST_AFTER_WAKING } else { MOST }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The waits after so many failures in a row, all of them drawn from the top.
    fn longest(backoff: &mut Backoff, times: usize) -> Vec<u128> {
        let fail = |_| {
            backoff.failed(NOW, None, u32::MAX);
            backoff.wait(NOW).as_millis()
        };
        (0..times).map(fail).collect()
    }

    #[test]
    fn the_bound_doubles_up_to_four_seconds_and_an_answer_forgets_it() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(NOW), Duration::ZERO);
        assert_eq!(longest(&mut backoff, 7), [250, 500, 1000, 2000, 4000, 4000, 4000]);
        backoff.answered();
        assert_eq!(backoff.wait(NOW), Duration::ZERO);
        assert_eq!(longest(&mut backoff, 1), [250]);
    }

    #[test]
    fn a_wait_is_drawn_from_nothing_to_its_bound() {
        let mut backoff = Backoff::default();
        backoff.failed(NOW, None, 0);
        assert_eq!(backoff.wait(NOW), Duration::ZERO);
        backoff.failed(NOW, None, u32::MAX / 2);
        let wait = backoff.wait(NOW);
        assert!(wait > millis(249) && wait <= millis(250), "{wait:?}");
    }

    #[test]
    fn waking_clears_the_waits_and_keeps_them_under_a_second_for_twenty() {
        let mut backoff = Backoff::default();
        longest(&mut backoff, 5);
        backoff.woke(NOW);
        assert_eq!(backoff.wait(NOW), Duration::ZERO);
        assert_eq!(longest(&mut backoff, 5), [250, 500, 1000, 1000, 1000]);
        let later = NOW + JUST_AWAKE;
        backoff.failed(later, None, u32::MAX);
        assert_eq!(backoff.wait(later), millis(4000));
    }

    #[test]
    fn what_the_service_asked_for_stands_through_waking_and_further_failures() {
        let mut backoff = Backoff::default();
        backoff.failed(NOW, Some(millis(7000)), u32::MAX);
        assert_eq!((backoff.wait(NOW), backoff.retry_after(NOW)), (millis(7250), Some(millis(7000))));
        backoff.woke(NOW);
        assert_eq!(backoff.wait(NOW), millis(7000));
        let over = NOW + millis(7000);
        assert_eq!((backoff.wait(over), backoff.retry_after(over)), (Duration::ZERO, None));
    }

    proptest! {
        #[test]
        fn no_request_leaves_before_its_time(after in prop::option::of(0u64..10_000), random: u32, wakes: bool) {
            let mut backoff = Backoff::default();
            let after = after.map(millis);
            backoff.failed(NOW, after, random);
            if wakes {
                backoff.woke(NOW);
            }
            prop_assert!(backoff.wait(NOW) >= after.unwrap_or_default());
            prop_assert!(backoff.wait(NOW) <= after.unwrap_or_default() + FIRST);
        }
    }
}
