//! Whose fault it is that somebody has to wait: addresses and proxies.

use daypass_http::{HttpOptions, TrustedProxies};
use daypass_service::ServiceConfig;
use serde_json::json;

use crate::harness::{Calling, Harness, ISSUER};

fn guess(h: &Harness, name: &str) -> Calling {
    h.post("/v1/login").json(&json!({ "username": name, "password": "wrong" }))
}

async fn harness(proxies: TrustedProxies) -> Harness {
    let mut config = ServiceConfig::new(ISSUER);
    config.limits.address_failures = 3;
    let mut options = HttpOptions::default();
    options.trusted_proxies = proxies;
    Harness::with(config, options).await
}

#[tokio::test]
async fn a_forged_header_changes_nothing() {
    let h = harness(TrustedProxies::none()).await;
    for n in 0..3 {
        let forged = guess(&h, &format!("user{n}")).header("x-forwarded-for", format!("203.0.113.{n}"));
        assert_eq!(forged.send().await.status, 401);
    }
    assert_eq!(guess(&h, "other").header("x-forwarded-for", "203.0.113.9").send().await.status, 429);
    assert_eq!(guess(&h, "other").from("192.0.2.8:1").send().await.status, 401, "others are unaffected");
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_limit() {
    let h = harness(TrustedProxies::new(|address| address.to_string() == "192.0.2.7")).await;
    let from =
        |client: &str| guess(&h, "nobody").header("x-forwarded-for", format!("198.51.100.1, {client}"));
    for _ in 0..3 {
        assert_eq!(from("203.0.113.1").send().await.status, 401);
    }
    assert_eq!(from("203.0.113.1").send().await.status, 429);
    assert_eq!(from("203.0.113.2").send().await.status, 401);
}

#[tokio::test]
async fn the_address_of_a_session_is_the_clients() {
    let h = harness(TrustedProxies::new(|address| address.to_string() == "192.0.2.7")).await;
    let body = json!({ "username": "ann", "password": crate::harness::PASSWORD });
    let ann = h.post("/v1/login").header("forwarded", "for=203.0.113.5;proto=https").json(&body).send().await;
    let listed = h.get("/v1/sessions").bearer(&ann.tokens().access).send().await.json();
    assert_eq!(listed["sessions"][0]["address"], "203.0.113.5");
}
