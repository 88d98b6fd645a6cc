//! What a commit waits for, and what a rotation writes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod stage;

use std::sync::Arc;

use daypass_core::{Decision, EndingReason, SubjectId};
use daypass_postgres::testing::Cluster;
use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_storage::{Source, Store, StoreError};

use stage::{attempt, cluster_folder, open, request, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_gone_keeps_nobody_from_renewing_and_nothing_else_is_acknowledged() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let store = open(&cluster.url(&database)).await;
    let (session, other) = (sign_in(&*store, "sam").await, sign_in(&*store, "kim").await);
    cluster.wait_for_standby("nobody").await;
    store.rotate(request(session, 0, &[(0, attempt(0))])).await.unwrap();
    store.check().await.unwrap();
    let end = || store.end_session(other, None, EndingReason::Revoked, Source::default());
    let ended = end().await;
    assert!(matches!(ended, Err(StoreError::OutcomeUnknown(_))), "{ended:?}");
    // A reuse ends sessions, too: it is not told before it is safe.
    let reused = store.rotate(request(session, 0, &[(0, attempt(7))])).await;
    assert!(matches!(reused, Err(StoreError::OutcomeUnknown(_))), "{reused:?}");
    cluster.wait_for_standby("").await;
    store.rotate(request(session, 0, &[(0, attempt(7))])).await.unwrap();
    end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_renews_waits_for_no_standby() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let url = cluster.url(&database).parse().unwrap();
    // Patient, since the machine may have a lot else to do: what waits for the standby is given up earlier.
    let answer = std::time::Duration::from_mins(1);
    let options = PostgresOptions { lanes: 1, answer, ..PostgresOptions::default() };
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url, &options, Arc::new(())).await.unwrap());
    let (stolen, other) = (sign_in(&*store, "sam").await, sign_in(&*store, "kim").await);
    let leaving = sign_in(&*store, "lee").await;
    store.rotate(request(stolen, 0, &[(0, attempt(0))])).await.unwrap();
    cluster.wait_for_standby("nobody").await;
    let thief = || store.rotate(request(stolen, 0, &[(0, attempt(7))]));
    let renew = |g: u32| store.rotate(request(other, g, &[(g, attempt(g))]));
    // In one batch with it, or behind it in the lane.
    let (reused, renewed) = tokio::join!(thief(), renew(0));
    assert!(matches!(reused, Err(StoreError::OutcomeUnknown(_))), "{reused:?}");
    assert!(matches!(renewed.unwrap().decision, Decision::Rotate { .. }));
    // That a session is over is not told either before the standby knows it.
    let (again, renewed) = tokio::join!(thief(), renew(1));
    assert!(matches!(again, Err(StoreError::OutcomeUnknown(_))), "{again:?}");
    assert!(matches!(renewed.unwrap().decision, Decision::Rotate { .. }));
    // While a session is being ended its rows are locked, and its own renewals wait.
    let ending = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.end_session(leaving, None, EndingReason::SignedOut, Source::default()).await }
    });
    let client = cluster.client(&database).await;
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    let late = request(leaving, 0, &[(0, attempt(0))]);
    let (late, renewed) = tokio::join!(store.rotate(late), renew(2));
    late.unwrap_err();
    assert!(matches!(renewed.unwrap().decision, Decision::Rotate { .. }));
    ending.await.unwrap().unwrap_err();
    cluster.wait_for_standby("").await;
    let told = thief().await.unwrap();
    assert!(matches!(told.decision, Decision::Refuse(_) | Decision::Reuse { .. }), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_touches_no_index() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let store = open(&cluster.url(&database)).await;
    let session = sign_in(&*store, "sam").await;
    for g in 0..200 {
        store.rotate(request(session, g, &[(g, attempt(g))])).await.unwrap();
    }
    // The counters are sent when a connection ends, if not before.
    drop(store);
    let client = cluster.client(&database).await;
    let sql =
        "select n_tup_upd, n_tup_hot_upd from pg_stat_all_tables where relid = 'daypass.sessions'::regclass";
    let (updates, hot) = loop {
        let row = client.query_one(sql, &[]).await.unwrap();
        let counted: (i64, i64) = (row.get(0), row.get(1));
        if counted.0 == 200 {
            break counted;
        }
    };
    assert_eq!(updates, hot);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_postgresql_cannot_keep_do_not_fail_a_sign_in() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let store = open(&cluster.url(&cluster.database().await)).await;
    let session = sign_in(&*store, "sam").await;
    let source = Source { detail: Some("a\0b".to_owned()), ..Source::default() };
    store.end_session(session, None, EndingReason::Revoked, source).await.unwrap();
    let events = store.events(0, 10).await.unwrap();
    assert_eq!(events[1].1.detail.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(events[1].1.subject, Some(SubjectId::new("sam").unwrap()));
}
