//! What happened in a run, counted, and what must not have happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daypass_core::SessionId;
use serde::Serialize;
use tokio::sync::watch;

/// So many objections of each kind are told in words; more are only counted.
const TOLD: usize = 5;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Requests,
    Rotations,
    Repeats,
    GraceRepeats,
    Superseded,
    Mismatches,
    Busy,
    Unknown,
    RequestsLost,
    AnswersLost,
    RequestsDelayed,
    AnswersDelayed,
    RequestsTwice,
    RequestsCut,
    AnswersCut,
    Resets,
    SignInFaults,
    LateCopies,
    CopiesDiscarded,
    DelayedTooLong,
    HeldUpTooLong,
    Waited,
    ServiceKills,
    KillsInMidStart,
    DatabaseKills,
    ClientKills,
    NodeRenewals,
    BrowserRenewals,
    TabsReopened,
    Unavailable,
    GivenUp,
    TokenThefts,
    OldTokenThefts,
    StoreThefts,
    TheftsNoticed,
    NothingGained,
    TurnsTogether,
}

/// What a run has to contain to show anything.
pub(crate) const DUE: &[What] = &[
    What::Rotations,
    What::Repeats,
    What::GraceRepeats,
    What::Superseded,
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
    What::ServiceKills,
    What::ClientKills,
    What::TokenThefts,
    What::OldTokenThefts,
    What::StoreThefts,
    What::TurnsTogether,
];

/// What has to be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Zero {
    /// A client that was never robbed says that it is signed out.
    SignOuts,
    /// The service refused a session that was never robbed, or raised an alarm for it.
    FalseAlarms,
    /// Thief and owner both go on.
    Unnoticed,
    /// One generation with two successors, or one that two holders were given.
    Twins,
    /// A rotation that somebody was told of and the store does not have.
    LostRotations,
    /// In the service, in a client, or in this program.
    Panics,
    /// Whatever else is not as it should be.
    Others,
}

/// All of them, in the order in which they are told.
pub(crate) const ZEROS: &[Zero] = &[
    Zero::SignOuts,
    Zero::FalseAlarms,
    Zero::Unnoticed,
    Zero::Twins,
    Zero::LostRotations,
    Zero::Panics,
    Zero::Others,
];

