//! `POST /oauth2/token`.

use insta::assert_snapshot;

use crate::harness::{ATTEMPT, Answer, Harness, ISSUER, OTHER_ATTEMPT, Tokens};
use crate::shown;

/// A renewal through the token endpoint.
async fn renew(h: &Harness, refresh: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh)];
    form.extend_from_slice(more);
    h.post("/oauth2/token").form(&form).send().await
}

async fn spa(h: &Harness) -> Tokens {
    let body = serde_json::json!({
        "username": "ann", "password": crate::harness::PASSWORD, "client_id": "spa",
        "scope": "orders profile",
    });
    h.post("/v1/login").json(&body).send().await.tokens()
}

#[tokio::test]
async fn a_public_client_renews() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let answer = renew(&h, &first.refresh, &[("client_id", "daypass"), ("attempt", ATTEMPT)]).await;
    assert_snapshot!(shown::one(&answer));
    let second = answer.tokens();
    let header = h
        .post("/oauth2/token")
        .header("daypass-attempt", ATTEMPT)
        .form(&[("grant_type", "refresh_token"), ("refresh_token", &first.refresh), ("client_id", "daypass")])
        .send()
        .await;
    assert_eq!(header.tokens().refresh, second.refresh, "the header says the same");
    // Unknown parameters are ignored, in the body and in the query, and empty ones are as none.
    let more = [("client_id", "daypass"), ("foo", "bar"), ("scope", ""), ("resource", ""), ("attempt", "")];
    assert_eq!(renew(&h, &second.refresh, &more).await.tokens().generation, 2);
}

#[tokio::test]
async fn a_scope_narrows_the_access_token_only() {
    let h = Harness::start().await;
    let first = spa(&h).await;
    let scope_of = |answer: &Answer| answer.json()["scope"].as_str().unwrap().to_owned();
    let narrow = renew(&h, &first.refresh, &[("client_id", "spa"), ("scope", "orders")]).await;
    assert_eq!(scope_of(&narrow), "orders");
    let me = h.get("/v1/me").bearer(&narrow.tokens().access).send().await;
    assert_eq!(me.json()["scope"], "orders");
    let wide = renew(&h, &narrow.tokens().refresh, &[("client_id", "spa")]).await;
    assert_eq!(scope_of(&wide), "orders profile");
    let refresh = wide.tokens().refresh;
    for bad in ["orders admin", "a\"b", "a\r\nSet-Cookie: x", "é"] {
        let answer = renew(&h, &refresh, &[("client_id", "spa"), ("scope", bad)]).await;
        assert_eq!(answer.error(), (400, "invalid_scope".to_owned()), "{bad:?}");
        let text = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{text}");
    }
    assert_eq!(renew(&h, &refresh, &[("client_id", "spa")]).await.status, 200, "nothing was rotated");
}

