//! What starts with a verifier, and what ends with it.

use daypass_testkit::{AUDIENCE, Fault, ISSUER, JWKS_PATH, KeyServer};
use daypass_verify::jwt::{Algorithm, KeySet, PolicyError, SigningKey};
use daypass_verify::{ConfigError, JwsVerifier, Keys, RemoteKeys, StaticKeys, Verifier};

use crate::harness::{Harness, REFRESH, key, watched};

#[tokio::test]
async fn the_task_ends_with_the_last_clone() {
    let harness = Harness::warm().await;
    let Harness { clock, verifier, server, .. } = harness;
    let clone = verifier.clone();
    let jws = verifier.jws(Algorithm::ES256).unwrap();
    drop(verifier);
    drop(clone);
    assert_eq!(clock.waits().len(), 1, "another kind of verifier shares the keys");
    drop(jws);
    watched(clock.until(<[_]>::is_empty)).await;
    clock.advance(REFRESH);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn the_task_ends_in_the_middle_of_a_request() {
    let harness = Harness::warm().await;
    harness.server.faults().always(JWKS_PATH, Fault::Hang);
    harness.clock.advance(REFRESH);
    watched(harness.server.until_requests(2)).await;
    drop(harness.verifier);
    watched(harness.clock.until(<[_]>::is_empty)).await;
}

#[tokio::test]
async fn nothing_is_left_on_the_runtime() {
    let server = KeyServer::start().await;
    let key = key();
    server.publish(&[&key.verifying_key()]);
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for _ in 0..20 {
        let harness = Harness::cold(key_again(&key), KeyServer::start().await, |builder| builder);
        harness.server.publish(&[&key.verifying_key()]);
        let _ = harness.verify(&harness.good()).await;
        harness.server.server().stop().await;
    }
    watched(async {
        while metrics.num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn key_again(key: &SigningKey) -> SigningKey {
    SigningKey::from_private(key.algorithm(), &key.to_private()).unwrap()
}

fn build(keys: impl Into<Keys>) -> Result<Verifier, ConfigError> {
    Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys).build()
}

#[test]
fn remote_keys_need_a_runtime_and_static_ones_do_not() {
    assert_eq!(build(RemoteKeys::new("https://id.example/keys")).err(), Some(ConfigError::NoRuntime));
    assert!(build(KeySet::new([key().verifying_key()]).unwrap()).is_ok());
}

#[tokio::test]
async fn only_safe_urls_pass() {
    for bad in ["http://id.example/keys", "ftp://id.example/keys", "keys", "https://a:b@id.example/keys"] {
        assert!(matches!(build(RemoteKeys::new(bad)), Err(ConfigError::Url { .. })), "{bad}");
    }
    assert!(build(RemoteKeys::new("http://[::1]:9/keys")).is_ok());
    assert!(build(RemoteKeys::new("http://192.0.2.1:9/keys").allow_http()).is_ok());
    assert!(build(RemoteKeys::new("ftp://192.0.2.1:9/keys").allow_http()).is_err());
}

#[tokio::test]
async fn keys_that_verify_nothing_are_refused() {
    let secret = || StaticKeys::from_secret(&[7; 32]).unwrap();
    assert_eq!(build(secret()).err(), Some(ConfigError::NoUsableKey));
    assert_eq!(build(KeySet::default()).err(), Some(ConfigError::NoUsableKey));
    assert!(matches!(StaticKeys::from_secret(&[7; 31]), Err(ConfigError::Key(_))));
    assert!(matches!(StaticKeys::from_jwks(b"[]"), Err(ConfigError::Jwks(_))));
    let builder = || Verifier::builder().issuer(ISSUER).audience(AUDIENCE);
    assert!(builder().keys(secret()).algorithms(Algorithm::HS256).build().is_ok());
    let published = builder().keys(RemoteKeys::new("https://id.example/keys")).algorithms(Algorithm::HS256);
    assert_eq!(published.build().err(), Some(ConfigError::NoUsableKey));
    let clock = std::sync::Arc::new(daypass_ambient::ManualClock::new());
    assert_eq!(JwsVerifier::new(secret(), Algorithm::ES256, clock).err(), Some(ConfigError::NoUsableKey));
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    let keys = || KeySet::new([key().verifying_key()]).unwrap();
    let ready = || Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys());
    for (builder, fault) in [
        (Verifier::builder().issuer("").audience(AUDIENCE).keys(keys()), PolicyError::NoIssuer),
        (Verifier::builder().issuer(ISSUER).audience("").keys(keys()), PolicyError::NoAudience),
        (ready().also_audience(""), PolicyError::NoAudience),
        (ready().algorithms([]), PolicyError::NoAlgorithm),
        (ready().types([""]), PolicyError::NoType),
        (ready().leeway_seconds(301), PolicyError::Leeway),
        (ready().future_leeway_seconds(301), PolicyError::Leeway),
        (ready().max_lifetime_seconds(0), PolicyError::Lifetime),
    ] {
        assert_eq!(builder.build().err(), Some(ConfigError::Policy(fault)));
    }
}
