//! The queue and the batches through their interleavings: [`submit`] and [`run`] as they are
//! shipped, on a channel and threads whose every step is chosen by a scheduler, and on a disk that
//! fails as it is told. Each schedule is repeatable: a failure prints it.

mod stand_ins;

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use daypass_storage::{StoreError, StoreResult};
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::mpsc::Receiver;
use shuttle::thread::JoinHandle;
use shuttle::{Config, Runner};

use super::{run, submit};
use stand_ins::{Disk, Does, Ended, Fate, Foretold, In, Job, Record, Write, channel};

/// One execution: who asks for what, and what becomes of the transactions.
#[derive(Clone, Debug)]
struct Scene {
    /// What each caller asks for, one after the other.
    callers: Vec<Caller>,
    places: usize,
    batch: usize,
    fates: Vec<Fate>,
    slow: bool,
}

#[derive(Clone, Debug)]
struct Caller {
    asks: Vec<Does>,
    /// Whether it waits for each answer before it asks for more; or else it asks for everything,
    /// lets go of the queue, and then waits.
    waits: bool,
}

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    /// By the write itself.
    Failed,
    /// Nothing of it happened.
    Undone,
    /// The queue was full.
    Refused,
    /// It may have happened.
    Unknown,
}

#[test]
fn every_write_is_answered_once_and_truly_at_random() {
    explore(RandomScheduler::new_from_seed(1, 15_000), 15_000, || play(&drawn_scene()));
}

#[test]
fn every_write_is_answered_once_and_truly_where_few_turns_matter() {
    explore(PctScheduler::new_from_seed(2, 3, 15_000), 15_000, || play(&drawn_scene()));
}

/// All there are of one caller, beside whom the last handle is dropped, whatever becomes of the
/// commit.
#[test]
fn every_write_is_answered_once_and_truly_in_every_schedule() {
    for fate in [Fate::Committed, Fate::NotBegun, Fate::Undone, Fate::Died] {
        let caller = Caller { asks: vec![Does::Work], waits: false };
        let scene = Scene { callers: vec![caller], places: 1, batch: 2, fates: vec![fate], slow: false };
        explore(DfsScheduler::new(None, false), 10_000, move || play(&scene));
    }
}

/// The first ones there are of a caller that asks for more than fits; all, where the writer dies.
#[test]
fn every_write_is_answered_once_and_truly_in_the_first_schedules_of_more_than_fits() {
    for fate in [Fate::Committed, Fate::Died] {
        let caller = Caller { asks: vec![Does::Work; 2], waits: false };
        let scene = Scene { callers: vec![caller], places: 1, batch: 2, fates: vec![fate], slow: false };
        explore(DfsScheduler::new(Some(60_000), false), 50_000, move || play(&scene));
    }
}

/// The disk stands still until everybody has asked for more than there is room for: if asking ever
/// waited for room, nobody would go on.
#[test]
fn a_full_queue_refuses_and_never_waits() {
    explore(RandomScheduler::new_from_seed(3, 5_000), 5_000, || {
        let (places, batch) = (thread_rng().gen_range(1..4), thread_rng().gen_range(1..4));
        let disk = Disk::default();
        let (queue, mut outlet) = channel(places);
        let (go_on, wait) = shuttle::sync::mpsc::channel::<()>();
        let work = Foretold { disk: Disk::clone(&disk), fates: VecDeque::new(), slow: true };
        let writer = shuttle::thread::spawn(move || {
            let mut work = work;
            let _everybody_asked = wait.recv();
            run(&mut work, &mut outlet, batch);
        });
        let asked: Vec<_> = (0..places + 2).map(|number| ask(&queue, 0, number, Does::Work)).collect();
        drop(go_on);
        for (number, answer) in asked.into_iter().enumerate() {
            let told = hear(answer);
            assert_eq!(told == Told::Refused, number >= places, "{told:?} for the {number}th");
        }
        drop(queue);
        writer.join().unwrap();
        assert_eq!(disk.lock().unwrap().durable.len(), places);
    });
}

/// Runs `execution` under every schedule that the scheduler comes up with, of which there are at
/// least so many.
fn explore(scheduler: impl Scheduler + 'static, least: usize, execution: impl Fn() + Send + Sync + 'static) {
    let explored = Runner::new(scheduler, Config::new()).run(execution);
    println!("{explored} schedules");
    assert!(explored >= least, "only {explored} schedules");
}

fn drawn_scene() -> Scene {
    let mut draw = thread_rng();
    let caller = |_| {
        let asks = (0..thread_rng().gen_range(1..4)).map(|_| match thread_rng().gen_range(0..12) {
            0 => Does::Fail,
            1 => Does::Panic,
            2 => Does::UndoAll,
            _ => Does::Work,
        });
        Caller { asks: asks.collect(), waits: thread_rng().gen_bool(0.3) }
    };
    let fate = |_| match thread_rng().gen_range(0..10) {
        0 => Fate::NotBegun,
        1 => Fate::Undone,
        2 => Fate::UnknownButThere,
        3 => Fate::UnknownAndGone,
        4 => Fate::Died,
        _ => Fate::Committed,
    };
    Scene {
        callers: (0..draw.gen_range(1..4)).map(caller).collect(),
        places: draw.gen_range(1..6),
        batch: draw.gen_range(1..5),
        fates: (0..draw.gen_range(0..4)).map(fate).collect(),
        slow: draw.gen_bool(0.5),
    }
}

