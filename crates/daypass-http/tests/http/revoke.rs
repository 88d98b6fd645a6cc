//! `POST /oauth2/revoke`.

use insta::assert_snapshot;

use crate::harness::{Answer, Harness};
use crate::shown;

async fn revoke(h: &Harness, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("token", token)];
    form.extend_from_slice(more);
    h.post("/oauth2/revoke").form(&form).send().await
}

const OWN: (&str, &str) = ("client_id", "daypass");

#[tokio::test]
async fn any_token_ends_its_session() {
    let h = Harness::start().await;
    let (one, two) = (h.sign_in("ann").await, h.sign_in("ann").await);
    let next = h.renew(&one.refresh).send().await.tokens();
    assert_snapshot!(shown::all(&[
        ("a used refresh token", revoke(&h, &one.refresh, &[OWN]).await),
        ("again", revoke(&h, &one.refresh, &[OWN, ("token_type_hint", "refresh_token")]).await),
        ("an access token", revoke(&h, &two.access, &[OWN, ("token_type_hint", "banana")]).await),
        ("nonsense", revoke(&h, "nonsense", &[OWN]).await),
    ]));
    for dead in [&next, &two] {
        assert_eq!(h.renew(&dead.refresh).send().await.json()["reason"], "revoked");
        assert_eq!(h.get("/v1/me").bearer(&dead.access).send().await.status, 401);
    }
}

#[tokio::test]
async fn a_revocation_is_refused() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let own = h.client_token("orders").await;
    let basic = h.post("/oauth2/revoke").basic("backend", &h.secret).form(&[("token", &own)]).send().await;
    let in_query = h.post(&format!("/oauth2/revoke?token={}", ann.refresh)).form(&[OWN]).send().await;
    let json = h.post("/oauth2/revoke").json(&serde_json::json!({ "token": "x" })).send().await;
    let twice = revoke(&h, "x", &[OWN, ("token", "y")]).await;
    assert_snapshot!(shown::all(&[
        ("another client's refresh token", revoke(&h, &ann.refresh, &[("client_id", "spa")]).await),
        ("another client's access token", revoke(&h, &ann.access, &[("client_id", "spa")]).await),
        ("an access token without session", basic),
        ("no token", h.post("/oauth2/revoke").form(&[OWN]).send().await),
        ("no client", revoke(&h, &ann.refresh, &[]).await),
        ("in the query", in_query),
        ("twice", twice),
        ("JSON", json),
        ("GET", h.get("/oauth2/revoke").send().await),
    ]));
    assert_eq!(h.get("/v1/me").bearer(&ann.access).send().await.status, 200);
}
