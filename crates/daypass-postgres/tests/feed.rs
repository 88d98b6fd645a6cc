//! The feed where transactions commit in another order than they began, and where the database goes
//! on in another life.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod stage;

use daypass_core::{Ending, EndingReason, SubjectId};
use daypass_postgres::testing::Cluster;
use daypass_storage::{FeedPage, Source};

use stage::{cluster_folder, open};

fn subjects(page: &FeedPage) -> Vec<String> {
    let name = |entry: &daypass_core::FeedEntry| match &entry.ending {
        Ending::Subject { sub, .. } => sub.as_str().to_owned(),
        Ending::Session(_) => "a session".to_owned(),
    };
    page.entries.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_committed_late_under_an_earlier_number_is_not_missed() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let (store, other) = (open(&cluster.url(&database)).await, open(&cluster.url(&database)).await);
    let end = async |sub: &str| {
        let sub = SubjectId::new(sub).unwrap();
        store.end_sessions_of(sub, None, EndingReason::Revoked, Source::default()).await.unwrap();
    };
    end("first").await;

    // Another node's revocation has drawn its number, and is held up before its commit.
    let late = cluster.client(&database).await;
    let insert =
        "begin; insert into daypass.feed (sub, not_before, at, until) values ('late', 1, 1, 9000000000000)";
    late.batch_execute(insert).await.unwrap();
    end("early").await;
    let numbers = "select sub from daypass.feed order by seq";
    let before = store.feed(None, 10).await.unwrap();
    assert_eq!(subjects(&before), ["first", "early"]);
    assert!(before.complete);
    assert!(other.feed(Some(before.cursor), 10).await.unwrap().entries.is_empty(), "nothing more to be seen");

    late.batch_execute("commit").await.unwrap();
    let rows = late.query(numbers, &[]).await.unwrap();
    let numbered: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(numbered, ["first", "late", "early"], "the number is the earlier one");
    end("last").await;
    for store in [&store, &other] {
        let after = store.feed(Some(before.cursor), 10).await.unwrap();
        assert!(!after.reset);
        assert_eq!(subjects(&after), ["late", "last"]);
        let all = store.feed(None, 10).await.unwrap();
        assert_eq!(subjects(&all), ["first", "early", "late", "last"], "in one order for everybody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_elsewhere_has_another_epoch() {
    let cluster = Cluster::start(&cluster_folder(), "");
    let database = cluster.database().await;
    let here = open(&cluster.url(&database)).await.feed(None, 10).await.unwrap().cursor;
    assert_eq!(open(&cluster.url(&database)).await.feed(None, 10).await.unwrap().cursor, here);
    cluster.kill();
    cluster.start_again();
    let again = open(&cluster.url(&database)).await.feed(None, 10).await.unwrap().cursor;
    assert_eq!(again, here, "recovery after a crash loses nothing that was told");

    let elsewhere = Cluster::start(&cluster_folder(), "");
    let copy = elsewhere.database().await;
    let client = cluster.client(&database).await;
    let row = client.query_one("select epoch::text from daypass.feed_head", &[]).await.unwrap();
    let epoch: &str = row.get(0);
    elsewhere.sql(&copy, &format!("update daypass.feed_head set epoch = '{epoch}'")).await;
    let there = open(&elsewhere.url(&copy)).await.feed(Some(here), 10).await.unwrap();
    assert_ne!(there.cursor.epoch, here.epoch);
    assert!(there.reset, "a cursor of another life reads from the start");
}
