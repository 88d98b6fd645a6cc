//! What came up in the histories, so that none passes because nothing happened.

use std::collections::BTreeMap;

use daypass_core::rotation::RepeatProof;
use daypass_core::{Decision, Refusal};

use super::act::{Answer, Call};
use crate::{EndOutcome, Opened};

/// How often each outcome came up.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub(super) fn count(&mut self, calls: &[Call]) {
        for outcome in calls.iter().filter_map(|call| outcome(&call.answer)) {
            *self.0.entry(outcome).or_default() += 1;
        }
    }

    /// All of these came up.
    pub(super) fn shows(&self, outcomes: &[&str]) {
        for outcome in outcomes {
            assert!(self.0.contains_key(outcome), "never once {outcome}, of {:?}", self.0);
        }
    }
}

fn outcome(answer: &Answer) -> Option<&'static str> {
    Some(match answer {
        Answer::Rotated(rotated) => match rotated.decision {
            Decision::Rotate { .. } => "rotated",
            Decision::Repeat { because: RepeatProof::Grace { .. }, .. } => "repeated on grace",
            Decision::Repeat { .. } => "repeated",
            Decision::Mismatch { .. } => "mismatched",
            Decision::Reuse { .. } => "reused",
            Decision::Refuse(Refusal::Ended(_)) => "refused as ended",
            Decision::Refuse(Refusal::Expired) => "refused as expired",
            Decision::Refuse(Refusal::Superseded) => "refused as superseded",
            Decision::Refuse(Refusal::Unknown) => "refused as unknown",
            Decision::Refuse(_) => "refused otherwise",
        },
        Answer::Opened(opened) => match **opened {
            Opened::Session(..) => "signed in",
            Opened::PasswordChanged => "overtaken by a new password",
            Opened::Disabled | Opened::SubjectIsClient => "not signed in",
        },
        Answer::Ended(EndOutcome::Ended) => "ended",
        Answer::Ended(EndOutcome::AlreadyEnded) => "already ended",
        Answer::Ended(EndOutcome::NotFound) => "not found",
        Answer::Flag(true) => "changed",
        Answer::Flag(false) => "not changed",
        Answer::Done | Answer::Session(_) | Answer::List(_) | Answer::Person(..) => return None,
    })
}
