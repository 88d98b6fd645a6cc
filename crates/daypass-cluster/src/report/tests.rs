//! The report as it is printed, and what is reckoned for it.

use clap::Parser as _;

use super::*;
use crate::account::ZEROS;
use crate::arguments::Arguments;

fn options(flags: &[&str]) -> Options {
    Arguments::parse_from(["daypass-cluster"].iter().chain(flags)).options
}

fn report(account: &Account, flags: &[&str]) -> Report {
    let found = Found { sessions: 60, gone: 40, here: 9, healed: 3, ..Found::default() };
    let mut report = Report::of(account, &found, &options(flags), 12.34);
    report.again = "daypass-cluster".to_owned();
    report
}

#[test]
fn a_run_that_went_well() {
    let account = Account::new();
    account.known(Phase::Quiet, Duration::from_micros(12_345));
    let report = report(&account, &[]);
    assert!(report.passed && report.in_time);
    insta::assert_snapshot!(table::of(&report, false));
}

#[test]
fn each_zero_that_is_none_fails_the_run() {
    for zero in ZEROS {
        let account = Account::new();
        account.object(*zero, "it is wrong");
        let report = report(&account, &[]);
        assert!(!report.passed, "{zero:?}");
        assert!(table::of(&report, false).contains("wrong: it is wrong"));
    }
}

#[test]
fn time_fails_a_run_only_if_it_is_strict() {
    let account = Account::new();
    account.known(Phase::Quiet, Duration::from_millis(101));
    assert!(report(&account, &[]).passed && !report(&account, &[]).in_time);
    assert!(!report(&account, &["--strict"]).passed);
}

#[test]
fn gaps_are_between_renewals_and_at_both_ends() {
    let line = |at: u64| Seen::read(&format!("0.{at:03}|/v1/refresh|200|a|200")).unwrap();
    let seen = [line(110), line(150), line(180)];
    let seen: Vec<_> = seen.iter().collect();
    let gap = |begun, ended| longest_gap(&Span { phase: Phase::Quiet, begun, ended }, &seen);
    assert_eq!(gap(100, 190), 40);
    assert_eq!(gap(50, 190), 60);
    assert_eq!(gap(100, 300), 120);
    assert_eq!(gap(400, 500), 100);
}

#[test]
fn a_share_is_the_time_that_so_many_did_not_exceed() {
    let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
    let shares = [share(&times, 50), share(&times, 99), share(&times, 100), share(&[], 99)];
    assert_eq!(shares.map(|millis| millis.round().to_string()), ["100", "198", "200", "0"]);
}
