//! The closed loop: every connection sends a request, waits for the answer, checks it and sends the next. What is
//! sent and what counts as right is the [`Asker`]'s; this file keeps the time and the tally.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use hdrhistogram::Histogram;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::BenchError;
use super::progress::Progress;
use crate::pair::Wrong;
use crate::wire::WireError;

/// Between two tries of a request that got no answer.
const RETRY: Duration = Duration::from_millis(100);
/// How often one request is tried when each must be answered.
const TRIES: u32 = 20;
/// The longest latency that the histogram tells apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Sends requests, one at a time, over one connection.
pub(crate) trait Asker: Send + 'static {
    /// Chooses the next request; `false` when none is left.
    fn choose(&mut self) -> Result<bool, Unspecified>;

    /// Sends the chosen request and checks the answer; called again with the same choice as long as the outcome is
    /// [`Busy`](Outcome::Busy) or [`Silent`](Outcome::Silent).
    fn ask(&mut self) -> impl Future<Output = Result<Outcome, Unspecified>> + Send;
}

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answered as promised.
    Right,
    /// Asked to come again: status and code, and after how long.
    Busy(String, Duration),
    /// No answer.
    Silent(WireError),
    /// Answered, but wrongly.
    Wrong(Wrong),
}

/// How long a run lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Measures for `duration` after a warm-up.
    Timed { warm_up: Duration, duration: Duration },
    /// Until no asker has anything left, everything measured. Each request must be answered.
    Exhaustive,
}

/// What all connections of a run share.
pub(crate) struct Run {
    length: Length,
    start: Instant,
    until_lost: bool,
    stopped: watch::Sender<bool>,
    lost: AtomicBool,
    answered: AtomicU64,
}

impl Run {
    /// Starts the clock.
    pub(crate) fn start(length: Length, until_lost: bool) -> Self {
        Self {
            length,
            start: Instant::now(),
            until_lost,
            stopped: watch::Sender::new(false),
            lost: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        }
    }

    /// Lets every asker loose on a connection of its own, shows progress, and gives back the askers and the tally.
    /// `leave` ends the run early.
    pub(crate) async fn drive<A: Asker>(
        self,
        askers: Vec<A>,
        leave: Pin<&mut dyn Future<Output = ()>>,
    ) -> Result<(Vec<A>, Findings), BenchError> {
        let run = Arc::new(self);
        let mut working = JoinSet::new();
        for asker in askers {
            working.spawn(work(asker, Arc::clone(&run)));
        }
        let (mut askers, mut tally) = (Vec::with_capacity(working.len()), Tally::new()?);
        {
            let mut watching = std::pin::pin!(run.watch(leave));
            loop {
                tokio::select! {
                    done = working.join_next() => match done {
                        Some(done) => {
                            let (asker, part) = done.map_err(|_| BenchError::Worker)??;
                            askers.push(asker);
                            tally.merge(part)?;
                        }
                        None => break,
                    },
                    // Watching goes on after a stop, while the last answers come in.
                    () = &mut watching => {}
                }
            }
        }
        let measured = run.measured(tally.last);
        Ok((askers, Findings { tally, measured, lost: run.lost.load(Ordering::Relaxed) }))
    }

    fn over(&self) -> bool {
        *self.stopped.borrow() || self.until().is_some_and(|until| Instant::now() >= until)
    }

    fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn measure_from(&self) -> Instant {
        match self.length {
            Length::Timed { warm_up, .. } => self.start + warm_up,
            Length::Exhaustive => self.start,
        }
    }

    fn until(&self) -> Option<Instant> {
        match self.length {
            Length::Timed { duration, .. } => Some(self.measure_from() + duration),
            Length::Exhaustive => None,
        }
    }

    fn counts(&self, finished: Instant) -> bool {
        finished >= self.measure_from() && self.until().is_none_or(|until| finished <= until)
    }

    /// The time that was measured: all of the window, or up to the last answer if the run ended before.
    fn measured(&self, last: Option<Instant>) -> Duration {
        let stopped = *self.stopped.borrow();
        let end = self.until().filter(|_| !stopped).or(last);
        end.map_or(Duration::ZERO, |end| end.saturating_duration_since(self.measure_from()))
    }

