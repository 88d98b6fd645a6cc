//! What verifying costs, in words and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use daypass_verify::jwt::Algorithm;
use serde::Serialize;

use super::course::{Findings, LONG_SLICE, SLICE};
use super::mint::Tokens;
use crate::bench::BenchError;
use crate::bench::report::{counts, grouped};

/// What a token seen before may take, in nanoseconds.
const SEEN_BUDGET: f64 = 300.0;
/// What a new token may take beyond the bare signature check, in microseconds.
const DIFFERENCE_BUDGET: f64 = 3.0;

/// The findings and the circumstances under which they are true.
#[derive(Debug)]
pub(crate) struct VerifyReport {
    algorithm: Algorithm,
    good: u64,
    bad: u64,
    ended: u64,
    threads: NonZeroUsize,
    findings: Findings,
}

impl VerifyReport {
    pub(super) fn new(
        algorithm: Algorithm,
        tokens: &Tokens,
        threads: NonZeroUsize,
        findings: Findings,
    ) -> Self {
        let [good, bad, ended] =
            [tokens.good().len(), tokens.bad().len(), tokens.ended().len()].map(|count| count as u64);
        Self { algorithm, good, bad, ended, threads, findings }
    }

    /// Every token was judged rightly. How long it took does not count: machines differ.
    pub(crate) fn passed(&self) -> bool {
        let tally = &self.findings.tally;
        tally.wrong.is_empty() && tally.passed > 0
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let figures = self.figures();
        let mut text = format!("Verifying {} access tokens\n{}\n\n", self.algorithm, self.circumstances());
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<13}{value}");
        };
        line("", format!("{:>10}  {:>10}  {:>10}", "median", "p10", "p90"));
        let seen = verdict(figures.seen_ns.median, SEEN_BUDGET, "ns");
        line("seen before", format!("{} ns   {seen}", figures.seen_ns.columns(0)));
        line("  together", format!("{} million/s", figures.together_per_s.scaled(1e-6).columns(2)));
        line("new", format!("{} µs", figures.new_us.columns(2)));
        line("bare check", format!("{} µs", figures.bare_us.columns(2)));
        let difference = verdict(figures.new_minus_bare_us.median, DIFFERENCE_BUDGET, "µs");
        line("new - bare", format!("{} µs   {difference}", figures.new_minus_bare_us.columns(2)));
        let tally = &self.findings.tally;
        line("passed", format!("{} good tokens, warm-up included", grouped(tally.passed)));
        let refused = tally.refused.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
        line("refused", counts(&refused));
        line("wrong", counts(&tally.wrong));
        if !self.passed() {
            text.push_str("\nFAILED\n");
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, BenchError> {
        let (figures, tally) = (self.figures(), &self.findings.tally);
        let summary = Summary {
            bench: "verify",
            algorithm: self.algorithm,
            working_set: WorkingSet {
                good: self.good,
                bad: self.bad,
                ended_sessions: self.ended,
                words: self.circumstances().replace(",\n", ", ").replace('\n', "; "),
            },
            threads: self.threads.get(),
            measured_s: self.findings.measured.as_secs_f64(),
            rounds: self.findings.seen.len(),
            budgets: Budgets {
                seen_ns: Budget::of(figures.seen_ns.median, SEEN_BUDGET),
                new_minus_bare_us: Budget::of(figures.new_minus_bare_us.median, DIFFERENCE_BUDGET),
            },
            figures,
            accepted: tally.passed,
            refused: &tally.refused,
            wrong: &tally.wrong,
            passed: self.passed(),
        };
        Ok(serde_json::to_string_pretty(&summary)? + "\n")
    }

    /// The working set and the way of measuring, since a figure means nothing without them.
    fn circumstances(&self) -> String {
        let (good, bad, ended) = (grouped(self.good), grouped(self.bad), grouped(self.ended));
        let sessions = if self.ended == 1 { "1 session".to_owned() } else { format!("{ended} sessions") };
        let (slice, long_slice) = (SLICE.as_millis(), LONG_SLICE.as_millis());
        let (threads, rounds) = (self.threads, grouped(self.findings.seen.len() as u64));
        let threads = if threads.get() == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        format!(
            "{good} good tokens and {bad} bad ones, held against a feed by which {sessions} ended\n\
             {rounds} rounds: {slice} ms each of seen before, new without memory and bare check, in one thread's \
             processor time,\nand {long_slice} ms of seen before on {threads} together"
        )
    }

    fn figures(&self) -> Figures {
        let findings = &self.findings;
        Figures {
            seen_ns: Spread::of(&findings.seen),
            together_per_s: Spread::of(&findings.together),
            new_us: Spread::of(&findings.new).scaled(1e-3),
            bare_us: Spread::of(&findings.bare).scaled(1e-3),
            new_minus_bare_us: Spread::of(&findings.difference).scaled(1e-3),
        }
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    bench: &'static str,
    algorithm: Algorithm,
    working_set: WorkingSet,
    threads: usize,
    measured_s: f64,
    rounds: usize,
    #[serde(flatten)]
    figures: Figures,
    budgets: Budgets,
    accepted: u64,
    refused: &'a BTreeMap<&'static str, u64>,
    wrong: &'a BTreeMap<String, u64>,
    passed: bool,
}

#[derive(Serialize)]
struct WorkingSet {
    good: u64,
    bad: u64,
    ended_sessions: u64,
    words: String,
}

#[derive(Serialize)]
struct Figures {
    seen_ns: Spread,
    together_per_s: Spread,
    new_us: Spread,
    bare_us: Spread,
    new_minus_bare_us: Spread,
}

#[derive(Serialize)]
struct Budgets {
    seen_ns: Budget,
    new_minus_bare_us: Budget,
}

#[derive(Serialize)]
struct Budget {
    budget: f64,
    met: bool,
}

impl Budget {
    fn of(measured: f64, budget: f64) -> Self {
        Self { budget, met: measured < budget }
    }
}

/// The middle of all rounds, and where the outermost tenths begin.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Spread {
    median: f64,
    p10: f64,
    p90: f64,
}

