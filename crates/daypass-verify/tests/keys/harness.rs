//! An issuer whose keys are served behind faults, a verifier of its tokens, and a clock for both.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, ManualClock};
use daypass_testkit::{AUDIENCE, ISSUER, KeyServer, Minter};
use daypass_verify::jwt::{Algorithm, SigningKey, VerifyError};
use daypass_verify::{AuthError, Lacking, Ready, RemoteKeys, VerifiedToken, Verifier, VerifierBuilder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// When keys are fetched again.
pub(crate) const REFRESH: Duration = Duration::from_mins(4);
/// How long none are fetched after a miss or a failure.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(10);

pub(crate) struct Harness {
    pub(crate) clock: ManualClock,
    pub(crate) key: SigningKey,
    pub(crate) server: KeyServer,
    pub(crate) verifier: Verifier,
}

impl Harness {
    /// A verifier that has its issuer's only key.
    pub(crate) async fn warm() -> Self {
        Self::warm_with(|builder| builder).await
    }

    pub(crate) async fn warm_with(
        set: impl FnOnce(VerifierBuilder<Ready>) -> VerifierBuilder<Ready>,
    ) -> Self {
        let key = key();
        let server = KeyServer::start().await;
        server.publish(&[&key.verifying_key()]);
        let harness = Self::cold(key, server, set);
        harness.until(|verifier| verifier.health().is_ready()).await;
        assert_eq!(harness.server.requests(), 1);
        harness
    }

    /// A verifier that was just built.
    pub(crate) fn cold(
        key: SigningKey,
        server: KeyServer,
        set: impl FnOnce(VerifierBuilder<Ready>) -> VerifierBuilder<Ready>,
    ) -> Self {
        let clock = ManualClock::new();
        let verifier = set(builder(&clock, &server)).build().unwrap();
        Self { clock, key, server, verifier }
    }

    pub(crate) fn minter(&self) -> Minter {
        Minter::new(&self.clock)
    }

    /// A new good token.
    pub(crate) fn good(&self) -> String {
        self.minter().mint(&self.key)
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        watched(self.verifier.verify(token)).await
    }

    /// The time of day so many seconds ago.
    pub(crate) fn ago(&self, seconds: u64) -> Duration {
        self.clock.wall().saturating_sub(Duration::from_secs(seconds))
    }

    /// How many seconds old the keys are.
    pub(crate) fn age(&self) -> Option<u64> {
        self.verifier.health().issuers[0].keys.age_seconds
    }

    pub(crate) fn last_error(&self) -> Option<&'static str> {
        self.verifier.health().issuers[0].keys.last_error
    }

    /// Returns as soon as it is so.
    pub(crate) async fn until(&self, so: impl Fn(&Verifier) -> bool) {
        watched(async {
            while !so(&self.verifier) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Moves the time, and waits until the task has made the request that is due then, and rests again.
    pub(crate) async fn advance_to_fetch(&self, by: Duration) {
        let before = self.server.requests();
        self.clock.advance(by);
        watched(self.server.until_requests(before + 1)).await;
        self.until_task_rests().await;
    }

    /// The task's waits are longer than any of a caller or a request.
    pub(crate) async fn until_task_rests(&self) {
        watched(self.clock.until(|waits| waits.iter().any(|wait| *wait > 2 * SECOND))).await;
    }

    /// Waits until so many callers wait for a key, for one second each.
    pub(crate) async fn until_callers_wait(&self, number: usize) {
        let callers = |waits: &[Duration]| waits.iter().filter(|wait| **wait == SECOND).count();
        watched(self.clock.until(|waits| callers(waits) == number)).await;
    }
}

pub(crate) fn builder(clock: &ManualClock, server: &KeyServer) -> VerifierBuilder<Ready> {
    Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(RemoteKeys::new(server.url()))
        .clock(Arc::new(clock.clone()) as Arc<dyn Clock>)
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap()
}

/// Only against hanging: no test waits for this to pass.
pub(crate) async fn watched<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it hangs")
}

/// The time to ask again, of a refusal for want of keys.
pub(crate) fn retry_after(judged: Result<VerifiedToken, AuthError>) -> Duration {
    match judged {
        Err(AuthError::Unavailable { what: Lacking::Keys, retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn refusal(judged: Result<VerifiedToken, AuthError>) -> VerifyError {
    match judged {
        Err(AuthError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}
