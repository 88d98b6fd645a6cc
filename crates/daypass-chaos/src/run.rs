//! What all parts of a run share.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use tokio::sync::watch;

use crate::account::Account;
use crate::arguments::Sabotage;
use crate::fast::FastClock;
use crate::ledger::Ledger;
use daypass_chaos::dice::Dice;

/// How much faster than the machine's time the clients' passes: their access tokens live for 20 ms, and they wait for
/// 200 ms for an answer.
const FACTOR: u32 = 50;

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// So many rotations are wanted.
    pub(crate) target: u64,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) account: Account,
    pub(crate) ledger: Ledger,
    pub(crate) clock: FastClock,
    over: watch::Sender<bool>,
}

impl Run {
    pub(crate) fn new(seed: u64, target: u64, sabotage: Option<Sabotage>) -> Arc<Self> {
        Arc::new(Self {
            seed,
            target,
            sabotage,
            account: Account::new(),
            ledger: Ledger::default(),
            clock: FastClock::new(FACTOR, SystemClock.wall()),
            over: watch::Sender::new(false),
        })
    }

    /// The throws of a part of the run.
    pub(crate) fn dice(&self, stream: u64) -> Dice {
        Dice::new(self.seed, stream)
    }

    pub(crate) fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// There is nothing more to be done.
    pub(crate) fn end(&self) {
        self.over.send_replace(true);
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) {
        let mut over = self.over.subscribe();
        // The run holds the sender.
        let _over = over.wait_for(|over| *over).await;
    }

    /// Waits for so long of the machine's time, or until the end. False at the end.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.ended() => false,
            () = SystemClock.sleep(time) => true,
        }
    }
}