impl Spread {
    fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |tenths: usize| {
            let place = sorted.len().saturating_sub(1) * tenths / 10;
            sorted.get(place).copied().unwrap_or_default()
        };
        Self { median: at(5), p10: at(1), p90: at(9) }
    }

    fn scaled(self, by: f64) -> Self {
        Self { median: self.median * by, p10: self.p10 * by, p90: self.p90 * by }
    }

    fn columns(self, digits: usize) -> String {
        let Self { median, p10, p90 } = self;
        format!("{median:>10.digits$}  {p10:>10.digits$}  {p90:>10.digits$}")
    }
}

fn verdict(measured: f64, budget: f64, unit: &str) -> String {
    let verdict = if Budget::of(measured, budget).met { "met" } else { "missed" };
    format!("budget {budget} {unit}: {verdict}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::course::Tally;
    use super::*;

    fn report(spoil: impl FnOnce(&mut VerifyReport)) -> VerifyReport {
        let rising = |from: f64, step: f64| (0..11).map(|round| from + step * f64::from(round)).collect();
        let findings = Findings {
            seen: rising(200.0, 10.0),
            together: rising(7e6, 1e5),
            new: rising(38_000.0, 200.0),
            bare: rising(36_000.0, 200.0),
            difference: rising(1_500.0, 100.0),
            tally: Tally {
                passed: 1_234_567,
                refused: [("bad_signature", 22), ("expired", 11)].into(),
                wrong: BTreeMap::new(),
            },
            measured: Duration::from_millis(1_500),
        };
        let mut report = VerifyReport {
            algorithm: Algorithm::ES256,
            good: 950,
            bad: 50,
            ended: 8,
            threads: NonZeroUsize::MIN,
            findings,
        };
        spoil(&mut report);
        report
    }

    #[test]
    fn a_good_run() {
        let report = report(|_| ());
        assert!(report.passed());
        insta::assert_snapshot!("good_text", report.text());
        insta::assert_snapshot!("good_json", report.json().unwrap());
    }

    #[test]
    fn a_run_over_its_budgets_with_a_wrong_answer() {
        let report = report(|report| {
            report.findings.seen.fill(300.0);
            report.findings.difference.fill(3_100.0);
            report.findings.tally.wrong.insert("passed instead of revoked".to_owned(), 3);
            report.threads = NonZeroUsize::new(2).unwrap();
        });
        assert!(!report.passed());
        insta::assert_snapshot!("bad_text", report.text());
    }

    #[test]
    fn only_wrong_answers_fail_a_run() {
        assert!(report(|report| report.findings.seen.fill(1e9)).passed());
        assert!(!report(|report| report.findings.tally.passed = 0).passed());
    }
}