    async fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let until = self.until().map_or(until, |end| end.min(until));
        let mut stopped = self.stopped.subscribe();
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    async fn watch(&self, mut leave: Pin<&mut dyn Future<Output = ()>>) {
        let total = match self.length {
            Length::Timed { warm_up, duration } => warm_up + duration,
            Length::Exhaustive => Duration::ZERO,
        };
        let (bar, mut left, mut before) = (Progress::time(total), false, 0);
        loop {
            tokio::select! {
                () = &mut leave, if !left => {
                    left = true;
                    self.stop();
                }
                () = sleep(Duration::from_secs(1)) => {
                    let answered = self.answered.load(Ordering::Relaxed);
                    bar.passed(self.start.elapsed(), answered - before);
                    before = answered;
                }
            }
        }
    }
}

/// What a run found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) tally: Tally,
    pub(crate) measured: Duration,
    /// The service stopped answering.
    pub(crate) lost: bool,
}

/// Counts of one connection, or of all of them.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Microseconds from request to answer, of the right answers inside the measured window.
    pub(crate) latencies: Histogram<u64>,
    /// All right answers, warm-up included.
    pub(crate) verified: u64,
    /// Requests that brought no answer, or one that asks for patience, by kind. They were tried again.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Wrong answers by kind.
    pub(crate) wrong: BTreeMap<String, u64>,
    /// One of them in words.
    pub(crate) example: Option<String>,
    last: Option<Instant>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, BenchError> {
        Ok(Self {
            latencies: Histogram::new_with_max(LONGEST, 3).map_err(|_| BenchError::Histogram)?,
            verified: 0,
            errors: BTreeMap::new(),
            wrong: BTreeMap::new(),
            example: None,
            last: None,
        })
    }

    fn right(&mut self, run: &Run, sent: Instant) {
        let answered = Instant::now();
        self.verified += 1;
        run.answered.fetch_add(1, Ordering::Relaxed);
        if run.counts(answered) {
            let micros = answered.duration_since(sent).as_micros();
            self.latencies.saturating_record(u64::try_from(micros).unwrap_or(LONGEST));
            self.last = Some(answered);
        }
    }

    fn error(&mut self, kind: impl Into<String>) {
        *self.errors.entry(kind.into()).or_default() += 1;
    }

    pub(crate) fn wrong(&mut self, wrong: &Wrong) {
        *self.wrong.entry(wrong.kind().to_owned()).or_default() += 1;
        self.example.get_or_insert_with(|| wrong.to_string());
    }

    fn merge(&mut self, part: Self) -> Result<(), BenchError> {
        self.latencies.add(part.latencies).map_err(|_| BenchError::Histogram)?;
        self.verified += part.verified;
        for (sums, counts) in [(&mut self.errors, part.errors), (&mut self.wrong, part.wrong)] {
            for (kind, count) in counts {
                *sums.entry(kind).or_default() += count;
            }
        }
        self.example = self.example.take().or(part.example);
        self.last = self.last.max(part.last);
        Ok(())
    }
}

async fn work<A: Asker>(mut asker: A, run: Arc<Run>) -> Result<(A, Tally), BenchError> {
    let mut tally = Tally::new()?;
    while !run.over() && asker.choose()? {
        insist(&mut asker, &run, &mut tally).await?;
    }
    Ok((asker, tally))
}

/// Asks until there is an answer.
async fn insist<A: Asker>(asker: &mut A, run: &Run, tally: &mut Tally) -> Result<(), BenchError> {
    for tries in 1.. {
        let sent = Instant::now();
        let wait = match asker.ask().await? {
            Outcome::Right => {
                tally.right(run, sent);
                break;
            }
            Outcome::Wrong(wrong) => {
                tally.wrong(&wrong);
                break;
            }
            Outcome::Busy(kind, wait) => {
                tally.error(kind);
                wait
            }
            Outcome::Silent(failure) => {
                tally.error(failure.kind());
                if run.until_lost {
                    run.lost.store(true, Ordering::Relaxed);
                    run.stop();
                }
                RETRY
            }
        };
        if run.length == Length::Exhaustive && tries == TRIES {
            // A service that is gone would make every other request wait as long.
            run.stop();
        }
        run.pause(wait).await;
        if run.over() {
            break;
        }
    }
    Ok(())
}
