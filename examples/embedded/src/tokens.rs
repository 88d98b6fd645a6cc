//! The token service inside: its store in a folder, its keys, the people and the one client that it needs.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use daypass_ambient::{Clock as _, Entropy as _};
use daypass_service::core::{Claims, Client, ClientId, ClientKind, Grant, Scope, SubjectId, Timestamp};
use daypass_service::storage::{AddClient, Source, Store};
use daypass_service::{
    AddPerson, Entropy, FEED_SCOPE, MasterKey, Metrics, NewClient, Parts, Secret, Service, ServiceConfig,
};
use daypass_sqlite::{Observer, SqliteOptions, SqliteStore};

use crate::Failure;

/// The client by which the application hears of sessions that have ended.
pub(crate) const FOLLOWER: &str = "the-application";

/// What the service stands on.
pub(crate) struct Ground {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    master: MasterKey,
}

impl Ground {
    /// Opens the store in this folder, which is made if it is missing.
    pub(crate) fn open(data: &Path) -> Result<Self, Failure> {
        make_folder(data).map_err(|error| format!("{}: {error}", data.display()))?;
        let metrics = Arc::new(Metrics::new());
        let observer = Arc::new(Commits(Arc::clone(&metrics)));
        let store = SqliteStore::open(data, &SqliteOptions::default(), Arc::new(Now), observer)?;
        Ok(Self { store: Arc::new(store), metrics, master: master_key(&data.join("master.key"))? })
    }

    /// Adds somebody who can sign in.
    pub(crate) async fn add_person(&self, name: &str, password: &str) -> Result<SubjectId, Failure> {
        let person = AddPerson {
            name: name.parse()?,
            password: Secret::new(password.to_owned()),
            claims: Claims::default(),
            scope: Scope::empty(),
        };
        Ok(person.add(&self.store, &Now, &Random, Source::default()).await?)
    }

    /// Registers [`FOLLOWER`] anew, so that its secret is nowhere but in this process.
    pub(crate) async fn register_follower(&self) -> Result<Secret, Failure> {
        let id = ClientId::new(FOLLOWER)?;
        let _was_there = self.store.remove_client(id.clone(), Source::default()).await?;
        let mut client = Client::new(id, ClientKind::Confidential);
        client.grants = vec![Grant::ClientCredentials];
        client.scopes = FEED_SCOPE.parse()?;
        match (NewClient { client }).register(&self.store, &Random, Source::default()).await? {
            (AddClient::Added, Some(secret)) => Ok(secret),
            _ => Err("the application could not be registered as a client".into()),
        }
    }

    /// Starts the service.
    pub(crate) async fn serve(self, issuer: &str) -> Result<Service, Failure> {
        let parts = Parts {
            store: self.store,
            clock: Arc::new(Now),
            entropy: Arc::new(Random),
            master: self.master,
            metrics: self.metrics,
        };
        Ok(Service::start(ServiceConfig::new(issuer), parts).await?)
    }
}

/// The key that the store's keys are sealed under: read, or made if there is none. Whoever has it and the database
/// can sign tokens; without it the database's keys cannot be opened again.
fn master_key(path: &Path) -> Result<MasterKey, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    match fs::read(path) {
        Ok(bytes) => {
            let bytes = bytes.try_into().map_err(|_| format!("{} holds no master key", path.display()))?;
            Ok(MasterKey::new(bytes))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = MasterKey::generate(&Random);
            let mut file = for_owner_only().open(path).map_err(failed)?;
            file.write_all(key.expose()).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error).into()),
    }
}

/// A new file; fails if there is one.
fn for_owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(data: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(data)
}

/// The system's time, as the service asks for it.
struct Now;

impl daypass_service::core::Clock for Now {
    fn now(&self) -> Timestamp {
        let millis = daypass_ambient::SystemClock.wall().as_millis();
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// The system's randomness, as the service asks for it.
struct Random;

impl Entropy for Random {
    #[expect(clippy::expect_used, reason = "without randomness nothing may go on")]
    fn fill(&self, bytes: &mut [u8]) {
        daypass_ambient::SystemEntropy.fill(bytes).expect("the system has no randomness");
    }
}

/// Reports the store's commits to the service's metrics.
struct Commits(Arc<Metrics>);

impl Observer for Commits {
    fn nanos(&self) -> u64 {
        self.0.nanos()
    }

    fn committed(&self, batch: usize, nanos: u64) {
        self.0.committed(batch, nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_master_key_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = master_key(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(master_key(&path).unwrap().expose(), first.expose());
        fs::write(&path, "short").unwrap();
        assert!(master_key(&path).unwrap_err().to_string().ends_with("holds no master key"));
    }
}
