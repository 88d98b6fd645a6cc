//! The soak program, in short: it passes, it tells what it did, and it refuses what it cannot do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::process::{Command, Output};

use serde_json::Value;

fn soak(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_daypass-soak")).args(arguments).output().unwrap()
}

#[test]
fn a_short_soak_passes_and_has_disturbed_something() {
    let output = soak(&["--calls", "1500", "--seed", "5", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && report["passed"] == true, "{report:#}");
    assert_eq!(
        (&report["calls"], &report["seed"], &report["tasks_left"]),
        (&1500.into(), &5.into(), &0.into())
    );
    let count = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap();
    assert!(count("/renewals/rotated") > 23, "every session was renewed: {report:#}");
    assert!(count("/disturbances/renewals_arrived") > count("/disturbances/renewals_served"), "{report:#}");
    assert!(count("/disturbances/restarts") > 0, "{report:#}");
    assert_eq!(count("/renewals/reused"), 0);
    assert_eq!(count("/renewals/refused"), count("/renewals/superseded"), "late copies alone are refused");
}

#[test]
fn it_explains_itself_and_refuses_nonsense() {
    let help = soak(&["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    for option in ["--calls", "--seed", "--json"] {
        assert!(help.status.success() && text.contains(option), "{text}");
    }
    assert_eq!(soak(&["--calls", "0"]).status.code(), Some(2));
}
