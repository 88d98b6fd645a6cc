//! `POST /v1/login`.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Harness, PASSWORD};
use crate::shown;

#[tokio::test]
async fn a_person_signs_in() {
    let h = Harness::start().await;
    let plain = json!({ "username": "ann", "password": PASSWORD });
    let rich = json!({
        "username": "ann", "password": PASSWORD, "transport": "body", "label": "Ann's phone",
        "scope": "profile", "client_id": "spa",
    });
    let cookie = json!({ "username": "ann", "password": PASSWORD, "transport": "cookie" });
    assert_snapshot!(shown::all(&[
        ("by name and password", h.post("/v1/login").json(&plain).send().await),
        ("with everything", h.post("/v1/login").json(&rich).send().await),
        ("into a cookie", h.post("/v1/login").genuine().json(&cookie).send().await),
    ]));
}

#[tokio::test]
async fn a_sign_in_is_refused() {
    let h = Harness::start().await;
    let attempt = |name: &str, password: &str| {
        h.post("/v1/login").json(&json!({ "username": name, "password": password })).send()
    };
    let with = |extra: serde_json::Value| {
        let mut body = json!({ "username": "ann", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        h.post("/v1/login").json(&body).send()
    };
    let by_cookie = json!({ "username": "ann", "password": PASSWORD, "transport": "cookie" });
    let forged = h.post("/v1/login").json(&by_cookie);
    assert_snapshot!(shown::all(&[
        ("wrong password", attempt("ann", "wrong horse battery").await),
        ("unknown client", with(json!({ "client_id": "nobody" })).await),
        ("too much scope", with(json!({ "scope": "orders" })).await),
        ("no scope at all", with(json!({ "scope": "a  b" })).await),
        ("unknown transport", with(json!({ "transport": "pigeon" })).await),
        ("label too long", with(json!({ "label": "x".repeat(129) })).await),
        ("forged into a cookie", forged.header("sec-fetch-site", "cross-site").send().await),
    ]));
    let mut wrong = attempt("ann", "wrong horse battery").await;
    wrong.headers.remove("date");
    for (name, password) in
        [("nobody", PASSWORD), ("", PASSWORD), (" ann", PASSWORD), ("ann", ""), ("ANN", PASSWORD)]
    {
        let unknown = attempt(name, password).await;
        assert_eq!(
            (wrong.status, &wrong.headers, &wrong.body),
            (unknown.status, &unknown.headers, &unknown.body)
        );
    }
    for client in ["backend", "partner", "lesser"] {
        assert_eq!(with(json!({ "client_id": client })).await.error(), (400, "invalid-client".to_owned()));
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_read_is_refused() {
    let h = Harness::start().await;
    let read = |body: &'static str| h.post("/v1/login").body("application/json", body).send();
    assert_snapshot!(shown::all(&[
        ("no body", h.post("/v1/login").send().await),
        ("no password", read(r#"{"username":"ann"}"#).await),
        ("no name", read(r#"{"password":"x"}"#).await),
        ("unknown member", read(r#"{"username":"ann","password":"x","remember":true}"#).await),
        ("repeated member", read(r#"{"username":"ann","username":"bob","password":"x"}"#).await),
        ("no string", read(r#"{"username":"ann","password":12345678}"#).await),
        ("no object", read(r#"["ann","x"]"#).await),
        ("no JSON", read("username=ann&password=x").await),
        ("text", h.post("/v1/login").body("text/plain", r#"{"username":"ann","password":"x"}"#).send().await),
        ("form", h.post("/v1/login").form(&[("username", "ann"), ("password", "x")]).send().await),
        ("too large", h.post("/v1/login").body("application/json", "x".repeat(70_000)).send().await),
        ("GET", h.get("/v1/login").send().await),
    ]));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_others_are_unaffected() {
    let h = Harness::start().await;
    let attempt = |name: &str, password: &str| {
        h.post("/v1/login").json(&json!({ "username": name, "password": password })).send()
    };
    for _ in 0..10 {
        assert_eq!(attempt("ann", "wrong").await.status, 401);
    }
    let limited = attempt("ann", PASSWORD).await;
    assert_snapshot!(shown::one(&limited));
    assert_eq!(attempt("bob", PASSWORD).await.status, 200);
    h.pass(limited.header("retry-after").unwrap().parse().unwrap());
    assert_eq!(attempt("ann", PASSWORD).await.status, 200);
}
