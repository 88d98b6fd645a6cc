//! What is told about a verifier.

use daypass_testkit::{Fault, JWKS_PATH, KeyServer};

use crate::harness::{Harness, REFRESH, SECOND, key, retry_after};

#[tokio::test]
async fn health_and_metrics_tell_how_the_keys_are() {
    let key = key();
    let server = KeyServer::start().await;
    server.faults().next(JWKS_PATH, Fault::LoseResponse);
    server.publish(&[&key.verifying_key()]);
    let harness = Harness::cold(key, server, |builder| builder);
    harness.until_task_rests().await;
    insta::assert_snapshot!(serde_json::to_string(&harness.verifier.health()).unwrap(), @r#"{"issuers":[{"issuer":"https://id.example","keys":{"usable":false,"number":0,"age_seconds":null,"last_error":"connect"},"revocations":null}]}"#);
    let token = harness.minter().claim("jti", "always as long").mint(&harness.key);
    assert!(!retry_after(harness.verifier.verify_now(&token)).is_zero());

    harness.advance_to_fetch(crate::harness::COOL_DOWN).await;
    for _ in 0..3 {
        harness.verifier.verify_now(&token).unwrap();
    }
    assert!(harness.verify("junk").await.is_err());
    harness.clock.advance(7 * SECOND);
    insta::assert_snapshot!(serde_json::to_string(&harness.verifier.health()).unwrap(), @r#"{"issuers":[{"issuer":"https://id.example","keys":{"usable":true,"number":1,"age_seconds":7,"last_error":null},"revocations":null}]}"#);
    let text = harness.verifier.metrics_text();
    // The samples of a family come in any order.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!("metrics", lines.join("\n"));
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn static_keys_have_no_age() {
    let keys = daypass_verify::jwt::KeySet::new([key().verifying_key()]).unwrap();
    let verifier = daypass_verify::Verifier::builder().issuer("a").audience("b").keys(keys).build().unwrap();
    assert!(verifier.health().is_ready());
    assert_eq!(verifier.health().issuers[0].keys.age_seconds, None);
    assert!(!verifier.metrics_text().contains("keys_age_seconds"));
}

#[tokio::test]
async fn an_outage_shows_at_once_and_keys_stay_usable() {
    let harness = Harness::warm().await;
    harness.server.faults().next(JWKS_PATH, Fault::LoseRequest);
    harness.advance_to_fetch(REFRESH).await;
    let keys = &harness.verifier.health().issuers[0].keys;
    assert_eq!((keys.usable, keys.age_seconds, keys.last_error), (true, Some(240), Some("connect")));
}
