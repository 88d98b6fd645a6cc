//! The other side: the service and the keys that it publishes, each behind faults, and what disturbs them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use daypass_ambient::{Clock as _, ManualClock};
use daypass_service::core::EventKind;
use daypass_testkit::{Canned, Fault, Faults, FaultyServer, Gate, JWKS_PATH, Renewals, TestService};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::run::Run;

/// How long an access token lives: short, so that many renewals are needed.
const ACCESS: Duration = Duration::from_secs(5);

/// The faults are dealt anew after so long, and what was held is let go: some of it is later than the client waits for
/// an answer, and none so late that the service has forgotten the client's attempt ids, four generations on.
const LATE: Duration = Duration::from_secs(11);

/// So many calls make a round.
const ROUND: u64 = 500;

/// The service is restarted in every round of this number.
const RESTART: u64 = 4;

/// The keys are replaced in every round of this number,
const NEW_KEYS: u64 = 4;

/// and so often at most: while sessions live, a service has names for 256 secrets of refresh tokens.
const MOST_NEW_KEYS: u64 = 200;

/// The share of renewals that a fault befalls, of a thousand.
const RENEWALS_HIT: u16 = 300;

/// The share of requests for keys that a fault befalls, of a thousand.
const KEYS_HIT: u16 = 300;

/// The paths at which clients renew.
const RENEWING: [&str; 2] = ["/v1/refresh", "/oauth2/token"];

/// The other side.
pub(crate) struct Far {
    service: Arc<TestService>,
    keys: Arc<FaultyServer>,
    run: Arc<Run>,
    seed: u64,
    began: Duration,
    counts: Arc<Counts>,
    handle: Handle,
}

#[derive(Default)]
struct Counts {
    restarts: AtomicU64,
    new_keys: AtomicU64,
}

/// What was done to the other side.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Disturbances {
    pub(crate) restarts: u64,
    pub(crate) new_keys: u64,
    /// Requests for renewal that arrived, and for how many the service ran to its end.
    pub(crate) renewals_arrived: usize,
    pub(crate) renewals_served: usize,
    pub(crate) keys_asked: usize,
}

impl Far {
    /// Starts the service without faults, on the runtime that this is called in.
    pub(crate) async fn start(seed: u64, run: Arc<Run>) -> Self {
        let service = TestService::builder().access(ACCESS).seed(seed).start().await;
        let service = Arc::new(service);
        let published = Arc::clone(&service);
        let router = Router::new().route(
            JWKS_PATH,
            get(async move || match published.try_service() {
                Some(service) => service.published_keys().json.into_response(),
                None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }),
        );
        let keys = Arc::new(FaultyServer::start(router).await);
        let began = service.clock().wall();
        let handle = Handle::current();
        Self { service, keys, run, seed, began, counts: Arc::default(), handle }
    }

    /// The service's URL.
    pub(crate) fn url(&self) -> &str {
        self.service.url()
    }

    /// The URL of the published keys.
    pub(crate) fn keys_url(&self) -> String {
        format!("{}{JWKS_PATH}", self.keys.url())
    }

    /// The name and the secret of a client that acts for itself.
    pub(crate) fn client(&self) -> (&str, &str) {
        self.service.client()
    }

    pub(crate) fn clock(&self) -> ManualClock {
        self.service.clock().clone()
    }

