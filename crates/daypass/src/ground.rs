//! Services of this process's own, for `bench` and `demo`: on temporary stores, filled without a
//! sign-in for each session.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daypass_postgres::Meter;
use daypass_service::core::client::Ttl;
use daypass_service::core::{
    Claims, Client, ClientId, ClientKind, Clock as _, Generation, Grant, NewSession, Scope, SessionId,
    SubjectId,
};
use daypass_service::storage::{Source, Store, User, Username};
use daypass_service::{Entropy as _, FEED_SCOPE, Metrics, NewClient, Secret, hash_password};
use tempfile::TempDir;

use crate::backend::Backend;
use crate::bench::{Ground, PrivateService, Progress};
use crate::config::{Config, DatabaseUrl, Overrides, Sources, Unshown};
use crate::demo::api::Settings;
use crate::demo::{DemoService, Stage, process};
use crate::dice::Dice;
use crate::hosted::{Credentials, Failure, Hosted};
use crate::system::{SystemClock, SystemEntropy};
use crate::{open, serve};

/// Sessions opened in one transaction.
const BATCH: u64 = 5_000;

/// Life of the demo's access tokens: long enough for a dozen calls, short enough to wait for.
const DEMO_ACCESS: Duration = Duration::from_secs(4);
/// What the demo allows a slow machine.
const DEMO_PATIENCE: Duration = Duration::from_secs(20);

/// What this binary itself provides.
#[derive(Debug)]
pub(crate) struct OwnGround {
    /// The configuration file for a store that is to be filled.
    pub(crate) config: Option<PathBuf>,
    /// An empty database to measure on, in the place of a temporary folder.
    pub(crate) database: Option<Unshown<String>>,
}

impl Ground for OwnGround {
    async fn with_sessions(
        &self,
        sessions: u64,
        sample: u64,
        progress: &Progress,
    ) -> Result<PrivateService, Failure> {
        let (folder, config) = temporary(self.database.clone(), |_| {})?;
        if let Some(url) = &config.database {
            begin_on(url).await?;
            open::new_master_key(&config)?;
        }
        let metrics = Arc::new(Metrics::new());
        let store = Backend::open(&config, &metrics).await?;
        let tokens = fill(&config, &store, sessions, sample, progress).await?;
        let meter = match &config.database {
            Some(url) => Some(Meter::start(url).await?),
            None => None,
        };
        let hosted = host(folder, config, store, metrics).await?;
        Ok(PrivateService { hosted, tokens, users: Vec::new(), meter })
    }

    async fn with_users(&self, users: u64, progress: &Progress) -> Result<PrivateService, Failure> {
        let (folder, config) = temporary(None, |config| {
            config.limits.account_failures = u32::MAX;
            config.limits.address_failures = u32::MAX;
        })?;
        let metrics = Arc::new(Metrics::new());
        let store = Backend::open(&config, &metrics).await?;
        let users = add_users(&*store.store(), users, progress).await?;
        let hosted = host(folder, config, store, metrics).await?;
        Ok(PrivateService { hosted, tokens: Vec::new(), users, meter: None })
    }

    async fn fill(
        &self,
        data: &Path,
        sessions: u64,
        sample: u64,
        progress: &Progress,
    ) -> Result<Vec<String>, Failure> {
        let data = Some(data.to_owned());
        let overrides = Overrides { listen: None, data, database: self.database.clone(), issuer: None };
        let config = crate::config::load(self.config.clone(), overrides)?;
        let store = Backend::open(&config, &Arc::new(Metrics::new())).await?;
        fill(&config, &store, sessions, sample, progress).await
    }
}

