//! Health, readiness, metrics and the OpenAPI document.

use daypass_http::{HttpOptions, MetricsAt, TrustedProxies};
use daypass_service::ServiceConfig;
use insta::assert_snapshot;
use tower::ServiceExt as _;

use crate::harness::{Harness, ISSUER};
use crate::shown;

#[tokio::test]
async fn health_and_readiness() {
    let h = Harness::start().await;
    let good = [("/healthz", h.get("/healthz").send().await), ("/readyz", h.get("/readyz").send().await)];
    assert_snapshot!(shown::all(&good));
    h.store.fail();
    let failing = h.get("/readyz").send().await;
    assert_eq!(h.get("/healthz").send().await.status, 200);
    assert_snapshot!("not_ready", shown::one(&failing));
}

#[tokio::test]
async fn metrics_are_for_this_machine_only() {
    let h = Harness::start().await;
    let local = || h.get("/metrics").from("127.0.0.1:9999");
    let text = String::from_utf8(local().send().await.body).unwrap();
    assert!(text.contains("daypass_refresh_total") && text.ends_with("# EOF\n"), "{text}");
    assert_eq!(h.get("/metrics").from("[::1]:1").send().await.status, 200);
    assert_snapshot!(shown::one(&h.get("/metrics").send().await));
    for header in ["forwarded", "x-forwarded-for", "via", "x-real-ip"] {
        assert_eq!(local().header(header, "for=127.0.0.1").send().await.status, 403, "{header}");
    }
}

#[tokio::test]
async fn metrics_are_not_for_a_proxy_and_can_have_a_listener_of_their_own() {
    let mut options = HttpOptions::default();
    options.trusted_proxies = TrustedProxies::new(|address| address.is_loopback());
    let h = Harness::with(ServiceConfig::new(ISSUER), options.clone()).await;
    assert_eq!(h.get("/metrics").from("127.0.0.1:9999").send().await.status, 403);
    options.metrics = MetricsAt::OwnListener;
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    assert_eq!(h.get("/metrics").from("127.0.0.1:9999").send().await.status, 404);
    let operations = daypass_http::operations_router(h.service.clone());
    for (path, status) in [("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/v1/me", 404)] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(operations.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn the_openapi_document_names_this_issuer() {
    let h = Harness::start().await;
    let document = h.get("/openapi.json").send().await.json();
    assert_eq!(document["servers"][0]["url"], ISSUER);
}