fn play(scene: &Scene) {
    let disk = Disk::default();
    let (queue, mut outlet) = channel(scene.places);
    let mut work =
        Foretold { disk: Disk::clone(&disk), fates: scene.fates.iter().copied().collect(), slow: scene.slow };
    let batch = scene.batch;
    let writer = shuttle::thread::spawn(move || {
        catch_unwind(AssertUnwindSafe(|| run(&mut work, &mut outlet, batch))).is_err()
    });
    let callers: Vec<JoinHandle<_>> = (0..)
        .zip(&scene.callers)
        .map(|(number, caller)| {
            let (queue, disk, caller) = (queue.clone(), Disk::clone(&disk), caller.clone());
            shuttle::thread::spawn(move || call(queue, number, &caller, &disk))
        })
        .collect();
    drop(queue);
    let told: HashMap<_, _> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    let died = writer.join().unwrap();
    check(scene, &disk.lock().unwrap(), &told, died);
}

/// Asks for everything, and returns what was told.
fn call(queue: In<Job>, number: usize, caller: &Caller, disk: &Disk) -> Vec<(Write, Told)> {
    let mut answers = VecDeque::new();
    let mut told = Vec::new();
    let mut hear_next = |answers: &mut VecDeque<_>| {
        let Some((write, answer)) = answers.pop_front() else { return };
        let heard = hear(answer);
        let durable = disk.lock().unwrap().durable.contains(&write);
        assert!(heard != Told::Done || durable, "{write:?} was answered before it was durable");
        told.push((write, heard));
    };
    for (asked, does) in caller.asks.iter().enumerate() {
        let write = Write { caller: number, number: asked };
        answers.push_back((write, ask(&queue, number, asked, *does)));
        if caller.waits {
            hear_next(&mut answers);
        }
    }
    drop(queue);
    while !answers.is_empty() {
        hear_next(&mut answers);
    }
    told
}

fn ask(queue: &In<Job>, caller: usize, number: usize, does: Does) -> StoreResult<Receiver<StoreResult<()>>> {
    let (reply, answer) = shuttle::sync::mpsc::channel();
    submit(queue, Job { write: Write { caller, number }, does, reply })?;
    Ok(answer)
}

/// Waits for the one answer.
fn hear(answer: StoreResult<Receiver<StoreResult<()>>>) -> Told {
    let heard = answer.and_then(|answer| {
        let stopped = || StoreError::OutcomeUnknown("no answer".to_owned());
        let first = answer.recv().unwrap_or_else(|_| Err(stopped()));
        assert!(answer.recv().is_err(), "a second answer");
        first
    });
    match heard {
        Ok(()) => Told::Done,
        Err(StoreError::Corrupt(_)) => Told::Failed,
        Err(StoreError::Unavailable(_)) => Told::Undone,
        Err(StoreError::Overloaded { .. }) => Told::Refused,
        Err(StoreError::OutcomeUnknown(_)) => Told::Unknown,
        Err(other) => panic!("{other:?}"),
    }
}

/// Compares what was told with what happened.
fn check(scene: &Scene, record: &Record, told: &HashMap<Write, Told>, died: bool) {
    let Record { durable, stray, applied, transactions } = record;
    assert!(stray.is_empty(), "{stray:?} took effect outside of any transaction");
    let asked: usize = scene.callers.iter().map(|caller| caller.asks.len()).sum();
    assert_eq!(told.len(), asked, "somebody was not answered");
    assert_eq!(died, transactions.iter().any(|one| one.fate == Fate::Died));

    // Order: no caller's write overtakes another of the same caller's, and none happens twice.
    for caller in 0..scene.callers.len() {
        let own: Vec<_> = applied.iter().filter(|write| write.caller == caller).collect();
        assert!(own.windows(2).all(|pair| pair[0] < pair[1]), "{own:?}");
    }

    // Truth: everybody hears what became of the transaction that the write was in.
    let mut expected = HashMap::new();
    for Ended { size, begun, fate } in transactions {
        assert!((1..=scene.batch).contains(size), "{size} shared a commit");
        for (write, does) in begun {
            let told = match (does, fate) {
                (Does::Fail, _) => Told::Failed,
                (Does::Panic | Does::UndoAll, _) | (_, Fate::Undone | Fate::NotBegun) => Told::Undone,
                (Does::Work, Fate::Committed) => Told::Done,
                (Does::Work, Fate::UnknownButThere | Fate::UnknownAndGone | Fate::Died) => Told::Unknown,
            };
            // Whoever shares the writer's death hears nothing more particular.
            expected.insert(*write, if *fate == Fate::Died { Told::Unknown } else { told });
        }
    }
    for (write, heard) in told {
        let there = durable.contains(write);
        match expected.get(write) {
            Some(expected) => assert_eq!(heard, expected, "{write:?}"),
            // It was not begun: refused, or its transaction was over before its turn, or the writer.
            None => assert!(
                matches!(heard, Told::Refused | Told::Undone) || (died && *heard == Told::Unknown),
                "{write:?} was told {heard:?} and never begun"
            ),
        }
        assert!(there || *heard != Told::Done, "{write:?} is lost");
        assert!(!there || matches!(heard, Told::Done | Told::Unknown), "{write:?} is there after {heard:?}");
    }
    if asked <= scene.places {
        assert!(told.values().all(|told| *told != Told::Refused), "there was room for everybody");
    }
}
