//! A disk that is full when the new tokens come: renewals go on by repeating the one on record.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::ManualClock;
use daypass_client::store::{Exchange, FileStore, Guard, StoreError, Stored, TokenStore, Version};
use daypass_client::{Event, Events, Record, Session};
use daypass_testkit::{Fault, Gate, TestService};

use crate::process::{Process, say, task, told};
use crate::stage::Stage;

const REFRESH: &str = "/v1/refresh";

/// The life of an access token.
const LIFE: Duration = Duration::from_mins(10);

/// A store whose disk is full while somebody says so.
#[derive(Clone, Debug)]
struct Disk {
    store: FileStore,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn new(stage: &Stage) -> Self {
        Self { store: stage.store(), full: Arc::default() }
    }

    fn fills(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

#[async_trait]
impl TokenStore for Disk {
    async fn load(&self) -> Result<Stored, StoreError> {
        self.store.load().await
    }

    async fn compare_exchange(&self, read: Version, new: Option<&Record>) -> Result<Exchange, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Io(io::ErrorKind::StorageFull.into()));
        }
        self.store.compare_exchange(read, new).await
    }

    async fn lock(&self, wait: Duration) -> Result<Option<Guard>, StoreError> {
        self.store.lock(wait).await
    }
}

async fn open(service: &str, clock: &ManualClock, store: impl TokenStore) -> Session {
    Session::builder(service).store(store).clock(Arc::new(clock.clone())).build().await.unwrap()
}

/// The events so far that are about the store.
async fn told_of_the_store(events: &mut Events, last: Event) -> Vec<Event> {
    let mut told = Vec::new();
    while told.last() != Some(&last) {
        let event = tokio::time::timeout(Duration::from_mins(1), events.next()).await;
        let event = event.unwrap_or_else(|_| panic!("{last:?} does not come after {told:?}")).unwrap();
        if matches!(event, Event::PersistFailed | Event::Persisted | Event::SignedOut(_)) {
            told.push(event);
        }
    }
    told
}

