//! How a test service is set up and started.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use daypass_ambient::{Clock, ManualClock, SystemClock};
use daypass_http::HttpOptions;
use daypass_service::core::{Client, ClientId, ClientKind, Grant, OnReuse};
use daypass_service::jwt::Algorithm;
use daypass_service::storage::{AddClient, Source, Store};
use daypass_service::{Entropy, MasterKey, Metrics, NewClient, Parts, Service, ServiceConfig};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use super::{BACKEND, BACKEND_SCOPES, NAME, PASSWORD, PERSON_SCOPES, PUBLIC_CLIENT, TestService, add_person};
use crate::FaultyServer;
use crate::surroundings::{Commits, Seeded, ServiceClock};

/// The settings of a [`TestService`]: the service's defaults, a [`ManualClock`] and a seed.
#[must_use]
pub struct TestServiceBuilder {
    config: ServiceConfig,
    options: HttpOptions,
    manual: Option<ManualClock>,
    seed: u64,
}

impl TestServiceBuilder {
    pub(super) fn new() -> Self {
        Self {
            // The issuer is known when the port is.
            config: ServiceConfig::new(String::new()),
            options: HttpOptions::default(),
            manual: Some(ManualClock::new()),
            seed: 7,
        }
    }

    /// The life of an access token; whole seconds.
    pub fn access(mut self, life: Duration) -> Self {
        self.config.policy.access = life;
        self
    }

    /// The life of a session; zero for one without end.
    pub fn session(mut self, life: Duration) -> Self {
        self.config.policy.session = (!life.is_zero()).then_some(life);
        self
    }

    /// How long a client without attempt ids may repeat a rotation; zero for never.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.policy.grace = grace;
        self
    }

    /// The longest time without a renewal; zero for no limit.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.config.policy.idle = (!idle.is_zero()).then_some(idle);
        self
    }

    /// What a returning used token ends.
    pub fn on_reuse(mut self, ends: OnReuse) -> Self {
        self.config.policy.on_reuse = ends;
        self
    }

    /// What access tokens are signed with.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.config.keys.algorithm = algorithm;
        self
    }

    /// Lives by this clock, shared with other things of the test.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.manual = Some(clock);
        self
    }

    /// Lives by the system's clock: for tests with several processes.
    pub fn system_clock(mut self) -> Self {
        self.manual = None;
        self
    }

    /// What the service's randomness starts from. Signing keys are never drawn from it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Changes any setting of the service but the issuer.
    pub fn config(mut self, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Changes any setting of the HTTP side.
    pub fn http(mut self, change: impl FnOnce(&mut HttpOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts the service with its person and its clients.
    pub async fn start(self) -> TestService {
        let clock: Arc<dyn Clock> = match &self.manual {
            Some(clock) => Arc::new(clock.clone()),
            None => Arc::new(SystemClock),
        };
        let ground = Ground {
            config: self.config,
            options: self.options,
            clock,
            manual: self.manual,
            entropy: Arc::new(Seeded::new(self.seed)),
            metrics: Arc::new(Metrics::new()),
            folder: tempfile::Builder::new().prefix("daypass-test-").tempdir().unwrap(),
        };
        let slot = Mutex::new(None);
        let server = FaultyServer::start_at(async |url| {
            let secret = ground.fill().await;
            let started = ground.start(&url).await;
            let router = started.router.clone();
            *slot.lock().unwrap() = Some((started, secret));
            router
        })
        .await;
        let (started, secret) = slot.into_inner().unwrap().unwrap();
        TestService { ground, server, started: Mutex::new(Some(started)), secret }
    }
}

impl std::fmt::Debug for TestServiceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestServiceBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What a service is started on, as often as it is.
pub(super) struct Ground {
    config: ServiceConfig,
    options: HttpOptions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) manual: Option<ManualClock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// The same for every start, so that counts go on.
    metrics: Arc<Metrics>,
    folder: TempDir,
}

/// A service that runs. The store comes last: whoever drops it last waits for its threads.
pub(super) struct Started {
    pub(super) router: Router,
    pub(super) service: Service,
    pub(super) store: Arc<dyn Store>,
}

impl Ground {
    pub(super) async fn start(&self, url: &str) -> Started {
        let store = self.open();
        let parts = Parts {
            store: Arc::clone(&store),
            clock: Arc::new(ServiceClock(Arc::clone(&self.clock))),
            entropy: Arc::clone(&self.entropy),
            master: master(),
            metrics: Arc::clone(&self.metrics),
        };
        let config = ServiceConfig { issuer: url.to_owned(), ..self.config.clone() };
        let service = Service::start(config, parts).await.unwrap();
        let router = daypass_http::router(service.clone(), self.options.clone());
        Started { router, service, store }
    }

    /// Adds the person and the clients to a new store; gives the secret of [`BACKEND`].
    async fn fill(&self) -> String {
        let store = self.open();
        add_person(self, &store, NAME, PASSWORD).await;
        self.register(&store, public()).await;
        let secret = self.register(&store, backend()).await;
        tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
        secret.expect("confidential clients have one")
    }

    async fn register(&self, store: &Arc<dyn Store>, client: Client) -> Option<String> {
        let registered = NewClient { client }.register(store, &*self.entropy, Source::default()).await;
        let (added, secret) = registered.unwrap();
        assert_eq!(added, AddClient::Added);
        secret.map(|secret| secret.expose().to_owned())
    }

    fn open(&self) -> Arc<dyn Store> {
        let clock = Arc::new(ServiceClock(Arc::clone(&self.clock)));
        let observer = Arc::new(Commits(Arc::clone(&self.metrics)));
        Arc::new(SqliteStore::open(self.folder.path(), &SqliteOptions::default(), clock, observer).unwrap())
    }
}

pub(super) fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

fn backend() -> Client {
    let mut client = Client::new(ClientId::new(BACKEND).unwrap(), ClientKind::Confidential);
    client.grants = vec![Grant::RefreshToken, Grant::ClientCredentials];
    client.scopes = BACKEND_SCOPES.parse().unwrap();
    client
}

fn public() -> Client {
    let mut client = Client::new(ClientId::new(PUBLIC_CLIENT).unwrap(), ClientKind::Public);
    client.grants = vec![Grant::RefreshToken];
    client.first_party = true;
    client.scopes = PERSON_SCOPES.parse().unwrap();
    client
}
