//! A process that is killed in the middle of a renewal, at each point where that could matter.

use std::sync::atomic::{AtomicU32, Ordering};

use daypass_client::store::{FileStore, Step};
use daypass_testkit::{Fault, Gate, TestService};

use crate::process::{Process, say, task};
use crate::stage::{Stage, open};

const REFRESH: &str = "/v1/refresh";

/// The writes of a renewal: the attempt id, then the new pair.
const ID: u32 = 1;
const PAIR: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_before_the_attempt_id_was_there() {
    // Nobody has heard of that id, and another one is as good.
    killed_at(ID, Step::Written, Asked { rotated: 0, again: 1, repeated: 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_before_the_request() {
    killed_at(ID, Step::Renamed, Asked { rotated: 0, again: 1, repeated: 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_after_the_request_which_is_still_on_its_way() {
    let stage = Stage::set(TestService::builder()).await;
    let gate = Gate::new();
    stage.service.faults().next(REFRESH, Fault::HoldRequest(gate.clone()));
    let process = Process::start("killed::one_that_is_killed", &stage, "");
    gate.arrived().await;
    process.kill();
    recovers(&stage, Asked { rotated: 0, again: 1, repeated: 0 }).await;
    // The killed process' request comes now, after everything else. Nobody is the worse for it.
    gate.open();
    stage.service.faults().until_arrived(REFRESH, 3).await;
    while stage.service.faults().served(REFRESH) < 3 {
        tokio::task::yield_now().await;
    }
    stage.forget_access().await;
    stage.session().await.access_token().await.unwrap();
    let renewals = stage.service.renewals().await;
    assert_eq!((renewals.rotated, renewals.reused), (3, 0), "{renewals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_after_the_rotation_was_committed() {
    let stage = Stage::set(TestService::builder()).await;
    let gate = Gate::new();
    stage.service.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
    let process = Process::start("killed::one_that_is_killed", &stage, "");
    gate.arrived().await;
    process.kill();
    recovers(&stage, Asked { rotated: 1, again: 1, repeated: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_after_the_temp_write() {
    killed_at(PAIR, Step::Written, Asked { rotated: 1, again: 1, repeated: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_killed_after_the_rename() {
    // The new access token is in the file: there is nothing to ask for.
    killed_at(PAIR, Step::Renamed, Asked { rotated: 1, again: 0, repeated: 0 }).await;
}

/// What the service is asked, and how it answers.
#[derive(Clone, Copy)]
struct Asked {
    /// Rotations before the process was killed.
    rotated: u64,
    /// Requests of whoever opens the session next.
    again: usize,
    /// How many of those were repeats.
    repeated: u64,
}

/// Lets a process renew until its write number `write` has come to `step`, and kills it there.
async fn killed_at(write: u32, step: Step, asked: Asked) {
    let stage = Stage::set(TestService::builder()).await;
    let mut process = Process::start("killed::one_that_is_killed", &stage, &format!("{write} {step:?}"));
    process.says("here").await;
    process.kill();
    assert_eq!(stage.left_over(), usize::from(step == Step::Written), "it was killed where it should");
    recovers(&stage, asked).await;
}

/// Whoever opens the store next is signed in, and stays so.
async fn recovers(stage: &Stage, asked: Asked) {
    let (service, faults) = (&stage.service, stage.service.faults());
    assert_eq!(service.rotations().await, asked.rotated);
    let arrived = faults.arrived(REFRESH);
    let token = stage.session().await.access_token().await.unwrap();
    assert_eq!(faults.arrived(REFRESH) - arrived, asked.again);
    let record = stage.record().await;
    assert_eq!((record.generation, record.access.unwrap().token), (1, token));

    stage.forget_access().await;
    stage.session().await.access_token().await.unwrap();
    let renewals = service.renewals().await;
    assert_eq!((renewals.rotated, renewals.repeated), (2, asked.repeated), "{renewals:?}");
    assert_eq!((renewals.refused(), renewals.healed), (0, 0), "{renewals:?}");
    assert_eq!(stage.record().await.generation, 2);
    assert_eq!(stage.left_over(), 0, "what the killed process left is gone");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is the process that is killed"]
async fn one_that_is_killed() {
    let Some(task) = task() else { return };
    let writes = AtomicU32::new(0);
    let store = FileStore::open(task.store).unwrap().with_observer(move |step| {
        if step == Step::Written {
            writes.fetch_add(1, Ordering::SeqCst);
        }
        if task.word == format!("{} {step:?}", writes.load(Ordering::SeqCst)) {
            say("here");
            loop {
                std::thread::park();
            }
        }
    });
    let session = open(&task.service, store).await;
    session.access_token().await.unwrap();
    panic!("it was to be killed");
}
