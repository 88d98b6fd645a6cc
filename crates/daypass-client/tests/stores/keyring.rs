//! The store in a key ring: on rings that live in memory. The system's own are the platform crates' to test.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use daypass_client::store::contract::Harness;
use daypass_client::store::{
    Exchange, FileStore, Keeper, KeyringBuilder, KeyringStore, StoreError, Stored, TokenStore, Version,
};
use daypass_client::{AccessToken, Record};
use keyring_core::api::{Credential, CredentialApi, CredentialPersistence, CredentialStoreApi};
use keyring_core::{Entry, Error, mock};
use tempfile::TempDir;

use crate::sample::record;

struct Ring {
    ring: Arc<mock::Store>,
    folder: TempDir,
}

impl Ring {
    fn new() -> Self {
        Self { ring: mock::Store::new().unwrap(), folder: TempDir::new().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("session.json")
    }

    fn builder(&self) -> KeyringBuilder {
        builder(self.folder.path()).ring(self.ring.clone())
    }

    async fn store(&self) -> KeyringStore {
        self.builder().open().await.unwrap()
    }

    fn entry(&self) -> Entry {
        self.ring.build("example", "ada", None).unwrap()
    }

    /// What the next call to the ring answers.
    fn next_fails(&self, error: Error) {
        self.entry().as_any().downcast_ref::<mock::Cred>().unwrap().set_error(error);
    }
}

fn builder(folder: &Path) -> KeyringBuilder {
    KeyringStore::builder("example", "ada", folder.join("session.lock"))
}

#[async_trait]
impl Harness for Ring {
    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.store().await)
    }
}

daypass_client::store_contract_tests!(Ring::new());

#[tokio::test]
async fn an_entry_that_is_no_session_is_left_alone() {
    let ring = Ring::new();
    let store = ring.store().await;
    assert_eq!(store.keeper(), Keeper::KeyRing);
    ring.entry().set_secret(b"the door code").unwrap();
    assert!(matches!(store.load().await, Err(StoreError::Foreign(_))));
    let written = store.compare_exchange(Version::EMPTY, Some(&record(1))).await;
    assert!(matches!(written, Err(StoreError::Foreign(_))));
    assert_eq!(ring.entry().get_secret().unwrap(), b"the door code");
}

#[tokio::test]
async fn a_ring_that_refuses_changes_nothing_and_tells_no_secret() {
    let ring = Ring::new();
    let store = ring.store().await;
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    let before = store.load().await.unwrap();
    let secret = || b"the door code".to_vec();
    let errors: [fn(Vec<u8>) -> Error; 6] = [
        |_| Error::NoStorageAccess("locked".into()),
        Error::BadEncoding,
        |secret| Error::BadDataFormat(secret, "bad".into()),
        |_| Error::Ambiguous(Vec::new()),
        |_| Error::NotSupportedByStore(String::new()),
        |_| Error::TooLong("secret".into(), 10),
    ];
    for error in errors {
        ring.next_fails(error(secret()));
        let failed = store.compare_exchange(before.version, None).await.unwrap_err();
        assert!(!matches!(failed, StoreError::NoKeyRing(_)));
        let printed = format!("{failed:?} {failed}");
        assert!(!printed.contains("door") && !printed.contains("100, 111, 111, 114"), "{printed}");
    }
    assert_eq!(store.load().await.unwrap(), before);
}

#[tokio::test]
async fn a_session_stays_in_the_file_until_the_ring_has_one() {
    let ring = Ring::new();
    let open = async || ring.builder().or_file(ring.file()).open().await.unwrap();
    assert_eq!(open().await.keeper(), Keeper::KeyRing);
    let file = FileStore::open(ring.file()).unwrap();
    let Exchange::Done(version) = file.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap()
    else {
        panic!("nobody else writes");
    };
    let store = open().await;
    assert_eq!((store.keeper(), store.load().await.unwrap().record), (Keeper::File, Some(record(1))));
    ring.store().await.compare_exchange(Version::EMPTY, Some(&record(2))).await.unwrap();
    let store = open().await;
    assert_eq!((store.keeper(), store.load().await.unwrap().record), (Keeper::KeyRing, Some(record(2))));
    file.compare_exchange(version, None).await.unwrap();
    assert_eq!(open().await.keeper(), Keeper::KeyRing);
}

