//! The report as it is printed.

use super::*;
use crate::account::{DUE, ZEROS};

fn report(spoiled: bool) -> Report {
    let run = Run::new(7, 1000, None);
    for what in DUE.iter().filter(|what| !spoiled || **what != What::ServiceKills) {
        run.account.add(*what);
    }
    run.account.add_many(What::Rotations, 1_234_566);
    run.account.noticed(3);
    run.account.started(std::time::Duration::from_millis(250));
    if spoiled {
        let token = crate::token::tests::token(1, 0, 1);
        let session = crate::token::Named::read(&token).map(|named| named.session);
        run.account.object(Zero::Twins, "generation 4 has two refresh tokens", session);
    }
    let store = Found { rotations: 1_234_570, sessions: 60, alarms: 1, healed: 0, superseded: 0 };
    let mut report = Report::of(&run, store, 12.34, "daypass-chaos --seed 7".into());
    if spoiled {
        report.folder = Some("kept".into());
        report.objections.iter_mut().for_each(|told| told.past.push("owner 3 [3:abc] -> 4 (def)".into()));
    }
    report
}

#[test]
fn a_run_that_went_well() {
    let report = report(false);
    assert!(report.passed);
    insta::assert_snapshot!(table::of(&report, false));
}

#[test]
fn a_run_that_did_not() {
    let report = report(true);
    assert!(!report.passed);
    insta::assert_snapshot!(table::of(&report, false));
}

#[test]
fn json_has_the_same() {
    insta::assert_json_snapshot!(report(true));
}

#[test]
fn colours_stand_around_counts_only_if_they_are_wanted() {
    let report = report(true);
    assert!(table::of(&report, true).contains("\x1b[31m"));
    assert!(!table::of(&report, false).contains('\x1b'));
}

#[test]
fn each_zero_that_is_none_and_each_missing_event_fail_the_run() {
    for zero in ZEROS {
        let run = Run::new(7, 1000, None);
        add_all(&run, DUE.iter());
        assert!(Report::of(&run, Found::default(), 0.0, String::new()).passed);
        run.account.object(*zero, "it is wrong", None);
        assert!(!Report::of(&run, Found::default(), 0.0, String::new()).passed, "{zero:?}");
    }
    for absent in DUE {
        let run = Run::new(7, 1000, None);
        add_all(&run, DUE.iter().filter(|what| *what != absent));
        assert!(!Report::of(&run, Found::default(), 0.0, String::new()).passed, "{absent:?}");
    }
}

fn add_all<'a>(run: &Run, all: impl Iterator<Item = &'a What>) {
    for what in all {
        run.account.add(*what);
    }
}

#[test]
fn everything_that_is_counted_is_told() {
    let told: std::collections::BTreeSet<_> = COUNTED.iter().collect();
    assert!(DUE.iter().all(|what| told.contains(what)) && told.len() == COUNTED.len());
}
