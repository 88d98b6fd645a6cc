//! Measuring in turns: a millisecond or so of each kind of work, round after round, so that whatever else happens on
//! the machine meets all of them alike, and most slices not at all. What one thread does is measured in its own time on
//! the processor, what threads do together in the time that passes. Only good tokens are timed; the bad ones are judged between the slices.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use daypass_verify::Verifier;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::bare::Bare;
use super::mint::{Good, Tokens};
use crate::bench::BenchError;
use crate::bench::progress::Progress;

/// How long one kind of work is done at a time: less than a thread may usually run before another has its turn.
pub(super) const SLICE: Duration = Duration::from_millis(1);
/// The same for threads together: longer, since none begins or ends at the same moment as the others.
pub(super) const LONG_SLICE: Duration = Duration::from_millis(5);
/// Tokens between two looks at the clock.
const STRETCH: usize = 32;
/// Bad tokens that are judged after a slice.
const BAD_AT_ONCE: usize = 6;

/// What is measured.
pub(super) struct Course {
    pub(super) tokens: Arc<Tokens>,
    /// Knows every good token after the first round.
    pub(super) remembering: Verifier,
    /// Remembers none.
    pub(super) forgetful: Verifier,
    pub(super) bare: Bare,
    pub(super) threads: NonZeroUsize,
    /// Where the verifiers' tasks run. The work itself is done on threads of its own.
    pub(super) runtime: Handle,
}

/// How long a slice is, and where it begins in the working set: in stretches of good tokens, in handfuls of bad ones.
#[derive(Clone, Copy)]
struct Turn {
    slice: Duration,
    stretch: usize,
    bad: usize,
}

/// What came of a slice.
struct Lap {
    judged: u32,
    /// Of the processor's time, while this thread had it.
    worked: Duration,
    began: Instant,
    ended: Instant,
}

impl Lap {
    /// Nanoseconds of work for one token.
    fn nanos(&self) -> f64 {
        self.worked.as_secs_f64() * 1e9 / f64::from(self.judged.max(1))
    }
}

/// One number for each round.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Nanoseconds of work for a token seen before.
    pub(super) seen: Vec<f64>,
    /// Tokens seen before that all threads judge together, in a second.
    pub(super) together: Vec<f64>,
    /// Nanoseconds of work for a new token.
    pub(super) new: Vec<f64>,
    /// Nanoseconds of work for a bare signature check.
    pub(super) bare: Vec<f64>,
    /// Nanoseconds that a new token took longer than a bare check, of two rounds each, in which either came first once.
    pub(super) difference: Vec<f64>,
    /// What was said of the tokens, warm-up included.
    pub(super) tally: Tally,
    pub(super) measured: Duration,
}

/// What was said of tokens.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Good tokens that passed.
    pub(super) passed: u64,
    /// Bad tokens that were refused for the right reason, by reason.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Wrong answers.
    pub(super) wrong: BTreeMap<String, u64>,
}

impl Course {
    /// Runs rounds for this long, two at least. Begins with one that does not count and fills the memory.
    pub(super) fn run(
        &self,
        duration: Duration,
        left: &AtomicBool,
        progress: &Progress,
    ) -> Result<Findings, BenchError> {
        let mut warm_up = Findings::default();
        self.runtime.block_on(self.remember());
        self.round(&mut warm_up, 0)?;
        let mut findings = Findings { tally: warm_up.tally, ..Findings::default() };
        let begun = Instant::now();
        loop {
            let number = findings.new.len().saturating_add(1);
            self.round(&mut findings, number)?;
            findings.measured = begun.elapsed();
            progress.passed(findings.measured, rate_of(&findings));
            let both_orders = findings.new.len().is_multiple_of(2);
            if both_orders && (findings.measured >= duration || left.load(Ordering::Relaxed)) {
                findings.difference = differences(&findings.new, &findings.bare);
                return Ok(findings);
            }
        }
    }

    /// Lets the verifier that remembers see every good token.
    async fn remember(&self) {
        for good in self.tokens.good() {
            // Whether it is right is seen when it is measured.
            drop(self.remembering.verify(good.text()).await);
        }
    }

    fn round(&self, findings: &mut Findings, number: usize) -> Result<(), BenchError> {
        let tally = &mut findings.tally;
        let alone = Turn { slice: SLICE, stretch: number, bad: number };
        findings.together.push(self.together(number, tally)?);
        // This thread has slept meanwhile: what comes first now would be at a disadvantage.
        self.check(alone, tally);
        // By turns, since the second of the two always meets what the first leaves in the processor's caches.
        let early = number.is_multiple_of(2).then(|| self.check(alone, tally));
        let new = self.runtime.block_on(self.judge(&self.forgetful, alone, tally));
        let bare = early.unwrap_or_else(|| self.check(alone, tally));
        let seen = self.runtime.block_on(self.judge(&self.remembering, alone, tally));
        findings.new.push(new.nanos());
        findings.bare.push(bare.nanos());
        findings.seen.push(seen.nanos());
        Ok(())
    }

