//! What a run found, in words and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use daypass_postgres::Cost;
use serde::Serialize;

use super::BenchError;
use super::cost::{Paid, paid};
use super::load::{Findings, Length};

/// Quantiles in the order of the report.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// What the run was played on.
#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) target: String,
    /// What the service runs on, or `given` for one that was running already.
    pub(crate) described: String,
    /// How many there are in the store, if that is known.
    pub(crate) total: Option<u64>,
    /// How many took part.
    pub(crate) active: u64,
    /// What is counted: `sessions` or `users`.
    pub(crate) what: &'static str,
}

/// The findings and the circumstances under which they are true.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) bench: &'static str,
    pub(crate) request: &'static str,
    pub(crate) attempt_ids: Option<bool>,
    pub(crate) until_lost: bool,
    pub(crate) signatures_checked: u64,
    pub(crate) chains_written: Option<u64>,
    pub(crate) working: Working,
    pub(crate) connections: usize,
    pub(crate) length: Length,
    pub(crate) findings: Findings,
    /// What the database counted, warm-up included.
    pub(crate) cost: Option<Cost>,
}

impl Report {
    /// A report without the particulars of one command.
    pub(crate) fn new(working: Working, connections: usize, length: Length, findings: Findings) -> Self {
        Self {
            bench: "",
            request: "",
            attempt_ids: None,
            until_lost: false,
            signatures_checked: 0,
            chains_written: None,
            working,
            connections,
            length,
            findings,
            cost: None,
        }
    }

