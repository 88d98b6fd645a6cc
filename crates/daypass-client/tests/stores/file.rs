//! The store in a file.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{ManualClock, SeededEntropy};
use daypass_client::store::contract::Harness;
use daypass_client::store::{Exchange, FileStore, Step, StoreError, Stored, TokenStore, Version};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::sample::{record, watched};

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("session.json")
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::open(self.path()).unwrap()
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[async_trait]
impl Harness for Folder {
    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.store())
    }
}

daypass_client::store_contract_tests!(Folder::new());

#[tokio::test]
async fn what_is_in_the_folder_is_what_the_documentation_names() {
    let folder = Folder::new();
    let store = folder.store();
    assert_eq!(folder.names(), [""; 0]);
    assert_eq!(store.path(), folder.path());
    store.load().await.unwrap();
    assert_eq!(folder.names(), [""; 0]);
    let _guard = store.lock(Duration::ZERO).await.unwrap();
    assert_eq!(folder.names(), ["session.json.renewal"]);
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    assert_eq!(folder.names(), ["session.json", "session.json.lock", "session.json.renewal"]);
}

#[tokio::test]
async fn a_name_without_a_folder_and_a_name_with_folders_that_are_not_there_are_fine() {
    let folder = Folder::new();
    let deep = folder.path().join("a").join("b").join("session.json");
    let store = FileStore::open(&deep).unwrap();
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    assert!(deep.is_file());
    let here = FileStore::open("session-of-a-test-that-writes-nothing.json").unwrap();
    assert!(here.path().is_absolute());
    assert!(matches!(FileStore::open("/"), Err(StoreError::Io(_))));
    assert!(matches!(FileStore::open(deep.join("below-a-file")), Err(StoreError::Io(_))));
}

#[tokio::test]
async fn what_killed_writers_left_goes_and_nothing_else_does() {
    let folder = Folder::new();
    let left = format!(".session.json.{:032x}.tmp", 7);
    let others =
        [".other.json.00000000000000000000000000000007.tmp", ".session.json.7.tmp", "session.json.bak"];
    for name in others.iter().copied().chain([left.as_str()]) {
        std::fs::write(folder.path().with_file_name(name), "{").unwrap();
    }
    let store = folder.store();
    assert_eq!(store.load().await.unwrap(), Stored::default());
    assert!(folder.names().contains(&left), "a reader removes nothing");
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    assert!(!folder.names().contains(&left));
    for name in others {
        assert!(folder.names().contains(&name.to_owned()));
    }
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing_and_leaves_nothing() {
    let folder = Folder::new();
    let store = folder.store();
    let Exchange::Done(version) = store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap()
    else {
        panic!("nobody else writes");
    };
    // The new file's name is taken: by a seeded source it can be known.
    let entropy = || Arc::new(SeededEntropy::new(9));
    let elsewhere = Folder::new();
    let next =
        elsewhere.store().with_entropy(entropy()).compare_exchange(Version::EMPTY, None).await.unwrap();
    let Exchange::Done(next) = next else { panic!("nobody else writes") };
    let taken = folder.path().with_file_name(format!(".session.json.{:032x}.tmp", next.0));
    std::fs::create_dir(&taken).unwrap();
    let failing = store.clone().with_entropy(entropy());
    let failed = failing.compare_exchange(version, Some(&record(2))).await;
    assert!(matches!(failed, Err(StoreError::Io(_))), "{failed:?}");
    std::fs::remove_dir(&taken).unwrap();
    assert_eq!(store.load().await.unwrap(), Stored { version, record: Some(record(1)) });
    assert_eq!(folder.names(), ["session.json", "session.json.lock"]);
}

#[tokio::test]
async fn a_file_that_cannot_get_its_name_goes() {
    let folder = Folder::new();
    let path = folder.path();
    let failing = folder.store().with_observer(move |step| {
        if step == Step::Written {
            std::fs::create_dir_all(&path).unwrap();
        }
    });
    let failed = failing.compare_exchange(Version::EMPTY, Some(&record(1))).await;
    assert!(matches!(failed, Err(StoreError::Io(_))), "{failed:?}");
    std::fs::remove_dir(folder.path()).unwrap();
    assert_eq!(folder.names(), ["session.json.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_who_stands_still_is_waited_for_five_seconds() {
    let folder = Folder::new();
    let (tell, mut standing) = mpsc::unbounded_channel();
    // Dropped with the test, if that fails: nobody stands for ever.
    let (go_on, go) = std::sync::mpsc::channel::<()>();
    let go = Mutex::new(go);
    let frozen = folder.store().with_observer(move |step| {
        if step == Step::Written {
            tell.send(()).unwrap();
            let _gone_on = go.lock().unwrap().recv();
        }
    });
    let writer = tokio::spawn(async move { frozen.compare_exchange(Version::EMPTY, Some(&record(1))).await });
    watched(standing.recv()).await.unwrap();
    let clock = ManualClock::new();
    let store = folder.store().with_clock(Arc::new(clock.clone()));
    assert_eq!(store.load().await.unwrap(), Stored::default(), "readers do not wait");
    let waiter = tokio::spawn(async move { store.compare_exchange(Version::EMPTY, Some(&record(2))).await });
    watched(clock.until(|waits| waits.contains(&Duration::from_secs(5)))).await;
    clock.advance(Duration::from_secs(5));
    assert!(matches!(watched(waiter).await.unwrap(), Err(StoreError::Busy)));
    drop(go_on);
    assert!(matches!(watched(writer).await.unwrap(), Ok(Exchange::Done(_))));
}