    /// Times good tokens, and lets the verifier judge some bad ones afterwards.
    async fn judge(&self, verifier: &Verifier, turn: Turn, tally: &mut Tally) -> Lap {
        let judged = async |good: &Good| match verifier.verify(good.text()).await {
            Ok(token) if token.claims().jti == good.jti() => Ok(()),
            Ok(_) => Err("taken for another token".to_owned()),
            Err(error) => Err(format!("refused: {}", error.code())),
        };
        let lap = slice(self.tokens.good(), turn, judged, tally).await;
        let handfuls = self.tokens.bad().chunks(BAD_AT_ONCE);
        let handful = turn.bad % handfuls.len().max(1);
        for bad in handfuls.skip(handful).take(1).flatten() {
            match verifier.verify(&bad.text).await {
                Err(error) if error.code() == bad.code => *tally.refused.entry(bad.code).or_default() += 1,
                Err(error) => tally.wrong(format!("{} instead of {}", error.code(), bad.code)),
                Ok(_) => tally.wrong(format!("passed instead of {}", bad.code)),
            }
        }
        lap
    }

    /// Tokens in a second that all threads judge together, each beginning elsewhere in the working set.
    fn together(&self, round: usize, tally: &mut Tally) -> Result<f64, BenchError> {
        let threads = self.threads.get();
        let (all_there, apart) = (Barrier::new(threads), self.tokens.good().len() / threads / STRETCH);
        let work = |number: usize| {
            let mut tally = Tally::default();
            all_there.wait();
            let turn = Turn { slice: LONG_SLICE, stretch: round + number * apart, bad: round + number };
            let judging = self.judge(&self.remembering, turn, &mut tally);
            (self.runtime.block_on(judging), tally)
        };
        let work = &work;
        let laps = std::thread::scope(|scope| {
            let working: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
            let mut laps = Vec::new();
            for worker in working {
                let (lap, part) = worker.join().map_err(|_| BenchError::Worker)?;
                laps.push(lap);
                tally.merge(part);
            }
            Ok::<_, BenchError>(laps)
        })?;
        let judged: f64 = laps.iter().map(|lap| f64::from(lap.judged)).sum();
        let (began, ended) = (laps.iter().map(|lap| lap.began).min(), laps.iter().map(|lap| lap.ended).max());
        let took = began.zip(ended).map_or(f64::INFINITY, |(began, ended)| (ended - began).as_secs_f64());
        Ok(judged / took)
    }

    /// Times the bare check.
    fn check(&self, turn: Turn, tally: &mut Tally) -> Lap {
        let checked = async |good: &Good| {
            let right = self.bare.check(good.message(), good.signature());
            right.then_some(()).ok_or_else(|| "refused by the bare check".to_owned())
        };
        self.runtime.block_on(slice(self.tokens.good(), turn, checked, tally))
    }
}

/// The differences between two series, of two neighbours each.
fn differences(new: &[f64], bare: &[f64]) -> Vec<f64> {
    let mean = |pair: &[f64]| pair.iter().sum::<f64>() / 2.0;
    new.chunks_exact(2).zip(bare.chunks_exact(2)).map(|(new, bare)| mean(new) - mean(bare)).collect()
}

/// Goes through the tokens, round and round, until the slice is over.
async fn slice(
    good: &[Good],
    turn: Turn,
    mut judge: impl AsyncFnMut(&Good) -> Result<(), String>,
    tally: &mut Tally,
) -> Lap {
    let stretches = good.chunks(STRETCH);
    let from = turn.stretch % stretches.len().max(1);
    let (working_before, began, mut judged) = (working_time(), Instant::now(), 0_u32);
    for stretch in stretches.cycle().skip(from) {
        for token in stretch {
            judged = judged.saturating_add(1);
            match judge(token).await {
                Ok(()) => tally.passed += 1,
                Err(wrong) => tally.wrong(wrong),
            }
        }
        if began.elapsed() >= turn.slice {
            break;
        }
    }
    let ended = Instant::now();
    Lap { judged, worked: working_time().saturating_sub(working_before), began, ended }
}

/// How long this thread has had a processor so far. None of this work waits, so that nothing but the machine's other
/// business is left out.
fn working_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default());
    seconds.saturating_add(Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default()))
}

impl Tally {
    fn wrong(&mut self, what: String) {
        *self.wrong.entry(what).or_default() += 1;
    }

    fn merge(&mut self, part: Self) {
        self.passed += part.passed;
        for (code, count) in part.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (what, count) in part.wrong {
            *self.wrong.entry(what).or_default() += count;
        }
    }
}

/// The last round's rate, for the progress bar.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number, to be read by people"
)]
fn rate_of(findings: &Findings) -> u64 {
    findings.together.last().map_or(0, |rate| *rate as u64)
}
