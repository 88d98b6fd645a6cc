//! The background task: poll, listen while there is a stream, wait.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Entropy;

use super::fault::{FeedFault, PollError};
use super::followed::Shared;
use super::ledger::{Ledger, Now};
use super::schedule::{Dice, Schedule};
use super::stream::{Heard, Stream};
use super::wire::Wire;

/// The most pages that one poll reads: twice what the largest list takes in the service's pages.
const MOST_PAGES: usize = 2000;

/// A stream that is silent for so long is given up: the service says something every 5 s.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a service that has no stream is not asked for it again.
const NO_STREAM: Duration = Duration::from_mins(5);

/// Reads the feed for as long as somebody wants to know.
#[derive(Debug)]
pub(super) struct Follower {
    shared: Arc<Shared>,
    wire: Wire,
    ledger: Ledger,
    schedule: Schedule,
    entropy: Arc<dyn Entropy>,
    /// Until when the service is not asked for its stream, on the running clock.
    polls_until: Duration,
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
        Self {
            shared,
            wire,
            ledger,
            schedule,
            entropy,
            polls_until: Duration::ZERO,
            logged: Logged::default(),
        }
    }

    /// Follows the feed until the task is aborted, which may happen at any wait: what readers see is whole between
    /// two of them.
    ///
    /// Each turn begins with a poll: whatever becomes of the stream, what is known is never older than by polls alone.
    pub(super) async fn run(mut self) {
        loop {
            self.ledger.forget(self.now());
            let mut read = self.read_to_the_end().await.map(|began| self.shared.read(began));
            self.log(read.err());
            let mut wait = None;
            if read.is_ok() && self.may_listen() {
                let (had_caught_up, ended) = self.listen().await;
                wait = had_caught_up.then(|| self.schedule.let_go(self.dice()));
                read = ended;
            }
            if let Err(error) = read {
                self.shared.failed(error.fault);
            }
            let dice = self.dice();
            let wait = wait.unwrap_or_else(|| match read {
                Ok(()) => self.schedule.succeeded(dice),
                Err(error) => self.schedule.failed(error.retry_after, dice),
            });
            self.shared.next_in(wait);
            self.shared.clock.sleep(wait).await;
        }
    }

    fn may_listen(&self) -> bool {
        self.wire.has_stream() && self.shared.clock.running() >= self.polls_until
    }

    /// Listens to the stream until it ends. Says whether it had caught up, and why it ended if it should not have.
    async fn listen(&mut self) -> (bool, Result<(), PollError>) {
        let mut stream = Stream::after(self.ledger.cursor());
        let ended = self.hear(&mut stream).await;
        self.shared.set_streaming(false);
        let feed = self.wire.feed();
        match ended {
            Ok(()) => tracing::debug!(%feed, "the stream of the revocation feed ended"),
            Err(PollError { status: Some(404 | 405 | 406 | 501), .. }) => {
                tracing::info!(%feed, "the service has no stream of the revocation feed: it is polled");
                self.polls_until = self.shared.clock.running().saturating_add(NO_STREAM);
                return (false, Ok(()));
            }
            Err(error) => tracing::debug!(%feed, %error, "the stream of the revocation feed broke"),
        }
        (stream.is_ready(), ended)
    }

    async fn hear(&mut self, stream: &mut Stream) -> Result<(), PollError> {
        let mut answer = self.wire.stream(self.ledger.cursor()).await?;
        loop {
            // What comes is not older than the wait for it, or had been on its way for no longer than the silence that is
            // borne.
            let began = self.shared.clock.running();
            let come = tokio::select! {
                biased;
                come = answer.chunk() => come.map_err(|_| PollError::from(FeedFault::Unreachable))?,
                () = self.shared.clock.sleep(SILENCE) => return Err(FeedFault::Timeout.into()),
            };
            let Some(come) = come else { return Ok(()) };
            stream.push(&come);
            while let Some(heard) = stream.next()? {
                if let Heard::Page(page) = heard {
                    self.ledger.apply(page, self.now())?;
                }
            }
            if stream.is_ready() {
                self.shared.heard(began);
                self.shared.set_streaming(true);
            }
            self.ledger.forget(self.now());
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
