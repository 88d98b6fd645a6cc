//! A client that dies at any moment, and another that is started on its store.

use daypass_client::store::TokenStore;
use daypass_testkit::{Fault, Gate};
use tokio::runtime::{Builder, Runtime};

use crate::stage::{Faulty, LIFETIME, REFRESH, Stage};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A client on a runtime of its own begins to renew. When `moment` has come everything of it is gone at once.
fn dies(outside: &Runtime, stage: &Stage, store: impl TokenStore, moment: impl Future<Output = ()>) {
    let inside = runtime();
    inside.spawn({
        let session = stage.builder_on(store).build();
        async move { session.await.unwrap().access_token().await }
    });
    outside.block_on(crate::stage::watched(moment));
    inside.shutdown_timeout(std::time::Duration::from_secs(30));
}

/// Signed in, with a token that has expired, and nobody there.
fn expired(outside: &Runtime) -> Stage {
    outside.block_on(async {
        let stage = Stage::new().await;
        drop(stage.expired().await);
        stage
    })
}

/// The next client goes on, and what the service saw is so many rotations and repetitions.
fn goes_on(outside: &Runtime, stage: &Stage, rotated: u64, repeated: u64) {
    outside.block_on(crate::stage::watched(async {
        let session = stage.session().await;
        stage.through_waits(session.access_token()).await.unwrap();
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (rotated, repeated, 0));
        let attempts = stage.attempts();
        assert!(attempts.iter().all(|header| *header == attempts[0]), "another attempt id after the crash");
    }));
}

#[test]
fn before_the_request_arrives() {
    let outside = runtime();
    let stage = expired(&outside);
    stage.faults().next(REFRESH, Fault::Hang);
    dies(&outside, &stage, stage.store.clone(), stage.faults().until_arrived(REFRESH, 1));
    goes_on(&outside, &stage, 1, 0);
}

#[test]
fn before_the_answer_comes() {
    let outside = runtime();
    let stage = expired(&outside);
    let gate = Gate::new();
    stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
    dies(&outside, &stage, stage.store.clone(), gate.arrived());
    goes_on(&outside, &stage, 1, 1);
    gate.open();
}

#[test]
fn before_the_answer_is_stored() {
    let outside = runtime();
    let stage = expired(&outside);
    let store = Faulty::over(stage.store.clone());
    let persisting = store.hold(1);
    dies(&outside, &stage, store, persisting.arrived());
    goes_on(&outside, &stage, 1, 1);
}

#[test]
fn before_the_attempt_id_is_stored() {
    let outside = runtime();
    let stage = expired(&outside);
    let store = Faulty::over(stage.store.clone());
    let persisting = store.hold(0);
    dies(&outside, &stage, store, persisting.arrived());
    goes_on(&outside, &stage, 1, 0);
}

#[test]
fn a_session_outlives_the_runtime_of_a_renewal() {
    let outside = runtime();
    let stage = expired(&outside);
    let session = outside.block_on(stage.session());
    stage.faults().next(REFRESH, Fault::Hang);
    let inside = runtime();
    inside.spawn({
        let session = session.clone();
        async move { session.access_token().await }
    });
    outside.block_on(crate::stage::watched(stage.faults().until_arrived(REFRESH, 1)));
    let waiting = outside.spawn({
        let session = session.clone();
        async move { session.access_token().await }
    });
    inside.shutdown_timeout(std::time::Duration::from_secs(30));
    // Whoever waited for it looks again, and somebody carries it out.
    outside.block_on(crate::stage::watched(stage.through_waits(waiting))).unwrap().unwrap();
    outside.block_on(async { assert_eq!(stage.service.rotations().await, 1) });
    stage.clock().advance(LIFETIME);
    outside.block_on(crate::stage::watched(session.access_token())).unwrap();
}
