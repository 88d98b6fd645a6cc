//! The writer: one thread, one connection, group commit.
//!
//! Whatever has queued while the last commit was being synced goes into the next transaction; one
//! sync makes all of it durable, and only then is anybody answered. A write that fails is undone by
//! its own savepoint and does not disturb the others of its batch; only where SQLite undoes the whole
//! transaction (the disk is full), or a write panics, is the batch undone as one.
//!
//! [`submit`], [`run`] and [`transact`] are the queue and the batches, and know neither SQLite nor
//! which channel they wait on: the same code is run through its interleavings in `interleavings.rs`.

mod thread;

mod tx;

mod jobs;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daypass_storage::{RotateRequest, Rotated, StoreError, StoreResult};
use tokio::sync::{mpsc, oneshot};

use jobs::{Call, Job, Rotation};
pub(crate) use thread::{Thread, Timeline};
pub(crate) use tx::{Tx, in_savepoint};

/// When to come back after a full queue. At the slowest rates worth having the queue is worked off
/// by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Hands writes to the writer thread.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    failed: Arc<AtomicBool>,
}

impl Writer {
    /// Whether something could not be written since somebody last asked.
    pub(crate) fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::Relaxed)
    }

    /// Queues a rotation and waits until it is durable.
    pub(crate) async fn rotate(&self, request: RotateRequest) -> StoreResult<Rotated> {
        let (reply, answer) = oneshot::channel();
        submit::<Box<dyn Job>>(&self.queue, Box::new(Rotation::new(request, reply)))?;
        answer.await.map_err(|_| stopped())?
    }

    /// Queues a write and waits until it is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, answer) = oneshot::channel();
        submit::<Box<dyn Job>>(&self.queue, Box::new(Call::new(write, reply)))?;
        answer.await.map_err(|_| stopped())?
    }

    /// How many writes wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }
}

/// Starts the thread; it ends when the last [`Writer`] is dropped, after everything queued.
pub(crate) fn start(
    mut thread: Thread,
    queue: usize,
) -> std::io::Result<(Writer, std::thread::JoinHandle<()>)> {
    let (sender, mut receiver) = mpsc::channel(queue);
    let failed = Arc::clone(&thread.failed);
    let work = move || {
        let batch = thread.batch;
        run(&mut thread, &mut receiver, batch);
    };
    let handle = std::thread::Builder::new().name("daypass-writer".to_owned()).spawn(work)?;
    Ok((Writer { queue: sender, failed }, handle))
}

/// The queue's end where jobs are handed in, without waiting.
trait Inlet<J> {
    /// Takes a job, or drops it and says why.
    fn try_send(&self, job: J) -> Result<(), NotTaken>;
}

/// Why the queue did not take a job. Nothing of it will happen.
enum NotTaken {
    /// As many wait as may.
    Full,
    /// The thread is gone.
    Closed,
}

/// The queue's end where jobs come out, in the order in which they went in.
trait Outlet<J> {
    /// The next job, as soon as there is one; none once the queue is empty and nothing can come any
    /// more, because all inlets are gone or the queue was closed.
    fn wait(&mut self) -> Option<J>;
    /// The next job, if there is one now.
    fn next(&mut self) -> Option<J>;
    /// Takes no more jobs.
    fn close(&mut self);
}

/// What batches are written to.
trait Backend {
    /// A write, and whoever waits for it.
    type Job;
    /// What a batch is written in.
    type Batch<'b>: Batch<Self::Job>
    where
        Self: 'b;

    /// Begins a transaction. After an error there is none.
    fn begin(&mut self) -> StoreResult<Self::Batch<'_>>;
    /// Tells whoever waits for the job what became of it.
    fn answer(job: Self::Job, outcome: StoreResult<()>);
    /// Looks after itself between two batches.
    fn between(&mut self);
}

/// A transaction that a batch shares.
trait Batch<J> {
    /// Whether it has been neither given up nor undone by the storage.
    fn is_open(&self) -> bool;
    /// Writes the job and keeps its outcome in it. After an error nothing of the job remains.
    fn apply(&self, job: &mut J) -> StoreResult<()>;
    /// Undoes everything.
    fn give_up(&self);
    /// Makes everything durable, that of `size` jobs; or undoes it, or does not know.
    fn commit(&self, size: usize) -> Result<(), CommitFailure>;
}

