//! The contract suite on SQLite.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use daypass_sqlite::{SqliteOptions, SqliteStore};
use daypass_storage::Store;
use daypass_storage::contract::{Harness, TestClock};
use tempfile::TempDir;

struct Folder {
    data: TempDir,
    aside: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { data: TempDir::new().unwrap(), aside: TempDir::new().unwrap() }
    }
}

#[async_trait]
impl Harness for Folder {
    async fn open(&self, clock: Arc<TestClock>) -> Arc<dyn Store> {
        let options = SqliteOptions { cache: 4 << 20, ..SqliteOptions::default() };
        Arc::new(SqliteStore::open(self.data.path(), &options, clock, Arc::new(())).unwrap())
    }

    async fn set_aside(&self) -> bool {
        copy(self.data.path(), self.aside.path());
        true
    }

    async fn put_back(&self) {
        for file in std::fs::read_dir(self.data.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        copy(self.aside.path(), self.data.path());
    }
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

daypass_storage::contract_tests!(Folder::new());