    /// No wrong answer, some right ones, and no connection lost unless that was to be.
    pub(crate) fn passed(&self) -> bool {
        let tally = &self.findings.tally;
        let silent =
            ["connect", "time-out", "broken", "request"].iter().any(|kind| tally.errors.contains_key(*kind));
        tally.wrong.is_empty() && (self.until_lost || (!silent && tally.verified > 0))
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let tally = &self.findings.tally;
        let mut text =
            format!("{} against {}\n{}\n\n", self.request, self.working.target, self.circumstances());
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<9}{value}");
        };
        line(
            "rate",
            format!(
                "{} /s   ({} answers in {:.1} s)",
                grouped(self.rate()),
                grouped(self.answers()),
                self.seconds()
            ),
        );
        for (name, quantile) in QUANTILES {
            line(name, format!("{:.2} ms", millis(tally.latencies.value_at_quantile(quantile))));
        }
        line("max", format!("{:.2} ms", millis(tally.latencies.max())));
        line("verified", self.verified());
        line("errors", counts(&tally.errors));
        line("wrong", counts(&tally.wrong));
        if let Some(example) = &tally.example {
            line("", format!("such as: {example}"));
        }
        if self.findings.lost {
            line("lost", "the service stopped answering".to_owned());
        }
        if let Some(chains) = self.chains_written {
            line("written", format!("{} refresh tokens", grouped(chains)));
        }
        if let Some(cost) = &self.cost {
            line("database", paid(cost));
        }
        if !self.passed() {
            text.push_str("\nFAILED\n");
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, BenchError> {
        let tally = &self.findings.tally;
        let mut latency_ms: BTreeMap<&str, f64> = QUANTILES
            .map(|(name, quantile)| (name, millis(tally.latencies.value_at_quantile(quantile))))
            .into();
        latency_ms.insert("max", millis(tally.latencies.max()));
        let summary = Summary {
            bench: self.bench,
            request: self.request,
            target: &self.working.target,
            service: &self.working.described,
            working_set: WorkingSet {
                what: self.working.what,
                total: self.working.total,
                active: self.working.active,
                words: self.circumstances().replace('\n', "; "),
            },
            connections: self.connections,
            attempt_ids: self.attempt_ids,
            measured_s: self.findings.measured.as_secs_f64(),
            answers: self.answers(),
            verified: tally.verified,
            signatures_checked: self.signatures_checked,
            rate_per_s: self.rate(),
            latency_ms,
            errors: &tally.errors,
            wrong: &tally.wrong,
            example: tally.example.as_deref(),
            lost: self.findings.lost,
            chains_written: self.chains_written,
            database: self.cost.as_ref().map(Paid::of),
            passed: self.passed(),
        };
        Ok(serde_json::to_string_pretty(&summary)? + "\n")
    }

    /// The working set and the way of measuring, since a rate means nothing without them.
    fn circumstances(&self) -> String {
        let Working { described, total, active, what, .. } = &self.working;
        let set = match total {
            Some(total) => {
                format!("{} of {} {what}, chosen at random; {described}", grouped(*active), grouped(*total))
            }
            None => format!("{} {what}, chosen at random; a service that was running", grouped(*active)),
        };
        let length = match self.length {
            Length::Timed { warm_up, .. } => {
                format!("measured after a warm-up of {} s", warm_up.as_secs_f64())
            }
            Length::Exhaustive => "each once".to_owned(),
        };
        let ids = match self.attempt_ids {
            Some(true) => ", with attempt ids",
            Some(false) => ", without attempt ids",
            None => "",
        };
        format!("{set}\n{} connections with one request in flight each{ids}, {length}", self.connections)
    }

    fn verified(&self) -> String {
        let signatures = match self.signatures_checked {
            0 => "no signature".to_owned(),
            count => format!("{} signatures", grouped(count)),
        };
        format!("{} answers, warm-up included; {signatures}", grouped(self.findings.tally.verified))
    }

    fn answers(&self) -> u64 {
        self.findings.tally.latencies.len()
    }

    fn seconds(&self) -> f64 {
        self.findings.measured.as_secs_f64()
    }

    fn rate(&self) -> u64 {
        let micros = Duration::as_micros(&self.findings.measured).max(1);
        u64::try_from(u128::from(self.answers()) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    bench: &'static str,
    request: &'static str,
    target: &'a str,
    service: &'a str,
    working_set: WorkingSet,
    connections: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_ids: Option<bool>,
    measured_s: f64,
    answers: u64,
    verified: u64,
    signatures_checked: u64,
    rate_per_s: u64,
    latency_ms: BTreeMap<&'static str, f64>,
    errors: &'a BTreeMap<String, u64>,
    wrong: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a str>,
    lost: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chains_written: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Paid>,
    passed: bool,
}

#[derive(Serialize)]
struct WorkingSet {
    what: &'static str,
    total: Option<u64>,
    active: u64,
    words: String,
}

#[allow(clippy::cast_precision_loss, reason = "no latency comes near 2^53 microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

pub(super) fn counts(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    counts.iter().map(|(kind, count)| format!("{} × {kind}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

/// A number with its thousands set apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::load::Tally;
    use super::*;
    use crate::pair::Wrong;

    fn report(spoil: impl FnOnce(&mut Report)) -> Report {
        let mut tally = Tally::new().unwrap();
        for micros in 1..=30_000 {
            tally.latencies.record(micros).unwrap();
        }
        tally.verified = 34_567;
        let findings = Findings { tally, measured: Duration::from_millis(1_500), lost: false };
        let working = Working {
            target: "http://127.0.0.1:8080".into(),
            described: "SQLite, temporary, ES256".into(),
            total: Some(100_000),
            active: 10_000,
            what: "sessions",
        };
        let length =
            Length::Timed { warm_up: Duration::from_secs(2), duration: Duration::from_millis(1_500) };
        let mut report = Report {
            bench: "refresh",
            request: "POST /v1/refresh",
            attempt_ids: Some(true),
            signatures_checked: 540,
            ..Report::new(working, 64, length, findings)
        };
        spoil(&mut report);
        report
    }

    fn error(report: &mut Report, kind: &str) {
        report.findings.tally.errors.insert(kind.to_owned(), 3);
    }

    #[test]
    fn a_good_run() {
        let report = report(|_| ());
        assert!(report.passed());
        insta::assert_snapshot!("good_text", report.text());
        insta::assert_snapshot!("good_json", report.json().unwrap());
    }

    #[test]
    fn a_bad_run() {
        let report = report(|report| {
            error(report, "503 temporarily_unavailable");
            error(report, "time-out");
            report.findings.tally.wrong(&Wrong::SameToken);
            report.chains_written = Some(9_999);
            report.working.total = None;
            report.signatures_checked = 0;
            report.length = Length::Exhaustive;
            report.attempt_ids = Some(false);
            report.findings.lost = true;
        });
        assert!(!report.passed());
        insta::assert_snapshot!("bad_text", report.text());
        insta::assert_snapshot!("bad_json", report.json().unwrap());
    }

    #[test]
    fn what_fails_a_run_and_what_does_not() {
        assert!(report(|report| error(report, "503 temporarily_unavailable")).passed());
        assert!(!report(|report| error(report, "connect")).passed());
        let lost = |report: &mut Report| {
            error(report, "connect");
            error(report, "broken");
            report.until_lost = true;
        };
        assert!(report(lost).passed());
        assert!(!report(|report| report.findings.tally.verified = 0).passed());
        let wrong = |report: &mut Report| {
            lost(report);
            report.findings.tally.wrong(&Wrong::SameToken);
        };
        assert!(!report(wrong).passed());
    }

    #[test]
    fn thousands() {
        let texts = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
