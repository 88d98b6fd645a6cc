//! Several issuers behind one verifier.

use daypass_testkit::{Canned, JWKS_PATH, KeyServer, with_key_id};
use daypass_verify::jwt::{Algorithm, KeySet, VerifyError};
use daypass_verify::{ConfigError, RemoteKeys, Verifier};

use crate::harness::{Harness, key, refusal, retry_after};

const OTHER: &str = "https://other.example";

/// The usual issuer and another one, whose tokens need a scope, each with its own key.
struct Two {
    first: Harness,
    other: Harness,
    both: Verifier,
}

impl Two {
    async fn start() -> Self {
        let first = Harness::warm().await;
        let (key, server) = (key(), KeyServer::start().await);
        server.publish(&[&key.verifying_key()]);
        let verifier = Verifier::builder()
            .issuer(OTHER)
            .audience(daypass_testkit::AUDIENCE)
            .keys(RemoteKeys::new(server.url()))
            .require_scope("orders")
            .clock(std::sync::Arc::new(first.clock.clone()))
            .build()
            .unwrap();
        let other = Harness { clock: first.clock.clone(), key, server, verifier };
        other.until(|verifier| verifier.health().is_ready()).await;
        let both = Verifier::any_of([first.verifier.clone(), other.verifier.clone()]).unwrap();
        Self { first, other, both }
    }
}

#[tokio::test]
async fn each_token_is_judged_by_its_issuers_keys_and_rules_alone() {
    let Two { first, other, both } = Two::start().await;
    let firsts = first.good();
    let others = other.minter().issuer(OTHER).scope("orders").mint(&other.key);
    for _ in 0..2 {
        assert_eq!(both.verify(&firsts).await.unwrap().claims().iss, daypass_testkit::ISSUER);
        assert_eq!(both.verify_now(&others).unwrap().claims().iss, OTHER);
    }
    let no_scope = other.minter().issuer(OTHER).mint(&other.key);
    assert_eq!(both.verify(&no_scope).await.unwrap_err().code(), "scope");

    // One issuer's key does not sign for the other, not even under the name of the other's key.
    let forged = other.minter().mint(&other.key);
    assert_eq!(refusal(both.verify(&forged).await), VerifyError::UnknownKey);
    assert_eq!(refusal(both.verify(&with_key_id(&forged, first.key.kid())).await), VerifyError::BadSignature);
    assert_eq!(
        (first.server.requests(), other.server.requests()),
        (2, 1),
        "the other's keys were not asked for"
    );

    let nobodys = first.minter().issuer("https://nobody.example").mint(&first.key);
    assert_eq!(refusal(both.verify(&nobodys).await), VerifyError::Issuer);
    assert_eq!(refusal(both.verify_now(&nobodys)), VerifyError::Issuer);
    assert_eq!(
        refusal(both.verify(&first.minter().without("iss").mint(&first.key)).await),
        VerifyError::Issuer
    );
    assert_eq!(refusal(both.verify("a.b").await).code(), "malformed");
    assert_eq!(refusal(both.verify(&".".repeat(20_000)).await), VerifyError::TooLarge);
    let text = both.metrics_text();
    assert!(text.contains(r#"daypass_verify_verified_total{issuer="",outcome="issuer"} 3"#), "{text}");
}

#[tokio::test]
async fn one_issuers_outage_is_not_the_others() {
    let key = key();
    let (first, other) = (Harness::warm().await, KeyServer::start().await);
    other.faults().always(JWKS_PATH, Canned::status(503));
    let cold = Verifier::builder()
        .issuer(OTHER)
        .audience(daypass_testkit::AUDIENCE)
        .keys(RemoteKeys::new(other.url()))
        .clock(std::sync::Arc::new(first.clock.clone()))
        .build()
        .unwrap();
    let both = Verifier::any_of([first.verifier.clone(), cold]).unwrap();
    assert!(!retry_after(both.verify(&first.minter().issuer(OTHER).mint(&key)).await).is_zero());
    assert!(both.verify(&first.good()).await.is_ok());
    let health = both.health();
    assert!(!health.is_ready());
    assert_eq!(health.issuers.iter().map(|issuer| issuer.keys.usable).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_group_has_each_issuer_once() {
    let of = |issuer: &str| {
        let keys = KeySet::new([key().verifying_key()]).unwrap();
        Verifier::builder().issuer(issuer).audience("api").keys(keys).build().unwrap()
    };
    assert_eq!(Verifier::any_of([]).err(), Some(ConfigError::NoVerifier));
    assert_eq!(
        Verifier::any_of([of("a"), of("b"), of("a")]).err(),
        Some(ConfigError::DuplicateIssuer("a".to_owned()))
    );
    let pair = Verifier::any_of([of("a"), of("b")]).unwrap();
    assert_eq!(pair.jws(Algorithm::ES256).err(), Some(ConfigError::SeveralIssuers));
    // Groups make larger groups, by the same rule.
    assert!(Verifier::any_of([pair.clone(), of("b")]).is_err());
    assert_eq!(Verifier::any_of([pair, of("c")]).unwrap().health().issuers.len(), 3);
}
