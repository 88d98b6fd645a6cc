//! Other kinds of JWT by the same keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use daypass_testkit::{Canned, JWKS_PATH, with_key_id, with_other_signature};
use daypass_verify::jwt::{Algorithm, SigningKey, VerifiedJws, VerifyError};
use daypass_verify::{AuthError, JwsVerifier, Lacking, RemoteKeys};

use crate::harness::{COOL_DOWN, Harness, key, watched};

const TYPE: &str = "logout+jwt";

fn sign(key: &SigningKey) -> String {
    key.sign(TYPE, &BTreeMap::from([("sub", "ada")])).unwrap()
}

fn unavailable(judged: &Result<VerifiedJws, AuthError>) -> bool {
    matches!(judged, Err(AuthError::Unavailable { what: Lacking::Keys, .. }))
}

#[tokio::test]
async fn another_kind_is_verified_as_strictly_and_names_its_type() {
    let harness = Harness::warm().await;
    let jws = harness.verifier.jws(Algorithm::ES256).unwrap();
    let token = sign(&harness.key);
    let verified = watched(jws.verify(&token)).await.unwrap();
    assert_eq!(verified.payload(TYPE).unwrap(), br#"{"sub":"ada"}"#);
    assert_eq!(verified.payload("at+jwt"), Err(VerifyError::Type));
    assert_eq!(harness.verify(&token).await.unwrap_err(), VerifyError::Type.into(), "it is no access token");
    for (bad, why) in [
        (with_other_signature(&token), VerifyError::BadSignature),
        (sign(&SigningKey::generate(Algorithm::Ed25519).unwrap()), VerifyError::Algorithm),
        (".".repeat(20_000), VerifyError::TooLarge),
    ] {
        assert_eq!(watched(jws.verify(&bad)).await.unwrap_err(), AuthError::Invalid(why));
    }
    assert_eq!(harness.server.requests(), 1);
}

#[tokio::test]
async fn a_new_key_is_fetched_and_an_unknown_one_is_never_refused_for_want_of_a_fetch() {
    let harness = Harness::warm().await;
    let jws = harness.verifier.jws(Algorithm::ES256).unwrap();
    let new = key();
    harness.server.publish(&[&new.verifying_key()]);
    assert!(watched(jws.verify(&sign(&new))).await.is_ok());
    assert_eq!(harness.server.requests(), 2);
    let made_up = with_key_id(&sign(&new), "made-up");
    assert!(unavailable(&watched(jws.verify(&made_up)).await));
    harness.clock.advance(COOL_DOWN);
    assert_eq!(watched(jws.verify(&made_up)).await.unwrap_err(), VerifyError::UnknownKey.into());
}

#[tokio::test]
async fn it_can_have_keys_of_its_own() {
    let harness = Harness::warm().await;
    let clock = Arc::new(harness.clock.clone());
    let own = JwsVerifier::new(RemoteKeys::new(harness.server.url()), Algorithm::ES256, clock).unwrap();
    assert!(watched(own.verify(&sign(&harness.key))).await.is_ok());
    assert_eq!(harness.server.requests(), 2);
    harness.server.faults().always(JWKS_PATH, Canned::status(503));
    assert!(unavailable(&watched(own.verify(&sign(&key()))).await));
}
