//! What a key server must not be able to do.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use daypass_testkit::{AUDIENCE, Canned, Fault, FaultyServer, ISSUER, JWKS_PATH, KeyServer};
use daypass_verify::jwt::{Algorithm, JwkSet, MAX_JWKS_BYTES, SigningKey, VerifyError};
use daypass_verify::{RemoteKeys, Verifier};
use http_body::Frame;
use serde_json::{Value, json};

use crate::harness::{COOL_DOWN, Harness, REFRESH, key, refusal, watched};

fn set_of(key: &SigningKey) -> Value {
    serde_json::to_value(JwkSet::new([&key.verifying_key()]).unwrap()).unwrap()
}

#[tokio::test]
async fn s30_an_empty_huge_or_broken_set_leaves_the_old_one() {
    let harness = Harness::warm().await;
    let good = set_of(&harness.key);
    let of_others = set_of(&SigningKey::generate(Algorithm::Ed25519).unwrap());
    let mut private = good.clone();
    private["keys"][0]["d"] = json!("c2VjcmV0");
    let secret = json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "s", "k": "c2VjcmV0".repeat(8)}]});
    let many = json!({ "keys": vec![&good["keys"][0]; 101] });
    let huge = format!("{}{}", " ".repeat(MAX_JWKS_BYTES), good);
    let text = good.to_string();
    let answers: Vec<(Fault, &str)> = vec![
        (Canned::json(200, &json!({"keys": []})).into(), "no_usable_key"),
        (Canned::json(200, &of_others).into(), "no_usable_key"),
        (Canned::json(200, &secret).into(), "no_usable_key"),
        (Canned::json(200, &private).into(), "private_material"),
        (Canned::json(200, &many).into(), "too_many_keys"),
        (Canned::status(200).body(huge).into(), "too_large"),
        (Canned::status(200).body(text[..text.len() - 1].to_owned()).into(), "malformed"),
        (Canned::status(200).body(format!("{text}{text}")).into(), "malformed"),
        (Canned::status(200).into(), "malformed"),
        (Canned::json(200, &json!([])).into(), "malformed"),
        (Canned::json(200, &json!({"keys": {}})).into(), "malformed"),
        (Canned::html(200, "<html>Welcome to the hotel</html>").into(), "malformed"),
        (Canned::json(503, &good).into(), "status"),
        (Canned::json(201, &good).into(), "status"),
        (Canned::status(204).into(), "status"),
        (Canned::status(302).header("location", JWKS_PATH).into(), "status"),
        (Canned::status(304).into(), "status"),
        (Fault::Truncate, "interrupted"),
        (Fault::LoseRequest, "connect"),
        (Fault::LoseResponse, "connect"),
    ];
    let mut wait = REFRESH;
    for (number, (answer, code)) in answers.into_iter().enumerate() {
        let shown = format!("{answer:?}");
        harness.server.faults().next(JWKS_PATH, answer);
        harness.advance_to_fetch(wait).await;
        wait = COOL_DOWN;
        assert_eq!(harness.last_error(), Some(code), "{shown}");
        assert!(harness.verifier.verify_now(&harness.good()).is_ok(), "{shown}");
        assert_eq!(harness.server.requests(), number + 2, "nothing was followed: {shown}");
    }
    harness.advance_to_fetch(wait).await;
    assert_eq!((harness.last_error(), harness.age()), (None, Some(0)));
    assert!(harness.verifier.verify_now(&harness.good()).is_ok());
}

#[tokio::test]
async fn s30_what_makes_a_set_good_is_one_good_key_whatever_else_is_in_it() {
    let new = key();
    let harness = Harness::warm().await;
    let mut keys = set_of(&new)["keys"].as_array().unwrap().clone();
    keys.push(json!({"kty": "oct", "alg": "HS256", "kid": "s", "k": "c2VjcmV0".repeat(8)}));
    keys.push(json!({"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}));
    keys.push(json!("nonsense"));
    let answer = Canned::html(200, json!({ "keys": keys, "more": 1 }).to_string());
    harness.server.faults().next(JWKS_PATH, answer);
    assert!(harness.verify(&harness.minter().mint(&new)).await.is_ok());
    assert_eq!(harness.verifier.health().issuers[0].keys.number, 1);
}

/// Bytes without end, and how many of them were taken.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1024, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test]
async fn s30_an_answer_without_end_is_cut_off() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let answer = async move || Body::new(Endless(counter.clone()));
    let server = FaultyServer::start(Router::new().route("/keys", get(answer))).await;
    let verifier = Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(RemoteKeys::new(format!("{}/keys", server.url())))
        .build()
        .unwrap();
    watched(async {
        while verifier.health().issuers[0].keys.last_error != Some("too_large") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What is beyond the limit is at most what the two ends hold in their buffers.
    assert!(sent.load(Ordering::Relaxed) < 16 * MAX_JWKS_BYTES);
}

#[tokio::test]
async fn s30_no_other_host_is_asked() {
    let other = KeyServer::start().await;
    let new = key();
    other.publish(&[&new.verifying_key()]);
    let harness = Harness::warm().await;
    for status in [301, 302, 303, 307, 308] {
        harness.server.faults().next(JWKS_PATH, Canned::status(status).header("location", other.url()));
        harness.advance_to_fetch(REFRESH).await;
        harness.advance_to_fetch(COOL_DOWN).await;
    }
    assert_eq!(refusal(harness.verify(&harness.minter().mint(&new)).await), VerifyError::UnknownKey);
    assert_eq!(other.requests(), 0);
}