impl Stage for OwnGround {
    async fn start(&self) -> Result<DemoService, Failure> {
        let (folder, config) = temporary(None, |config| config.tokens.access = DEMO_ACCESS)?;
        let metrics = Arc::new(Metrics::new());
        let backend = Backend::open(&config, &metrics).await?;
        let store = backend.store();
        let ada = add_person(&*store, "ada", r#"{"name":"Ada","roles":["engineer"]}"#).await?;
        let ben = add_person(&*store, "ben", r#"{"name":"Ben"}"#).await?;
        let (client_id, client_secret) = add_feed_client(Arc::clone(&store)).await?;
        let hosted = host(folder, config, backend, metrics).await?;
        let issuer = hosted.base_url.clone();
        // The demo's access tokens are for the issuer, as they are where nothing else is configured.
        let api = Settings { audience: issuer.clone(), issuer, client_id, client_secret };
        match process::start(&api).await {
            Ok(api) => {
                let (access_life, patience) = (DEMO_ACCESS, DEMO_PATIENCE);
                Ok(DemoService { hosted, api, access_life, patience, ada, ben })
            }
            Err(failure) => {
                hosted.stop().await?;
                Err(failure)
            }
        }
    }
}

/// A configuration of defaults, on a temporary folder and a free port of the loopback interface.
fn temporary(
    database: Option<Unshown<String>>,
    change: impl FnOnce(&mut Config),
) -> Result<(TempDir, Config), Failure> {
    let folder = tempfile::Builder::new().prefix("daypass-").tempdir()?;
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".to_owned()),
        data: Some(folder.path().join("data")),
        database,
        issuer: None,
    };
    // Neither the environment nor a file of the working directory has a say in a temporary service.
    let mut sources = Sources::system(None, overrides);
    sources.variables.0.clear();
    sources.usual = folder.path().join("none.toml");
    let mut config = Config::from_sources(&sources)?;
    change(&mut config);
    Ok((folder, config))
}

/// Makes the schema in a database that has none, since it is removed at the end.
async fn begin_on(url: &DatabaseUrl) -> Result<(), Failure> {
    let migrated = daypass_postgres::migrate(url).await.map_err(|error| format!("{url}: {error}"))?;
    if migrated.from > 0 {
        return Err(format!("{url} is not empty: measuring makes its own schema, and removes it").into());
    }
    Ok(())
}

async fn host(
    folder: TempDir,
    config: Config,
    store: Backend,
    metrics: Arc<Metrics>,
) -> Result<Hosted, Failure> {
    let described = format!("{}, temporary, {}", store.name(), config.tokens.algorithm);
    let database = config.database.clone();
    let running = serve::start(config, store.store(), metrics).await?;
    drop(store);
    let base_url = running.issuer().to_owned();
    Ok(Hosted::new(base_url, described, move || async move {
        running.stop().await?;
        if let Some(url) = database {
            daypass_postgres::remove(&url).await.map_err(|error| format!("{url}: {error}"))?;
        }
        Ok(folder.close()?)
    }))
}

/// Opens sessions of the client `daypass`, each of a subject of its own, and returns the refresh
/// tokens of a random sample.
async fn fill(
    config: &Config,
    store: &Backend,
    sessions: u64,
    sample: u64,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let keeper = open::keeper_of(config, store.store()).await?;
    keeper.ensure(SystemClock.now()).await?;
    let secrets = keeper.token_secrets(SystemClock.now()).await?;
    let (tagger, secrets) = secrets.ok_or("the store has no secret for refresh tokens")?;
    let client = ClientId::new(daypass_service::core::client::BUILT_IN)?;
    // In rising order, since nobody asks for one of these by name: it only makes the filling faster.
    let mut run = [0; 8];
    SystemEntropy.fill(&mut run);
    let run = u64::from_be_bytes(run);
    let mut number = 0u64;
    let mut ids: Vec<SessionId> = Vec::with_capacity(usize::try_from(sessions)?);
    while (ids.len() as u64) < sessions {
        let count = BATCH.min(sessions.saturating_sub(ids.len() as u64));
        let mut batch = Vec::with_capacity(usize::try_from(count)?);
        for _ in 0..count {
            let mut random = [0; 10];
            SystemEntropy.fill(&mut random);
            number = number.saturating_add(1);
            batch.push(NewSession {
                random,
                subject: SubjectId::new(&format!("bench_{run:016x}_{number:010}"))?,
                client: client.clone(),
                scope: Scope::empty(),
                amr: "pwd".to_owned(),
                auth_time: None,
                life: config.tokens.session,
                jkt: None,
                token_key: tagger,
            });
        }
        ids.extend(store.open_many(batch).await?);
        progress.done(count);
    }
    let sample = usize::try_from(sample)?;
    Dice::new().deal(&mut ids, sample)?;
    let token =
        |id: &SessionId| secrets.issue(tagger, *id, Generation(0)).map(|token| token.expose().to_owned());
    ids.iter().take(sample).map(token).collect::<Option<_>>().ok_or_else(|| "a secret is missing".into())
}

/// Adds people who share one password and its hash: hashing each would take longer than the
/// measurement.
async fn add_users(store: &dyn Store, users: u64, progress: &Progress) -> Result<Vec<Credentials>, Failure> {
    let password = "a password for measuring".to_owned();
    let hash = hash_password(&Secret::new(password.clone()), &SystemEntropy)?;
    let mut added = Vec::new();
    for number in 0..users {
        let username = format!("bench{number}");
        let user = User {
            name: username.parse::<Username>()?,
            subject: daypass_service::core::Subject::new(SubjectId::new(&username)?),
            password: Some(hash.clone()),
            created_at: SystemClock.now(),
        };
        store.add_user(user, Source::default()).await?;
        added.push(Credentials { username, password: password.clone() });
        progress.done(1);
    }
    Ok(added)
}

async fn add_person(store: &dyn Store, name: &str, claims: &str) -> Result<Credentials, Failure> {
    let password = format!("{}-{}", name, Dice::new().attempt_id()?);
    let claims: Claims = serde_json::from_str(claims)?;
    let user = User {
        name: name.parse::<Username>()?,
        subject: daypass_service::core::Subject {
            claims,
            ..daypass_service::core::Subject::new(SubjectId::new(&format!("usr_{name}"))?)
        },
        password: Some(hash_password(&Secret::new(password.clone()), &SystemEntropy)?),
        created_at: SystemClock.now(),
    };
    store.add_user(user, Source::default()).await?;
    Ok(Credentials { username: name.to_owned(), password })
}

/// Registers a client that may read the revocation feed and nothing else; its id and its secret.
async fn add_feed_client(store: Arc<dyn Store>) -> Result<(String, String), Failure> {
    let id = "demo-api";
    let client = Client {
        grants: vec![Grant::ClientCredentials],
        scopes: FEED_SCOPE.parse()?,
        // Not the demo's short one: nobody waits for this token to expire.
        ttl: Ttl { access: Some(600), ..Ttl::default() },
        ..Client::new(ClientId::new(id)?, ClientKind::Confidential)
    };
    let new = NewClient { client };
    let (_, secret) = new.register(&store, &SystemEntropy, Source::default()).await?;
    let secret = secret.ok_or("the client of the demo's API could not be registered")?;
    Ok((id.to_owned(), secret.expose().to_owned()))
}
