//! A service, and a file with a session of its that has no access token: whoever opens it has to renew.

use std::path::PathBuf;

use daypass_client::store::{Exchange, FileStore, TokenStore, Version};
use daypass_client::{Record, RefreshToken, Session};
use daypass_testkit::{TestService, TestServiceBuilder};
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) service: TestService,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn set(service: TestServiceBuilder) -> Self {
        let stage = Self { service: service.start().await, folder: TempDir::new().unwrap() };
        let pair = stage.service.sign_in().await;
        let text = |member: &str| pair[member].as_str().unwrap().to_owned();
        let record = Record {
            service: stage.service.url().to_owned(),
            client_id: None,
            session_id: text("session_id"),
            generation: 0,
            refresh_token: RefreshToken::from(text("refresh_token")),
            attempts: Vec::new(),
            access: None,
            ends_at_ms: None,
        };
        assert_eq!(pair["generation"], 0);
        written(&stage.store().compare_exchange(Version::EMPTY, Some(&record)).await.unwrap());
        stage
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("session.json")
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::open(self.path()).unwrap()
    }

    /// What the file holds.
    pub(crate) async fn record(&self) -> Record {
        self.store().load().await.unwrap().record.unwrap()
    }

    /// The session, opened by this process.
    pub(crate) async fn session(&self) -> Session {
        open(self.service.url(), self.store()).await
    }

    /// Takes the access token out of the file, so that whoever opens it next has to renew.
    pub(crate) async fn forget_access(&self) {
        let there = self.store().load().await.unwrap();
        let without = Record { access: None, ..there.record.unwrap() };
        written(&self.store().compare_exchange(there.version, Some(&without)).await.unwrap());
    }

    /// How many files stand beside the session's own and its locks.
    pub(crate) fn left_over(&self) -> usize {
        let known = ["session.json", "session.json.lock", "session.json.renewal"];
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| !known.contains(&name.to_str().unwrap())).count()
    }
}

/// A session with the service, kept in this store.
pub(crate) async fn open(service: &str, store: impl TokenStore) -> Session {
    Session::builder(service).store(store).build().await.unwrap()
}

fn written(exchange: &Exchange) {
    assert!(matches!(exchange, Exchange::Done(_)), "nobody else writes");
}