/// Something that must not be.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Objection {
    pub(crate) zero: Zero,
    pub(crate) what: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) session: Option<SessionId>,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Account {
    counts: Mutex<BTreeMap<What, u64>>,
    /// What else this run has to contain.
    also_due: Mutex<Vec<What>>,
    most_turns: Mutex<u64>,
    slowest_start: Mutex<Duration>,
    objections: Mutex<(BTreeMap<Zero, u64>, Vec<Objection>)>,
    rotations: watch::Sender<u64>,
    objected: watch::Sender<bool>,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            counts: Mutex::default(),
            also_due: Mutex::default(),
            most_turns: Mutex::default(),
            slowest_start: Mutex::default(),
            objections: Mutex::default(),
            rotations: watch::Sender::new(0),
            objected: watch::Sender::new(false),
        }
    }

    pub(crate) fn add(&self, what: What) {
        self.add_many(what, 1);
    }

    pub(crate) fn add_many(&self, what: What, count: u64) {
        let mut counts = lock(&self.counts);
        let sum = counts.entry(what).or_default();
        *sum = sum.saturating_add(count);
        if what == What::Rotations {
            self.rotations.send_replace(*sum);
        }
    }

    pub(crate) fn count(&self, what: What) -> u64 {
        lock(&self.counts).get(&what).copied().unwrap_or_default()
    }

    /// Thefts of every kind.
    pub(crate) fn thefts(&self) -> u64 {
        [What::TokenThefts, What::OldTokenThefts, What::StoreThefts]
            .iter()
            .map(|what| self.count(*what))
            .sum()
    }

    /// Follows the number of rotations.
    pub(crate) fn rotations(&self) -> watch::Receiver<u64> {
        self.rotations.subscribe()
    }

    /// A theft was noticed after so many turns of thief and owner.
    pub(crate) fn noticed(&self, turns: u64) {
        self.add(What::TheftsNoticed);
        let mut most = lock(&self.most_turns);
        *most = turns.max(*most);
    }

    /// The most turns that any theft went unnoticed for.
    pub(crate) fn most_turns(&self) -> u64 {
        *lock(&self.most_turns)
    }

    /// The service was ready again after so long.
    pub(crate) fn started(&self, after: Duration) {
        let mut slowest = lock(&self.slowest_start);
        *slowest = after.max(*slowest);
    }

    /// The longest that it ever took.
    pub(crate) fn slowest_start(&self) -> Duration {
        *lock(&self.slowest_start)
    }

    /// Something is not as it should be.
    pub(crate) fn object(&self, zero: Zero, what: impl Into<String>, session: Option<SessionId>) {
        let mut objections = lock(&self.objections);
        let (counts, told) = &mut *objections;
        *counts.entry(zero).or_default() += 1;
        if told.iter().filter(|other: &&Objection| other.zero == zero).count() < TOLD {
            told.push(Objection { zero, what: what.into(), session });
        }
        drop(objections);
        self.objected.send_replace(true);
    }

    /// Follows whether there is an objection.
    pub(crate) fn objected(&self) -> watch::Receiver<bool> {
        self.objected.subscribe()
    }

    /// How often each zero was not one.
    pub(crate) fn zeros(&self) -> Vec<(Zero, u64)> {
        let objections = lock(&self.objections);
        ZEROS.iter().map(|zero| (*zero, objections.0.get(zero).copied().unwrap_or_default())).collect()
    }

    pub(crate) fn objections(&self) -> Vec<Objection> {
        lock(&self.objections).1.clone()
    }

    /// Has this run contain something more than others.
    pub(crate) fn expect(&self, what: What) {
        lock(&self.also_due).push(what);
    }

    /// What a run has to contain.
    pub(crate) fn due(&self) -> Vec<What> {
        [DUE, &lock(&self.also_due)].concat()
    }

    /// What was due and did not happen.
    pub(crate) fn missing(&self) -> Vec<What> {
        self.due().into_iter().filter(|what| self.count(*what) == 0).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is complete before anything could panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::ref_option, reason = "serde calls it with what it has")]
fn as_text<S: serde::Serializer>(session: &Option<SessionId>, to: S) -> Result<S::Ok, S::Error> {
    match session {
        Some(session) => to.collect_str(session),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_objection_counts_for_its_zero_and_the_first_are_told() {
        let both = Account::new();
        for zero in ZEROS {
            (0..30).for_each(|_| both.object(*zero, "it is wrong", None));
            let account = Account::new();
            assert!(account.zeros().iter().all(|(_, count)| *count == 0) && !*account.objected().borrow());
            for _ in 0..30 {
                account.object(*zero, "it is wrong", None);
            }
            let counted: Vec<_> = account.zeros().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(*zero, 30)]);
            assert_eq!(account.objections().len(), TOLD);
            assert!(*account.objected().borrow());
        }
        assert_eq!(both.objections().len(), TOLD * ZEROS.len(), "none hides another kind");
    }

    #[test]
    fn a_run_without_something_that_is_due_misses_just_that() {
        for absent in DUE {
            let account = Account::new();
            DUE.iter().filter(|what| *what != absent).for_each(|what| account.add(*what));
            assert_eq!(account.missing(), [*absent]);
            account.add(*absent);
            account.expect(What::NodeRenewals);
            assert_eq!(account.missing(), [What::NodeRenewals]);
        }
    }

    #[test]
    fn rotations_are_followed_and_turns_remembered() {
        let account = Account::new();
        let rotations = account.rotations();
        account.add_many(What::Rotations, 3);
        assert_eq!(*rotations.borrow(), 3);
        account.noticed(4);
        account.noticed(2);
        assert_eq!((account.most_turns(), account.count(What::TheftsNoticed)), (4, 2));
    }
}
