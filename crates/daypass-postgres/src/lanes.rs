//! Lanes: queues of rotations, each worked off by one task on a connection of its own.
//!
//! The same session always goes through the same lane, so that lanes that renew never wait for each other.
//! What has queued while a lane's last batch was under way makes its next one; if that is fewer than before, a lane waits
//! a moment for the others.
//!
//! One more lane is where sessions end, which waits for the standby, with their rows locked. Requests
//! leave for it whose token came back, whose session is over, or whose rows somebody keeps, and later ones
//! for the same session follow while it is there: whoever only renews does not wait with them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daypass_core::SessionId;
use daypass_storage::{RotateRequest, Rotated, StoreError, StoreResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::connect::{Connection, Connector};
use crate::moment::Timekeeper;
use crate::rotate::{Batches, Outcome, blocked, rotate};
use crate::store::Observer;
use crate::trouble::{Trouble, overloaded};
use crate::tx::TRIES;

/// How long a lane waits at most for as many rotations as it had before.
const LINGER: Duration = Duration::from_millis(5);

/// A rotation, and whoever waits for it.
struct Job {
    request: RotateRequest,
    reply: oneshot::Sender<StoreResult<Rotated>>,
    /// Its place in the lane where sessions end, if it is there.
    place: Option<Place>,
}

/// The sessions with requests in the lane where sessions end, and how many each has there.
#[derive(Clone, Default)]
struct Ending(Arc<Mutex<HashMap<SessionId, usize>>>);

impl Ending {
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, session: SessionId) -> Place {
        *self.sessions().entry(session).or_default() += 1;
        Place { session, ending: self.clone() }
    }

    /// A place, if the session has one already.
    fn follow(&self, session: SessionId) -> Option<Place> {
        *self.sessions().get_mut(&session)? += 1;
        Some(Place { session, ending: self.clone() })
    }
}

/// Given up when dropped.
struct Place {
    session: SessionId,
    ending: Ending,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.ending.sessions();
        if let Some(places) = sessions.get_mut(&self.session) {
            *places = places.saturating_sub(1);
            if *places == 0 {
                sessions.remove(&self.session);
            }
        }
    }
}

/// The way to the lane where sessions end.
#[derive(Clone)]
struct End {
    lane: mpsc::Sender<Job>,
    ending: Ending,
}

/// What a lane works with.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) connector: Connector,
    pub(crate) time: Arc<Timekeeper>,
    pub(crate) observer: Arc<dyn Observer>,
    /// Most rotations in one transaction.
    pub(crate) batch: usize,
    /// How long a transaction may take.
    pub(crate) longest: Duration,
}

/// The queues' ends where rotations are handed in. The tasks end with them.
pub(crate) struct Lanes {
    renewing: Vec<mpsc::Sender<Job>>,
    end: End,
}

impl Lanes {
    /// Starts `lanes` tasks that renew and one where sessions end; for each at most `queue` rotations
    /// wait.
    pub(crate) fn start(lanes: usize, queue: usize, lane: &Lane) -> Self {
        let (sender, receiver) = mpsc::channel(queue);
        tokio::spawn(work(lane.clone(), receiver, None));
        let end = End { lane: sender, ending: Ending::default() };
        let start = |_| {
            let (sender, receiver) = mpsc::channel(queue);
            tokio::spawn(work(lane.clone(), receiver, Some(end.clone())));
            sender
        };
        Self { renewing: (0..lanes.max(1)).map(start).collect(), end }
    }

    /// Queues a rotation, or refuses it at once.
    pub(crate) fn submit(
        &self,
        request: RotateRequest,
    ) -> StoreResult<oneshot::Receiver<StoreResult<Rotated>>> {
        let (reply, answer) = oneshot::channel();
        let place = self.end.ending.follow(request.session);
        let own = self.renewing.get(self.lane_of(request.session)).ok_or_else(stopped)?;
        let lane = if place.is_some() { &self.end.lane } else { own };
        lane.try_send(Job { request, reply, place }).map_err(|error| refused(&error))?;
        Ok(answer)
    }

