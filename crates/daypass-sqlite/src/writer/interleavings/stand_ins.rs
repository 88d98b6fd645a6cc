//! What the queue and the batches run on here: a channel whose every step the scheduler chooses, and
//! a disk that does as it is told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use daypass_storage::{StoreError, StoreResult};
use shuttle::sync::atomic::AtomicBool;
use shuttle::sync::mpsc::{Receiver, Sender};

use super::super::{Backend, Batch, CommitFailure, Inlet, NotTaken, Outlet};

/// A bounded channel that does what tokio's does: a sender first takes a place, if there is one, and
/// then puts its message there; a closed channel still gives out what had a place. Another thread
/// may get ahead between any two of these steps; the locks are never waited for.
struct Channel<J> {
    state: std::sync::Mutex<State<J>>,
    step: AtomicBool,
    wake: Sender<()>,
    places: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// Places that are taken, by jobs that are there and by those that are on their way.
    taken: usize,
    inlets: usize,
    closed: bool,
}

pub(super) struct In<J>(Arc<Channel<J>>);

pub(super) struct Out<J> {
    channel: Arc<Channel<J>>,
    woken: Receiver<()>,
}

pub(super) fn channel<J>(places: usize) -> (In<J>, Out<J>) {
    let state = State { jobs: VecDeque::new(), taken: 0, inlets: 1, closed: false };
    let (wake, woken) = shuttle::sync::mpsc::channel();
    let state = std::sync::Mutex::new(state);
    let channel = Arc::new(Channel { state, step: AtomicBool::new(false), wake, places });
    (In(Arc::clone(&channel)), Out { channel, woken })
}

impl<J> Channel<J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others get ahead.
    fn step(&self) {
        self.step.load(Ordering::SeqCst);
    }

    fn wake(&self) {
        let _ended = self.wake.send(());
    }
}

impl<J> Inlet<J> for In<J> {
    fn try_send(&self, job: J) -> Result<(), NotTaken> {
        self.0.step();
        let mut state = self.0.state();
        if state.closed {
            return Err(NotTaken::Closed);
        }
        if state.taken == self.0.places {
            return Err(NotTaken::Full);
        }
        state.taken += 1;
        drop(state);
        self.0.step();
        self.0.state().jobs.push_back(job);
        self.0.wake();
        Ok(())
    }
}

impl<J> Clone for In<J> {
    fn clone(&self) -> Self {
        self.0.state().inlets += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<J> Drop for In<J> {
    fn drop(&mut self) {
        self.0.state().inlets -= 1;
        self.0.wake();
    }
}

impl<J> Outlet<J> for Out<J> {
    fn wait(&mut self) -> Option<J> {
        loop {
            let mut state = self.channel.state();
            if let Some(job) = state.jobs.pop_front() {
                state.taken -= 1;
                return Some(job);
            }
            if state.taken == 0 && (state.inlets == 0 || state.closed) {
                return None;
            }
            drop(state);
            let _woken = self.woken.recv();
        }
    }

    fn next(&mut self) -> Option<J> {
        self.channel.step();
        let mut state = self.channel.state();
        let job = state.jobs.pop_front()?;
        state.taken -= 1;
        Some(job)
    }

    fn close(&mut self) {
        self.channel.step();
        self.channel.state().closed = true;
    }
}

/// A write: whose, and how many that caller had asked for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Write {
    pub(super) caller: usize,
    pub(super) number: usize,
}

/// What a write does when it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// It is written.
    Work,
    /// It fails and leaves nothing behind.
    Fail,
    /// It panics and leaves something behind.
    Panic,
    /// The storage undoes the whole transaction.
    UndoAll,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// It does not even begin.
    NotBegun,
    Undone,
    /// Nobody knows; in fact it is there.
    UnknownButThere,
    /// Nobody knows; in fact it is gone.
    UnknownAndGone,
    /// The thread panics where nobody expects it.
    Died,
}

pub(super) struct Job {
    pub(super) write: Write,
    pub(super) does: Does,
    pub(super) reply: Sender<StoreResult<()>>,
}

