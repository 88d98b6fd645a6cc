//! Histories: revocations, disabling, new passwords, sign-ins, thefts and renewals at the same time,
//! on the store's real concurrency, and whether what was answered is what some serial order answers.
//!
//! Each round has a person of its own. What its actors ask for and are answered is noted with the
//! moments at which each call began and ended. The round holds if the calls can be put into an order
//! that keeps to those moments and in which one subject that does one thing after the other, by the
//! rules of `daypass-core`, gives the very same answers, row for row, and at the end has told the
//! very same events and feed entries: it is linearizable. So nothing comes back, no renewal slips
//! past an acknowledged ending, no ending is told twice or forgotten, and of two alarms one is
//! raised. What needs no model is checked without one as well.
//!
//! `World` takes the very `decide` that the stores take: a rule that is wrong is wrong in both, so
//! this tests what the stores make of the rules and not the rules.
//!
//! What each actor tries is drawn from a seed; which of them comes first is not, and matters to no
//! result.

mod act;

mod round;

mod rules;

mod world;

mod search;

mod draw;

mod tally;

use std::sync::Arc;
use std::time::Duration;

use daypass_core::{Ending, Event, FeedEntry};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Harness;
use super::stage::{BUILT_IN, IDLE, SINGLE, Stage};
use crate::FeedCursor;
use act::Call;
use draw::Draw;
use round::Round;
use tally::Tally;
use world::{Told, World};

/// What an actor does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Renew,
    Retry,
    Steal,
    SignIn,
    End,
    EndAll,
    EndOthers,
    Disable,
    Enable,
    NewPassword,
    Rehash,
    Prune,
    Look,
    List,
    LookAtPerson,
    Step,
}

impl Kind {
    /// Everything that changes something, but for time.
    const CHANGES: [Self; 12] = [
        Self::Renew,
        Self::Retry,
        Self::Steal,
        Self::SignIn,
        Self::End,
        Self::EndAll,
        Self::EndOthers,
        Self::Disable,
        Self::Enable,
        Self::NewPassword,
        Self::Rehash,
        Self::Prune,
    ];
}

/// What is to happen in a round.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    /// The client that all sessions are on.
    client: &'static str,
    /// What each actor does, one thing after the other.
    actors: Vec<Vec<Kind>>,
}

impl Plan {
    /// A plan of as many actors as there are numbers, each of whom does that many things from `kinds`.
    fn drawn(seed: u64, client: &'static str, kinds: &[Kind], actors: &[usize]) -> Self {
        let mut draw = Draw::new(seed);
        let mut some = |count: &usize| (0..*count).map(|_| draw.of(kinds)).collect();
        Self { seed, client, actors: actors.iter().map(&mut some).collect() }
    }

    fn uses(&self, kind: Kind) -> bool {
        self.actors.iter().flatten().any(|own| *own == kind)
    }

    /// Whether other rounds would notice: the clock and what is forgotten are common to all.
    fn alone(&self) -> bool {
        self.uses(Kind::Prune) || self.uses(Kind::Step)
    }
}

/// What comes up where every change meets every other.
const OF_CHANGES: [&str; 9] = [
    "rotated",
    "repeated",
    "repeated on grace",
    "reused",
    "refused as ended",
    "refused as unknown",
    "not signed in",
    "already ended",
    "not changed",
];

/// Every two kinds of change at once, a few times each.
pub async fn every_two_changes_at_once(harness: impl Harness) {
    let mut plans = Vec::new();
    for (at, one) in Kind::CHANGES.into_iter().enumerate() {
        for other in &Kind::CHANGES[at..] {
            for client in [BUILT_IN, SINGLE, BUILT_IN, SINGLE, BUILT_IN, SINGLE] {
                let seed = u64::try_from(plans.len()).unwrap();
                plans.push(Plan { seed, client, actors: vec![vec![one], vec![*other]] });
            }
        }
    }
    assert_eq!(plans.len(), 468);
    play(harness, false, plans).await.shows(&OF_CHANGES);
}

