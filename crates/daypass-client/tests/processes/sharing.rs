//! Eight processes that share one file, while access tokens live for a second.

use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock as _, SystemClock};
use daypass_client::store::{Exchange, FileStore, Guard, StoreError, Stored, TokenStore, Version};
use daypass_client::{AccessToken, Record, Session, SessionError};
use daypass_testkit::{Fault, Gate, Renewals, TestService};

use crate::process::{Process, say, task};
use crate::stage::{Stage, open};

const PROCESSES: usize = 8;

/// Which store the processes have.
const LOCKED: &str = "locked";
const UNLOCKED: &str = "unlocked";

/// A store that has no lock for renewals.
#[derive(Debug)]
struct Unlocked(FileStore);

#[async_trait]
impl TokenStore for Unlocked {
    async fn load(&self) -> Result<Stored, StoreError> {
        self.0.load().await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        self.0.compare_exchange(read, new).await
    }

    async fn lock(&self, _wait: Duration) -> Result<Option<Guard>, StoreError> {
        Ok(None)
    }
}

/// A few seconds' worth.
#[tokio::test(flavor = "multi_thread")]
async fn s13_eight_processes_and_no_invalid_grant() {
    let renewals = eight_processes(25, LOCKED).await;
    assert!(renewals.rotated >= 25, "{renewals:?}");
}

/// The lock only saves work: without it they race for each rotation, and the service gives all of them the same.
#[tokio::test(flavor = "multi_thread")]
async fn s13_eight_processes_without_a_lock_and_no_invalid_grant() {
    let renewals = eight_processes(25, UNLOCKED).await;
    assert!(renewals.rotated >= 25 && renewals.repeated > 0, "{renewals:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn s13_eight_processes_two_hundred_loops_each_and_no_invalid_grant() {
    let renewals = eight_processes(200, LOCKED).await;
    assert!(renewals.rotated >= 200, "{renewals:?}");
}

/// Each of eight processes sees `loops` access tokens come and go. A token is good for a second and may be renewed
/// after a quarter of it.
async fn eight_processes(loops: u32, lock: &str) -> Renewals {
    let service = TestService::builder().system_clock().access(Duration::from_secs(1));
    let stage = Stage::set(service).await;
    // Without a lock all of them ask before the first one is answered.
    let gate = Gate::new();
    if lock == UNLOCKED {
        (0..PROCESSES)
            .for_each(|_| stage.service.faults().next("/v1/refresh", Fault::HoldRequest(gate.clone())));
    }
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|_| Process::start("sharing::one_of_eight", &stage, &format!("{loops} {lock}")))
        .collect();
    let session_id = stage.record().await.session_id;
    let reader = async {
        let mut generation = 0;
        loop {
            // Half a session would be an error.
            let record = stage.record().await;
            assert_eq!(record.session_id, session_id);
            assert!(record.generation >= generation, "{} after {generation}", record.generation);
            generation = record.generation;
        }
    };
    let ended = async {
        if lock == UNLOCKED {
            gate.arrivals(PROCESSES).await;
            gate.open();
        }
        for process in &mut processes {
            process.says("done").await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = reader => {}
    }
    for process in processes {
        process.ends_well().await;
    }

    let renewals = stage.service.renewals().await;
    println!("{renewals:?}");
    assert_eq!(renewals.refused(), 0, "{renewals:?}");
    assert_eq!((renewals.healed, renewals.unavailable), (0, 0), "{renewals:?}");
    let record = stage.record().await;
    assert_eq!(u64::from(record.generation), renewals.rotated, "every rotation was persisted");
    assert_eq!(stage.left_over(), 0);
    renewals
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is one of the processes that share a store"]
async fn one_of_eight() {
    let Some(task) = task() else { return };
    let (loops, lock) = task.word.split_once(' ').unwrap();
    let store = FileStore::open(task.store).unwrap();
    let session = match lock {
        LOCKED => open(&task.service, store).await,
        _ => open(&task.service, Unlocked(store)).await,
    };
    let me = reqwest::Client::new().get(format!("{}/v1/me", task.service));
    let mut token = kept(async || session.access_token().await).await;
    for _ in 0..loops.parse().unwrap() {
        let answer = me.try_clone().unwrap().bearer_auth(token.expose()).send().await.unwrap();
        // It may have expired on its way.
        assert!(matches!(answer.status().as_u16(), 200 | 401), "{}", answer.status());
        token = another(&session, &token).await;
    }
    say("done");
}

/// The token after `last`.
async fn another(session: &Session, last: &AccessToken) -> AccessToken {
    loop {
        let token = kept(async || session.refresh_if(last).await).await;
        if token != *last {
            return token;
        }
        // Too young to be renewed.
        SystemClock.sleep(Duration::from_millis(10)).await;
    }
}

/// The machine may be slow, and then something takes too long; nothing else may go wrong.
async fn kept(ask: impl AsyncFn() -> Result<AccessToken, SessionError>) -> AccessToken {
    loop {
        match ask().await {
            Ok(token) => return token,
            Err(SessionError::Unavailable { .. }) => {}
            Err(SessionError::Store(error)) if matches!(*error, StoreError::Busy) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
