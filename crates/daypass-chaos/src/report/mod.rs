//! How a run went, as a table and as JSON.

mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::account::{Objection, What, Zero};
use crate::end::Found;
use crate::run::Run;

/// What is told at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) passed: bool,
    /// The command that draws the same faults again, in the order in which requests come.
    pub(crate) again: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    pub(crate) rotations: u64,
    pub(crate) repeats: u64,
    pub(crate) thefts: u64,
    /// The most turns of thief and owner before a theft was noticed.
    pub(crate) most_turns: u64,
    /// In milliseconds, after a kill.
    pub(crate) slowest_start: u64,
    pub(crate) zeros: BTreeMap<Zero, u64>,
    /// What was due and did not happen.
    pub(crate) missing: Vec<What>,
    pub(crate) counts: BTreeMap<What, u64>,
    pub(crate) store: Found,
    pub(crate) objections: Vec<Told>,
    /// Where the store and the logs are, if they were kept.
    pub(crate) folder: Option<PathBuf>,
}

/// An objection, with what the wire showed of its session.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) objection: Objection,
    pub(crate) past: Vec<String>,
}

/// Everything that is counted, in the order in which it is told.
const COUNTED: &[What] = &[
    What::Requests,
    What::Rotations,
    What::Repeats,
    What::GraceRepeats,
    What::Superseded,
    What::Mismatches,
    What::Busy,
    What::Unknown,
    What::RequestsLost,
    What::AnswersLost,
    What::RequestsDelayed,
    What::AnswersDelayed,
    What::RequestsTwice,
    What::RequestsCut,
    What::AnswersCut,
    What::Resets,
    What::SignInFaults,
    What::LateCopies,
    What::CopiesDiscarded,
    What::DelayedTooLong,
    What::HeldUpTooLong,
    What::Waited,
    What::ServiceKills,
    What::KillsInMidStart,
    What::DatabaseKills,
    What::ClientKills,
    What::NodeRenewals,
    What::BrowserRenewals,
    What::TabsReopened,
    What::Unavailable,
    What::GivenUp,
    What::TokenThefts,
    What::OldTokenThefts,
    What::StoreThefts,
    What::TheftsNoticed,
    What::NothingGained,
    What::TurnsTogether,
];

impl Report {
    /// The report of a run that took so many seconds and would be run again by `again`.
    pub(crate) fn of(run: &Run, store: Found, seconds: f64, again: String) -> Self {
        let account = &run.account;
        let zeros: BTreeMap<_, _> = account.zeros().into_iter().collect();
        let missing = account.missing();
        let told = |objection: Objection| Told {
            past: objection.session.map(|session| run.ledger.past(session)).unwrap_or_default(),
            objection,
        };
        Self {
            passed: missing.is_empty() && zeros.values().all(|count| *count == 0),
            again,
            seed: run.seed,
            seconds,
            rotations: account.count(What::Rotations),
            repeats: account.count(What::Repeats),
            thefts: account.thefts(),
            most_turns: account.most_turns(),
            slowest_start: u64::try_from(account.slowest_start().as_millis()).unwrap_or(u64::MAX),
            zeros,
            missing,
            counts: COUNTED.iter().map(|what| (*what, account.count(*what))).collect(),
            store,
            objections: account.objections().into_iter().map(told).collect(),
            folder: None,
        }
    }

    /// Tells it on the standard output.
    #[expect(clippy::print_stdout, reason = "this is the program's output")]
    pub(crate) fn tell(&self, json: bool, colours: bool) {
        if json {
            // All of it can be written as JSON.
            println!("{}", serde_json::to_string_pretty(self).unwrap_or_default());
        } else {
            print!("{}", table::of(self, colours));
        }
    }
}

#[cfg(test)]
mod tests;