/// What is durable, and how it came about.
#[derive(Default)]
pub(super) struct Record {
    pub(super) durable: Vec<Write>,
    /// Writes in no transaction: they take effect at once.
    pub(super) stray: Vec<Write>,
    /// All writes that were begun, in this order.
    pub(super) applied: Vec<Write>,
    /// Each transaction that was to be committed.
    pub(super) transactions: Vec<Ended>,
}

/// A transaction that is over.
pub(super) struct Ended {
    /// How many shared it.
    pub(super) size: usize,
    /// Which of them were begun.
    pub(super) begun: Vec<(Write, Does)>,
    pub(super) fate: Fate,
}

/// A disk that others may look at.
pub(super) type Disk = Arc<std::sync::Mutex<Record>>;

/// Transactions that end as foretold, and well when nothing more is foretold.
pub(super) struct Foretold {
    pub(super) disk: Disk,
    pub(super) fates: VecDeque<Fate>,
    /// Whether others may get ahead while something is written.
    pub(super) slow: bool,
}

pub(super) struct Transaction<'b> {
    disk: &'b Disk,
    fate: Fate,
    slow: bool,
    begun: RefCell<Vec<(Write, Does)>>,
    written: RefCell<Vec<Write>>,
    open: Cell<bool>,
}

impl Backend for Foretold {
    type Job = Job;
    type Batch<'b> = Transaction<'b>;

    fn begin(&mut self) -> StoreResult<Transaction<'_>> {
        let fate = self.fates.pop_front().unwrap_or(Fate::Committed);
        if fate == Fate::NotBegun {
            return Err(StoreError::Unavailable("as foretold".to_owned()));
        }
        Ok(Transaction {
            disk: &self.disk,
            fate,
            slow: self.slow,
            begun: RefCell::default(),
            written: RefCell::default(),
            open: Cell::new(true),
        })
    }

    fn answer(job: Job, outcome: StoreResult<()>) {
        let _gone = job.reply.send(outcome);
    }

    fn between(&mut self) {}
}

impl Transaction<'_> {
    fn pause(&self) {
        if self.slow {
            shuttle::thread::yield_now();
        }
    }
}

impl Batch<Job> for Transaction<'_> {
    fn is_open(&self) -> bool {
        self.open.get()
    }

    fn apply(&self, job: &mut Job) -> StoreResult<()> {
        self.pause();
        if !self.open.get() {
            self.disk.lock().unwrap().stray.push(job.write);
        }
        self.begun.borrow_mut().push((job.write, job.does));
        self.disk.lock().unwrap().applied.push(job.write);
        match job.does {
            Does::Work => self.written.borrow_mut().push(job.write),
            Does::Fail => return Err(StoreError::Corrupt("as this write wants".to_owned())),
            Does::Panic => {
                self.written.borrow_mut().push(job.write);
                resume_unwind(Box::new("as this write wants"));
            }
            Does::UndoAll => {
                self.open.set(false);
                return Err(StoreError::Unavailable("as this write wants".to_owned()));
            }
        }
        Ok(())
    }

    fn give_up(&self) {
        self.open.set(false);
    }

    fn commit(&self, size: usize) -> Result<(), CommitFailure> {
        self.pause();
        let fate = if self.open.get() { self.fate } else { Fate::Undone };
        let mut disk = self.disk.lock().unwrap();
        disk.transactions.push(Ended { size, begun: self.begun.take(), fate });
        if matches!(fate, Fate::Committed | Fate::UnknownButThere) {
            disk.durable.extend(self.written.take());
        }
        drop(disk);
        self.pause();
        match fate {
            Fate::Committed => Ok(()),
            Fate::Undone | Fate::NotBegun => Err(CommitFailure::Undone("as foretold".to_owned())),
            Fate::UnknownButThere | Fate::UnknownAndGone => {
                Err(CommitFailure::Unknown("as foretold".to_owned()))
            }
            Fate::Died => resume_unwind(Box::new("as foretold")),
        }
    }
}
