//! What operators ask for: health, readiness, metrics, and the OpenAPI document.

use axum::body::Body;
use axum::response::Response;
use daypass_service::{Readiness, ServiceError};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::address;
use crate::answer;
use crate::call::Call;
use crate::openapi as description;
use crate::problem::{self, Problem};

const METRICS_TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    store: &'static str,
    keys: &'static str,
    feed: &'static str,
}

/// The process runs, or nobody would answer.
pub(super) async fn healthz(_: Call) -> Response {
    answer::no_store(answer::json(StatusCode::OK, &Health { status: "ok" }))
}

/// Whether store, keys and feed are there.
pub(super) async fn readyz(call: Call) -> Response {
    let Readiness { store, keys, feed } = call.service().readiness().await;
    let word = |check: &Result<(), ServiceError>| if check.is_ok() { "ok" } else { "failing" };
    let checks = Checks { store: word(&store), keys: word(&keys), feed: word(&feed) };
    let Err(error) = store.and(keys).and(feed) else {
        return answer::no_store(answer::json(StatusCode::OK, &Ready { ready: true, checks }));
    };
    tracing::warn!(%error, "the service is not ready");
    let ready = Ready { ready: false, checks };
    let mut response = answer::no_store(answer::json(StatusCode::SERVICE_UNAVAILABLE, &ready));
    response.headers_mut().insert(RETRY_AFTER, answer::retry_after(error.retry_after()));
    response
}

/// Metrics, on a listener that only the operator reaches.
pub(super) async fn metrics(call: Call) -> Response {
    let text = call.service().render_metrics().await;
    answer::no_store(answer::bytes(StatusCode::OK, METRICS_TEXT, Body::from(text)))
}

/// Metrics beside everything else: only for this machine, and not for whoever a proxy lets in.
pub(super) async fn metrics_here(call: Call) -> Result<Response, Problem> {
    let local = address::peer(&call.parts).is_some_and(|peer| peer.is_loopback());
    if !local || address::came_through_proxy(&call.parts, &call.options().trusted_proxies) {
        let detail = "metrics are told to callers on the same machine, or on a listener of their own";
        return Err(Problem::new(problem::FORBIDDEN, detail));
    }
    Ok(metrics(call).await)
}

/// The OpenAPI document of this service.
pub(super) async fn openapi(call: Call) -> Response {
    answer::json(StatusCode::OK, &description::document(&call.service().config().issuer))
}
