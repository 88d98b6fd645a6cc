//! A verifier that follows a feed, the real service's or a made-up one's, and a clock for both.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, ManualClock, SeededEntropy};
use daypass_testkit::{AUDIENCE, Canned, Fault, Faults, FaultyServer, ISSUER, Minter, TestService};
use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
use daypass_verify::revocation::{RevocationFeed, RevocationsHealth};
use daypass_verify::{AuthError, Lacking, Ready, StaticKeys, VerifiedToken, Verifier, VerifierBuilder};
use serde_json::{Value, json};

pub(crate) const FEED: &str = "/v1/revocations";
pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a verifier says when a fresh feed is insisted on and there is none.
pub(crate) const STALE: &str = "revocations_unavailable";

/// A verifier with a feed.
pub(crate) struct Following {
    pub(crate) clock: ManualClock,
    pub(crate) verifier: Verifier,
}

impl Following {
    /// One that polls, as where no stream can be had.
    pub(crate) fn new(builder: VerifierBuilder<Ready>, clock: &ManualClock, feed: RevocationFeed) -> Self {
        Self::listening(builder, clock, feed.without_stream())
    }

    /// One that listens to the stream as well.
    pub(crate) fn listening(
        builder: VerifierBuilder<Ready>,
        clock: &ManualClock,
        feed: RevocationFeed,
    ) -> Self {
        let feed = feed.entropy(Arc::new(SeededEntropy::new(32)));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let verifier = builder.clock(shared).revocation(feed).build().unwrap();
        Self { clock: clock.clone(), verifier }
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        watched(self.verifier.verify(token)).await
    }

    /// What becomes of a token: `ok`, or the code of the error.
    pub(crate) async fn outcome(&self, token: &str) -> &'static str {
        self.verify(token).await.map_or_else(|error| error.code(), |_| "ok")
    }

    /// How many polls have ended.
    pub(crate) fn polls(&self) -> f64 {
        self.metrics("daypass_verify_feed_polls_total").iter().map(|(_, value)| value).sum()
    }

    /// How many polls ended so.
    pub(crate) fn polls_that(&self, outcome: &str) -> f64 {
        let wanted = format!("outcome=\"{outcome}\"");
        let all = self.metrics("daypass_verify_feed_polls_total");
        all.iter().filter(|(labels, _)| labels.contains(&wanted)).map(|(_, value)| value).sum()
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        let all = self.metrics(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0].1
    }

    fn metrics(&self, name: &str) -> Vec<(String, f64)> {
        let text = self.verifier.metrics_text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        lines
            .filter(|(labels, _)| labels.starts_with('{'))
            .map(|(labels, value)| (labels.to_owned(), value.parse().unwrap()))
            .collect()
    }

    pub(crate) fn health(&self) -> RevocationsHealth {
        self.verifier.health().issuers[0].revocations.clone().unwrap()
    }

    /// Waits until so many polls have ended and the next one is waited for, and gives that wait.
    pub(crate) async fn polled(&self, number: f64) -> Duration {
        watched(self.clock.until(|waits| self.polls() >= number && waits.len() == 1)).await;
        self.clock.waits()[0]
    }

    /// Lets the time of the next poll come, waits until it has ended, and gives the wait until the one after.
    pub(crate) async fn next_poll(&self) -> Duration {
        let before = self.polls();
        let wait = self.polled(before).await;
        self.clock.advance(wait);
        self.polled(before + 1.0).await
    }

    /// Lets the time of the next poll come, to which nothing is answered until the time for it is over.
    pub(crate) async fn next_poll_hangs(&self) {
        let before = self.polls();
        let wait = self.polled(before).await;
        self.clock.advance(wait);
        watched(self.clock.until(|waits| waits == [5 * SECOND])).await;
        assert!(self.polls() - before < 0.5);
        self.clock.advance(5 * SECOND);
        self.polled(before + 1.0).await;
    }

    /// Lets polls come for at least so long.
    pub(crate) async fn polls_for(&self, duration: Duration) {
        let end = self.clock.running() + duration;
        while self.clock.running() < end {
            self.next_poll().await;
        }
    }
}

/// The real service and a verifier that follows it, once the first poll has ended.
pub(crate) async fn real(set: impl FnOnce(RevocationFeed) -> RevocationFeed) -> (TestService, Following) {
    let service = TestService::start().await;
    let following = follow(&service, set);
    following.polled(1.0).await;
    (service, following)
}

