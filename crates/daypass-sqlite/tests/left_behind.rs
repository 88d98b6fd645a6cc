//! What a process that was killed leaves behind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daypass_core::{ClientId, NewSession, Scope, SubjectId, Timestamp, TokenKeyId};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::Store as _;
use daypass_storage::contract::TestClock;

/// A copy of the files while the process lives is what is there after it was killed.
#[tokio::test]
async fn a_log_that_was_left_behind_is_copied_at_the_next_start() {
    let open = |folder: &Path| {
        let clock = TestClock::at(Timestamp::from_seconds(1_700_000_000).millis());
        SqliteStore::open(folder, &SqliteOptions::default(), clock, Arc::new(())).unwrap()
    };
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
    // The length of the database itself, without its log.
    let database = |folder: &Path| std::fs::metadata(folder.join("daypass.db")).unwrap().len();
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(before.path());
    store.open_many((0..2_000).map(new).collect()).await.unwrap();
    for file in ["daypass.db", "daypass.db-wal"] {
        std::fs::copy(before.path().join(file), after.path().join(file)).unwrap();
    }
    let left = database(after.path());
    let reopened = open(after.path());
    let copied = async {
        while database(after.path()) <= left {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), copied).await.expect("the log is never copied");
    assert_eq!(reopened.session_count().await.unwrap(), 2_000);
}
