//! `GET /v1/revocations`.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::Harness;
use crate::shown;

#[tokio::test]
async fn a_verifier_follows_the_feed() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let feed = |query: &str| h.get(&format!("/v1/revocations{query}")).bearer(&token).send();
    let empty = feed("").await;
    let cursor = empty.json()["cursor"].as_str().unwrap().to_owned();
    let (one, two) = (h.sign_in("ann").await, h.sign_in("ann").await);
    h.post("/v1/logout").json(&json!({ "refresh_token": one.refresh })).send().await;
    h.pass(1);
    h.delete("/v1/sessions").bearer(&two.access).send().await;
    let first = feed(&format!("?since={cursor}&limit=1")).await;
    let next = first.json()["cursor"].as_str().unwrap().to_owned();
    assert_snapshot!(shown::all(&[
        ("nothing yet", empty),
        ("everything since", feed(&format!("?since={cursor}")).await),
        ("one at a time", first),
        ("the next", feed(&format!("?limit=1&since={next}")).await),
        ("an unknown cursor", feed("?since=unknown").await),
    ]));
    assert_eq!(feed("?limit=100000").await.status, 200);
}

#[tokio::test]
async fn the_feed_is_refused() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let (token, other) = (h.client_token("daypass:feed").await, h.client_token("orders").await);
    let feed = |query: &str| h.get(&format!("/v1/revocations{query}")).bearer(&token).send();
    assert_snapshot!(shown::all(&[
        ("no token", h.get("/v1/revocations").send().await),
        ("a token without the scope", h.get("/v1/revocations").bearer(&other).send().await),
        ("a person", h.get("/v1/revocations").bearer(&ann.access).send().await),
        ("limit 0", feed("?limit=0").await),
        ("unknown parameter", feed("?from=1").await),
        ("repeated parameter", feed("?limit=1&limit=1").await),
        ("POST", h.post("/v1/revocations").send().await),
    ]));
    for bad in ["-1", "1.5", "x", "99999999999999999999999"] {
        assert_eq!(feed(&format!("?limit={bad}")).await.status, 400, "{bad}");
    }
}