/// The disk fills up between the request and its answer. Gives the session that goes on without.
async fn rotated_onto_a_full_disk(stage: &Stage, disk: &Disk) -> (Session, Events) {
    let gate = Gate::new();
    stage.service.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
    let session = open(stage.service.url(), stage.service.clock(), disk.clone()).await;
    let mut events = session.events();
    let renewal = tokio::spawn({
        let session = session.clone();
        async move { session.access_token().await }
    });
    gate.arrived().await;
    disk.fills(true);
    gate.open();
    renewal.await.unwrap().unwrap();
    assert_eq!(told_of_the_store(&mut events, Event::PersistFailed).await, [Event::PersistFailed]);
    (session, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_disk_full_after_a_rotation_and_calls_go_on_until_it_is_persisted() {
    let stage = Stage::set(TestService::builder().access(LIFE)).await;
    let (service, disk) = (&stage.service, Disk::new(&stage));
    let (session, mut events) = rotated_onto_a_full_disk(&stage, &disk).await;
    for repeats in 1..=3 {
        service.clock().advance(LIFE);
        session.access_token().await.unwrap();
        let renewals = service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated), (1, repeats), "{renewals:?}");
        assert_eq!(stage.record().await.generation, 0);
    }

    disk.fills(false);
    service.clock().advance(LIFE);
    let token = session.access_token().await.unwrap();
    let told = told_of_the_store(&mut events, Event::Persisted).await;
    assert!(told.iter().all(|event| matches!(event, Event::PersistFailed | Event::Persisted)), "{told:?}");
    assert_eq!(stage.record().await.access.unwrap().token, token);
    goes_on(&stage, &session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_crash_on_a_full_disk_signs_nobody_out() {
    let stage = Stage::set(TestService::builder().access(LIFE)).await;
    let disk = Disk::new(&stage);
    drop(rotated_onto_a_full_disk(&stage, &disk).await);
    // The new tokens are lost. The next start repeats, still on the full disk.
    let session = open(stage.service.url(), stage.service.clock(), disk.clone()).await;
    session.access_token().await.unwrap();
    assert_eq!(stage.record().await.generation, 0);
    drop(session);
    disk.fills(false);
    let session = open(stage.service.url(), stage.service.clock(), disk).await;
    let token = session.access_token().await.unwrap();
    assert_eq!(stage.record().await.access.unwrap().token, token);
    goes_on(&stage, &session).await;
}

/// The next renewal is a rotation of what is in the file, and nothing was refused on the way.
async fn goes_on(stage: &Stage, session: &Session) {
    let before = stage.record().await.generation;
    stage.service.clock().advance(LIFE);
    session.access_token().await.unwrap();
    assert_eq!(stage.record().await.generation, before + 1);
    let renewals = stage.service.renewals().await;
    assert_eq!(renewals.rotated, u64::from(before) + 1, "{renewals:?}");
    assert_eq!((renewals.refused(), renewals.healed), (0, 0), "{renewals:?}");
}

/// The same with a file system that really refuses: a process whose files may not grow.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn s15_a_process_that_may_not_write_goes_on_and_its_successor_does_too() {
    let stage = Stage::set(TestService::builder().access(LIFE)).await;
    let (service, clock) = (&stage.service, stage.service.clock());
    let gate = Gate::new();
    service.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
    let mut process = Process::start_deaf("full_disk::one_that_may_not_write", &stage, "");
    gate.arrived().await;
    may_write(&process, false);
    gate.open();
    process.has_said(&["token", "PersistFailed"]).await;
    clock.advance(LIFE);
    process.tell(&LIFE.as_secs().to_string());
    process.has_said(&["token"]).await;
    assert_eq!((service.rotations().await, service.repeats().await), (1, 1));
    assert_eq!(stage.record().await.generation, 0);
    process.kill();

    // Its successor cannot write either, at first.
    let mut process = Process::start_deaf("full_disk::one_that_may_not_write", &stage, "wait");
    process.says("waiting").await;
    may_write(&process, false);
    process.tell(&LIFE.as_secs().to_string());
    process.has_said(&["token", "PersistFailed"]).await;
    may_write(&process, true);
    clock.advance(LIFE);
    process.tell(&LIFE.as_secs().to_string());
    process.has_said(&["token", "Persisted"]).await;
    let kept = stage.record().await;
    assert!(kept.generation > 0);
    clock.advance(LIFE);
    process.tell(&LIFE.as_secs().to_string());
    process.has_said(&["token"]).await;
    assert_eq!(stage.record().await.generation, kept.generation + 1);
    let renewals = service.renewals().await;
    assert_eq!(renewals.rotated, u64::from(kept.generation) + 1, "{renewals:?}");
    assert_eq!((renewals.refused(), renewals.healed), (0, 0), "{renewals:?}");
    assert_eq!(stage.left_over(), 0);
    process.kill();
}

/// Whether the process' files may grow.
#[cfg(target_os = "linux")]
fn may_write(process: &Process, may: bool) {
    let limit = if may { "--fsize=unlimited:unlimited" } else { "--fsize=0:unlimited" };
    let process = process.id().to_string();
    let limited = std::process::Command::new("prlimit").args(["--pid", &process, limit]).status();
    assert!(limited.unwrap().success());
}

/// Renews each time that its parent lets time pass, and tells of tokens and of the store.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is the process that may not write"]
async fn one_that_may_not_write() {
    let Some(task) = task() else { return };
    let clock = ManualClock::new();
    let session = open(&task.service, &clock, FileStore::open(&task.store).unwrap()).await;
    let mut events = session.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            say(&format!("{event:?}"));
        }
    });
    let mut passes = Some("0".to_owned());
    if task.word == "wait" {
        say("waiting");
        passes = told();
    }
    while let Some(seconds) = passes {
        clock.advance(Duration::from_secs(seconds.parse().unwrap()));
        session.access_token().await.unwrap();
        say("token");
        passes = told();
    }
}
