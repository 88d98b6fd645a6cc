//! How a run went, as a table and as JSON.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::account::{Account, PHASES, Phase, Span, Zero};
use crate::arguments::Options;
use crate::log::Seen;
use crate::verifiers::VERIFIERS;

/// From an acknowledged end to the refusal at the last verifier, in a quiet phase: 99 of 100 within so many milliseconds.
const BUDGET: f64 = 100.0;

/// What the parts of a run have found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sessions: usize,
    /// How many ends were acknowledged.
    pub(crate) gone: usize,
    /// How many signed in later and stayed.
    pub(crate) here: usize,
    /// Lost rotations that were healed, by the audit and by what the nodes count.
    pub(crate) healed: u64,
    pub(crate) healed_by_metric: u64,
    /// Late copies of requests that were refused.
    pub(crate) superseded: u64,
    pub(crate) seen: Vec<Seen>,
}

/// What is told at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) passed: bool,
    /// Whether the budget on time was kept.
    pub(crate) in_time: bool,
    /// The command that makes such a run again.
    pub(crate) again: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    pub(crate) sessions: usize,
    pub(crate) verifiers: usize,
    pub(crate) refreshes: u64,
    /// Renewals that were answered by an error, by status.
    pub(crate) errors: BTreeMap<u16, u64>,
    /// Times that a client gave up for a while.
    pub(crate) told_later: u64,
    pub(crate) revocations: usize,
    pub(crate) later_sign_ins: usize,
    pub(crate) healed: u64,
    pub(crate) healed_by_metric: u64,
    pub(crate) superseded: u64,
    pub(crate) phases: BTreeMap<Phase, PhaseReport>,
    pub(crate) zeros: BTreeMap<Zero, u64>,
    pub(crate) objections: Vec<(Zero, String)>,
    /// Where the logs are, if they were kept.
    pub(crate) folder: Option<PathBuf>,
}

/// What is told of a part of the run, over all rounds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PhaseReport {
    pub(crate) refreshes: u64,
    pub(crate) errors: u64,
    /// Renewals for which nginx asked more than one node.
    pub(crate) passed_on: u64,
    /// The longest stretch in which nobody was renewed, in milliseconds.
    pub(crate) without_service: u64,
    /// Ends that all verifiers knew of, and after how many milliseconds.
    pub(crate) ends: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Report {
    pub(crate) fn of(account: &Account, found: &Found, options: &Options, seconds: f64) -> Self {
        let (zeros, spans, latencies) = (account.zeros(), account.spans(), account.latencies());
        let phase = |phase: &Phase| {
            let spans: Vec<_> = spans.iter().filter(|span| span.phase == *phase).collect();
            let known = latencies.iter().filter(|(of, _)| of == phase).map(|(_, after)| *after).collect();
            (*phase, PhaseReport::of(&spans, &found.seen, known))
        };
        let phases: BTreeMap<_, _> = PHASES.iter().map(phase).collect();
        // What comes after them is the look at who is still there.
        let inside = |seen: &&Seen| spans.iter().any(|span| span.contains(seen.at));
        let mut errors = BTreeMap::new();
        for seen in found.seen.iter().filter(inside).filter(|seen| seen.refresh && seen.status != 200) {
            *errors.entry(seen.status).or_default() += 1;
        }
        let in_time = phases.get(&Phase::Quiet).is_some_and(|quiet| quiet.p99 < BUDGET);
        Self {
            passed: zeros.values().all(|count| *count == 0) && (in_time || !options.strict),
            in_time,
            again: options.again(),
            seed: options.seed,
            seconds,
            sessions: found.sessions,
            verifiers: VERIFIERS,
            refreshes: count(found.seen.iter().filter(inside).filter(|seen| seen.is_renewal())),
            errors,
            told_later: account.unavailable(),
            revocations: found.gone,
            later_sign_ins: found.here,
            healed: found.healed,
            healed_by_metric: found.healed_by_metric,
            superseded: found.superseded,
            phases,
            zeros,
            objections: account.objections(),
            folder: None,
        }
    }

    /// Tells it on the standard output, and as JSON in a file if one is named.
    #[expect(clippy::print_stdout, reason = "this is the program's output")]
    pub(crate) fn tell(&self, json: Option<&Path>, colours: bool) -> std::io::Result<()> {
        print!("{}", table::of(self, colours));
        // All of it can be written as JSON.
        json.map_or(Ok(()), |file| {
            std::fs::write(file, serde_json::to_string_pretty(self).unwrap_or_default())
        })
    }
}

impl PhaseReport {
    fn of(spans: &[&Span], seen: &[Seen], mut known: Vec<Duration>) -> Self {
        let inside = |seen: &&Seen| seen.refresh && spans.iter().any(|span| span.contains(seen.at));
        let seen: Vec<_> = seen.iter().filter(inside).collect();
        known.sort_unstable();
        Self {
            refreshes: count(seen.iter().filter(|seen| seen.is_renewal())),
            errors: count(seen.iter().filter(|seen| !seen.is_renewal())),
            passed_on: count(seen.iter().filter(|seen| seen.was_passed_on())),
            without_service: spans.iter().map(|span| longest_gap(span, &seen)).max().unwrap_or_default(),
            ends: known.len(),
            p50: share(&known, 50),
            p99: share(&known, 99),
            most: share(&known, 100),
        }
    }
}

/// The longest time without a renewal, in milliseconds.
fn longest_gap(span: &Span, seen: &[&Seen]) -> u64 {
    let inside = seen.iter().filter(|seen| seen.is_renewal() && span.contains(seen.at));
    let mut times: Vec<u64> = inside.map(|seen| seen.at).collect();
    times.extend([span.begun, span.ended]);
    times.sort_unstable();
    times
        .iter()
        .zip(times.iter().skip(1))
        .map(|(from, to)| to.saturating_sub(*from))
        .max()
        .unwrap_or_default()
}

/// So many of a hundred took no longer than this, in milliseconds.
fn share(sorted: &[Duration], of_a_hundred: usize) -> f64 {
    let place = sorted.len().saturating_mul(of_a_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    u64::try_from(of.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
