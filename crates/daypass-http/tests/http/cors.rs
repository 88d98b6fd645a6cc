//! Pages on other origins.

use daypass_http::HttpOptions;
use daypass_service::ServiceConfig;
use http::Method;
use insta::assert_snapshot;

use crate::harness::{Harness, ISSUER};
use crate::shown;

const APP: &str = "https://app.example";

async fn harness() -> Harness {
    let mut options = HttpOptions::default();
    options.allowed_origins = vec![APP.to_owned()];
    Harness::with(ServiceConfig::new(ISSUER), options).await
}

#[tokio::test]
async fn an_allowed_origin_may_call() {
    let h = harness().await;
    let preflight = |path: &str, origin: &str| {
        let call = h.call(Method::OPTIONS, path).header("origin", origin);
        call.header("access-control-request-method", "POST")
            .header("access-control-request-headers", "daypass-csrf,content-type")
            .send()
    };
    assert_snapshot!(shown::all(&[
        ("preflight of /v1/refresh", preflight("/v1/refresh", APP).await),
        ("preflight of /oauth2/token", preflight("/oauth2/token", APP).await),
        ("preflight of another origin", preflight("/v1/refresh", "https://evil.example").await),
        ("call of /v1/me", h.get("/v1/me").header("origin", APP).send().await),
        ("call of /oauth2/token", h.post("/oauth2/token").header("origin", APP).send().await),
        ("OPTIONS by itself", h.call(Method::OPTIONS, "/v1/me").send().await),
    ]));
}

#[tokio::test]
async fn no_other_origin_learns_anything() {
    let h = harness().await;
    let origins = [
        "null",
        "https://app.example.evil",
        "https://evil-app.example",
        "http://app.example",
        "https://APP.example",
    ];
    for origin in origins {
        for path in ["/v1/me", "/oauth2/token", "/.well-known/jwks.json", "/healthz"] {
            for method in [Method::GET, Method::OPTIONS] {
                let call = h.call(method, path).header("origin", origin);
                let answer = call.header("access-control-request-method", "GET").send().await;
                let told = answer.headers.keys().any(|name| name.as_str().starts_with("access-control"));
                assert!(!told, "{origin} {path}");
            }
        }
    }
    let twice = h.get("/v1/me").header("origin", APP).header("origin", APP).send().await;
    assert!(twice.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn without_allowed_origins_there_is_no_cors_and_no_vary() {
    let h = Harness::start().await;
    let answer = h.get("/v1/me").header("origin", APP).send().await;
    assert!(answer.header("access-control-allow-origin").is_none() && answer.header("vary").is_none());
}

#[tokio::test]
async fn introspection_health_and_metrics_are_never_for_pages() {
    let h = harness().await;
    for path in ["/oauth2/introspect", "/healthz", "/readyz", "/metrics", "/openapi.json"] {
        let answer = h.get(path).header("origin", APP).send().await;
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
}
