//! The service: what it is made of, and how it starts.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use daypass_core::{Clients, Clock, Timestamp};
use daypass_jwt::{Algorithm, Algorithms, MAX_LEEWAY_SECONDS, Policy as TokenPolicy};
use daypass_storage::{Store, StoreError};

use crate::address::AddressLimit;
use crate::config::ServiceConfig;
use crate::entropy::Entropy;
use crate::error::ServiceError;
use crate::keys::{KeyError, KeyKeeper, KeyRing, PublishedKeys};
use crate::metrics::Metrics;
use crate::passwords::Passwords;
use crate::seal::MasterKey;
use crate::stream::Hub;
use crate::upkeep;

/// A token service. Cheap to clone; it stops its upkeep when the last clone is dropped.
#[derive(Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("issuer", &self.inner.config.issuer).finish_non_exhaustive()
    }
}

/// What a service is given by whoever embeds it.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What keys are sealed under.
    pub master: MasterKey,
    /// Where to count; shared with the store, which reports its commits there.
    pub metrics: Arc<Metrics>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Whether a service can do its work, check by check.
#[derive(Debug)]
pub struct Readiness {
    /// Whether the store answers.
    pub store: Result<(), ServiceError>,
    /// Whether there are keys to sign and to tag with.
    pub keys: Result<(), ServiceError>,
    /// Whether the revocation feed can be read.
    pub feed: Result<(), ServiceError>,
}

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The settings contradict each other.
    #[error("{0}")]
    Config(String),
}

/// One consistent reading of clients and keys.
pub(crate) struct Snapshot {
    pub(crate) clients: Arc<Clients>,
    pub(crate) clients_version: u64,
    pub(crate) keys: Arc<KeyRing>,
    /// What an access token of this service has to be like.
    pub(crate) tokens: TokenPolicy,
}

pub(crate) struct Inner {
    pub(crate) config: ServiceConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) keeper: KeyKeeper,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) passwords: Passwords,
    pub(crate) addresses: AddressLimit,
    /// Wrong client secrets, counted apart from wrong passwords.
    pub(crate) client_failures: AddressLimit,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hub: Hub,
    pub(crate) reloading: tokio::sync::Mutex<Option<tokio::time::Instant>>,
}

impl Service {
    /// Starts a service: makes keys if there are none, loads clients and keys, and begins its upkeep
    /// on the current tokio runtime.
    ///
    /// # Errors
    /// Where the store cannot answer, a key does not open under the master key, or HS256 has no
    /// secret yet.
    pub async fn start(config: ServiceConfig, parts: Parts) -> Result<Self, StartError> {
        let Parts { store, clock, entropy, master, metrics } = parts;
        let keeper = KeyKeeper::new(Arc::clone(&store), master, Arc::clone(&entropy), config.keys);
        keeper.ensure(clock.now()).await?;
        let snapshot = load(&config, &keeper).await?;
        let limits = config.limits;
        let passwords = Passwords::start(limits.password_workers, limits.password_queue, &*entropy)
            .map_err(|error| StartError::Config(error.to_string()))?;
        let inner = Arc::new(Inner {
            addresses: AddressLimit::new(limits.address_failures),
            client_failures: AddressLimit::new(limits.address_failures),
            config,
            store,
            clock,
            entropy,
            keeper,
            snapshot: ArcSwap::from_pointee(snapshot),
            passwords,
            metrics,
            hub: Hub::new(),
            reloading: tokio::sync::Mutex::new(None),
        });
        upkeep::start(&inner);
        Hub::start(&inner);
        Ok(Self { inner })
    }

    /// The settings.
    pub fn config(&self) -> &ServiceConfig {
        &self.inner.config
    }

    /// The service's time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The JWK set as it is served.
    pub fn published_keys(&self) -> PublishedKeys {
        self.inner.snapshot.load().keys.published().clone()
    }

    /// Whether the service can do its work: store, keys and feed.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        let Readiness { store, keys, feed } = self.readiness().await;
        store.and(keys).and(feed)
    }

    /// Whether the service can do its work, check by check.
    pub async fn readiness(&self) -> Readiness {
        let now = self.now();
        let keys = {
            let snapshot = self.inner.snapshot.load();
            let missing = || ServiceError::Key("none that signs".to_owned());
            let there = snapshot.keys.signer(now).is_some() && snapshot.keys.tagger(now).is_some();
            there.then_some(()).ok_or_else(missing)
        };
        Readiness {
            store: self.inner.store.check().await.map_err(ServiceError::from),
            keys,
            feed: self.inner.store.feed(None, 1).await.map(drop).map_err(ServiceError::from),
        }
    }

    /// The metrics in the Prometheus text format.
    pub async fn render_metrics(&self) -> String {
        let gauge = |depth: usize| i64::try_from(depth).unwrap_or(i64::MAX);
        let (inner, gauges) = (&self.inner, &self.inner.metrics.gauges);
        gauges.queue_depth.set(gauge(inner.store.queue_depth()));
        gauges.password_queue_depth.set(gauge(inner.passwords.depth()));
        gauges.feed_subscribers.set(gauge(inner.hub.followers()));
        gauges.feed_lag.set(inner.hub.lag().as_secs_f64());
        let since = inner.snapshot.load().keys.signing_since(self.now());
        gauges.key_age.set(since.map_or(0, |since| self.now().seconds().saturating_sub(since.seconds())));
        if let Ok(sessions) = inner.store.session_count().await {
            gauges.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        }
        inner.metrics.render()
    }
}

impl Inner {
    /// Loads clients and keys again if somebody changed them.
    pub(crate) async fn reload_if_changed(&self) -> Result<(), StartError> {
        let versions = self.store.versions().await?;
        let known = self.snapshot.load();
        if versions.clients != known.clients_version || versions.keys != known.keys.version() {
            drop(known);
            self.snapshot.store(Arc::new(load(&self.config, &self.keeper).await?));
            tracing::info!(
                clients = versions.clients,
                keys = versions.keys,
                "clients and keys were loaded again"
            );
        }
        Ok(())
    }
}

async fn load(config: &ServiceConfig, keeper: &KeyKeeper) -> Result<Snapshot, StartError> {
    let versions = keeper.store.versions().await?;
    let clients = Clients::new(keeper.store.clients().await?, &config.policy);
    let keys = KeyRing::load(&*keeper.store, &keeper.master).await?;
    let tokens = token_policy(config, &clients).map_err(|error| StartError::Config(error.to_string()))?;
    Ok(Snapshot {
        clients: Arc::new(clients),
        clients_version: versions.clients,
        keys: Arc::new(keys),
        tokens,
    })
}

/// The service takes back every access token that it gave out, whatever its audience, and knows its
/// own clock: no leeway.
fn token_policy(config: &ServiceConfig, clients: &Clients) -> Result<TokenPolicy, daypass_jwt::PolicyError> {
    use Algorithm::{ES256, Ed25519, HS256, PS256, RS256};
    let algorithms: Algorithms = [ES256, Ed25519, RS256, PS256, HS256].into_iter().collect();
    let mut policy = TokenPolicy::builder(&config.issuer, &config.issuer, algorithms)
        .leeway_seconds(0)
        .future_leeway_seconds(MAX_LEEWAY_SECONDS);
    let own = clients.iter().filter_map(|(client, _)| client.audience.as_deref());
    for audience in own.chain(config.audience.as_deref()) {
        policy = policy.also_audience(audience);
    }
    policy.build()
}
