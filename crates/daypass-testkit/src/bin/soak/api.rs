//! A protected API that says who called it with what.

use axum::Router;
use axum::body::Bytes;
use axum::extract::Query;
use axum::response::IntoResponse;
use axum::routing::any;
use daypass_ambient::ManualClock;
use daypass_testkit::FaultyServer;
use daypass_verify::axum::Auth;
use daypass_verify::{RemoteKeys, Verifier};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the API answers.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Echo {
    pub(crate) subject: String,
    pub(crate) session: Option<String>,
    pub(crate) number: u64,
    pub(crate) body: String,
}

/// Serves the API for the tokens of `issuer`, whose keys are at `keys`.
pub(crate) async fn serve(issuer: &str, keys: String, clock: ManualClock) -> FaultyServer {
    let verifier = Verifier::builder()
        .issuer(issuer)
        .audience(issuer)
        .keys(RemoteKeys::new(keys))
        .clock(Arc::new(clock))
        .build()
        .unwrap();
    let router = Router::new().route("/orders", any(order)).layer(verifier.layer());
    FaultyServer::start(router).await
}

#[derive(Deserialize)]
struct Order {
    number: u64,
}

async fn order(auth: Auth, Query(Order { number }): Query<Order>, body: Bytes) -> impl IntoResponse {
    let echo = Echo {
        subject: auth.subject().to_owned(),
        session: auth.session_id().map(str::to_owned),
        number,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    serde_json::to_string(&echo).unwrap()
}
