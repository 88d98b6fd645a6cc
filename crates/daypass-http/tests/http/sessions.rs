//! `/v1/sessions`.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Harness, PASSWORD};
use crate::shown;

#[tokio::test]
async fn somebody_lists_their_sessions() {
    let h = Harness::start().await;
    h.sign_in("bob").await;
    let body = json!({ "username": "ann", "password": PASSWORD, "label": "Ann’s phone", "client_id": "spa" });
    let phone = h.post("/v1/login").header("user-agent", format!("Phone/1.0 {}", "x".repeat(300)));
    let phone = phone.from("[2001:db8::5]:80").json(&body).send().await.tokens();
    h.pass(90);
    let desk = h.sign_in("ann").await;
    h.pass(30);
    h.renew(&phone.refresh).send().await;
    assert_snapshot!(shown::all(&[
        ("all of them", h.get("/v1/sessions").bearer(&desk.access).send().await),
        ("without a token", h.get("/v1/sessions").send().await),
        ("POST", h.post("/v1/sessions").send().await),
    ]));
}

#[tokio::test]
async fn somebody_ends_one_session() {
    let h = Harness::start().await;
    let (here, there, bob) = (h.sign_in("ann").await, h.sign_in("ann").await, h.sign_in("bob").await);
    let end = |id: &str| h.delete(&format!("/v1/sessions/{id}")).bearer(&here.access).send();
    assert_snapshot!(shown::all(&[
        ("one's own", end(&there.session).await),
        ("again", end(&there.session).await),
        ("somebody else's", end(&bob.session).await),
        ("none", end("01980000-0000-7000-8000-000000000000").await),
        ("no id", end("x").await),
        ("without a token", h.delete(&format!("/v1/sessions/{}", bob.session)).send().await),
        ("GET", h.get(&format!("/v1/sessions/{}", bob.session)).send().await),
    ]));
    assert_eq!(h.get("/v1/me").bearer(&there.access).send().await.status, 401);
    assert_eq!(h.get("/v1/me").bearer(&bob.access).send().await.status, 200);
    assert_eq!(end(&here.session).await.status, 204);
    assert_eq!(end(&here.session).await.status, 401, "nobody is left to ask");
}

#[tokio::test]
async fn somebody_ends_the_others_or_all() {
    let h = Harness::start().await;
    let (here, there, bob) = (h.sign_in("ann").await, h.sign_in("ann").await, h.sign_in("bob").await);
    let end = |query: &str| h.delete(&format!("/v1/sessions{query}")).bearer(&here.access).send();
    let status = async |access: &str| h.get("/v1/me").bearer(access).send().await.status.as_u16();
    for bad in ["?except=", "?except", "?except=other", "?except=current&except=current", "?all=yes", "?%zz"]
    {
        assert_eq!(end(bad).await.error(), (400, "invalid-request".to_owned()), "{bad}");
    }
    assert_eq!(status(&there.access).await, 200);
    assert_snapshot!(shown::all(&[("all but this one", end("?except=current").await)]));
    assert_eq!((status(&here.access).await, status(&there.access).await), (200, 401));
    assert_eq!(end("").await.status, 204);
    assert_eq!((status(&here.access).await, status(&bob.access).await), (401, 200));
    assert_eq!(h.renew(&here.refresh).send().await.json()["reason"], "revoked");
}