/// Every three kinds of change at once.
pub async fn every_three_changes_at_once(harness: impl Harness) {
    let mut plans = Vec::new();
    for (at, one) in Kind::CHANGES.into_iter().enumerate() {
        for (beside, two) in Kind::CHANGES.into_iter().enumerate().skip(at) {
            for three in &Kind::CHANGES[beside..] {
                let seed = u64::try_from(plans.len()).unwrap();
                let client = [BUILT_IN, SINGLE][plans.len() % 2];
                plans.push(Plan { seed, client, actors: vec![vec![one], vec![two], vec![*three]] });
            }
        }
    }
    assert_eq!(plans.len(), 364);
    play(harness, false, plans).await.shows(&OF_CHANGES);
}

/// A client's renewals and retries, and somebody with a copy, while sessions end one by one.
pub async fn renewals_and_thefts(harness: impl Harness) {
    use Kind::{End, Look, Renew, Retry, SignIn, Steal};
    let kinds = [Renew, Renew, Renew, Renew, Retry, Retry, Steal, End, SignIn, Look];
    let tally = play(harness, false, drawn(500, &[BUILT_IN, SINGLE], &kinds, &[3, 3, 3, 3])).await;
    tally.shows(&["rotated", "repeated", "repeated on grace", "reused", "refused as superseded", "ended"]);
}

/// Everything that ends sessions, beside renewals and sign-ins.
pub async fn endings_and_renewals(harness: impl Harness) {
    use Kind::{
        Disable, Enable, End, EndAll, EndOthers, List, Look, LookAtPerson, NewPassword, Rehash, Renew, Retry,
        SignIn, Steal,
    };
    let kinds = [
        Renew,
        Renew,
        Renew,
        Renew,
        Renew,
        Retry,
        Steal,
        End,
        EndAll,
        EndOthers,
        Disable,
        Enable,
        Enable,
        NewPassword,
        Rehash,
        SignIn,
        SignIn,
        Look,
        List,
        LookAtPerson,
    ];
    let tally = play(harness, false, drawn(1_000, &[BUILT_IN, SINGLE], &kinds, &[4, 4, 4, 4])).await;
    tally.shows(&["rotated", "reused", "refused as ended", "not signed in", "already ended", "not changed"]);
}

/// The same while time passes: graces and idle times run out, and what is over is forgotten. Nobody
/// looks meanwhile: a transaction has its time before others see it, so that a look may show what was
/// before it, though at a later time.
pub async fn endings_and_renewals_as_time_passes(harness: impl Harness) {
    use Kind::{End, EndOthers, NewPassword, Prune, Renew, Retry, SignIn, Steal, Step};
    let kinds =
        [Renew, Renew, Renew, Retry, Retry, Steal, End, EndOthers, NewPassword, SignIn, Prune, Step, Step];
    let tally = play(harness, false, drawn(200, &[BUILT_IN, IDLE, SINGLE], &kinds, &[3, 3, 3])).await;
    tally.shows(&["rotated", "repeated on grace", "reused", "refused as expired", "refused as unknown"]);
}

/// The same through two openings of the data.
pub async fn endings_and_renewals_through_two_openings(harness: impl Harness) {
    use Kind::{Disable, Enable, End, EndAll, EndOthers, Look, NewPassword, Renew, Retry, SignIn, Steal};
    let kinds = [
        Renew,
        Renew,
        Renew,
        Retry,
        Steal,
        End,
        EndAll,
        EndOthers,
        Disable,
        Enable,
        Enable,
        NewPassword,
        SignIn,
        SignIn,
        Look,
    ];
    let tally = play(harness, true, drawn(300, &[BUILT_IN, SINGLE], &kinds, &[3, 3, 3, 3])).await;
    tally.shows(&["rotated", "repeated", "reused", "refused as ended", "not signed in", "already ended"]);
}

