//! The command: what it takes, what it prints, and that the document shows what it prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::figures::{
    ENTRY_BYTES, EVENT_BYTES, ORIGIN_BYTES, PERSON_BYTES, POSTGRESQL_PER_CORE, SESSION_BYTES,
    SESSIONS_A_PAGE, SQLITE_PER_S, SQLITE_SESSION_BYTES, STATEMENTS_OF_100, TRANSACTIONS_OF_1000, WAL_BYTES,
};
use super::{Config, MOST, PlanArgs, count, percent, run, time, time_or_none};
use crate::bench::grouped;
use crate::config::{Overrides, Sources, Unshown};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
}

/// What the command prints where nothing is configured.
fn printed(line: &str) -> String {
    let nothing = Sources {
        config: None,
        usual: PathBuf::from("/nonexistent/daypass.toml"),
        variables: Unshown::default(),
        overrides: Overrides::default(),
        cores: 1,
    };
    let config = Config::from_sources(&nothing).unwrap();
    let line = Line::parse_from(std::iter::once("plan").chain(line.split_whitespace()));
    let mut out = Vec::new();
    run(&line.plan, &config, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn ten_thousand_a_million_and_a_hundred_million() {
    insta::assert_snapshot!("ten_thousand", printed("--sessions 10k --access 10m"));
    insta::assert_snapshot!("a_million", printed("--sessions 1M --access 10m"));
    insta::assert_snapshot!("a_hundred_million", printed("--sessions 100M --access 10m"));
    insta::assert_snapshot!("a_million_as_json", printed("--sessions 1M --store postgresql --json"));
}

#[test]
fn every_flag_counts() {
    let plain = printed("--sessions 100M");
    for flag in [
        "--access 1h",
        "--session 0",
        "--stay 180d",
        "--peak 1.5",
        "--store sqlite",
        "--rate-per-core 4000",
        "--reserve 20",
        "--node-cores 8",
        "--primary-cores 2",
        "--primary-log 1",
        "--primary-connections 20",
        "--checkpoint 1m",
        "--json",
    ] {
        assert_ne!(printed(&format!("--sessions 100M {flag}")), plain, "{flag}");
    }
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for (text, number) in [
        ("1", 1),
        ("250000", 250_000),
        ("100_000", 100_000),
        ("10k", 10_000),
        ("10K", 10_000),
        ("5M", 5_000_000),
        ("2.5M", 2_500_000),
        ("1.234k", 1_234),
        ("1G", 1_000_000_000),
        ("1000G", MOST),
    ] {
        assert_eq!(count(text), Ok(number), "{text}");
    }
    for text in [
        "", "0", "k", "-1", "+1", "_1", "1_", "1.", ".5M", "1.5", "1.2345k", "1m", "1 k", "1,5M", "1001G",
        "ten", "1é",
    ] {
        assert!(count(text).is_err(), "{text}");
    }
    assert_eq!((percent("2"), percent("1.5"), percent("100")), (Ok(200), Ok(150), Ok(10_000)));
    for text in ["0", "0.5", "1.001", "101", "x"] {
        assert!(percent(text).is_err(), "{text}");
    }
    assert_eq!((time("10m"), time("180d"), time_or_none("0")), (Ok(600), Ok(15_552_000), Ok(0)));
    for text in ["0", "10", "500ms", "", "x"] {
        assert!(time(text).is_err(), "{text}");
    }
    for line in
        ["", "--sessions", "--sessions 10k,", "--sessions 10k --reserve 100", "--sessions 10k --node-cores 0"]
    {
        assert!(
            Line::try_parse_from(std::iter::once("plan").chain(line.split_whitespace())).is_err(),
            "{line}"
        );
    }
}

/// The constants are the figures that were measured, as the documents tell them.
#[test]
fn the_documents_tell_the_figures() {
    let read = |file: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file)).unwrap()
    };
    let performance = read("performance.md");
    for told in [
        format!("| bytes of the write-ahead log, a renewal | {WAL_BYTES};"),
        format!("| statements, a renewal | 0.{STATEMENTS_OF_100}:"),
        format!("| transactions, a renewal | 0.0{TRANSACTIONS_OF_1000}:"),
        grouped(SQLITE_PER_S),
    ] {
        assert!(performance.contains(&told), "docs/performance.md does not tell {told:?}");
    }
    let (_, rates) = performance.split_once("| renewals on one node, as a share of the floor's | ").unwrap();
    let rates = rates.split_once('(').unwrap().1.split_once(" beside").unwrap().0.replace(" and ", ", ");
    let mut rates: Vec<u64> = rates.split(", ").map(|rate| rate.replace(',', "").parse().unwrap()).collect();
    rates.sort_unstable();
    assert_eq!(rates[1] / 2, POSTGRESQL_PER_CORE, "the median of three, on two cores");
    let scale = read("scale.md");
    for told in [
        format!("| `sessions` | {SESSION_BYTES}; {SESSIONS_A_PAGE} on a page |"),
        format!("user agent of 110 characters | {ORIGIN_BYTES} |"),
        format!("| `events` | {EVENT_BYTES} |"),
        format!("| `feed`, after places were given | {ENTRY_BYTES} |"),
        format!("; {SQLITE_SESSION_BYTES} with the ids |"),
    ] {
        assert!(scale.contains(&told), "docs/scale.md does not tell {told:?}");
    }
    assert_eq!(PERSON_BYTES, 164 + 372);
    assert!(scale.contains("| 164 + 372 |"));
}

/// What a block in `docs/scale.md` that begins with `$ daypass plan …` shows is what the command prints.
#[test]
fn the_document_shows_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scale.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let mut made = String::new();
    let mut shown = 0;
    let mut rest = written.as_str();
    while let Some((before, after)) = rest.split_once("```console\n$ daypass plan ") {
        let (arguments, after) = after.split_once('\n').unwrap();
        let (_, after) = after.split_once("```\n").unwrap();
        made.push_str(before);
        write!(made, "```console\n$ daypass plan {arguments}\n{}```\n", printed(arguments)).unwrap();
        rest = after;
        shown += 1;
    }
    made.push_str(rest);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(shown > 0, "no plan is shown");
    assert!(
        made == std::fs::read_to_string(&path).unwrap(),
        "docs/scale.md differs from what `daypass plan` prints: UPDATE_DOCS=1 cargo test -p daypass plan"
    );
}
