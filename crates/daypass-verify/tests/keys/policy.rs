//! What a token must say.

use std::sync::Arc;

use daypass_ambient::{Clock, ManualClock};
use daypass_testkit::{AUDIENCE, ISSUER, Minter};
use daypass_verify::jwt::{Algorithm, KeySet, SigningKey, VerifyError};
use daypass_verify::{AuthError, StaticKeys, Verifier};
use serde::Deserialize;
use serde_json::json;

use crate::harness::{Harness, SECOND, refusal};

#[tokio::test]
async fn each_step_refuses_by_its_own_reason_and_before_the_next() {
    let harness = Harness::warm().await;
    let minter = || harness.minter();
    let wall = harness.clock.wall();
    let rsa = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let stranger = crate::harness::key();
    // From the last step back to the first: each token is bad in one more way.
    let no_subject = minter().without("sub");
    let audience = no_subject.clone().audience("https://other.example");
    let expired = audience.clone().expires_at(i64::try_from(wall.as_secs()).unwrap() - 5);
    let issuer = expired.clone().issuer("https://other.example");
    let typ = issuer.clone().typ("JWT");
    for (token, why) in [
        (no_subject.mint(&harness.key), VerifyError::Claim("sub")),
        (audience.mint(&stranger), VerifyError::Audience),
        (expired.mint(&stranger), VerifyError::Expired),
        (issuer.mint(&stranger), VerifyError::Issuer),
        (typ.mint(&stranger), VerifyError::Type),
        (typ.mint(&rsa), VerifyError::Algorithm),
        ("x".repeat(20_000), VerifyError::TooLarge),
        (minter().issued_at(wall + 31 * SECOND).mint(&harness.key), VerifyError::NotYetValid),
        (minter().lifetime(3601 * SECOND).mint(&harness.key), VerifyError::Claim("exp")),
        (minter().claim("cnf", json!({"jkt": "x"})).mint(&harness.key), VerifyError::Claim("cnf")),
    ] {
        assert_eq!(refusal(harness.verify(&token).await), why);
        assert_eq!(refusal(harness.verifier.verify_now(&token)), why);
    }
    assert_eq!(harness.server.requests(), 1, "junk costs no key");
    assert!(harness.verify(&harness.good()).await.is_ok());
}

#[tokio::test]
async fn a_refusal_for_the_key_comes_before_one_for_the_claims() {
    let harness = Harness::warm().await;
    let token = harness.minter().without("sub").mint(&crate::harness::key());
    assert_eq!(refusal(harness.verify(&token).await), VerifyError::UnknownKey);
}

#[tokio::test]
async fn the_settings_reach_the_policy() {
    let harness = Harness::warm_with(|builder| {
        builder
            .also_audience("https://api.example/v2")
            .types(["at+jwt", "x+jwt"])
            .leeway_seconds(0)
            .future_leeway_seconds(60)
            .max_lifetime_seconds(7200)
            .require_claim("tenant")
    })
    .await;
    let wall = harness.clock.wall();
    let now = i64::try_from(wall.as_secs()).unwrap();
    let minter = || harness.minter().claim("tenant", 7);
    for good in [
        minter(),
        minter().audience("https://api.example/v2"),
        minter().typ("x+jwt"),
        minter().issued_at(wall + 60 * SECOND),
        minter().lifetime(7200 * SECOND),
        minter().issued_at(harness.ago(600)).expires_at(now + 1),
    ] {
        assert!(harness.verify(&good.mint(&harness.key)).await.is_ok(), "{good:?}");
    }
    for (bad, why) in [
        (minter().typ("application/at+jwt"), VerifyError::Type),
        (minter().issued_at(harness.ago(600)).expires_at(now), VerifyError::Expired),
        (minter().issued_at(wall + 61 * SECOND), VerifyError::NotYetValid),
        (minter().lifetime(7201 * SECOND), VerifyError::Claim("exp")),
        (minter().without("tenant"), VerifyError::Claim("tenant")),
        (minter().claim("tenant", json!(null)), VerifyError::Claim("tenant")),
    ] {
        assert_eq!(refusal(harness.verify(&bad.mint(&harness.key)).await), why);
    }
}

#[tokio::test]
async fn algorithms_are_what_the_list_says() {
    for algorithm in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::RS256, Algorithm::PS256] {
        let (clock, key) = (ManualClock::new(), SigningKey::generate(algorithm).unwrap());
        let token = Minter::new(&clock).mint(&key);
        let mut keys = vec![key.verifying_key()];
        keys.push(crate::harness::key().verifying_key());
        let builder = Verifier::builder()
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .keys(KeySet::new(keys).unwrap())
            .clock(Arc::new(clock));
        let default = builder.build().unwrap();
        assert_eq!(default.verify(&token).await.is_ok(), algorithm == Algorithm::ES256, "{algorithm}");
    }
    let (clock, key) = (ManualClock::new(), SigningKey::generate(Algorithm::Ed25519).unwrap());
    let published = daypass_verify::jwt::JwkSet::new([&key.verifying_key()]).unwrap().to_json();
    let verifier = Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(StaticKeys::from_jwks(published.as_bytes()).unwrap())
        .algorithms([Algorithm::Ed25519, Algorithm::ES256])
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    assert!(verifier.verify(&Minter::new(&clock).mint(&key)).await.is_ok());
}

#[tokio::test]
async fn a_verified_token_tells_what_it_says_and_shows_nothing() {
    #[derive(Deserialize)]
    struct Tenant {
        tenant: u64,
    }
    let harness = Harness::warm().await;
    let minter = harness.minter().scope("orders read").subject("grace").session("s-1").claim("tenant", 7);
    let text = minter.mint(&harness.key);
    let token = harness.verify(&text).await.unwrap();
    assert_eq!((token.subject(), token.session_id()), ("grace", Some("s-1")));
    assert!(token.has_scope("orders") && !token.has_scope("order"));
    assert_eq!(token.decode::<Tenant>().unwrap().tenant, 7);
    assert_eq!(token.decode::<Vec<u8>>().unwrap_err().code(), "malformed");

    let shown =
        format!("{token:?} {:?} {:?}", harness.verifier, harness.verifier.clone().jws(Algorithm::ES256));
    for part in text.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("grace") && !shown.contains("s-1"), "{shown}");
    let refused = harness.verify(&format!("{text}A")).await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("eyJ"));
    assert_eq!(AuthError::Revoked.code(), "revoked");
}
