//! A service where somebody is signed in, an API that the session may call, and one that it may not.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::SeededEntropy;
use daypass_client::{Credentials, MemoryStore, Session, SessionBuilder};
use daypass_testkit::{NAME, PASSWORD, TestService};

use crate::api::Api;
use crate::front::{Answer, Call, Front, Kind};

pub(crate) const REFRESH: &str = "/v1/refresh";

pub(crate) struct World {
    pub(crate) service: TestService,
    pub(crate) api: Api,
    /// Allowed as well.
    pub(crate) other: Api,
    /// Not allowed.
    pub(crate) elsewhere: Api,
    pub(crate) front: Front,
}

impl World {
    /// Somebody is signed in, with a token that is 30 s old: old enough to be renewed when it is refused, and far
    /// from its end.
    pub(crate) async fn new(kind: Kind) -> Self {
        let world = Self::signed_out(kind).await;
        world.front.sign_in(Credentials::password(NAME, PASSWORD)).await.unwrap();
        world.service.clock().advance(Duration::from_secs(30));
        world
    }

    pub(crate) async fn signed_out(kind: Kind) -> Self {
        let service = TestService::start().await;
        let (api, other, elsewhere) = (Api::start().await, Api::start().await, Api::start().await);
        let described = describe(&service).allow_origin(api.origin()).allow_origin(other.origin());
        let front = Front::new(kind, described).await;
        Self { service, api, other, elsewhere, front }
    }

    /// The current token, as it stands in `Authorization`.
    pub(crate) async fn bearer(&self) -> String {
        format!("Bearer {}", self.token().await)
    }

    pub(crate) async fn token(&self) -> String {
        self.front.access_token().await.unwrap().expose().to_owned()
    }

    pub(crate) async fn call(&self, call: Call) -> Answer {
        self.front.call(call).await.unwrap()
    }

    /// How many renewals the service was asked for. None of them was refused.
    pub(crate) async fn renewals(&self) -> usize {
        assert_eq!(self.service.refusals().await, 0);
        self.service.faults().arrived(REFRESH)
    }
}

/// A session that shares its time with the service.
pub(crate) fn describe(service: &TestService) -> SessionBuilder {
    Session::builder(service.url())
        .store(MemoryStore::new())
        .clock(Arc::new(service.clock().clone()))
        .entropy(Arc::new(SeededEntropy::new(3)))
}

/// Ends a test that hangs.
pub(crate) async fn watched<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), Box::pin(test)).await.expect("the test hangs")
}
