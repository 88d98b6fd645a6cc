//! Files that are no sessions: nobody reads them as one, and nobody overwrites them.

use daypass_client::store::{Exchange, StoreError, Stored, TokenStore, Version};

use crate::file::Folder;
use crate::sample::record;

/// Both ways in refuse, and the file stays as it is.
async fn is_left_alone(folder: &Folder, content: &[u8]) {
    std::fs::write(folder.path(), content).unwrap();
    let store = folder.store();
    let there = match store.load().await {
        Err(StoreError::Foreign(why)) => why,
        other => panic!("{other:?}"),
    };
    for new in [Some(&record(1)), None] {
        let exchange = store.compare_exchange(Version::EMPTY, new).await;
        assert!(matches!(exchange, Err(StoreError::Foreign(why)) if why == there), "{exchange:?}");
    }
    assert_eq!(std::fs::read(folder.path()).unwrap(), content);
}

#[tokio::test]
async fn what_is_no_session_is_left_alone() {
    let folder = Folder::new();
    let version = "0".repeat(31) + "1";
    let newer = format!(r#"{{"format":2,"version":"{version}","sessions":[]}}"#);
    let other = format!(r#"{{"format":1,"version":"{version}","record":{{"colour":"blue"}}}}"#);
    let nobodys = format!(r#"{{"format":1,"version":"{}","record":null}}"#, "0".repeat(32));
    for content in ["", "{}", "null", "[1]", "# a shell's settings", "\u{0}\u{0}", &newer, &other, &nobodys] {
        is_left_alone(&folder, content.as_bytes()).await;
    }
    is_left_alone(&folder, &[0xff; 200]).await;
    is_left_alone(&folder, &vec![b' '; 70_000]).await;
}

#[tokio::test]
async fn half_a_session_is_left_alone() {
    let folder = Folder::new();
    folder.store().compare_exchange(Version::EMPTY, Some(&record(3))).await.unwrap();
    let whole = std::fs::read(folder.path()).unwrap();
    for end in [1, whole.len() / 2, whole.len() - 3] {
        is_left_alone(&folder, &whole[..end]).await;
    }
    // Two in one are not one.
    is_left_alone(&folder, &[whole.clone(), whole].concat()).await;
}

#[tokio::test]
async fn set_aside_it_is_kept_and_makes_room() {
    let folder = Folder::new();
    let store = folder.store();
    assert_eq!(store.set_aside().await.unwrap(), None);
    std::fs::write(folder.path(), "dear diary").unwrap();
    let aside = store.set_aside().await.unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "dear diary");
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("session.json.aside-"));
    assert_eq!(store.load().await.unwrap(), Stored::default());
    let exchange = store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    assert!(matches!(exchange, Exchange::Done(_)));
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "dear diary");
}

#[tokio::test]
async fn a_file_that_came_back_is_not_what_was_read() {
    let folder = Folder::new();
    let store = folder.store();
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    let read = store.load().await.unwrap().version;
    std::fs::remove_file(folder.path()).unwrap();
    assert_eq!(store.load().await.unwrap(), Stored::default());
    let gone = store.compare_exchange(read, Some(&record(2))).await.unwrap();
    assert_eq!(gone, Exchange::Conflict(Stored::default()));
    folder.store().compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    let again = store.compare_exchange(read, Some(&record(2))).await.unwrap();
    assert!(matches!(again, Exchange::Conflict(Stored { record: Some(there), .. }) if there == record(1)));
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_neither_read_nor_replaced() {
    let folder = Folder::new();
    let elsewhere = folder.path().with_file_name("elsewhere.json");
    let refused = async |what: &str| {
        let store = folder.store();
        let loaded = store.load().await;
        assert!(matches!(loaded, Err(StoreError::Foreign(_))), "{what}: {loaded:?}");
        let written = store.compare_exchange(Version::EMPTY, Some(&record(1))).await;
        assert!(matches!(written, Err(StoreError::Foreign(_))), "{what}: {written:?}");
    };

    std::os::unix::fs::symlink(&elsewhere, folder.path()).unwrap();
    refused("a link to nothing").await;
    assert!(!elsewhere.exists());
    daypass_client::FileStore::open(&elsewhere)
        .unwrap()
        .compare_exchange(Version::EMPTY, Some(&record(1)))
        .await
        .unwrap();
    let before = std::fs::read(&elsewhere).unwrap();
    refused("a link to a session").await;
    assert_eq!(std::fs::read(&elsewhere).unwrap(), before);
    std::fs::remove_file(folder.path()).unwrap();

    std::fs::create_dir(folder.path()).unwrap();
    refused("a folder").await;
    std::fs::remove_dir(folder.path()).unwrap();

    let status = std::process::Command::new("mkfifo").arg(folder.path()).status().unwrap();
    assert!(status.success());
    refused("a pipe").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_lock_that_is_a_link_locks_nothing_and_makes_nothing() {
    let folder = Folder::new();
    let elsewhere = folder.path().with_file_name("elsewhere");
    for lock in ["session.json.lock", "session.json.renewal"] {
        std::os::unix::fs::symlink(&elsewhere, folder.path().with_file_name(lock)).unwrap();
    }
    let store = folder.store();
    let written = store.compare_exchange(Version::EMPTY, Some(&record(1))).await;
    assert!(matches!(written, Err(StoreError::Io(_))), "{written:?}");
    assert!(store.lock(std::time::Duration::from_millis(1)).await.unwrap().is_none());
    assert!(!elsewhere.exists() && !folder.path().exists());
}
