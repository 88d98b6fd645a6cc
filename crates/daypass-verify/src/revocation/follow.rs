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

/// How far apart the service's heartbeats are.
const BEAT: Duration = Duration::from_secs(5);

/// A stream that says nothing for so long from its start on is kept back by something on the way: the service begins at once.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// How long a service that has no stream is not asked for it again.
const NO_STREAM: Duration = Duration::from_mins(5);

/// How long a stream is not asked for again that could not be had once; four times as long after each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// After so many times in vain the pause does not grow any more.
const VAIN: u32 = 8;

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
    /// How often in a row a stream could not be had.
    vain_streams: u32,
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
            vain_streams: 0,
            logged: Logged::default(),
        }
    }

    /// Follows the feed until the task is aborted, which may happen at any wait: what readers see is whole between
    /// two of them.
    ///
    /// Each turn begins with a poll. A stream that cannot be had costs no poll: what is known is never older than by
    /// polls alone, but for the five seconds that a stream may take to begin.
    pub(super) async fn run(mut self) {
        loop {
            self.ledger.forget(self.now());
            let read = self.read_to_the_end().await.map(|began| self.shared.read(began));
            self.log(read.err());
            let wait = match read {
                Ok(()) if self.may_listen() => self.listen().await,
                Ok(()) => self.schedule.succeeded(self.dice()),
                Err(error) => {
                    self.shared.failed(error.fault);
                    self.schedule.failed(error.retry_after, self.dice())
                }
            };
            self.shared.next_in(wait);
            self.shared.clock.sleep(wait).await;
        }
    }

    /// Heartbeats are so far apart that by them alone nobody is fresher than this.
    fn may_listen(&self) -> bool {
        let fresh_enough = self.shared.max_staleness >= SILENCE.saturating_add(BEAT);
        self.wire.has_stream() && fresh_enough && self.shared.clock.running() >= self.polls_until
    }

    /// Listens to the stream until it ends. Gives the wait until the next poll.
    async fn listen(&mut self) -> Duration {
        let mut stream = Stream::after(self.ledger.cursor());
        let ended = self.hear(&mut stream).await;
        self.shared.set_streaming(false);
        let feed = self.wire.feed();
        match ended {
            Ok(()) => tracing::debug!(%feed, "the stream of the revocation feed ended"),
            Err(PollError { status: Some(404 | 405 | 406 | 501), .. }) => {
                tracing::info!(%feed, "the service has no stream of the revocation feed: it is polled");
                self.vain_streams = VAIN;
            }
            Err(error) => {
                tracing::debug!(%feed, %error, "the stream of the revocation feed broke");
                self.shared.failed(error.fault);
            }
        }
        let dice = self.dice();
        if stream.is_ready() {
            self.vain_streams = 0;
            return self.schedule.let_go(dice);
        }
        let pause = FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(self.vain_streams)).min(NO_STREAM);
        self.vain_streams = self.vain_streams.saturating_add(1).min(VAIN);
        self.polls_until = self.shared.clock.running().saturating_add(pause);
        self.schedule.succeeded(dice)
    }

    async fn hear(&mut self, stream: &mut Stream) -> Result<(), PollError> {
        let mut answer = self.wire.stream(self.ledger.cursor()).await?;
        loop {
            let began = self.shared.clock.running();
            let silence = if stream.is_ready() { SILENCE } else { FIRST_WORD };
            let come = tokio::select! {
                biased;
                come = answer.chunk() => come.map_err(|_| PollError::from(FeedFault::Unreachable))?,
                () = self.shared.clock.sleep(silence) => return Err(FeedFault::Timeout.into()),
            };
            let Some(come) = come else { return Ok(()) };
            // The machine has slept meanwhile: what came may have been under way for as long.
            if self.shared.clock.running().saturating_sub(began) > SILENCE {
                return Err(FeedFault::Timeout.into());
            }
            stream.push(&come);
            let mut is_fresh = false;
            while let Some(heard) = stream.next()? {
                is_fresh |= match heard {
                    Heard::Page(page) => self.ledger.apply(page, self.now())?,
                    Heard::Beat => stream.is_ready(),
                };
            }
            if is_fresh {
                // It is not older than the wait for it.
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
