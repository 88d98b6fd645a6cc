//! The whole service, on a store of its own, behind faults.

mod builder;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use daypass_ambient::{Clock, ManualClock};
use daypass_service::core::{Claims, EndingReason, SessionId};
use daypass_service::storage::{EndOutcome, Source, Store};
use daypass_service::{Activation, AddPerson, KeyError, KeyKeeper, Secret, Service};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::surroundings::ServiceClock;
use crate::{Faults, FaultyServer, Renewals};
use builder::{Ground, Started};

pub use builder::TestServiceBuilder;

/// The person whom every [`TestService`] has.
pub const NAME: &str = "ada";

/// The password of that person.
pub const PASSWORD: &str = "correct horse battery staple";

/// What that person's tokens may be used for.
pub const PERSON_SCOPES: &str = "orders profile";

/// The confidential client that every [`TestService`] has; it may renew people's tokens and ask for its own.
pub const BACKEND: &str = "backend";

/// What [`BACKEND`] is registered for.
pub const BACKEND_SCOPES: &str = "orders daypass:feed daypass:introspect";

/// A public first-party client beside the built-in one.
pub const PUBLIC_CLIENT: &str = "cli";

/// The real service on a real SQLite store in a folder of its own, behind a [`FaultyServer`]. Its issuer, and the
/// audience of its access tokens, is its URL.
///
/// Unless the [builder](Self::builder) says otherwise it lives by a [`ManualClock`] that the test shares.
///
/// ```
/// # async fn shown() {
/// use std::time::Duration;
/// use daypass_testkit::TestService;
///
/// let service = TestService::builder().access(Duration::from_mins(1)).start().await;
/// let pair = service.sign_in().await;
/// assert_eq!(pair["expires_in"], 60);
/// service.clock().advance(Duration::from_mins(1));
/// # }
/// ```
pub struct TestService {
    server: FaultyServer,
    /// Absent while it is stopped.
    started: Mutex<Option<Started>>,
    secret: String,
    /// Dropped last: it removes the store's folder.
    ground: Ground,
}

impl TestService {
    /// A service with the defaults.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A service with other settings.
    pub fn builder() -> TestServiceBuilder {
        TestServiceBuilder::new()
    }

    /// Where it listens, without a slash at the end. Also the issuer and the audience.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The clock that it lives by.
    ///
    /// # Panics
    /// If it lives by the system's: see [`ambient`](Self::ambient).
    pub fn clock(&self) -> &ManualClock {
        self.ground.manual.as_ref().expect("the service lives by the system's clock")
    }

    /// The clock that it lives by, whichever it is, for a client or a verifier.
    pub fn ambient(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.ground.clock)
    }

    /// The service itself.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn service(&self) -> Service {
        self.started(|started| started.service.clone())
    }

    /// The service itself, unless it is stopped.
    pub fn try_service(&self) -> Option<Service> {
        self.started.lock().unwrap().as_ref().map(|started| started.service.clone())
    }

    /// The store below.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn store(&self) -> Arc<dyn Store> {
        self.started(|started| Arc::clone(&started.store))
    }

    /// What happens to requests.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// The server that the service is behind.
    pub fn server(&self) -> &FaultyServer {
        &self.server
    }

    /// Adds a person who may be granted [`PERSON_SCOPES`], and gives the `sub`.
    pub async fn add_person(&self, name: &str, password: &str) -> String {
        add_person(&self.ground, &self.store(), name, password).await
    }

    /// Signs [`NAME`] in, tokens in the body, and gives the pair. It does not come over the network: no fault
    /// befalls it, and nothing [arrives](Faults::arrived).
    pub async fn sign_in(&self) -> Value {
        self.sign_in_as(NAME, PASSWORD).await
    }

    /// Signs somebody in as [`sign_in`](Self::sign_in) does.
    pub async fn sign_in_as(&self, name: &str, password: &str) -> Value {
        let body = json!({ "username": name, "password": password }).to_string();
        let mut request = Request::post("/v1/login").body(Body::from(body)).unwrap();
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(self.server.address()));
        let router = self.started(|started| started.router.clone());
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// The name and the secret of [`BACKEND`].
    pub fn client(&self) -> (&str, &str) {
        (BACKEND, &self.secret)
    }

    /// What became of renewals so far, restarts included.
    pub async fn renewals(&self) -> Renewals {
        Renewals::read(&self.service().render_metrics().await)
    }

    /// How many renewals gave a new generation.
    pub async fn rotations(&self) -> u64 {
        self.renewals().await.rotated
    }

    /// How many renewals gave the same successor again.
    pub async fn repeats(&self) -> u64 {
        self.renewals().await.repeated
    }

    /// How many renewals raised the alarm.
    pub async fn reuses(&self) -> u64 {
        self.renewals().await.reused
    }

    /// How many renewals were refused, for whatever reason.
    pub async fn refusals(&self) -> u64 {
        self.renewals().await.refused()
    }

    /// Ends a session, as an administrator would.
    ///
    /// # Panics
    /// If there is none of that name that is live.
    pub async fn revoke_session(&self, sid: &str) {
        let id: SessionId = sid.parse().unwrap();
        let ended = self.store().end_session(id, None, EndingReason::Revoked, Source::default()).await;
        assert_eq!(ended.unwrap(), EndOutcome::Ended);
    }

    /// Replaces the keys, the new ones to be used at once, and returns when the service signs with them.
    pub async fn rotate_signing_key(&self) {
        let service = self.service();
        let before = service.published_keys().etag;
        let config = service.config().keys;
        let keeper =
            KeyKeeper::new(self.store(), builder::master(), Arc::clone(&self.ground.entropy), config);
        loop {
            let replaced = keeper.rotate(service.now(), Activation::Now).await;
            // The service's upkeep may have just changed the keys: as the error says, once more.
            if !matches!(replaced, Err(KeyError::Contended)) {
                break replaced.unwrap();
            }
        }
        // The service compares its keys with the store's several times a second.
        while service.published_keys().etag == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the service as a killed process ends: connections are cut, what was held is gone, what was committed is
    /// on the disk. Does nothing to a service that is stopped.
    pub async fn stop(&self) {
        self.server.stop().await;
        // The router that is left behind would keep the store open.
        self.server.replace(axum::Router::new());
        let started = self.started.lock().unwrap().take();
        // The last owner of the store waits for its threads.
        tokio::task::spawn_blocking(move || drop(started)).await.unwrap();
    }

    /// Starts the service again, on the same store and at the same address. Does nothing to a service that runs.
    pub async fn restart(&self) {
        if self.started.lock().unwrap().is_some() {
            return;
        }
        let started = self.ground.start(self.url()).await;
        self.server.replace(started.router.clone());
        *self.started.lock().unwrap() = Some(started);
        self.server.restart().await;
    }

    fn started<T>(&self, ask: impl FnOnce(&Started) -> T) -> T {
        ask(self.started.lock().unwrap().as_ref().expect("the service is stopped"))
    }
}

impl fmt::Debug for TestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestService").field("url", &self.url()).finish_non_exhaustive()
    }
}

async fn add_person(ground: &Ground, store: &Arc<dyn Store>, name: &str, password: &str) -> String {
    let person = AddPerson {
        name: name.parse().unwrap(),
        password: Secret::new(password.to_owned()),
        claims: serde_json::from_value::<Claims>(json!({ "name": name })).unwrap(),
        scope: PERSON_SCOPES.parse().unwrap(),
    };
    let clock = ServiceClock(Arc::clone(&ground.clock));
    let sub = person.add(store, &clock, &*ground.entropy, Source::default()).await.unwrap();
    sub.as_str().to_owned()
}