    /// The lane of a session: by the last bytes of its id, which are random.
    fn lane_of(&self, session: SessionId) -> usize {
        let tail = session.as_bytes().last_chunk().map_or(0, |tail| u32::from_be_bytes(*tail));
        usize::try_from(tail).unwrap_or(0).checked_rem(self.renewing.len()).unwrap_or(0)
    }

    /// How many rotations wait.
    pub(crate) fn depth(&self) -> usize {
        let all = self.renewing.iter().chain([&self.end.lane]);
        all.map(|lane| lane.max_capacity().saturating_sub(lane.capacity())).sum()
    }
}

/// Works until the last sender is gone and the queue is empty. A lane that renews hands over to `end`
/// what does not belong there.
async fn work(lane: Lane, mut queue: mpsc::Receiver<Job>, end: Option<End>) {
    let mut connection = None;
    let mut jobs = Vec::with_capacity(lane.batch);
    let mut before = Before::default();
    while queue.recv_many(&mut jobs, lane.batch).await > 0 {
        linger(&mut queue, &mut jobs, &before).await;
        before = Before { jobs: jobs.len(), took: Duration::ZERO };
        // Whoever has gone, for it took too long, asks again: only a later answer would be late.
        jobs.retain(|job| !job.reply.is_closed());
        let (begun, since) = (lane.observer.nanos(), Instant::now());
        while !jobs.is_empty() {
            let batches = if end.is_some() { Batches::Renewing } else { Batches::Ending };
            let requests: Vec<&RotateRequest> = jobs.iter().map(|job| &job.request).collect();
            match (lane.transact(&mut connection, &requests, batches).await, &end) {
                (Ok(Outcome::Ending(sessions)), Some(end)) => hand_over(&mut jobs, &sessions, end),
                (Ok(Outcome::Done(answers)), _) => {
                    before.took = since.elapsed();
                    lane.observer.committed(jobs.len(), lane.observer.nanos().saturating_sub(begun));
                    for (job, answer) in jobs.drain(..).zip(answers) {
                        let _gone = job.reply.send(answer);
                    }
                }
                (Ok(Outcome::Ending(_)), None) => fail(&mut jobs, &stopped()),
                (Err(trouble), _) => fail(&mut jobs, &trouble.into_error()),
            }
        }
    }
}

/// The batch before, if it was committed.
#[derive(Default)]
struct Before {
    jobs: usize,
    took: Duration,
}

/// Waits for as many as there were in the batch before, for about twice what that one took at most: a transaction costs the
/// same for one as for all of them. Whoever comes alone is not kept; where many come, each waits some milliseconds longer
/// than he had to, and the database has half as much to do.
async fn linger<T>(queue: &mut mpsc::Receiver<T>, jobs: &mut Vec<T>, before: &Before) {
    let missing = |jobs: &Vec<T>| before.jobs.saturating_sub(jobs.len());
    let fill = async { while missing(jobs) > 0 && queue.recv_many(jobs, missing(jobs)).await > 0 {} };
    // Those who have come meanwhile are in the batch, however many are missing.
    let _complete = timeout(before.took.saturating_mul(2).min(LINGER), fill).await;
}

/// Takes what is asked of these sessions out of a batch, and hands it over.
fn hand_over(jobs: &mut Vec<Job>, sessions: &BTreeSet<SessionId>, end: &End) {
    for mut job in jobs.extract_if(.., |job| sessions.contains(&job.request.session)) {
        job.place = Some(end.ending.place(job.request.session));
        if let Err(error) = end.lane.try_send(job) {
            let answer = Err(refused(&error));
            let (mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) = error;
            let _gone = job.reply.send(answer);
        }
    }
}