pub(crate) fn follow(service: &TestService, set: impl FnOnce(RevocationFeed) -> RevocationFeed) -> Following {
    let (id, secret) = service.client();
    let feed = set(RevocationFeed::new(service.url()).credentials(id, secret));
    let keys = StaticKeys::from_jwks(&service.service().published_keys().json).unwrap();
    let builder = Verifier::builder().issuer(service.url()).audience(service.url()).keys(keys);
    Following::new(builder, service.clock(), feed)
}

/// Pages that a test makes up, and tokens of an issuer of its own.
pub(crate) struct Made {
    pub(crate) server: FaultyServer,
    pub(crate) following: Following,
    key: SigningKey,
}

impl Made {
    /// A feed of which the first poll has still to be answered: `first` befalls it.
    pub(crate) async fn start(
        first: impl Into<Fault>,
        set: impl FnOnce(RevocationFeed) -> RevocationFeed,
    ) -> Self {
        let server = FaultyServer::start(axum::Router::new()).await;
        server.faults().next(FEED, first);
        server.faults().always(FEED, Canned::status(503));
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let clock = ManualClock::new();
        let bearer = || std::future::ready(Ok::<_, std::fmt::Error>("feed-token".to_owned()));
        let feed = set(RevocationFeed::new(server.url()).bearer(bearer));
        let keys = StaticKeys::from(KeySet::new([key.verifying_key()]).unwrap());
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys);
        let following = Following::new(builder, &clock, feed);
        Self { server, following, key }
    }

    /// A feed whose first page, a whole snapshot, has been read.
    pub(crate) async fn with(first: Value) -> Self {
        let made = Self::start(ok(&first), |feed| feed).await;
        made.following.polled(1.0).await;
        assert_eq!(made.following.health().last_error, None);
        made
    }

    pub(crate) fn faults(&self) -> &Faults {
        self.server.faults()
    }

    pub(crate) fn minter(&self) -> Minter {
        Minter::new(&self.following.clock)
    }

    /// A token of this session.
    pub(crate) fn token(&self, sid: &str) -> String {
        self.minter().session(sid).mint(&self.key)
    }

    pub(crate) fn mint(&self, minter: &Minter) -> String {
        minter.mint(&self.key)
    }

    /// What the next poll meets with; gives the wait after it.
    pub(crate) async fn next(&self, fault: impl Into<Fault>) -> Duration {
        self.faults().next(FEED, fault);
        self.following.next_poll().await
    }

    /// Which of the sessions 1 to 9 are refused.
    pub(crate) async fn ended(&self) -> Vec<u8> {
        let mut ended = Vec::new();
        for number in 1..10 {
            match self.following.outcome(&self.token(&sid(number))).await {
                "ok" => {}
                "revoked" => ended.push(number),
                other => panic!("session {number}: {other}"),
            }
        }
        ended
    }
}

/// The session of this number.
pub(crate) fn sid(number: u8) -> String {
    format!("01976f5c-2f80-7abc-8def-0123456789{number:02x}")
}

/// An answer of 200.
pub(crate) fn ok(body: &Value) -> Canned {
    Canned::json(200, body)
}

/// A page that ends these sessions, as of the manual clock's first second, for 65 minutes.
pub(crate) fn page(cursor: &str, complete: bool, sessions: &[u8]) -> Value {
    let entry =
        |number: &u8| json!({ "sid": sid(*number), "at_ms": 1_750_000_000_000_i64, "until": 1_750_003_900 });
    let entries: Vec<_> = sessions.iter().map(entry).collect();
    json!({ "cursor": cursor, "complete": complete, "entries": entries })
}

/// The same, the first of a snapshot.
pub(crate) fn reset(cursor: &str, complete: bool, sessions: &[u8]) -> Value {
    let mut page = page(cursor, complete, sessions);
    page["reset"] = true.into();
    page
}

pub(crate) fn text<'v>(pair: &'v Value, name: &str) -> &'v str {
    pair[name].as_str().unwrap()
}

/// Whether this is what is said of a feed that is too old.
pub(crate) fn is_stale(outcome: &Result<VerifiedToken, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Unavailable { what: Lacking::Revocations, retry_after }) if *retry_after >= SECOND)
}

/// Only against hanging: no test waits for this to pass.
pub(crate) async fn watched<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it hangs")
}
