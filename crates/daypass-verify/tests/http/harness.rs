//! A verifier of minted tokens whose feed has ended one session, and answers as text.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use daypass_ambient::{Clock, ManualClock};
use daypass_testkit::{AUDIENCE, Canned, FaultyServer, ISSUER, Minter};
use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{Ready, StaticKeys, Verifier, VerifierBuilder};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The session that has ended.
pub(crate) const ENDED: &str = "01976f5c-2f80-7abc-8def-012345678901";

pub(crate) struct Harness {
    pub(crate) clock: ManualClock,
    pub(crate) key: SigningKey,
    pub(crate) verifier: Verifier,
    _feed: FaultyServer,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        let feed = FaultyServer::start(Router::new()).await;
        let entry = json!({ "sid": ENDED, "at_ms": 1_750_000_000_000_i64, "until": 1_750_003_900 });
        let page = json!({ "cursor": "a", "complete": true, "reset": true, "entries": [entry] });
        feed.faults().always("/v1/revocations", Canned::json(200, &page));
        let (clock, key) = (ManualClock::new(), SigningKey::generate(Algorithm::ES256).unwrap());
        let bearer = || std::future::ready(Ok::<_, std::fmt::Error>("feed-token".to_owned()));
        let verifier = builder(&clock, StaticKeys::from(KeySet::new([key.verifying_key()]).unwrap()))
            .revocation(RevocationFeed::new(feed.url()).bearer(bearer))
            .build()
            .unwrap();
        let known = || verifier.health().issuers[0].revocations.as_ref().map(|feed| feed.entries);
        watched(clock.until(|_| known() == Some(1))).await;
        Self { clock, key, verifier, _feed: feed }
    }

    pub(crate) fn minter(&self) -> Minter {
        Minter::new(&self.clock)
    }

    /// `Bearer` and a good token.
    pub(crate) fn good(&self) -> String {
        self.bearer(&self.minter())
    }

    pub(crate) fn bearer(&self, minter: &Minter) -> String {
        format!("Bearer {}", minter.mint(&self.key))
    }
}

pub(crate) fn builder(clock: &ManualClock, keys: impl Into<daypass_verify::Keys>) -> VerifierBuilder<Ready> {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys).clock(clock)
}

/// A request with these `Authorization` lines.
pub(crate) fn request(uri: &str, lines: &[&str]) -> Request<Body> {
    let mut request = Request::get(uri);
    for line in lines {
        request = request.header("authorization", *line);
    }
    request.body(Body::empty()).unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The name of the problem.
    pub(crate) fn problem(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap();
        json["type"].as_str().unwrap().strip_prefix("urn:daypass:problem:").unwrap().to_owned()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let answer = watched(router.clone().oneshot(request)).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Several answers, each under what was asked.
pub(crate) fn shown(answers: &[(&str, Answer)]) -> String {
    let mut text = String::new();
    for (asked, answer) in answers {
        write!(text, "# {asked}\n\n{}\n", answer.status).unwrap();
        let mut headers: Vec<_> = answer.headers.iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "content-length") {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        let body = serde_json::from_slice::<Value>(&answer.body);
        let body = body.map_or_else(|_| answer.text().to_owned(), |json| format!("{json:#}"));
        write!(text, "\n{body}\n\n").unwrap();
    }
    text.trim_end().to_owned()
}

/// Only against hanging: no test waits for this to pass.
pub(crate) async fn watched<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it hangs")
}
