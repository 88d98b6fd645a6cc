//! The issuer, as far as verifiers know it: its published keys, and a revocation feed that says which sessions have
//! ended, and never anything new.

use std::io;

use axum::Router;
use axum::routing::get;
use daypass_verify::jwt::JwkSet;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Beyond the life of every token, in Unix seconds: the last second of the year 9999.
const FOREVER: i64 = 253_402_300_799;

/// It is served on a free port of the loopback interface, until it is dropped.
pub(super) struct Issuer {
    base_url: String,
    serving: JoinHandle<()>,
}

impl Issuer {
    /// Serves this set of keys, and these ended sessions.
    pub(super) async fn serve(keys: &JwkSet, ended: &[Uuid]) -> io::Result<Self> {
        let keys = keys.to_json();
        let entry = |sid: &Uuid| json!({"sid": sid.to_string(), "at_ms": 0, "until": FOREVER});
        let page = |reset: bool, entries: Vec<Value>| {
            json!({"cursor": "end", "complete": true, "reset": reset, "entries": entries}).to_string()
        };
        let (first, later) = (page(true, ended.iter().map(entry).collect()), page(false, Vec::new()));
        let answer = move |uri: http::Uri| {
            let read_before = uri.query().is_some_and(|query| query.contains("since=end"));
            std::future::ready(if read_before { later.clone() } else { first.clone() })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/v1/revocations", get(answer))
            .route("/.well-known/jwks.json", get(move || std::future::ready(keys.clone())));
        let serving = tokio::spawn(async move {
            // It runs until it is aborted.
            let _never = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, serving })
    }

    /// The service's URL, for the feed.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where the keys are.
    pub(super) fn keys_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.base_url)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
