//! Pages in all orders, and what is forgotten when.

use super::*;
use crate::revocation::facts::Facts;

const HOUR: u64 = 3600;

/// An hour after the epoch on both clocks.
const START: Now = at(HOUR, HOUR);

const fn at(wall: u64, running: u64) -> Now {
    Now { wall: Duration::from_secs(wall), running: Duration::from_secs(running) }
}

/// A session that ended at the start, to be remembered for an hour.
fn session(sid: u128) -> Entry {
    Entry { ended: Ended::Session(sid), at_ms: 3_600_000, until: 7200 }
}

fn page(cursor: &str, reset: bool, complete: bool, sids: &[u128]) -> Page {
    let entries = sids.iter().map(|sid| session(*sid)).collect();
    Page { cursor: cursor.to_owned(), complete, reset, entries }
}

/// Which of the sessions 1 to 9 readers see as ended.
fn ended(ledger: &Ledger) -> Vec<u128> {
    let set = ledger.published.load();
    (1..10).filter(|sid| set.contains("ada", Facts { sid: Some(*sid), started_ms: 0 })).collect()
}

#[test]
fn pages_follow_one_another() {
    let mut ledger = Ledger::new(9);
    assert_eq!(ledger.cursor(), None);
    assert_eq!(ledger.apply(page("a", true, false, &[1]), START), Ok(false));
    assert_eq!(
        (ended(&ledger), ledger.cursor()),
        (vec![1], Some("a")),
        "in force before the snapshot is complete"
    );
    assert_eq!(ledger.apply(page("b", false, true, &[2]), START), Ok(true));
    assert_eq!((ended(&ledger), ledger.cursor()), (vec![1, 2], Some("b")));
    assert_eq!(ledger.apply(page("b", false, true, &[]), START), Ok(true));
    assert_eq!(ledger.apply(page("c", false, true, &[2, 3]), START), Ok(true));
    assert_eq!(ended(&ledger), [1, 2, 3]);
}

#[test]
fn a_reset_voids_what_was_known_when_its_snapshot_is_complete_and_not_before() {
    let mut ledger = Ledger::new(9);
    ledger.apply(page("a", true, true, &[1, 2]), START).unwrap();
    ledger.apply(page("b", true, false, &[2, 3]), START).unwrap();
    assert_eq!(ended(&ledger), [1, 2, 3]);
    ledger.apply(page("c", true, false, &[4]), START).unwrap();
    assert_eq!(ended(&ledger), [1, 2, 3, 4], "the snapshot that was begun before is in force too");
    ledger.apply(page("d", false, true, &[5]), START).unwrap();
    assert_eq!(ended(&ledger), [4, 5]);
}

#[test]
fn an_answer_without_cursor_is_a_snapshot_whatever_it_says() {
    let mut ledger = Ledger::new(9);
    ledger.apply(page("a", false, true, &[1]), START).unwrap();
    assert_eq!(ended(&ledger), [1]);
}

#[test]
fn what_does_not_fit_is_said_and_never_dropped() {
    let mut ledger = Ledger::new(3);
    ledger.apply(page("a", true, true, &[1, 2]), START).unwrap();
    assert_eq!(ledger.apply(page("b", false, true, &[1, 3, 4]), START), Err(FeedFault::TooMany));
    assert_eq!((ended(&ledger), ledger.cursor()), (vec![1, 2, 3], Some("a")), "what fits is in force");
    ledger.forget(at(3 * HOUR, 3 * HOUR));
    assert_eq!(ledger.apply(page("b", false, true, &[1, 3, 4]), at(3 * HOUR, 3 * HOUR)), Ok(true));
    assert_eq!(ended(&ledger), [1, 3, 4]);
    let snapshot = page("c", true, true, &[1, 2, 3, 4]);
    assert_eq!(ledger.apply(snapshot, at(3 * HOUR, 3 * HOUR)), Err(FeedFault::TooMany));
    assert_eq!((ended(&ledger), ledger.cursor()), (vec![1, 2, 3, 4], Some("b")));
}

#[test]
fn a_snapshot_whose_first_page_does_not_fit_is_never_taken_for_a_whole_one() {
    let mut ledger = Ledger::new(3);
    ledger.apply(page("a", true, true, &[1, 2]), START).unwrap();
    for complete in [true, false] {
        assert_eq!(ledger.apply(page("b", true, complete, &[3, 4, 5, 6]), START), Err(FeedFault::TooMany));
        // Asked again from where it was, the service reads on, and begins no snapshot.
        assert_eq!(ledger.apply(page("a", false, true, &[]), START), Ok(true));
        assert_eq!(ended(&ledger), [1, 2, 3, 4, 5, 6], "nothing that was known is void");
    }
}

#[test]
fn a_page_that_leads_nowhere_is_refused() {
    let mut ledger = Ledger::new(9);
    ledger.apply(page("a", true, true, &[]), START).unwrap();
    assert_eq!(ledger.apply(page("a", false, false, &[1]), START), Err(FeedFault::Endless));
}

#[test]
fn entries_are_forgotten_after_their_time() {
    let mut ledger = Ledger::new(9);
    ledger.apply(page("a", true, true, &[1]), START).unwrap();
    let later = Entry { until: 9000, ..session(2) };
    let page = Page { entries: vec![later, session(1)], ..page("b", false, true, &[]) };
    ledger.apply(page, at(HOUR + 1000, HOUR + 1000)).unwrap();
    for (seconds, left) in
        [(7200, &[1, 2][..]), (7201, &[2]), (9000, &[2]), (10_000, &[2]), (10_001, &[]), (99_999, &[])]
    {
        ledger.forget(at(seconds, seconds));
        assert_eq!(ended(&ledger), left, "after {seconds} s");
    }
    assert!(ledger.current.due.is_empty());
}

#[test]
fn a_wrong_time_of_day_makes_nothing_forgotten_early() {
    let mut ledger = Ledger::new(9);
    ledger.apply(page("a", true, true, &[1]), START).unwrap();
    ledger.forget(at(1_000_000, 7200));
    assert_eq!(ended(&ledger), [1], "the time of day is ahead");
    ledger.forget(at(0, 7300));
    assert_eq!(ended(&ledger), [1], "the time of day is behind");
    ledger.forget(at(7199, 14_499));
    assert_eq!(ended(&ledger), [1]);
    ledger.forget(at(7200, 14_500));
    assert_eq!(ended(&ledger), []);
}

#[test]
fn an_entry_that_becomes_stronger_is_kept_for_longer() {
    let mut ledger = Ledger::new(9);
    let cutoff = |not_before_ms, until| Entry {
        ended: Ended::Subject { sub: "ada".into(), not_before_ms },
        at_ms: not_before_ms,
        until,
    };
    let with = |cursor: &str, entry| Page { entries: vec![entry], ..page(cursor, false, true, &[]) };
    ledger.apply(with("a", cutoff(3_600_000, 7200)), START).unwrap();
    ledger.apply(with("b", cutoff(7_000_000, 10_600)), at(7000, 7000)).unwrap();
    ledger.apply(with("b", cutoff(3_600_000, 7200)), at(7001, 7001)).unwrap();
    let over = |ledger: &Ledger, started_ms| {
        ledger.published.load().contains("ada", Facts { sid: None, started_ms })
    };
    // Though the time of day is ahead, the end of the first entry's time is not the second's.
    ledger.forget(at(1_000_000, 10_000));
    assert!(over(&ledger, 6_999_999) && !over(&ledger, 7_000_000));
    ledger.forget(at(10_601, 10_601));
    assert!(!over(&ledger, 0));
    assert_eq!(ledger.published.load().len(), 0);
}
