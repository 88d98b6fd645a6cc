//! Those who leave: they sign in, sign out, and the last verifier has to know of it. Some stay after all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_chaos::dice::Dice;
use tokio::task::JoinSet;

use crate::account::{Account, Phase, Zero, lock};
use crate::stage::{LEAVER, leaving};
use crate::verifiers::Verifiers;
use crate::wire::{Pair, Said, Wire};

/// So many of a thousand stay.
const STAY: u64 = 200;

/// How long a verifier may take to know: longer than a stream may be silent, and the polls after it.
const PATIENCE: Duration = Duration::from_mins(2);

/// So many are looked for at once.
const AT_ONCE: usize = 8;

/// The pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Everybody who signed in to leave, and what became of them.
pub(crate) struct Leavers {
    account: Arc<Account>,
    verifiers: Arc<Verifiers>,
    wire: Wire,
    /// Whose end was acknowledged, and in which phase.
    gone: Mutex<Vec<(Phase, Pair)>>,
    /// Whose sign-in was acknowledged and who stay.
    here: Mutex<Vec<Pair>>,
}

impl Leavers {
    pub(crate) fn new(account: Arc<Account>, verifiers: Arc<Verifiers>, wire: Wire) -> Arc<Self> {
        Arc::new(Self { account, verifiers, wire, gone: Mutex::default(), here: Mutex::default() })
    }

    /// How many have gone, and how many are here.
    pub(crate) fn count(&self) -> (usize, usize) {
        (lock(&self.gone).len(), lock(&self.here).len())
    }

    /// One comes and goes after the other.
    pub(crate) async fn come_and_go(self: Arc<Self>, number: u64, dice: Dice) {
        loop {
            SystemClock.sleep(dice.millis(20, 120)).await;
            let Some(pair) = self.wire.sign_in(&leaving(number), LEAVER.id).await else {
                SystemClock.sleep(PAUSE).await;
                continue;
            };
            self.verifiers.show(&pair.access_token).await;
            if dice.chance(STAY) {
                lock(&self.here).push(pair);
            } else {
                self.leave(pair).await;
            }
        }
    }

    async fn leave(&self, pair: Pair) {
        while !self.wire.log_out(&pair.refresh_token).await {
            SystemClock.sleep(PAUSE).await;
        }
        let (phase, acknowledged) = (self.account.phase(), SystemClock.running());
        lock(&self.gone).push((phase, pair.clone()));
        match self.verifiers.until_known(&pair.access_token, PATIENCE).await {
            Ok(()) => {
                let after = SystemClock.running().saturating_sub(acknowledged);
                self.account.known(phase, after);
            }
            Err(ignorant) => {
                let what = format!("{ignorant} verifiers do not know of an end that was acknowledged");
                self.account.object(Zero::RevocationsMissed, what);
            }
        }
    }

    /// Looks for all of them once more, now that nothing is in the way: who has gone has to be known by a verifier, by all
    /// if that was around a fail-over, and no node may renew the session; who is here has to be here.
    pub(crate) async fn look_for_all(self: &Arc<Self>, dice: &Dice) {
        let gone = std::mem::take(&mut *lock(&self.gone)).into_iter();
        let here = std::mem::take(&mut *lock(&self.here)).into_iter();
        let all = gone.map(|(phase, pair)| (Some(phase), pair)).chain(here.map(|pair| (None, pair)));
        let mut looking = JoinSet::new();
        for (phase, pair) in all {
            if looking.len() >= AT_ONCE {
                looking.join_next().await;
            }
            looking.spawn(Arc::clone(self).look_for(phase, pair, dice.attempt_id()));
        }
        looking.join_all().await;
    }

    /// Looks for one who has gone in this phase, or has stayed.
    async fn look_for(self: Arc<Self>, gone: Option<Phase>, pair: Pair, attempt: String) {
        let Some(said) = self.said(&pair, &attempt).await else { return };
        let Some(phase) = gone else {
            if said != Said::Renewed {
                self.account.object(Zero::SignOuts, "a sign-in that was acknowledged is gone");
            }
            return;
        };
        if said != Said::Refused {
            let what = format!("a session goes on whose end was acknowledged: {phase:?}");
            self.account.object(Zero::RevocationsLost, what);
        } else if self.verifiers.ignorant(&pair.access_token, phase == Phase::FailOver) > 0 {
            let what = format!("at the end a verifier has forgotten an end: {phase:?}");
            self.account.object(Zero::RevocationsMissed, what);
        }
    }

    /// What the service says to a token; nothing if that takes too long, which is objected to.
    async fn said(&self, pair: &Pair, attempt: &str) -> Option<Said> {
        let said = async {
            loop {
                if let Some(said) = self.wire.renew(&pair.refresh_token, attempt).await {
                    return said;
                }
                SystemClock.sleep(PAUSE).await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, said).await.ok();
        if said.is_none() {
            self.account.object(Zero::Others, "a renewal at the end has no answer".to_owned());
        }
        said
    }
}
