//! `POST /oauth2/introspect`.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Answer, Harness};
use crate::shown;

async fn introspect(h: &Harness, token: &str) -> Answer {
    let form = [("token", token), ("token_type_hint", "banana")];
    h.post("/oauth2/introspect").basic("backend", &h.secret).form(&form).send().await
}

#[tokio::test]
async fn live_tokens_are_described() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let own = h.client_token("orders daypass:feed").await;
    assert_snapshot!(shown::all(&[
        ("access token", introspect(&h, &ann.access).await),
        ("refresh token", introspect(&h, &ann.refresh).await),
        ("a client's own token", introspect(&h, &own).await),
    ]));
}

#[tokio::test]
async fn of_any_other_nothing_is_told() {
    let h = Harness::start().await;
    let (old, ann) = (h.sign_in("ann").await, h.sign_in("ann").await);
    let next = h.renew(&ann.refresh).send().await.tokens();
    let used = introspect(&h, &ann.refresh).await;
    h.post("/v1/logout").json(&json!({ "refresh_token": next.refresh })).send().await;
    let dead = [introspect(&h, &next.access).await, introspect(&h, &next.refresh).await];
    h.pass(600);
    let others = [introspect(&h, &old.access).await, introspect(&h, "nonsense").await, used];
    for answer in dead.iter().chain(&others) {
        assert_eq!(answer.body, br#"{"active":false}"#);
    }
    assert_snapshot!(shown::one(&others[0]));
}

#[tokio::test]
async fn introspection_is_refused() {
    let h = Harness::start().await;
    let call = || h.post("/oauth2/introspect");
    let token = ("token", "x");
    assert_snapshot!(shown::all(&[
        ("nobody", call().form(&[token]).send().await),
        ("a public client", call().form(&[token, ("client_id", "daypass")]).send().await),
        ("wrong secret", call().basic("backend", "wrong").form(&[token]).send().await),
        ("a client without the scope", call().basic("lesser", &h.lesser_secret).form(&[token]).send().await),
        ("no token", call().basic("backend", &h.secret).form(&[]).send().await),
        ("JSON", call().basic("backend", &h.secret).json(&json!({ "token": "x" })).send().await),
        ("GET", h.get("/oauth2/introspect").send().await),
    ]));
}