/// A commit that failed, for everybody in the batch.
enum CommitFailure {
    /// The transaction was undone.
    Undone(String),
    /// It may have reached the disk.
    Unknown(String),
}

impl CommitFailure {
    fn to_error(&self) -> StoreError {
        match self {
            Self::Undone(text) => StoreError::Unavailable(text.clone()),
            Self::Unknown(text) => StoreError::OutcomeUnknown(text.clone()),
        }
    }
}

/// Queues a job, or refuses it at once.
fn submit<J>(queue: &impl Inlet<J>, job: J) -> StoreResult<()> {
    queue.try_send(job).map_err(|error| match error {
        NotTaken::Full => StoreError::Overloaded { retry_after: RETRY_AFTER },
        NotTaken::Closed => stopped(),
    })
}

/// Works until the last inlet is gone and the queue is empty; at most `batch` jobs share a commit.
fn run<B: Backend>(backend: &mut B, queue: &mut impl Outlet<B::Job>, batch: usize) {
    let ended = catch_unwind(AssertUnwindSafe(|| work(backend, queue, batch)));
    // After a panic, whoever is in the queue, or just getting in, is not left waiting: by being
    // dropped, a job tells that the writer has stopped.
    queue.close();
    while queue.wait().is_some() {}
    ended.unwrap_or_else(|panic| resume_unwind(panic));
}

fn work<B: Backend>(backend: &mut B, queue: &mut impl Outlet<B::Job>, batch: usize) {
    let mut jobs = Vec::with_capacity(batch);
    while let Some(first) = queue.wait() {
        jobs.push(first);
        while jobs.len() < batch
            && let Some(next) = queue.next()
        {
            jobs.push(next);
        }
        transact(backend, &mut jobs);
        backend.between();
    }
}

/// Applies a batch in one transaction and answers everybody in it.
fn transact<B: Backend>(backend: &mut B, jobs: &mut Vec<B::Job>) {
    let batch = match backend.begin() {
        Ok(batch) => batch,
        Err(error) => {
            let text = error.to_string();
            return jobs.drain(..).for_each(|job| B::answer(job, Err(StoreError::Unavailable(text.clone()))));
        }
    };
    let applied: Vec<_> = jobs.drain(..).map(|mut job| (apply(&batch, &mut job), job)).collect();
    let committed = batch.commit(applied.len());
    for (outcome, job) in applied {
        let durable = || committed.as_ref().map(|&()| ()).map_err(CommitFailure::to_error);
        B::answer(job, outcome.and_then(|()| durable()));
    }
}

/// Applies one write, if there is still a transaction. A panic may have left any part of it behind:
/// it undoes everything, and the thread goes on.
fn apply<J>(batch: &impl Batch<J>, job: &mut J) -> StoreResult<()> {
    if !batch.is_open() {
        return Err(undone());
    }
    catch_unwind(AssertUnwindSafe(|| batch.apply(job))).unwrap_or_else(|_| {
        tracing::error!("a write panicked");
        batch.give_up();
        Err(StoreError::Unavailable("a write panicked".to_owned()))
    })
}

fn stopped() -> StoreError {
    StoreError::OutcomeUnknown("the writer has stopped".to_owned())
}

fn undone() -> StoreError {
    StoreError::Unavailable("the transaction was undone by an earlier error".to_owned())
}

impl<J> Inlet<J> for mpsc::Sender<J> {
    fn try_send(&self, job: J) -> Result<(), NotTaken> {
        Self::try_send(self, job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Closed,
        })
    }
}

impl<J> Outlet<J> for mpsc::Receiver<J> {
    fn wait(&mut self) -> Option<J> {
        self.blocking_recv()
    }

    fn next(&mut self) -> Option<J> {
        self.try_recv().ok()
    }

    fn close(&mut self) {
        Self::close(self);
    }
}
