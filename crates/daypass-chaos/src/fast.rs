//! A clock that runs faster than the machine's, so that lifetimes of seconds pass in milliseconds.

use std::time::Duration;

use daypass_ambient::{Clock, Sleep, SystemClock};

/// Time that passes `factor` times as fast as the system's since `base`. All that share both agree on the time of day,
/// also in other processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FastClock {
    factor: u32,
    base: Duration,
}

impl FastClock {
    /// A clock that agrees with the system's at `base`, since the Unix epoch.
    pub(crate) fn new(factor: u32, base: Duration) -> Self {
        Self { factor: factor.max(1), base }
    }

    /// The same time of day, passing at another rate.
    pub(crate) fn at(self, factor: u32) -> Self {
        Self::new(factor, self.base)
    }

    pub(crate) fn factor(self) -> u32 {
        self.factor
    }

    pub(crate) fn base(self) -> Duration {
        self.base
    }

    /// The time of day when the system's is this.
    fn wall_at(self, system: Duration) -> Duration {
        self.base.saturating_add(system.saturating_sub(self.base).saturating_mul(self.factor))
    }
}

impl Clock for FastClock {
    fn wall(&self) -> Duration {
        self.wall_at(SystemClock.wall())
    }

    fn running(&self) -> Duration {
        SystemClock.running().saturating_mul(self.factor)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        SystemClock.sleep(duration / self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(1_750_000_000);

    #[tokio::test]
    async fn it_runs_as_much_faster_and_no_faster() {
        let clock = FastClock::new(1000, BASE);
        let (real, running) = (SystemClock.running(), clock.running());
        clock.sleep(Duration::from_secs(2)).await;
        let passed = clock.running().saturating_sub(running);
        // Read before and after the other two, so that at least as much has passed.
        let at_most = SystemClock.running().saturating_sub(real).saturating_mul(1000);
        assert!(Duration::from_secs(2) <= passed && passed <= at_most, "{passed:?} {at_most:?}");
    }

    #[test]
    fn two_of_one_base_agree_on_the_time_of_day_if_they_run_alike() {
        let (clock, slower) = (FastClock::new(50, BASE), FastClock::new(20, BASE));
        let system = BASE + Duration::from_millis(100);
        assert_eq!(clock.wall_at(system), BASE + Duration::from_secs(5));
        assert_eq!(slower.at(50).wall_at(system), clock.wall_at(system));
        assert_eq!(slower.wall_at(system), BASE + Duration::from_secs(2));
    }
}
