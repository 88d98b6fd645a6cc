//! One renewal at a time, which everybody waits for and nobody can stop.

use std::sync::Arc;

use tokio::sync::watch;

use super::Engine;
use super::memory::{End, Handle, Known, Memory};
use super::tries::Tries;
use crate::policy::Need;
use crate::store::StoreError;
use crate::{AccessToken, SessionError};

/// How often a caller looks again after somebody else has signed in, or the renewal was lost with its runtime.
const MOST_LOOKS: usize = 16;

/// What a renewal is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Somebody waits for a token that serves.
    Demand,
    /// Nobody waits yet.
    Ahead,
    /// Somebody was refused with this token.
    Rejected(AccessToken),
}

/// What a caller has to do.
enum Plan {
    Take(AccessToken),
    Wait {
        end: watch::Receiver<Option<End>>,
        /// Whether it was under way already.
        joined: bool,
    },
}

/// A caller who came late to a renewal that failed, and has waited for less than this share of the time that one is
/// tried, has another tried.
const FAIR_SHARE: u32 = 2;

/// A renewal under way, on a task of its own.
pub(super) struct Flight {
    pub(super) engine: Arc<Engine>,
    id: u64,
    pub(super) purpose: Purpose,
    pub(super) tries: Tries,
}

/// Why a renewal ends without a token.
pub(super) enum Stop {
    /// For this reason.
    Failed(SessionError),
    /// Somebody else is signed in now, as the memory has it: those who wait look again.
    Changed,
    /// Somebody has signed in or out meanwhile: nobody waits any more.
    Overtaken,
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Engine {
    /// A token that serves and is not `rejected`, unless that one is too young to be renewed.
    pub(crate) async fn access_token(
        self: &Arc<Self>,
        rejected: Option<&AccessToken>,
    ) -> Result<AccessToken, SessionError> {
        let came = self.clock.running();
        for _ in 0..MOST_LOOKS {
            let (mut waiting, joined) = match self.plan(rejected) {
                Plan::Take(token) => return Ok(token),
                Plan::Wait { end, joined } => (end, joined),
            };
            let end = waiting.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
            match end {
                Some(End::Token(token)) if Some(&token) != rejected => return Ok(token),
                Some(End::Failed(error)) => {
                    if let Some(token) = self.serving_still(rejected) {
                        return Ok(token);
                    }
                    let waited = self.clock.running().saturating_sub(came);
                    let came_late = joined && waited < self.policy.budget / FAIR_SHARE;
                    if !(came_late && matches!(error, SessionError::Unavailable { .. })) {
                        return Err(error);
                    }
                }
                // It was for somebody else, it brought what was refused, or it was lost: look again.
                Some(End::Token(_) | End::Overtaken) | None => {}
            }
        }
        Err(SessionError::Unavailable { retry_after: None })
    }

    /// Starts a renewal if it is time for one ahead of need and none is under way. Returns when it is over, for those
    /// who want to know.
    pub(super) fn renew_ahead(self: &Arc<Self>) -> Option<watch::Receiver<Option<End>>> {
        let now = self.now();
        let begun = self.settle(|memory| {
            let due = memory.held().is_some_and(|held| held.need(now) != Need::Fresh);
            // While the service is to be left alone nobody has to wait for it either.
            let allowed = memory.flight.is_none() && memory.backoff.wait(now.running).is_zero();
            (due && allowed).then(|| memory.enlist())
        });
        let handle = begun?;
        let end = handle.end.subscribe();
        self.launch(handle, Purpose::Ahead);
        Some(end)
    }

    fn plan(self: &Arc<Self>, rejected: Option<&AccessToken>) -> Plan {
        let now = self.now();
        let mut ahead = false;
        let mut launch = None;
        let plan = self.settle(|memory| {
            let purpose = match &memory.known {
                Known::In(held) if memory.flight.is_some() || !self.has_unseen_change(memory) => {
                    match (&held.access, rejected) {
                        (Some(current), Some(rejected)) if current.token == *rejected => {
                            if !current.is_refusable(now) {
                                return Plan::Take(current.token.clone());
                            }
                            Purpose::Rejected(rejected.clone())
                        }
                        (Some(current), _) if held.need(now) != Need::Wait => {
                            ahead = held.need(now) == Need::RenewBehind;
                            return Plan::Take(current.token.clone());
                        }
                        _ => Purpose::Demand,
                    }
                }
                _ => Purpose::Demand,
            };
            let under_way = memory.flight.clone();
            let handle = under_way.unwrap_or_else(|| {
                let handle = memory.enlist();
                launch = Some((handle.clone(), purpose));
                handle
            });
            Plan::Wait { end: handle.end.subscribe(), joined: launch.is_none() }
        });
        if ahead {
            let _nobody_waits = self.renew_ahead();
        }
        if let Some((handle, purpose)) = launch {
            self.launch(handle, purpose);
        }
        plan
    }

    /// The token at hand, for those who would have liked a newer one.
    fn serving_still(&self, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let now = self.now();
        let memory = self.memory();
        let serving = memory.held()?.serving(now)?;
        (rejected != Some(serving)).then(|| serving.clone())
    }

    fn launch(self: &Arc<Self>, handle: Handle, purpose: Purpose) {
        let tries = Tries::new(Arc::clone(self));
        let flight = Flight { engine: Arc::clone(self), id: handle.id, purpose, tries };
        // Those who wait notice if the task is lost: nobody else holds the sender then.
        drop(handle);
        tokio::spawn(flight.run());
    }
}

impl Flight {
    async fn run(mut self) {
        let renewed = if self.engine.speaker.client.is_its_own() {
            self.ask_for_own().await
        } else {
            self.renew().await
        };
        let end = match renewed {
            Ok(token) => End::Token(token),
            Err(Stop::Failed(error)) => End::Failed(error),
            Err(Stop::Changed) => End::Overtaken,
            Err(Stop::Overtaken) => return,
        };
        if let End::Failed(error) = &end {
            tracing::info!(%error, "a renewal failed");
        }
        let _overtaken = self.settle(|memory| {
            if matches!(end, End::Failed(SessionError::Unavailable { .. })) {
                memory.unreached();
            }
            memory.land(end);
        });
    }

    /// Changes what is known, unless somebody has signed in or out meanwhile.
    pub(super) fn settle<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> Result<T, Stop> {
        let id = self.id;
        self.engine.settle(|memory| {
            let under_way = memory.flight.as_ref().is_some_and(|flight| flight.id == id);
            under_way.then(|| change(memory)).ok_or(Stop::Overtaken)
        })
    }

    /// The token at hand, if it is as good as what this renewal is for.
    pub(super) fn served(&self) -> Result<Option<AccessToken>, Stop> {
        let now = self.engine.now();
        self.settle(|memory| {
            let held = memory.held()?;
            let current = &held.access.as_ref()?.token;
            let serves = match &self.purpose {
                Purpose::Demand => held.need(now) != Need::Wait,
                Purpose::Ahead => held.need(now) == Need::Fresh,
                Purpose::Rejected(rejected) => held.need(now) != Need::Wait && current != rejected,
            };
            serves.then(|| current.clone())
        })
    }
}

impl Drop for Flight {
    /// A task that panicked, or whose runtime was shut down, leaves no renewal behind that nobody carries out.
    fn drop(&mut self) {
        let _overtaken = self.settle(|memory| memory.flight = None);
    }
}
