//! What was seen: a model in which some answer never occurs says nothing about it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use daypass_core::Decision;
use daypass_core::rotation::{Refusal, RepeatProof};

/// The answers, as they are printed.
pub(crate) const ANSWERS: [&str; 12] = [
    "rotate",
    "heal",
    "repeat by ids",
    "repeat by key",
    "repeat in grace",
    "superseded",
    "reuse",
    "mismatch",
    "ended",
    "expired",
    "proof required",
    "unknown",
];

/// How often each answer was given, and how often owner and thief took turns at most, by the number of fail-overs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answers: [AtomicU64; 12],
    turns: [AtomicU8; 3],
}

impl Tally {
    /// Counts an answer.
    pub(crate) fn count(&self, decision: &Decision) {
        let index = match decision {
            Decision::Rotate { healed: false, .. } => 0,
            Decision::Rotate { healed: true, .. } => 1,
            Decision::Repeat { because: RepeatProof::Attempts, .. } => 2,
            Decision::Repeat { because: RepeatProof::Dpop, .. } => 3,
            Decision::Repeat { because: RepeatProof::Grace { .. }, .. } => 4,
            Decision::Refuse(Refusal::Superseded) => 5,
            Decision::Reuse { .. } => 6,
            Decision::Mismatch { .. } => 7,
            Decision::Refuse(Refusal::Ended(_)) => 8,
            Decision::Refuse(Refusal::Expired) => 9,
            Decision::Refuse(Refusal::ProofRequired) => 10,
            Decision::Refuse(Refusal::Unknown | Refusal::Ahead | Refusal::WrongClient) => 11,
        };
        if let Some(count) = self.answers.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes note of a number of turns.
    pub(crate) fn turns(&self, failovers: u8, turns: u8) {
        if let Some(most) = self.turns.get(usize::from(failovers)) {
            most.fetch_max(turns, Ordering::Relaxed);
        }
    }

    /// How often each answer was given.
    pub(crate) fn answers(&self) -> [u64; 12] {
        self.answers.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// The most turns that were taken, by the number of fail-overs.
    pub(crate) fn most_turns(&self) -> [u8; 3] {
        self.turns.each_ref().map(|most| most.load(Ordering::Relaxed))
    }
}
