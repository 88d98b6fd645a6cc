//! `/v1/me` and `/v1/me/password`, and what every Bearer endpoint answers to bad tokens.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Harness, PASSWORD};
use crate::shown;

#[tokio::test]
async fn somebody_asks_who_they_are() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let bob = h.sign_in("bob").await;
    assert_snapshot!(shown::all(&[
        ("ann", h.get("/v1/me").bearer(&ann.access).send().await),
        ("bob", h.get("/v1/me").bearer(&bob.access).send().await),
        ("HEAD", h.call(http::Method::HEAD, "/v1/me").bearer(&ann.access).send().await),
    ]));
}

#[tokio::test]
async fn a_bad_access_token_is_refused() {
    let h = Harness::start().await;
    let me = || h.get("/v1/me");
    let (old, ended, ann) = (h.sign_in("ann").await, h.sign_in("ann").await, h.sign_in("ann").await);
    h.post("/v1/logout").json(&json!({ "refresh_token": ended.refresh })).send().await;
    let for_a_client = h.client_token("orders").await;
    let ended = me().bearer(&ended.access).send().await;
    let mut forged = ann.access.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    let forged = me().bearer(&forged).send().await;
    let client = me().bearer(&for_a_client).send().await;
    h.pass(600);
    assert_snapshot!(shown::all(&[
        ("none", me().send().await),
        ("in the query", h.get(&format!("/v1/me?access_token={}", ann.access)).send().await),
        ("another scheme", me().basic("ann", PASSWORD).send().await),
        ("expired", me().bearer(&old.access).send().await),
        ("forged", forged),
        ("of an ended session", ended),
        ("of a client", client),
        ("a refresh token", me().bearer(&ann.refresh).send().await),
        ("two tokens", me().bearer(&ann.access).bearer(&ann.access).send().await),
        ("two words", me().bearer("Bearer x").send().await),
        ("POST", h.post("/v1/me").send().await),
    ]));
    let expired = me().bearer(&old.access).send().await;
    assert!(expired.header("www-authenticate").unwrap().contains("expired"));
}

#[tokio::test]
async fn a_second_before_its_end_a_token_is_good_under_any_case_of_the_scheme() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    h.pass(599);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = h.get("/v1/me").header("authorization", format!("{scheme} {}", ann.access)).send().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_password_is_changed() {
    let h = Harness::start().await;
    let (here, there) = (h.sign_in("ann").await, h.sign_in("ann").await);
    let change = |current: &str, new: &str| {
        let body = json!({ "current": current, "new": new });
        h.post("/v1/me/password").bearer(&here.access).json(&body).send()
    };
    assert_snapshot!(shown::all(&[
        ("wrong current one", change("wrong horse battery", "another good one").await),
        ("too short", change(PASSWORD, "short").await),
        ("too common", change(PASSWORD, "password").await),
        ("good", change(PASSWORD, "another good one").await),
    ]));
    assert_eq!(h.get("/v1/me").bearer(&here.access).send().await.status, 200);
    assert_eq!(h.get("/v1/me").bearer(&there.access).send().await.status, 401);
    assert_eq!(h.renew(&here.refresh).send().await.status, 200);
    assert_eq!(h.renew(&there.refresh).send().await.json()["reason"], "revoked");
    let sign_in =
        |password: &str| h.post("/v1/login").json(&json!({ "username": "ann", "password": password })).send();
    assert_eq!(sign_in(PASSWORD).await.status, 401);
    assert_eq!(sign_in("another good one").await.status, 200);
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_refused() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let change = |body: Value| h.post("/v1/me/password").bearer(&ann.access).json(&body).send();
    assert_snapshot!(shown::all(&[
        ("no token", h.post("/v1/me/password").json(&json!({})).send().await),
        ("nothing", h.post("/v1/me/password").bearer(&ann.access).send().await),
        ("no new one", change(json!({ "current": "x" })).await),
        ("more", change(json!({ "current": "x", "new": "y", "again": "y" })).await),
        ("GET", h.get("/v1/me/password").send().await),
    ]));
    for _ in 0..10 {
        assert_eq!(change(json!({ "current": "x", "new": "another good one" })).await.status, 403);
    }
    let limited = change(json!({ "current": PASSWORD, "new": "another good one" })).await;
    assert_eq!(limited.error(), (429, "too-many-attempts".to_owned()));
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}
