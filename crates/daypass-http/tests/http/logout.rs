//! `POST /v1/logout`.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Harness, Tokens};
use crate::shown;

async fn is_over(h: &Harness, tokens: &Tokens) -> bool {
    h.get("/v1/me").bearer(&tokens.access).send().await.status == 401
        && h.renew(&tokens.refresh).send().await.json()["reason"] == "revoked"
}

#[tokio::test]
async fn any_token_of_a_session_ends_it_and_once_more_is_as_good() {
    let h = Harness::start().await;
    let (by_body, by_bearer) = (h.sign_in("ann").await, h.sign_in("ann").await);
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let body = || h.post("/v1/logout").json(&json!({ "refresh_token": by_body.refresh })).send();
    let bearer = || h.post("/v1/logout").bearer(&by_bearer.access).send();
    let by_cookie = || h.post("/v1/logout").cookie(&cookie).genuine().json(&json!({})).send();
    assert_snapshot!(shown::all(&[
        ("refresh token", body().await),
        ("refresh token again", body().await),
        ("access token", bearer().await),
        ("access token again", bearer().await),
        ("cookie", by_cookie().await),
        ("cookie again", by_cookie().await),
        ("nothing", h.post("/v1/logout").send().await),
        ("an empty object", h.post("/v1/logout").json(&json!({})).send().await),
        ("nonsense", h.post("/v1/logout").json(&json!({ "refresh_token": "x" })).send().await),
    ]));
    assert!(is_over(&h, &by_body).await && is_over(&h, &by_bearer).await);
    assert_eq!(h.renew(&cookie).send().await.json()["reason"], "revoked");
}

#[tokio::test]
async fn an_old_generation_logs_out_too() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let second = h.renew(&first.refresh).send().await.tokens();
    let answer = h.post("/v1/logout").json(&json!({ "refresh_token": first.refresh })).send().await;
    assert_eq!(answer.status, 204);
    assert!(is_over(&h, &second).await);
}

#[tokio::test]
async fn a_refresh_token_logs_out_beside_an_access_token_that_is_no_good() {
    let h = Harness::start().await;
    let tokens = h.sign_in("ann").await;
    let body = json!({ "refresh_token": tokens.refresh });
    let answer = h.post("/v1/logout").json(&body).bearer("xx.yy.zz").send().await;
    assert_eq!(answer.status, 204);
    assert!(is_over(&h, &tokens).await);
}

#[tokio::test]
async fn a_log_out_is_refused() {
    let h = Harness::start().await;
    let tokens = h.sign_in("ann").await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let both =
        h.post("/v1/logout").cookie(&cookie).genuine().json(&json!({ "refresh_token": tokens.refresh }));
    let twice = h.post("/v1/logout").cookie(&cookie).cookie(&cookie).genuine();
    assert_snapshot!(shown::all(&[
        ("forged by cookie", h.post("/v1/logout").cookie(&cookie).json(&json!({})).send().await),
        ("a bad access token", h.post("/v1/logout").bearer("a.b.c").send().await),
        ("two refresh tokens", both.send().await),
        ("two cookies", twice.send().await),
        ("an unknown member", h.post("/v1/logout").json(&json!({ "all": "yes" })).send().await),
        ("text", h.post("/v1/logout").body("text/plain", "{}").send().await),
        ("GET", h.get("/v1/logout").send().await),
    ]));
    h.pass(601);
    let expired = h.post("/v1/logout").bearer(&tokens.access).send().await;
    assert_eq!(expired.error(), (401, "invalid-token".to_owned()));
    // The page was left open, and its access token expired: its cookie still logs out.
    let answer = h.post("/v1/logout").cookie(&cookie).genuine().bearer(&tokens.access).send().await;
    assert_eq!(answer.status, 204);
    assert_eq!(h.renew(&cookie).send().await.json()["reason"], "revoked");
}

#[tokio::test]
async fn a_bearer_does_not_stand_in_for_a_forged_cookie() {
    let h = Harness::start().await;
    let tokens = h.sign_in("bob").await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let answer = h.post("/v1/logout").cookie(&cookie).bearer(&tokens.access).send().await;
    assert_eq!(answer.status, 204);
    assert!(is_over(&h, &tokens).await);
    assert!(answer.header("set-cookie").is_none());
    assert_eq!(h.renew(&cookie).send().await.status, 200, "the cookie's session lives");
}
