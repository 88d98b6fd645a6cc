//! Sessions that start in one millisecond and draw the same bits.

use std::collections::HashSet;
use std::sync::Arc;

use daypass_core::{ClientId, Clock, NewSession, Scope, SubjectId, Timestamp, TokenKeyId};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::Store as _;

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