/// Tells everybody in the batch what went wrong.
fn fail(jobs: &mut Vec<Job>, error: &StoreError) {
    tracing::warn!(%error, batch = jobs.len(), "rotations failed");
    for job in jobs.drain(..) {
        let _gone = job.reply.send(Err(copy_of(error)));
    }
}

impl Lane {
    /// Rotates in one transaction; again where others were in the way, or where the connection turns
    /// out to have been lost before the commit.
    async fn transact(
        &self,
        held: &mut Option<Connection>,
        requests: &[&RotateRequest],
        batches: Batches,
    ) -> Result<Outcome, Trouble> {
        let mut fresh = false;
        let mut tries = 0;
        loop {
            tries += 1;
            let usable = held.take().filter(|connection| !connection.is_lost());
            let connection = if let Some(connection) = usable {
                connection
            } else {
                fresh = true;
                self.connector.connect().await?
            };
            let outcome = rotate(&connection, &self.time, requests, batches, self.longest).await;
            let spared = match &outcome {
                Ok(Outcome::Done(_)) => true,
                Ok(Outcome::Ending(_)) => connection.batch("rollback").await.is_ok(),
                Err(trouble) => trouble.spares_connection() && connection.batch("rollback").await.is_ok(),
            };
            if spared {
                *held = Some(connection);
            }
            match (outcome, &held) {
                (Err(Trouble::Blocked(_)), Some(connection))
                    if batches == Batches::Renewing && tries < TRIES =>
                {
                    match blocked(connection, requests, self.longest).await {
                        Ok(blocked) if blocked.is_empty() => {}
                        Ok(blocked) => return Ok(Outcome::Ending(blocked)),
                        // It may be in the midst of something.
                        Err(trouble) => {
                            *held = None;
                            return Err(trouble);
                        }
                    }
                }
                (Err(Trouble::Conflict(_)), _) if tries < TRIES => {}
                (Err(Trouble::Lost(_)), _) if !fresh => fresh = true,
                (outcome, _) => return outcome,
            }
        }
    }
}

fn refused(error: &mpsc::error::TrySendError<Job>) -> StoreError {
    match error {
        mpsc::error::TrySendError::Full(_) => overloaded(),
        mpsc::error::TrySendError::Closed(_) => stopped(),
    }
}

fn stopped() -> StoreError {
    StoreError::OutcomeUnknown("the lane has stopped".to_owned())
}

/// The same error, for everybody in the batch.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Overloaded { retry_after } => StoreError::Overloaded { retry_after: *retry_after },
        StoreError::OutcomeUnknown(text) => StoreError::OutcomeUnknown(text.clone()),
        StoreError::Corrupt(text) => StoreError::Corrupt(text.clone()),
        StoreError::Schema(text) => StoreError::Schema(text.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are in the batch, and after how many milliseconds, if one is there, and the others come a millisecond
    /// apart.
    async fn lingered(before: Before, others: u8) -> (usize, u128) {
        let (sender, mut queue) = mpsc::channel(8);
        let begun = Instant::now();
        tokio::spawn(async move {
            for other in 0..others {
                tokio::time::sleep(Duration::from_millis(1)).await;
                sender.send(other).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let mut jobs = vec![0];
        linger(&mut queue, &mut jobs, &before).await;
        (jobs.len(), begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_waits_for_as_many_as_before_for_twice_as_long_as_they_took() {
        let before = |jobs, took| Before { jobs, took: Duration::from_millis(took) };
        assert_eq!(lingered(before(3, 2), 7).await, (3, 2), "until they are there");
        assert_eq!(lingered(before(3, 1), 0).await, (1, 2), "or for so long");
        assert_eq!(lingered(before(5, 5000), 1).await, (2, LINGER.as_millis()));
        assert_eq!(lingered(before(1, 5000), 7).await, (1, 0), "whoever is alone is not kept");
        assert_eq!(lingered(Before::default(), 7).await, (1, 0));
    }
}
