//! The background task: poll, take what came, wait.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Entropy;

use super::fault::{FeedFault, PollError};
use super::followed::Shared;
use super::ledger::{Ledger, Now};
use super::schedule::{Dice, Schedule};
use super::wire::Wire;

/// The most pages that one poll reads: twice what the largest list takes in the service's pages.
const MOST_PAGES: usize = 2000;

/// Reads the feed for as long as somebody wants to know.
#[derive(Debug)]
pub(super) struct Follower {
    shared: Arc<Shared>,
    wire: Wire,
    ledger: Ledger,
    schedule: Schedule,
    entropy: Arc<dyn Entropy>,
    /// What the log says of the feed.
    logged: Logged,
}

/// What was logged last, so that an outage is a few lines.
#[derive(Debug, Default)]
struct Logged {
    fault: Option<FeedFault>,
    stale: bool,
}

impl Follower {
    pub(super) fn new(
        shared: Arc<Shared>,
        wire: Wire,
        ledger: Ledger,
        schedule: Schedule,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { shared, wire, ledger, schedule, entropy, logged: Logged::default() }
    }

    /// Follows the feed until the task is aborted, which may happen at any wait: what readers see is whole between
    /// two of them.
    pub(super) async fn run(mut self) {
        loop {
            self.ledger.forget(self.now());
            let read = self.read_to_the_end().await;
            let dice = self.dice();
            let wait = match read {
                Ok(began) => {
                    self.shared.read(began);
                    self.schedule.succeeded(dice)
                }
                Err(error) => {
                    self.shared.failed(error.fault);
                    self.schedule.failed(error.retry_after, dice)
                }
            };
            self.log(read.err());
            self.shared.next_in(wait);
            self.shared.clock.sleep(wait).await;
        }
    }

    /// Reads page after page until nothing follows. Returns when the last request left: what is known is not older.
    async fn read_to_the_end(&mut self) -> Result<Duration, PollError> {
        for _ in 0..MOST_PAGES {
            let began = self.shared.clock.running();
            let page = self.wire.page(self.ledger.cursor()).await?;
            if self.ledger.apply(page, self.now())? {
                return Ok(began);
            }
        }
        Err(FeedFault::Endless.into())
    }

    fn now(&self) -> Now {
        Now { wall: self.shared.clock.wall(), running: self.shared.clock.running() }
    }

    /// Without randomness all waits are in the middle, and nothing worse.
    fn dice(&self) -> Dice {
        let mut bytes = [0; 4];
        let drawn = self.entropy.fill(&mut bytes);
        Dice(drawn.map_or(u32::MAX / 2, |()| u32::from_le_bytes(bytes)))
    }

    fn log(&mut self, failed: Option<PollError>) {
        let stale = self.shared.is_stale(self.shared.clock.running());
        let feed = self.wire.feed();
        match failed {
            None if self.logged.fault.is_some() => {
                tracing::info!(%feed, "the revocation feed can be read again");
            }
            Some(error) if self.logged.fault != Some(error.fault) => {
                tracing::warn!(%feed, %error, "the revocation feed cannot be read");
            }
            Some(error) => tracing::debug!(%feed, %error, "the revocation feed still cannot be read"),
            None => {}
        }
        if stale && !self.logged.stale && failed.is_some() {
            let then = self.shared.when_stale;
            tracing::warn!(%feed, ?then, "what is known of ended sessions is too old");
        }
        self.logged = Logged { fault: failed.map(|error| error.fault), stale };
    }
}
