//! A disk on which nothing more can be written: a process whose files may not grow beyond a limit,
//! until it lifts that.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use daypass_core::{ClientId, NewSession, Origin, Scope, SessionId, SubjectId, TokenKeyId};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::contract::TestClock;
use daypass_storage::{Opened, Store as _, StoreError, StoreResult};

/// Where the process has its data; absent, it is not meant to run.
const DATA: &str = "DAYPASS_FULL_DISK_DIR";

/// How many bytes a file may have.
const LIMIT: u64 = 2 << 20;

/// How many bytes a write takes at least.
const PAGE: u64 = 4096;

#[test]
fn readiness_tells_of_it_and_nothing_is_done_by_half() {
    let data = tempfile::tempdir().unwrap();
    // Without the trap, the signal that tells of the limit would end the process.
    let output = Command::new("prlimit")
        .arg(format!("--fsize={LIMIT}:unlimited"))
        .args(["sh", "-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_process", "--nocapture"])
        .env(DATA, data.path())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is the process that may not write"]
async fn the_process() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let clock = TestClock::at(1_800_000_000_000);
    let options = SqliteOptions { cache: 4 << 20, ..SqliteOptions::default() };
    let store = Arc::new(SqliteStore::open(Path::new(&data), &options, clock.clone(), Arc::new(())).unwrap());
    store.check().await.unwrap();
    let (mut done, mut unknown) = (Vec::new(), 0);
    for round in 0..200u64 {
        clock.step(1);
        let mut refused = false;
        for opened in sign_ins(&store, round * 16).await {
            refused |= opened.is_err();
            match opened {
                Ok(id) => done.push(id),
                Err(StoreError::OutcomeUnknown(_)) => unknown += 1,
                Err(_) => {}
            }
        }
        // The first write that does not fit may be the check's own.
        assert!(store.check().await.is_err() || !refused, "round {round}");
    }
    assert!(done.len() > 16 && unknown > 16, "{} {unknown}", done.len());

    // Nobody signs in, and there may be room for checks yet, each of which takes a page at least.
    // One may still tell of a write before it.
    let (mut checks, mut in_a_row) = (0, 0);
    while in_a_row < 4 {
        let fits = store.check().await.is_ok();
        in_a_row = if fits { 0 } else { in_a_row + 1 };
        checks += u64::from(fits);
        assert!(checks <= LIMIT / PAGE, "the check writes nothing");
    }

    let me = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited:unlimited"]).status();
    assert!(lifted.unwrap().success());
    store.check().await.unwrap();
    clock.step(1);
    for opened in sign_ins(&store, 1 << 20).await {
        done.push(opened.unwrap());
    }
    store.check().await.unwrap();
    for id in &done {
        assert!(store.session(*id).await.unwrap().is_some());
    }
    let counted = store.session_count().await.unwrap();
    assert_eq!(counted, u64::try_from(done.len()).unwrap(), "what failed was undone");
    let beside = rusqlite::Connection::open(SqliteStore::path(Path::new(&data))).unwrap();
    let there: u64 = beside.query_row("select count(*) from sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(there, counted);
}

/// Sixteen sign-ins beside each other.
async fn sign_ins(store: &Arc<SqliteStore>, first: u64) -> Vec<StoreResult<SessionId>> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in first..first + 16 {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&(number << 48).to_be_bytes());
            let new = NewSession {
                random,
                subject: SubjectId::new(&format!("s{number}")).unwrap(),
                client: ClientId::new("daypass").unwrap(),
                scope: Scope::empty(),
                amr: "pwd".to_owned(),
                auth_time: None,
                life: None,
                jkt: None,
                token_key: TokenKeyId(1),
            };
            let origin = Origin { user_agent: Some("x".repeat(3_000)), ..Origin::default() };
            store.open_session(new, origin, None).await.map(|opened| match opened {
                Opened::Session(session, _) => session.id,
                refused => unreachable!("{refused:?}"),
            })
        });
    }
    tasks.join_all().await
}
