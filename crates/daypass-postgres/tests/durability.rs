//! What was acknowledged is there after every process of PostgreSQL was killed at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod stage;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daypass_core::{Decision, Generation, SessionId};
use daypass_postgres::testing::Cluster;
use daypass_storage::{Store, StoreError};
use tokio::sync::mpsc;

use stage::{attempt, cluster_folder, open, request, sign_in};

/// How many acknowledged rotations are waited for before each kill.
const BEFORE_A_KILL: u64 = 300;
/// How often it is killed.
const KILLS: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_rotation_survives_a_kill() {
    let cluster = Arc::new(Cluster::start(&cluster_folder(), ""));
    let database = cluster.database().await;
    for setting in ["fsync", "full_page_writes"] {
        let client = cluster.client(&database).await;
        let row = client.query_one(&format!("show {setting}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "on", "{setting}");
    }
    let store = open(&cluster.url(&database)).await;
    let mut sessions = Vec::new();
    for number in 0..8 {
        sessions.push(sign_in(&*store, &format!("person-{number}")).await);
    }
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (told, mut news) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for session in sessions {
        let (store, acknowledged, told) = (Arc::clone(&store), Arc::clone(&acknowledged), told.clone());
        workers.push(tokio::spawn(renew(store, session, acknowledged, told)));
    }
    let mut last: HashMap<SessionId, u32> = HashMap::new();
    let mut errors = 0;
    for kill in 1..=u64::from(KILLS) {
        while acknowledged.load(Ordering::Relaxed) < kill * BEFORE_A_KILL {
            note(news.recv().await.unwrap(), &mut last, &mut errors);
        }
        cluster.kill();
        cluster.start_again();
    }
    while acknowledged.load(Ordering::Relaxed) < u64::from(KILLS + 1) * BEFORE_A_KILL {
        note(news.recv().await.unwrap(), &mut last, &mut errors);
    }
    cluster.kill();
    for worker in workers {
        worker.abort();
        let _aborted = worker.await;
    }
    drop(told);
    while let Some(news) = news.recv().await {
        note(news, &mut last, &mut errors);
    }
    cluster.start_again();
    let store = open(&cluster.url(&database)).await;
    for (session, generation) in last {
        let (found, _) = store.session(session).await.unwrap().expect("the session is there");
        assert!(found.rotation.generation >= Generation(generation), "lost: {generation} of {found:?}");
    }
    assert!(errors > 0, "nobody noticed that the database was gone");
    let events = store.events(0, 10_000).await.unwrap();
    assert!(events.iter().all(|(_, event)| event.kind.name() == "signed_in"), "{events:?}");
}

/// A session and the generation that was acknowledged; none: an error was.
type News = (SessionId, Option<u32>);

fn note((session, generation): News, last: &mut HashMap<SessionId, u32>, errors: &mut u32) {
    match generation {
        Some(generation) => _ = last.insert(session, generation),
        None => *errors += 1,
    }
}

/// Renews for ever, and repeats its attempt after an error, as every client does.
async fn renew(
    store: Arc<dyn Store>,
    session: SessionId,
    acknowledged: Arc<AtomicU64>,
    told: mpsc::UnboundedSender<News>,
) {
    let mut g = 0;
    loop {
        let ids: Vec<_> = (g.max(3) - 3..=g).rev().map(|g| (g, attempt(g))).collect();
        let news = match store.rotate(request(session, g, &ids)).await.map(|rotated| rotated.decision) {
            // Whoever is told of a repeat had been answered by an error: the commit had been made.
            Ok(Decision::Rotate { state, healed: false } | Decision::Repeat { state, .. }) => {
                g = state.generation.0;
                acknowledged.fetch_add(1, Ordering::Relaxed);
                Some(g)
            }
            Ok(other) => panic!("a client that did nothing wrong is told {other:?}"),
            Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => None,
            Err(other) => panic!("{other}"),
        };
        if told.send((session, news)).is_err() {
            return;
        }
    }
}
