//! Who may call what.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use daypass_verify::Verifier;
use daypass_verify::axum::{Auth, RequireScope, ScopeName};
use serde::Deserialize;

pub(crate) fn router(verifier: Verifier) -> Router {
    // `route_layer` leaves unknown paths at 404; `layer` would answer 401 for them.
    let signed_in =
        Router::new().route("/me", get(me)).route("/orders", get(orders)).route_layer(verifier.layer());
    let anybody = Router::new().route("/greeting", get(greeting)).route_layer(verifier.layer().optional());
    // In production these are for the operator alone, on a listener of their own.
    let operations = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(verifier);
    let public = Router::new().route("/", get(async || "This is for everybody.\n"));
    public.merge(anybody).merge(signed_in).merge(operations)
}

/// The claims that this API reads; there may be more in the token.
#[derive(Deserialize)]
struct Person {
    name: Option<String>,
}

/// For whoever is signed in.
async fn me(caller: Auth<Person>) -> String {
    let name = caller.claims.name.as_deref().unwrap_or("somebody without a name");
    format!("You are {name}, {}.\n", caller.subject())
}

struct Orders;

impl ScopeName for Orders {
    const SCOPE: &'static str = "orders";
}

/// For tokens with the scope `orders`; others get 403.
async fn orders(caller: RequireScope<Orders>) -> String {
    format!("{} has no orders.\n", caller.subject())
}

/// For everybody, but it knows its friends. Whoever shows a bad token gets 401 here, too.
async fn greeting(caller: Option<Auth<Person>>) -> String {
    match caller.and_then(|caller| caller.claims.name) {
        Some(name) => format!("Welcome back, {name}.\n"),
        None => "Welcome.\n".to_owned(),
    }
}

/// Whether requests with tokens can be answered. Until the keys have come they would get 503.
async fn readyz(State(verifier): State<Verifier>) -> impl IntoResponse {
    let health = verifier.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&health).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body)
}

/// For Prometheus.
async fn metrics(State(verifier): State<Verifier>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], verifier.metrics_text())
}
