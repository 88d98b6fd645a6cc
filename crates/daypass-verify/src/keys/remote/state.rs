//! When keys are fetched, how long they are good, and what a token whose key is not among them is told: as
//! values, without a clock, a network or a task.
//!
//! All times are of a clock that never goes back and runs on while the machine is suspended.

use std::time::Duration;

/// Keys are fetched again this long after the last good answer was asked for: 80 % of the five minutes in
/// which a withdrawn key is to be gone, so that one failure does not exceed them.
pub(crate) const REFRESH_AFTER: Duration = Duration::from_mins(4);
/// From this age on the timer must have been late, and a reader wakes the task.
pub(crate) const FRESH_FOR: Duration = Duration::from_mins(5);
/// While no good answer comes, the keys stay good for this long after the last one was asked for.
pub(crate) const GOOD_FOR: Duration = Duration::from_hours(1);
/// After a fetch that was made for an unknown key, or that failed, there is none for this long.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(10);

/// What the task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Fetch. It has begun: tell its end by [`Schedule::fetched`] or [`Schedule::failed`].
    Fetch,
    /// Ask again at this time, or when somebody missed a key.
    Wait(Duration),
}

/// What somebody who misses a key may hope for. Fetches are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hope {
    /// The fetch of this number is under way; its answer may be older than the key.
    Running(u64),
    /// The fetch of this number will begin at once.
    Next(u64),
    /// None will begin for this long.
    None(Duration),
}

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pending,
    Fetched,
    Failed,
}

/// The state of one issuer's keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    /// How many fetches have begun.
    begun: u64,
    /// The fetch that is under way.
    running: Option<Running>,
    /// Somebody misses a key, and the fetch for it has not begun.
    missed: bool,
    /// The last fetch that ended well, and when it began.
    good: Option<(u64, Duration)>,
    /// Whether the last fetch failed.
    failed: bool,
    /// When the cool-down ends.
    cool_until: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    began: Duration,
    for_a_miss: bool,
}

impl Schedule {
    /// Called whenever no fetch is under way: at the start, after each end, at the time that was given, and
    /// after a miss.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let due = self.due(now);
        if now < due {
            return Next::Wait(due);
        }
        self.begun += 1;
        self.running = Some(Running { began: now, for_a_miss: std::mem::take(&mut self.missed) });
        Next::Fetch
    }

    fn due(&self, now: Duration) -> Duration {
        let wanted = match self.good {
            Some((_, asked)) if !self.missed => asked.saturating_add(REFRESH_AFTER),
            _ => now,
        };
        wanted.max(self.cool_until)
    }

    /// Somebody holds a token whose key is not among those at hand.
    pub(crate) fn miss(&mut self, now: Duration) -> Hope {
        if self.running.is_some() {
            return Hope::Running(self.begun);
        }
        if now < self.cool_until {
            return Hope::None(self.cool_until.saturating_sub(now));
        }
        self.missed = true;
        Hope::Next(self.begun + 1)
    }

    /// The fetch under way ended with good keys.
    pub(crate) fn fetched(&mut self, now: Duration) {
        if let Some(running) = self.running.take() {
            self.good = Some((self.begun, running.began));
            self.failed = false;
            if running.for_a_miss {
                self.cool_until = now.saturating_add(COOL_DOWN);
            }
        }
    }

    /// The fetch under way ended without.
    pub(crate) fn failed(&mut self, now: Duration) {
        if self.running.take().is_some() {
            self.failed = true;
            self.cool_until = now.saturating_add(COOL_DOWN);
        }
    }

    /// What became of the fetch of this number, or of a later one.
    pub(crate) fn outcome(&self, number: u64) -> Outcome {
        if self.good.is_some_and(|(good, _)| good >= number) {
            Outcome::Fetched
        } else if self.begun > number || (self.begun == number && self.running.is_none()) {
            Outcome::Failed
        } else {
            Outcome::Pending
        }
    }

    /// When the last good answer was asked for, unless a later fetch failed.
    pub(crate) fn unbroken(&self) -> Option<Duration> {
        self.good.filter(|_| !self.failed).map(|(_, asked)| asked)
    }

    /// How long no fetch will begin.
    pub(crate) fn rest(&self, now: Duration) -> Duration {
        self.cool_until.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests;
