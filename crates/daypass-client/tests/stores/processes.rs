//! One file, several processes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use daypass_client::store::{Exchange, FileStore, StoreError, Stored, TokenStore, Version};

use crate::file::Folder;
use crate::sample::record;

/// Where the process has its store; absent, it is not meant to run.
const STORE: &str = "DAYPASS_TEST_STORE";

/// How many processes count, and how far each.
const COUNTS: (u32, u32) = (4, 50);

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_lose_no_update_and_a_reader_never_sees_half_of_one() {
    let folder = Folder::new();
    let store = folder.store();
    store.compare_exchange(Version::EMPTY, Some(&record(0))).await.unwrap();
    let (processes, each) = COUNTS;
    let mut children: Vec<Child> = (0..processes).map(|_| counting(&folder)).collect();
    let mut last = 0;
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        // An error here is half a session.
        let there = store.load().await.unwrap().record.unwrap().generation;
        assert!(there >= last, "{there} after {last}");
        last = there;
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    assert_eq!(store.load().await.unwrap().record, Some(record(processes * each)));
}

fn counting(folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "processes::one_that_counts", "--nocapture"])
        .env(STORE, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "this is one of the processes that count"]
async fn one_that_counts() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let store = FileStore::open(PathBuf::from(path)).unwrap();
    for _ in 0..COUNTS.1 {
        let mut there = store.load().await.unwrap();
        while let Some(newer) = counted_on(&store, &there).await {
            there = newer;
        }
    }
}

/// What is there instead, if somebody was quicker.
async fn counted_on(store: &FileStore, there: &Stored) -> Option<Stored> {
    let next = record(there.record.as_ref().unwrap().generation + 1);
    match store.compare_exchange(there.version, Some(&next)).await {
        Ok(Exchange::Done(_)) => None,
        Ok(Exchange::Conflict(newer)) => Some(newer),
        Err(StoreError::Busy) => Some(there.clone()),
        Err(error) => panic!("{error}"),
    }
}
