//! A server of JWK sets, behind faults.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use daypass_jwt::{JwkSet, VerifyingKey};
use http::header::CONTENT_TYPE;

use crate::{Faults, FaultyServer};

/// Where a [`KeyServer`] serves its set.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// A server of one JWK set and nothing else. At first the set is empty.
///
/// ```
/// # async fn shown() -> Result<(), Box<dyn std::error::Error>> {
/// use daypass_jwt::{Algorithm, SigningKey};
/// use daypass_testkit::KeyServer;
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let server = KeyServer::start().await;
/// server.publish(&[&key.verifying_key()]);
/// // … a verifier fetches `server.url()` …
/// assert_eq!(server.requests(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KeyServer {
    server: FaultyServer,
    url: String,
    set: Arc<Mutex<Bytes>>,
}

impl KeyServer {
    /// Where the set is served.
    pub const PATH: &str = JWKS_PATH;

    /// Serves an empty set.
    pub async fn start() -> Self {
        let set = Arc::new(Mutex::new(Bytes::from_static(br#"{"keys":[]}"#)));
        let current = Arc::clone(&set);
        let answer =
            async move || ([(CONTENT_TYPE, "application/jwk-set+json")], current.lock().unwrap().clone());
        let server = FaultyServer::start(Router::new().route(JWKS_PATH, get(answer))).await;
        let url = format!("{}{JWKS_PATH}", server.url());
        Self { server, url, set }
    }

    /// The URL of the set.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves a set of these keys, in place of what was there.
    pub fn publish(&self, keys: &[&VerifyingKey]) {
        self.publish_raw(JwkSet::new(keys.iter().copied()).unwrap().to_json());
    }

    /// Serves these bytes, whatever they are.
    pub fn publish_raw(&self, bytes: impl Into<Bytes>) {
        *self.set.lock().unwrap() = bytes.into();
    }

    /// How many requests for the set have arrived, those included that a fault befell.
    pub fn requests(&self) -> usize {
        self.faults().arrived(JWKS_PATH)
    }

    /// Returns as soon as `number` requests for the set have arrived.
    pub async fn until_requests(&self, number: usize) {
        self.faults().until_arrived(JWKS_PATH, number).await;
    }

    /// What happens to requests.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// The server below.
    pub fn server(&self) -> &FaultyServer {
        &self.server
    }
}
