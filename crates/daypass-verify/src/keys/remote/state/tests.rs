//! The schedule by tables, and its bounds over any sequence of events.

use std::time::Duration;

use proptest::prelude::*;

use super::{COOL_DOWN, GOOD_FOR, Hope, Next, Outcome, REFRESH_AFTER, Schedule};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A schedule whose first fetch, at 0, was good.
fn warm() -> Schedule {
    let mut schedule = Schedule::default();
    assert_eq!(schedule.next(at(0)), Next::Fetch);
    schedule.fetched(at(0));
    schedule
}

#[test]
fn keys_are_fetched_at_once_and_then_ahead_of_their_end() {
    let mut schedule = Schedule::default();
    assert_eq!(schedule.next(at(5)), Next::Fetch);
    schedule.fetched(at(6));
    // Four minutes from the question, not from the answer.
    assert_eq!(schedule.next(at(6)), Next::Wait(at(245)));
    assert_eq!(schedule.next(at(244)), Next::Wait(at(245)));
    assert_eq!(schedule.next(at(245)), Next::Fetch);
    schedule.fetched(at(245));
    assert_eq!(schedule.next(at(245)), Next::Wait(at(485)));
    const { assert!(REFRESH_AFTER.as_secs() * 10 == super::FRESH_FOR.as_secs() * 8) };
    const { assert!(super::FRESH_FOR.as_secs() < GOOD_FOR.as_secs()) };
}

#[test]
fn a_failure_is_tried_again_after_the_cool_down_cold_or_warm() {
    let mut cold = Schedule::default();
    assert_eq!(cold.next(at(0)), Next::Fetch);
    cold.failed(at(2));
    assert_eq!(cold.next(at(2)), Next::Wait(at(12)));
    assert_eq!(cold.miss(at(4)), Hope::None(at(8)));
    assert_eq!(cold.next(at(12)), Next::Fetch);

    let mut warm = warm();
    assert_eq!(warm.next(at(240)), Next::Fetch);
    warm.failed(at(242));
    assert_eq!(warm.next(at(242)), Next::Wait(at(252)));
    assert_eq!((warm.unbroken(), warm.rest(at(250))), (None, at(2)));
    assert_eq!(warm.next(at(252)), Next::Fetch);
    warm.fetched(at(252));
    assert_eq!((warm.unbroken(), warm.rest(at(252))), (Some(at(252)), at(0)));
}

#[test]
fn a_miss_is_fetched_for_at_once_and_then_not_for_ten_seconds() {
    let mut schedule = warm();
    assert_eq!(schedule.miss(at(1)), Hope::Next(2));
    assert_eq!(schedule.miss(at(1)), Hope::Next(2), "the same one");
    assert_eq!(schedule.outcome(2), Outcome::Pending);
    assert_eq!(schedule.next(at(1)), Next::Fetch);
    assert_eq!((schedule.miss(at(2)), schedule.outcome(2)), (Hope::Running(2), Outcome::Pending));
    schedule.fetched(at(2));
    assert_eq!(schedule.outcome(2), Outcome::Fetched);
    assert_eq!(schedule.miss(at(2)), Hope::None(at(10)));
    assert_eq!(schedule.next(at(3)), Next::Wait(at(241)), "it counts as a refresh");
    assert_eq!(schedule.miss(at(12)), Hope::Next(3));
}

#[test]
fn a_scheduled_fetch_leaves_the_next_miss_one_of_its_own() {
    let mut schedule = warm();
    assert_eq!(schedule.next(at(240)), Next::Fetch);
    assert_eq!(schedule.miss(at(240)), Hope::Running(2));
    schedule.fetched(at(241));
    assert_eq!(schedule.miss(at(241)), Hope::Next(3));
}

#[test]
fn an_outcome_is_that_of_the_fetch_or_of_a_later_good_one() {
    let mut schedule = warm();
    assert_eq!(schedule.next(at(240)), Next::Fetch);
    schedule.failed(at(240));
    assert_eq!((schedule.outcome(1), schedule.outcome(2)), (Outcome::Fetched, Outcome::Failed));
    assert_eq!(schedule.next(at(250)), Next::Fetch);
    assert_eq!(schedule.outcome(2), Outcome::Failed);
    schedule.fetched(at(250));
    assert_eq!((schedule.outcome(2), schedule.outcome(3)), (Outcome::Fetched, Outcome::Fetched));
}

/// What happens next, from outside.
#[derive(Clone, Copy, Debug)]
enum Step {
    Miss,
    Pass { millis: u64 },
}

/// How fetches end, in turn.
#[derive(Clone, Copy, Debug)]
struct End {
    good: bool,
    millis: u64,
}