#[tokio::test]
async fn a_renewal_is_refused() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let own = ("client_id", "daypass");
    let mismatch = renew(&h, &first.refresh, &[own, ("attempt", &format!("3:{ATTEMPT}"))]).await;
    let resource = renew(&h, &first.refresh, &[own, ("resource", "https://other.example")]).await;
    let no_client = renew(&h, &first.refresh, &[]).await;
    let other_client = renew(&h, &first.refresh, &[("client_id", "spa")]).await;
    let unknown_client = renew(&h, &first.refresh, &[("client_id", "nobody")]).await;
    let secret = renew(&h, &first.refresh, &[own, ("client_secret", "guess")]).await;
    renew(&h, &first.refresh, &[own, ("attempt", ATTEMPT)]).await;
    let reused = renew(&h, &first.refresh, &[own, ("attempt", OTHER_ATTEMPT)]).await;
    assert_snapshot!(shown::all(&[
        ("no attempt id for this generation", mismatch),
        ("another resource", resource),
        ("no client", no_client),
        ("another client's token", other_client),
        ("an unknown client", unknown_client),
        ("a public client with a secret", secret),
        ("no token", h.post("/oauth2/token").form(&[("grant_type", "refresh_token"), own]).send().await),
        ("an access token", renew(&h, &first.access, &[own]).await),
        ("a used token", reused),
    ]));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused() {
    let h = Harness::start().await;
    let token = |form: &[(&str, &str)]| h.post("/oauth2/token").form(form).send();
    let id = ("client_id", "daypass");
    let grant = ("grant_type", "refresh_token");
    let in_query = h.post("/oauth2/token?client_secret=x").form(&[grant, id]).send().await;
    let also_in_query = h.post("/oauth2/token?grant_type=refresh_token").form(&[grant, id]).send().await;
    let attempts = h.post("/oauth2/token").header("daypass-attempt", ATTEMPT);
    let attempts = attempts.form(&[grant, id, ("refresh_token", "x"), ("attempt", OTHER_ATTEMPT)]);
    assert_snapshot!(shown::all(&[
        ("JSON", h.post("/oauth2/token").body("application/json", "{}").send().await),
        ("no body", h.post("/oauth2/token").send().await),
        ("no grant", token(&[id]).await),
        ("empty grant", token(&[("grant_type", ""), id]).await),
        ("unknown grant", token(&[("grant_type", "password"), id]).await),
        ("repeated", token(&[grant, ("scope", "a"), ("scope", "b"), id]).await),
        ("repeated, once empty", token(&[grant, ("scope", ""), ("scope", "b"), id]).await),
        ("secret in the query", in_query),
        ("grant in the query too", also_in_query),
        (
            "bad escape",
            h.post("/oauth2/token").body("application/x-www-form-urlencoded", "a=%zz").send().await
        ),
        ("attempt ids that differ", attempts.send().await),
        ("too large", token(&[grant, ("scope", &"x".repeat(70_000))]).await),
        ("GET", h.get("/oauth2/token").send().await),
    ]));
    for name in ["grant_type", "refresh_token", "client_id", "client_secret", "resource", "attempt"] {
        let answer = token(&[grant, id, (name, "a"), (name, "b")]).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_client_gets_a_token_of_its_own() {
    let h = Harness::start().await;
    let own = ("grant_type", "client_credentials");
    let basic = |form: &[(&str, &str)]| h.post("/oauth2/token").basic("backend", &h.secret).form(form).send();
    let post = [own, ("client_id", "backend"), ("client_secret", &h.secret), ("scope", "orders")];
    assert_snapshot!(shown::all(&[
        ("by Basic", basic(&[own]).await),
        ("in the body", h.post("/oauth2/token").form(&post).send().await),
        ("for the issuer", basic(&[own, ("resource", ISSUER), ("client_id", "backend")]).await),
        ("too much scope", basic(&[own, ("scope", "orders admin")]).await),
        ("another resource", basic(&[own, ("resource", "https://other.example")]).await),
    ]));
    let lesser = h.post("/oauth2/token").basic("lesser", &h.lesser_secret).form(&[own]).send().await;
    let public = h.post("/oauth2/token").form(&[own, ("client_id", "daypass")]).send().await;
    assert_snapshot!(
        "a_client_does_not_get_a_token_of_its_own",
        shown::all(&[("a client without the grant", lesser), ("a public client", public)])
    );
}

#[tokio::test]
async fn a_client_fails_to_authenticate() {
    let h = Harness::start().await;
    let own = ("grant_type", "client_credentials");
    let token = |form: &[(&str, &str)]| h.post("/oauth2/token").form(form).send();
    let basic = |id: &str, secret: &str| h.post("/oauth2/token").basic(id, secret).form(&[own]).send();
    let (id, secret) = (("client_id", "backend"), ("client_secret", h.secret.as_str()));
    let two_ways = h.post("/oauth2/token").basic("backend", &h.secret).form(&[own, id, secret]).send().await;
    let two_ids = h.post("/oauth2/token").basic("backend", &h.secret).form(&[own, ("client_id", "lesser")]);
    let assertion = h.post("/oauth2/token").basic("backend", &h.secret);
    let assertion = assertion.form(&[own, ("client_assertion", "x")]);
    assert_snapshot!(shown::all(&[
        ("wrong secret by Basic", basic("backend", "wrong").await),
        ("wrong secret in the body", token(&[own, id, ("client_secret", "wrong")]).await),
        ("no secret", token(&[own, id]).await),
        ("unknown client", basic("nobody", "wrong").await),
        ("two ways at once", two_ways),
        ("an assertion beside Basic", assertion.send().await),
        ("an assertion", token(&[own, id, ("client_assertion", "x")]).await),
        ("two ids", two_ids.send().await),
        ("Bearer", h.post("/oauth2/token").bearer("x").form(&[own, id]).send().await),
    ]));
    let unknown = basic("nobody", "wrong").await;
    let wrong = basic("backend", "wrong").await;
    assert_eq!(
        (unknown.status, &unknown.headers, &unknown.body),
        (wrong.status, &wrong.headers, &wrong.body)
    );
}

#[tokio::test]
async fn guessing_secrets_is_slowed_down_and_right_ones_are_unaffected() {
    let h = Harness::start().await;
    let basic = |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        h.post("/oauth2/token").basic("backend", secret).form(&form).send()
    };
    for _ in 0..50 {
        assert_eq!(basic("wrong").await.status, 401);
    }
    assert_snapshot!(shown::one(&basic("wrong").await));
    assert_eq!(basic(&h.secret).await.status, 200);
}
