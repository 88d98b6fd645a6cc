//! An issuer with a path, and a router inside another application.

use axum::Router;
use axum::routing::get;
use daypass_http::HttpOptions;
use daypass_service::ServiceConfig;
use insta::assert_snapshot;
use tower::ServiceExt as _;

use crate::harness::{Harness, ISSUER};
use crate::shown;

#[tokio::test]
async fn all_routes_live_below_the_issuers_path() {
    let config = ServiceConfig::new("https://app.example/auth");
    let h = Harness::with(config, HttpOptions::default()).await;
    for (path, status) in [
        ("/auth/v1/me", 401),
        ("/auth/healthz", 200),
        ("/auth/.well-known/jwks.json", 200),
        ("/auth/.well-known/openid-configuration", 200),
        ("/.well-known/oauth-authorization-server/auth", 200),
        ("/v1/me", 404),
        ("/healthz", 404),
        ("/.well-known/oauth-authorization-server", 404),
        ("/auth/v1/me/", 404),
    ] {
        assert_eq!(h.get(path).send().await.status, status, "{path}");
    }
    let answer = h.get("/.well-known/oauth-authorization-server/auth").send().await;
    assert_snapshot!(shown::one(&answer));
}

#[tokio::test]
async fn the_router_merges_into_another_application() {
    let mut options = HttpOptions::default();
    options.answer_unknown_paths = false;
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    let app =
        Router::new().route("/", get(async || "home")).fallback(async || "mine").merge(h.router.clone());
    let status = async |path: &str| {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!((status("/").await, status("/v1/me").await, status("/other").await), (200, 401, 200));
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let h = Harness::start().await;
    assert_snapshot!(shown::one(&h.get("/v2/me").send().await));
    for path in ["/", "/v1", "/v1/me/", "//v1/me", "/v1/sessions/a/b", "/v1/..%2fv1/me"] {
        assert_eq!(h.get(path).send().await.error(), (404, "not-found".to_owned()), "{path}");
    }
}