struct Run {
    schedule: Schedule,
    now: Duration,
    ends: std::iter::Cycle<std::vec::IntoIter<End>>,
    /// The fetch under way: whether and when it will end.
    under_way: Option<(bool, Duration)>,
    /// When each fetch began, when it ended, and whether a cool-down must follow.
    fetches: Vec<(Duration, Duration, bool)>,
    misses_before_begin: bool,
}

impl Run {
    /// Does what a task does until `until`.
    fn pass(&mut self, until: Duration) {
        loop {
            let next = match self.under_way {
                Some((_, end)) => end,
                None => match self.schedule.next(self.now) {
                    Next::Fetch => {
                        self.begin();
                        continue;
                    }
                    Next::Wait(next) => {
                        assert!(next > self.now && next <= self.now + REFRESH_AFTER, "{next:?}");
                        next
                    }
                },
            };
            if next > until {
                break;
            }
            self.now = next;
            self.end();
        }
        self.now = until;
    }

    fn begin(&mut self) {
        let end = self.ends.next().unwrap();
        let ended = self.now + Duration::from_millis(end.millis);
        let cools = !end.good || std::mem::take(&mut self.misses_before_begin);
        self.misses_before_begin = false;
        self.fetches.push((self.now, ended, cools));
        self.under_way = Some((end.good, ended));
    }

    fn end(&mut self) {
        match self.under_way.take() {
            Some((true, _)) => self.schedule.fetched(self.now),
            Some((false, _)) => self.schedule.failed(self.now),
            None => {}
        }
    }

    fn miss(&mut self) {
        let begun = u64::try_from(self.fetches.len()).unwrap();
        match self.schedule.miss(self.now) {
            Hope::Running(number) => assert!(self.under_way.is_some() && number == begun),
            Hope::Next(number) => {
                assert!(self.under_way.is_none() && number == begun + 1);
                self.misses_before_begin = true;
                self.pass(self.now);
                assert_eq!(u64::try_from(self.fetches.len()), Ok(number), "it began at once");
            }
            Hope::None(rest) => assert!(rest <= COOL_DOWN && !rest.is_zero()),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Miss),
        2 => (0_u64..3_000).prop_map(|millis| Step::Pass { millis }),
        1 => (0_u64..400_000).prop_map(|millis| Step::Pass { millis }),
    ];
    proptest::collection::vec(step, 1..200)
}

fn ends() -> impl Strategy<Value = Vec<End>> {
    let end = (any::<bool>(), 0_u64..=2_000).prop_map(|(good, millis)| End { good, millis });
    proptest::collection::vec(end, 1..20)
}

proptest! {
    #[test]
    fn whatever_happens_fetches_stay_within_their_bounds(steps in steps(), ends in ends()) {
        let mut run = Run {
            schedule: Schedule::default(),
            now: Duration::ZERO,
            ends: ends.into_iter().cycle(),
            under_way: None,
            fetches: Vec::new(),
            misses_before_begin: false,
        };
        run.pass(Duration::ZERO);
        for step in steps {
            match step {
                Step::Miss => run.miss(),
                Step::Pass { millis } => run.pass(run.now + Duration::from_millis(millis)),
            }
        }
        for (this, next) in run.fetches.iter().zip(run.fetches.iter().skip(1)) {
            let (_, ended, cools) = *this;
            let rest = if cools { COOL_DOWN } else { Duration::ZERO };
            prop_assert!(next.0 >= ended + rest, "{this:?} {next:?}");
        }
        // In any minute: six that a cool-down follows, and one that keeps the keys fresh.
        for (place, (began, ..)) in run.fetches.iter().enumerate() {
            let minute = run.fetches.iter().skip(place).take_while(|(other, ..)| *other < *began + at(60));
            let (all, cooling) =
                minute.fold((0, 0), |(all, cooling), (.., cools)| (all + 1, cooling + u32::from(*cools)));
            prop_assert!(cooling <= 6 && all - cooling <= 1, "{cooling} of {all} after {began:?}");
        }
    }

    #[test]
    fn while_fetches_succeed_the_keys_stay_fresh(steps in steps(), millis in 0_u64..2_000) {
        let mut run = Run {
            schedule: Schedule::default(),
            now: Duration::ZERO,
            ends: vec![End { good: true, millis }].into_iter().cycle(),
            under_way: None,
            fetches: Vec::new(),
            misses_before_begin: false,
        };
        run.pass(at(2));
        for step in steps {
            match step {
                Step::Miss => run.miss(),
                Step::Pass { millis } => run.pass(run.now + Duration::from_millis(millis)),
            }
            let age = run.now.checked_sub(run.schedule.unbroken().unwrap()).unwrap();
            prop_assert!(age <= REFRESH_AFTER + COOL_DOWN + at(2), "{age:?}");
        }
    }
}