    /// How much time has passed.
    pub(crate) fn simulated(&self) -> Duration {
        self.service.clock().wall().saturating_sub(self.began)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.service.faults().clone()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Adds somebody who can sign in.
    pub(crate) async fn add_person(&self, name: &str, password: &str) -> String {
        self.service.add_person(name, password).await
    }

    /// Disturbs the other side until the run is over, then leaves it in peace.
    pub(crate) fn disturb(&self) -> JoinHandle<()> {
        let disturber = Disturber {
            service: Arc::clone(&self.service),
            keys: Arc::clone(&self.keys),
            run: Arc::clone(&self.run),
            seed: self.seed,
            counts: Arc::clone(&self.counts),
            late: Mutex::default(),
        };
        self.handle.spawn(async move { _ = tokio::join!(disturber.deal_again(), disturber.work()) })
    }

    pub(crate) fn disturbances(&self) -> Disturbances {
        let faults = self.service.faults();
        Disturbances {
            restarts: self.counts.restarts.load(Ordering::Relaxed),
            new_keys: self.counts.new_keys.load(Ordering::Relaxed),
            renewals_arrived: RENEWING.iter().map(|path| faults.arrived(path)).sum(),
            renewals_served: RENEWING.iter().map(|path| faults.served(path)).sum(),
            keys_asked: self.keys.faults().arrived(JWKS_PATH),
        }
    }

    /// What the service says of the alarms that it raised, if there were any.
    pub(crate) async fn alarms(&self) -> Option<String> {
        let mut alarms = Vec::new();
        let mut after = 0;
        loop {
            let events = self.service.store().events(after, 1000).await.unwrap();
            let Some((last, _)) = events.last() else { break };
            after = *last;
            alarms.extend(
                events.into_iter().map(|(_, event)| event).filter(|event| event.kind == EventKind::Reused),
            );
        }
        (!alarms.is_empty()).then(|| format!("{alarms:?}"))
    }

    /// Ends the other side, and tells how the service counted.
    pub(crate) async fn end(self) -> Renewals {
        let Self { service, keys, handle, .. } = self;
        let ending = async move {
            let renewals = service.renewals().await;
            keys.stop().await;
            service.stop().await;
            renewals
        };
        handle.spawn(ending).await.unwrap()
    }
}

struct Disturber {
    service: Arc<TestService>,
    keys: Arc<FaultyServer>,
    run: Arc<Run>,
    seed: u64,
    counts: Arc<Counts>,
    /// What holds requests and answers until faults are dealt again.
    late: Mutex<Gate>,
}

impl Disturber {
    /// Deals faults until the run is over, and takes back all of them.
    async fn deal_again(&self) {
        let mut times = 0;
        while !self.run.is_over() {
            self.deal(times);
            times += 1;
            self.service.clock().sleep(LATE).await;
        }
        self.service.faults().clear();
        self.keys.faults().clear();
        self.late.lock().unwrap().open();
    }

    /// Restarts the service and replaces its keys.
    async fn work(&self) {
        let mut round = 0;
        while !self.run.is_over() {
            if round % RESTART == 1 {
                self.restart().await;
            }
            if round % NEW_KEYS == 2 && self.counts.new_keys.load(Ordering::Relaxed) < MOST_NEW_KEYS {
                self.service.rotate_signing_key().await;
                self.counts.new_keys.fetch_add(1, Ordering::Relaxed);
            }
            round += 1;
            self.until(|done| done >= round * ROUND).await;
        }
    }

    /// Lets go what is held, and deals the next faults.
    fn deal(&self, times: u64) {
        let late = Gate::new();
        std::mem::replace(&mut *self.late.lock().unwrap(), late.clone()).open();
        let seed = self.seed ^ times.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let unavailable = || Fault::from(Canned::status(503));
        let faults = [
            Fault::LoseRequest,
            Fault::LoseResponse,
            Fault::LoseResponse,
            Fault::HoldRequest(late.clone()),
            Fault::HoldResponse(late),
            unavailable(),
            Canned::status(503).header("retry-after", "1").into(),
            Canned::status(429).header("retry-after", "2").into(),
            Canned::html(200, "<html>Please accept our terms to use this network</html>").into(),
            Fault::Hang,
            Fault::Truncate,
        ];
        self.service.faults().random(seed, RENEWALS_HIT, &RENEWING, &faults);
        let faults = [Fault::LoseRequest, unavailable(), Fault::Hang, Fault::Truncate];
        self.keys.faults().random(seed, KEYS_HIT, &[JWKS_PATH], &faults);
    }

    /// Kills the service, and starts it again a little later.
    async fn restart(&self) {
        self.service.stop().await;
        let done = self.run.done();
        let some = tokio::time::timeout(Duration::from_secs(1), self.until(|now| now >= done + ROUND / 10));
        // Nobody may be able to call without it.
        let _none = some.await;
        self.service.restart().await;
        self.counts.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until so much is done, or the run is over.
    async fn until(&self, described: impl Fn(u64) -> bool) {
        while !described(self.run.done()) && !self.run.is_over() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
