//! What happened in a run, counted, and what must not have happened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use serde::Serialize;
use tokio::sync::watch;

/// So many objections of each kind are told in words; more are only counted.
const TOLD: u64 = 5;

/// What has to be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Zero {
    /// Somebody who was never told to leave cannot go on.
    SignOuts,
    /// A renewal that no node was there for while the nodes were restarted in turn.
    FailedInRollingRestart,
    /// A session whose end was acknowledged and that goes on.
    RevocationsLost,
    /// An acknowledged end that some verifier does not know of.
    RevocationsMissed,
    /// An alarm, though nobody was robbed.
    FalseAlarms,
    /// In a node or in this program.
    Panics,
    /// Whatever else is not as it should be.
    Others,
}

/// All of them, in the order in which they are told.
pub(crate) const ZEROS: &[Zero] = &[
    Zero::SignOuts,
    Zero::FailedInRollingRestart,
    Zero::RevocationsLost,
    Zero::RevocationsMissed,
    Zero::FalseAlarms,
    Zero::Panics,
    Zero::Others,
];

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Quiet,
    NodeKilled,
    NodePaused,
    StoreCutOff,
    RollingRestart,
    FailOver,
}

/// All of them, in the order in which they come and are told.
pub(crate) const PHASES: &[Phase] = &[
    Phase::Quiet,
    Phase::NodeKilled,
    Phase::NodePaused,
    Phase::StoreCutOff,
    Phase::RollingRestart,
    Phase::FailOver,
];

/// When a phase was, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) phase: Phase,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

impl Span {
    pub(crate) fn contains(&self, at: u64) -> bool {
        (self.begun..=self.ended).contains(&at)
    }
}

/// A node that was asked to leave, until it has renewed a session again.
#[derive(Clone, Copy, Debug)]
struct Absence {
    node: SocketAddr,
    begun: u64,
    ended: Option<u64>,
}

/// Everything that is counted beside what nginx logs.
#[derive(Debug)]
pub(crate) struct Account {
    phase: Mutex<(Phase, u64)>,
    spans: Mutex<Vec<Span>>,
    absences: Mutex<Vec<Absence>>,
    /// From an acknowledged end to the refusal at the last verifier.
    latencies: Mutex<Vec<(Phase, Duration)>>,
    unavailable: Mutex<u64>,
    objections: Mutex<Objections>,
    ends: watch::Sender<u64>,
}

/// How many there are of each kind, and the first of each in words.
type Objections = (BTreeMap<Zero, u64>, Vec<(Zero, String)>);

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            phase: Mutex::new((Phase::Quiet, now())),
            spans: Mutex::default(),
            absences: Mutex::default(),
            latencies: Mutex::default(),
            unavailable: Mutex::default(),
            objections: Mutex::default(),
            ends: watch::Sender::new(0),
        }
    }

    /// A phase begins.
    pub(crate) fn begin(&self, phase: Phase) {
        *lock(&self.phase) = (phase, now());
    }

    /// The phase that was begun last is over.
    pub(crate) fn end(&self) {
        let (phase, begun) = *lock(&self.phase);
        lock(&self.spans).push(Span { phase, begun, ended: now() });
    }

    pub(crate) fn phase(&self) -> Phase {
        lock(&self.phase).0
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        lock(&self.spans).clone()
    }

    /// A node is asked to leave.
    pub(crate) fn leaves(&self, node: SocketAddr) {
        lock(&self.absences).push(Absence { node, begun: now(), ended: None });
    }

    /// It is there again.
    pub(crate) fn is_back(&self, node: SocketAddr) {
        for absence in lock(&self.absences).iter_mut().filter(|absence| absence.node == node) {
            absence.ended.get_or_insert_with(now);
        }
    }

    /// Whether this node was on its way out or in then.
    pub(crate) fn was_leaving(&self, node: SocketAddr, at: u64) -> bool {
        let covers = |absence: &Absence| absence.begun <= at && absence.ended.is_none_or(|ended| at <= ended);
        lock(&self.absences).iter().any(|absence| absence.node == node && covers(absence))
    }

    /// An end that was acknowledged in this phase was known to the last verifier after so long.
    pub(crate) fn known(&self, phase: Phase, after: Duration) {
        lock(&self.latencies).push((phase, after));
        self.ends.send_modify(|ends| *ends = ends.saturating_add(1));
    }

    pub(crate) fn latencies(&self) -> Vec<(Phase, Duration)> {
        lock(&self.latencies).clone()
    }

    /// Follows the number of ends that all verifiers know of.
    pub(crate) fn ends(&self) -> watch::Receiver<u64> {
        self.ends.subscribe()
    }

    /// A client was told to try later.
    pub(crate) fn told_later(&self) {
        let mut unavailable = lock(&self.unavailable);
        *unavailable = unavailable.saturating_add(1);
    }

    pub(crate) fn unavailable(&self) -> u64 {
        *lock(&self.unavailable)
    }

    /// Something is not as it should be.
    pub(crate) fn object(&self, zero: Zero, what: impl Into<String>) {
        self.object_to(1, zero, what);
    }

    /// So many things are not as they should be.
    pub(crate) fn object_to(&self, many: u64, zero: Zero, what: impl Into<String>) {
        let mut objections = lock(&self.objections);
        let (counts, told) = &mut *objections;
        let count = counts.entry(zero).or_default();
        if many > 0 && *count < TOLD {
            told.push((zero, what.into()));
        }
        *count = count.saturating_add(many);
    }

    /// How often each zero was not one.
    pub(crate) fn zeros(&self) -> BTreeMap<Zero, u64> {
        let objections = lock(&self.objections);
        let count = |zero: &Zero| objections.0.get(zero).copied().unwrap_or_default();
        ZEROS.iter().map(|zero| (*zero, count(zero))).collect()
    }

    /// The first of them, in words.
    pub(crate) fn objections(&self) -> Vec<(Zero, String)> {
        lock(&self.objections).1.clone()
    }
}

/// The time of day, in milliseconds since the Unix epoch.
fn now() -> u64 {
    u64::try_from(SystemClock.wall().as_millis()).unwrap_or(u64::MAX)
}

/// What `mutex` holds. Each change is complete before anything could panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
