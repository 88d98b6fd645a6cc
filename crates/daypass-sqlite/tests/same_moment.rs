//! Sessions that start in one millisecond and draw the same bits.

use std::collections::HashSet;
use std::sync::Arc;

use daypass_core::{ClientId, Clock, NewSession, Origin, Scope, SubjectId, Timestamp, TokenKeyId};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::contract::TestClock;
use daypass_storage::{Store as _, StoreError};

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }
}

#[tokio::test]
async fn all_open_and_each_is_found_under_its_own_id() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        SqliteStore::open(folder.path(), &SqliteOptions::default(), Arc::new(Stopped), Arc::new(())).unwrap();
    let new = |number: u32| NewSession {
        random: [7; 10],
        subject: SubjectId::new(&format!("s{number}")).unwrap(),
        client: ClientId::new("daypass").unwrap(),
        scope: Scope::empty(),
        amr: "pwd".to_owned(),
        auth_time: None,
        life: None,
        jkt: None,
        token_key: TokenKeyId(0),
    };
    let ids = store.open_many((0..50).map(new).collect()).await.unwrap();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 50);
    for (number, id) in (0u32..).zip(&ids) {
        assert_eq!(id.start(), Stopped.now());
        let (session, subject) = store.session(*id).await.unwrap().unwrap();
        assert_eq!((session.id, subject.id.to_string()), (*id, format!("s{number}")));
    }
    assert_eq!(store.session_count().await.unwrap(), 50);
}

#[tokio::test]
async fn a_millisecond_without_a_free_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(Stopped.now().millis());
    let store =
        SqliteStore::open(folder.path(), &SqliteOptions::default(), clock.clone(), Arc::new(())).unwrap();
    let new = |random| NewSession {
        random,
        subject: SubjectId::new("sam").unwrap(),
        client: ClientId::new("daypass").unwrap(),
        scope: Scope::empty(),
        amr: "pwd".to_owned(),
        auth_time: None,
        life: None,
        jkt: None,
        token_key: TokenKeyId(0),
    };
    store.open_session(new([0; 10]), Origin::default(), None).await.unwrap();
    let beside = rusqlite::Connection::open(SqliteStore::path(folder.path())).unwrap();
    let taken = beside
        .execute(
            "with recursive bits (n) as (select 1 union all select n + 1 from bits where n < 32767) \
             insert into sessions (key, tail, subject, client, generation, token_key, rotated_at, seen_at, \
             auth_time, amr, scope) select key + n, tail, subject, client, generation, token_key, rotated_at, \
             seen_at, auth_time, amr, scope from sessions, bits",
            [],
        )
        .unwrap();
    assert_eq!(taken, 32_767);
    let refused = store.open_session(new([1; 10]), Origin::default(), None).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    clock.step(1_000);
    store.open_session(new([1; 10]), Origin::default(), None).await.unwrap();
    store.check().await.unwrap();
}