fn drawn(rounds: u64, clients: &[&'static str], kinds: &[Kind], actors: &[usize]) -> Vec<Plan> {
    let client = |seed| clients[usize::try_from(seed).unwrap() % clients.len()];
    (0..rounds).map(|seed| Plan::drawn(seed, client(seed), kinds, actors)).collect()
}

/// How many rounds are played at the same time, so that batches hold those of several.
const AT_ONCE: usize = 16;

/// Longer than what is over by itself is kept.
const LATER: Duration = Duration::from_hours(25);

/// Plays every round, and checks it.
#[expect(clippy::print_stdout, reason = "how many were races is worth reading, and whoever runs tests can")]
async fn play(harness: impl Harness, twice: bool, plans: Vec<Plan>) -> Tally {
    let stage = Stage::set(harness).await;
    let mut stages = vec![stage.clone()];
    if twice {
        stages.push(stage.opened_again().await);
    }
    let (alone, together): (Vec<_>, Vec<_>) = plans.into_iter().partition(Plan::alone);
    let waves = together.chunks(AT_ONCE).chain(alone.chunks(1));
    let (mut number, mut overlapped) = (0, 0);
    let (mut told, mut tally) = (Everything::default(), Tally::default());
    for wave in waves {
        let rounds = play_at_once(&stages, number, wave).await;
        number += wave.len();
        told.read_on(&stage).await;
        for round in rounds {
            let calls = round.history();
            overlapped += usize::from(round::overlapped(&calls));
            tally.count(&calls);
            check(&round, calls, &told);
        }
        told.forget();
    }
    println!("{overlapped} of {number} rounds were races");
    // How many depends on the machine; without any, nothing was tested.
    assert!(overlapped > 0, "none of {number} rounds was a race");
    tally
}

/// Plays a few rounds beside each other.
async fn play_at_once(stages: &[Stage], number: usize, plans: &[Plan]) -> Vec<Arc<Round>> {
    let mut beginning = JoinSet::new();
    for (at, plan) in plans.iter().enumerate() {
        beginning.spawn(Round::begin(stages.to_vec(), number + at, plan.clone()));
    }
    let rounds: Vec<_> = beginning.join_all().await.into_iter().map(Arc::new).collect();
    each(&rounds, |round| async move { round.open_the_old_one().await }).await;
    stages[0].clock.step(daypass_core::time::millis(LATER));
    for round in &rounds {
        round.note_step(LATER);
    }
    each(&rounds, |round| async move { round.open_the_others().await }).await;
    let mut tasks = JoinSet::new();
    for round in &rounds {
        let actors = round.plan.actors.len();
        let start = Arc::new(Barrier::new(actors));
        for actor in 0..actors {
            let (round, start) = (Arc::clone(round), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                round.act(actor).await;
            });
        }
    }
    tasks.join_all().await;
    each(&rounds, |round| async move { round.look_around().await }).await;
    rounds
}

/// The rules without a model, and then the model.
fn check(round: &Round, calls: Vec<Call>, all: &Everything) {
    rules::hold(&calls);
    let told = all.about(round, &calls);
    let world = World::new(round.person.clone(), round.began);
    if search::serial_order(&calls, &world, &round.clients, &told).is_none() {
        let mut calls = calls;
        calls.sort_by_key(|call| call.began);
        let lines: Vec<_> = calls.iter().map(ToString::to_string).collect();
        panic!("no serial order explains {:?}:\n{}\nand {told:?}", round.plan, lines.join("\n"));
    }
}

/// Does something in each round, beside each other.
async fn each<F: Future<Output = ()> + Send + 'static>(
    rounds: &[Arc<Round>],
    does: impl Fn(Arc<Round>) -> F,
) {
    let tasks: JoinSet<()> = rounds.iter().map(|round| does(Arc::clone(round))).collect();
    tasks.join_all().await;
}

/// What the store has told about everybody, and how far it has been read.
#[derive(Default)]
struct Everything {
    feed: Vec<FeedEntry>,
    cursor: Option<FeedCursor>,
    events: Vec<Event>,
    last: u64,
}

impl Everything {
    async fn read_on(&mut self, stage: &Stage) {
        loop {
            let page = stage.store.feed(self.cursor, 1_000).await.unwrap();
            self.feed.extend(page.entries);
            self.cursor = Some(page.cursor);
            if page.complete {
                break;
            }
        }
        loop {
            let page = stage.store.events(self.last, 1_000).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            self.last = *last;
            self.events.extend(page.into_iter().map(|(_, event)| event));
        }
    }

    /// What concerns the person of this round.
    fn about(&self, round: &Round, calls: &[Call]) -> Told {
        let own = round::sessions(calls);
        let mut told = Told::default();
        for entry in &self.feed {
            let concerned = match &entry.ending {
                Ending::Session(id) => own.contains(id),
                Ending::Subject { sub, .. } => *sub == round.person,
            };
            if concerned {
                told.end(entry);
            }
        }
        for event in self.events.iter().filter(|event| event.subject.as_ref() == Some(&round.person)) {
            told.event(event);
        }
        told
    }

    fn forget(&mut self) {
        self.feed.clear();
        self.events.clear();
    }
}
