//! A database that is gone, full, slow or of another release: what the store answers, and that it
//! recovers by itself.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod stage;

use std::sync::Arc;

use daypass_postgres::testing::Cluster;
use daypass_postgres::{PostgresOptions, PostgresStore, migrate};
use daypass_storage::{Store, StoreError};

use stage::{attempt, cluster_folder, open, request, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_is_used_again() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let store = open(&cluster.url(&cluster.database().await)).await;
    let session = sign_in(&*store, "sam").await;
    let renew = async |g: u32| store.rotate(request(session, g, &[(g, attempt(g))])).await;
    renew(0).await.unwrap();
    store.check().await.unwrap();
    cluster.stop();
    assert!(matches!(renew(1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.versions().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    cluster.start_again();
    renew(1).await.unwrap();
    store.versions().await.unwrap();
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_answered_for_within_a_second() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let store = open(&cluster.url(&cluster.database().await)).await;
    let session = sign_in(&*store, "sam").await;
    cluster.pause(true);
    let begun = tokio::time::Instant::now();
    let answer = store.rotate(request(session, 0, &[(0, attempt(0))])).await;
    // Nobody knows what a database does that does not answer.
    assert!(matches!(answer, Err(StoreError::OutcomeUnknown(_))), "{answer:?}");
    assert!(PostgresOptions::default().answer < std::time::Duration::from_secs(1));
    assert!(begun.elapsed() >= PostgresOptions::default().answer);
    assert!(matches!(store.versions().await, Err(StoreError::Unavailable(_))));
    cluster.pause(false);
    // The attempt is repeated, whether it went through or not.
    while store.rotate(request(session, 0, &[(0, attempt(0))])).await.is_err() {}
    let (found, _) = store.session(session).await.unwrap().unwrap();
    assert_eq!(found.rotation.generation.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_keeps_is_given_up_on() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let store = open(&cluster.url(&database)).await;
    let (kept, free) = (sign_in(&*store, "sam").await, sign_in(&*store, "kim").await);
    let other = cluster.client(&database).await;
    let lock = format!("begin; select from daypass.sessions where id = '{kept}' for update");
    other.batch_execute(&lock).await.unwrap();
    let answer = store.rotate(request(kept, 0, &[(0, attempt(0))])).await;
    assert!(matches!(answer, Err(StoreError::OutcomeUnknown(_) | StoreError::Unavailable(_))), "{answer:?}");
    // The lane gets over it while the lock is still there.
    while store.rotate(request(free, 0, &[(0, attempt(0))])).await.is_err() {}
    other.batch_execute("rollback").await.unwrap();
    while store.rotate(request(kept, 0, &[(0, attempt(0))])).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_may_wait_are_refused_at_once() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let url = cluster.url(&database).parse().unwrap();
    let options = PostgresOptions { queue: 1, connections: 1, lanes: 1, ..PostgresOptions::default() };
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url, &options, Arc::new(())).await.unwrap());
    let session = sign_in(&*store, "sam").await;
    let other = cluster.client(&database).await;
    other.batch_execute("begin; lock table daypass.sessions, daypass.versions").await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (one, two) = (Arc::clone(&store), Arc::clone(&store));
        calls.spawn(async move { one.rotate(request(session, 0, &[(0, attempt(0))])).await.map(drop) });
        calls.spawn(async move { two.versions().await.map(drop) });
    }
    let mut overloaded = 0;
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap().unwrap_err();
        overloaded += u32::from(matches!(answer, StoreError::Overloaded { .. }));
    }
    assert!(overloaded >= 24, "{overloaded}");
    other.batch_execute("rollback").await.unwrap();
    while store.rotate(request(session, 0, &[(0, attempt(0))])).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_does_not_fit_is_refused_and_says_what_to_do() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.empty_database().await;
    let url = cluster.url(&database).parse().unwrap();
    let options = PostgresOptions::default();
    let refusal = async || match PostgresStore::open(&url, &options, Arc::new(())).await {
        Err(StoreError::Schema(text)) => text,
        other => format!("{other:?}"),
    };
    assert!(refusal().await.contains("`daypass migrate`"), "{}", refusal().await);
    let (one, two) = tokio::join!(migrate(&url), migrate(&url));
    let known = one.unwrap().to;
    assert_eq!(two.unwrap().to, known, "two at once");
    assert_eq!(migrate(&url).await.unwrap().from, known, "nothing to do");
    let schema = async |version: usize, fits: usize| {
        let set = format!("update daypass.schema set version = {version}, fits = {fits}");
        cluster.sql(&database, &set).await;
    };
    drop(PostgresStore::open(&url, &options, Arc::new(())).await.unwrap());
    schema(known - 1, 1).await;
    assert!(refusal().await.contains("`daypass migrate`"), "{}", refusal().await);
    schema(known + 1, known).await;
    drop(PostgresStore::open(&url, &options, Arc::new(())).await.unwrap());
    schema(known + 2, known + 1).await;
    assert!(refusal().await.contains("use a newer one"), "{}", refusal().await);
    assert!(matches!(migrate(&url).await, Err(StoreError::Schema(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_lock_keeps_nobody_waiting_behind_it() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    cluster.sql(&database, "drop table daypass.lease; update daypass.schema set version = 1").await;
    let (holder, watcher) = (cluster.client(&database).await, cluster.client(&database).await);
    holder.batch_execute("begin; select from daypass.schema for update").await.unwrap();
    let url = cluster.url(&database).parse().unwrap();
    let migrating = tokio::spawn(async move { migrate(&url).await });
    let waiting = async |wanted: i64| {
        let waiters = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
        while watcher.query_one(waiters, &[]).await.unwrap().get::<_, i64>(0) != wanted {}
    };
    let patience = std::time::Duration::from_mins(1);
    let gives_up = async {
        waiting(1).await;
        waiting(0).await;
    };
    tokio::time::timeout(patience, gives_up).await.expect("it waits for a second at a time");
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap().from, 1);
}
