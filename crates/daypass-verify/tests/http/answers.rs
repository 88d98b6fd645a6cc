//! The answers in full: status, headers, body.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use daypass_ambient::Clock as _;
use daypass_testkit::{Canned, KeyServer, with_other_signature};
use daypass_verify::http::{DEFAULT_REALM, answer};
use daypass_verify::jwt::VerifyError;
use daypass_verify::{AuthError, Lacking, RemoteKeys};
use http::header::RETRY_AFTER;
use insta::assert_snapshot;

use crate::harness::{ENDED, Harness, builder, request, send, shown};

fn router(layer: daypass_verify::http::AuthLayer) -> Router {
    Router::new().route("/", get(async || "through")).layer(layer)
}

#[tokio::test]
async fn without_a_token_there_is_a_challenge_and_no_error() {
    let h = Harness::start().await;
    let router = router(h.verifier.layer());
    let good = h.good();
    let token = good.strip_prefix("Bearer ").unwrap();
    let dpop = format!("DPoP {token}");
    let send = |uri: String, lines: Vec<&str>| send(&router, request(&uri, &lines));
    assert_snapshot!(shown(&[
        ("no token", send("/".into(), vec![]).await),
        ("in the query", send(format!("/?access_token={token}"), vec![]).await),
        ("another scheme", send("/".into(), vec!["Basic YTpi"]).await),
        ("a scheme that proves tokens", send("/".into(), vec![&dpop]).await),
        ("a path that is not there", send("/nowhere".into(), vec![]).await),
    ]));
}

#[tokio::test]
async fn a_bad_token_is_refused_and_told_no_more_than_it_must_know() {
    let h = Harness::start().await;
    let router = router(h.verifier.layer());
    let good = h.good();
    // Nine minutes old, and over for six seconds: one more than the leeway.
    let issued = h.clock.wall().checked_sub(Duration::from_mins(9)).unwrap();
    let expired = h.bearer(&h.minter().issued_at(issued).lifetime(Duration::from_secs(9 * 60 - 6)));
    let forged = with_other_signature(&good);
    let audience = h.bearer(&h.minter().audience("https://other.example"));
    let ended = h.bearer(&h.minter().session(ENDED));
    let send = |line: String| send(&router, request("/", &[&line]));
    assert_snapshot!(shown(&[
        ("good", send(good.clone()).await),
        ("expired", send(expired).await),
        ("forged", send(forged).await),
        ("for another audience", send(audience).await),
        ("of an ended session", send(ended).await),
        ("no token at all", send("Bearer abc".to_owned()).await),
    ]));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_a_bad_request() {
    let h = Harness::start().await;
    let router = router(h.verifier.layer());
    let good = h.good();
    assert_snapshot!(shown(&[
        ("two tokens", send(&router, request("/", &[&good, &good])).await),
        ("two words", send(&router, request("/", &["Bearer a b"])).await),
    ]));
}

#[tokio::test]
async fn a_token_that_lacks_a_scope_is_told_which() {
    let h = Harness::start().await;
    let router =
        router(h.verifier.layer().require_scope("orders").require_scope("refunds").realm("shop \"1\""));
    let with = |scope: &str| h.bearer(&h.minter().scope(scope));
    let send = |line: String| send(&router, request("/", &[&line]));
    assert_snapshot!(shown(&[
        ("neither", send(with("profile")).await),
        ("one of two", send(with("orders refunds:read")).await),
        ("both", send(with("refunds orders")).await),
    ]));
}

#[tokio::test]
async fn without_keys_nothing_is_held_against_the_token() {
    let h = Harness::start().await;
    let keys = KeyServer::start().await;
    keys.faults().always(KeyServer::PATH, Canned::status(503));
    let verifier = builder(&h.clock, RemoteKeys::new(keys.url())).build().unwrap();
    crate::harness::watched(async {
        while verifier.health().issuers[0].keys.last_error.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = send(&router(verifier.layer()), request("/", &[&h.good()])).await;
    assert_snapshot!(shown(&[("no keys", answer)]));
}

#[test]
fn a_wait_is_rounded_up_and_never_zero() {
    let header = |millis| {
        let retry_after = Duration::from_millis(millis);
        let answer = answer(&AuthError::Unavailable { what: Lacking::Keys, retry_after }, DEFAULT_REALM);
        answer.headers()[RETRY_AFTER].to_str().unwrap().to_owned()
    };
    assert_eq!([header(0), header(1), header(1000), header(1001)], ["1", "1", "1", "2"]);
}

#[test]
fn every_error_has_its_status() {
    let unavailable = |what| AuthError::Unavailable { what, retry_after: Duration::from_secs(1) };
    let table = [
        (AuthError::Missing, 401),
        (AuthError::Request, 400),
        (AuthError::Invalid(VerifyError::BadSignature), 401),
        (AuthError::Invalid(VerifyError::UnknownKey), 401),
        (AuthError::Revoked, 401),
        (AuthError::Scope("a\"b\n".to_owned()), 403),
        (unavailable(Lacking::Keys), 503),
        (unavailable(Lacking::Revocations), 503),
    ];
    for (error, status) in table {
        let answer = answer(&error, "a \"realm\"\n");
        assert_eq!(answer.status(), status, "{error:?}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status < 500, "{error:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = std::str::from_utf8(answer.body()).unwrap();
        assert!(text.contains(&format!("\"status\":{status}")), "{text}");
    }
}