#[tokio::test]
async fn a_locked_ring_is_not_a_missing_one() {
    let ring = Ring::new();
    ring.next_fails(Error::NoStorageAccess("the user said no".into()));
    let opened = ring.builder().or_file(ring.file()).open().await;
    assert!(matches!(opened, Err(StoreError::Io(_))), "{opened:?}");
    let shut = Arc::new(Small { inner: mock::Store::new().unwrap(), most: 0 });
    let opened = builder(ring.folder.path()).ring(shut).or_file(ring.file()).open().await;
    assert!(matches!(opened, Err(StoreError::Io(_))), "{opened:?}");
}

#[tokio::test]
async fn a_small_ring_keeps_the_session_without_its_access_token() {
    let folder = TempDir::new().unwrap();
    let ring = Arc::new(Small { inner: mock::Store::new().unwrap(), most: 600 });
    let store = builder(folder.path()).ring(ring).open().await.unwrap();
    let Exchange::Done(version) = store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap()
    else {
        panic!("nobody else writes");
    };
    let kept = Record { access: None, ..record(1) };
    assert_eq!(store.load().await.unwrap(), Stored { version, record: Some(kept.clone()) });
    let mut short = record(2);
    short.access.as_mut().unwrap().token = AccessToken::from("short".to_owned());
    let Exchange::Done(version) = store.compare_exchange(version, Some(&short)).await.unwrap() else {
        panic!("nobody else writes");
    };
    assert_eq!(store.load().await.unwrap().record, Some(short.clone()));
    let long = Record { session_id: "s".repeat(600), ..record(3) };
    assert!(matches!(store.compare_exchange(version, Some(&long)).await, Err(StoreError::Io(_))));
    assert_eq!(store.load().await.unwrap(), Stored { version, record: Some(short) });
}

/// Where the process may have its file; absent, it is not meant to run.
const FOLDER: &str = "DAYPASS_TEST_NO_RING";

/// Linux has its key ring on the session's bus, and finds that by its environment.
#[cfg(target_os = "linux")]
#[test]
fn where_there_is_no_ring_a_named_file_does_and_no_other() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "keyring::without_a_ring", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/no-such-bus", folder.path().display()))
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "this is the process without a key ring"]
async fn without_a_ring() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let refused = builder(&folder).open().await;
    assert!(matches!(refused, Err(StoreError::NoKeyRing(_))), "{refused:?}");
    let store = builder(&folder).or_file(folder.join("session.json")).open().await.unwrap();
    assert_eq!(store.keeper(), Keeper::File);
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    let file = FileStore::open(folder.join("session.json")).unwrap();
    assert_eq!(file.load().await.unwrap(), store.load().await.unwrap());
}

/// A ring that takes few bytes, as Windows' does. One that takes none has no entries at all.
#[derive(Debug)]
struct Small {
    inner: Arc<mock::Store>,
    most: usize,
}

impl CredentialStoreApi for Small {
    fn vendor(&self) -> String {
        self.inner.vendor()
    }

    fn id(&self) -> String {
        self.inner.id()
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        options: Option<&HashMap<&str, &str>>,
    ) -> Result<Entry, Error> {
        if self.most == 0 {
            return Err(Error::NoStorageAccess("shut".into()));
        }
        let inner = self.inner.build(service, user, options)?;
        Ok(Entry::new_with_credential(Arc::new(SmallEntry { inner, most: self.most })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn persistence(&self) -> CredentialPersistence {
        CredentialPersistence::ProcessOnly
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[derive(Debug)]
struct SmallEntry {
    inner: Entry,
    most: usize,
}

impl CredentialApi for SmallEntry {
    fn set_secret(&self, secret: &[u8]) -> Result<(), Error> {
        if secret.len() > self.most {
            return Err(Error::TooLong("secret".to_owned(), u32::try_from(self.most).unwrap()));
        }
        self.inner.set_secret(secret)
    }

    fn get_secret(&self) -> Result<Vec<u8>, Error> {
        self.inner.get_secret()
    }

    fn delete_credential(&self) -> Result<(), Error> {
        self.inner.delete_credential()
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>, Error> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
