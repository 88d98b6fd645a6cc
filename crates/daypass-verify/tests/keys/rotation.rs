//! Keys that come and keys that go.

use daypass_testkit::{Fault, Gate, JWKS_PATH};
use daypass_verify::jwt::VerifyError;

use crate::harness::{COOL_DOWN, Harness, REFRESH, SECOND, key, refusal, retry_after, watched};

#[tokio::test]
async fn s27_a_new_key_used_at_once_by_a_hundred_costs_one_request_and_all_pass() {
    let harness = Harness::warm().await;
    let new = key();
    harness.server.publish(&[&harness.key.verifying_key(), &new.verifying_key()]);
    let gate = Gate::new();
    harness.server.faults().next(JWKS_PATH, Fault::HoldRequest(gate.clone()));
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (harness.verifier.clone(), harness.minter().mint(&new));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    harness.until_callers_wait(100).await;
    watched(gate.arrived()).await;
    gate.open();
    for caller in callers {
        watched(caller).await.unwrap().unwrap();
    }
    assert_eq!(harness.server.requests(), 2);
}

#[tokio::test]
async fn s27_a_key_that_an_answer_under_way_is_too_old_for_is_asked_for_again() {
    let harness = Harness::warm().await;
    let gate = Gate::new();
    harness.server.faults().next(JWKS_PATH, Fault::HoldResponse(gate.clone()));
    harness.clock.advance(REFRESH);
    watched(gate.arrived()).await;
    // The answer is made, and holds the old set: now the key changes.
    let new = key();
    harness.server.publish(&[&harness.key.verifying_key(), &new.verifying_key()]);
    let (verifier, token) = (harness.verifier.clone(), harness.minter().mint(&new));
    let caller = tokio::spawn(async move { verifier.verify(&token).await });
    harness.until_callers_wait(1).await;
    gate.open();
    watched(caller).await.unwrap().unwrap();
    assert_eq!(harness.server.requests(), 3);
}

#[tokio::test]
async fn s27_a_caller_waits_for_a_second_and_a_dropped_one_gives_its_place_up() {
    let harness = Harness::warm().await;
    harness.server.faults().always(JWKS_PATH, Fault::Hang);
    let token = harness.minter().mint(&key());
    let caller = || {
        let (verifier, token) = (harness.verifier.clone(), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    // 1,024 wait, and one more does not.
    let mut callers: Vec<_> = (0..1024).map(|_| caller()).collect();
    harness.until_callers_wait(1024).await;
    assert_eq!(retry_after(harness.verify(&token).await), SECOND);
    let stays = callers.pop().unwrap();
    for goes in callers {
        goes.abort();
    }
    harness.until_callers_wait(1).await;
    let again = caller();
    harness.until_callers_wait(2).await;
    harness.clock.advance(SECOND);
    for waited in [stays, again] {
        assert_eq!(retry_after(watched(waited).await.unwrap()), SECOND);
    }
}

#[tokio::test]
async fn s27_who_does_not_wait_is_told_when_to_come_again_and_the_key_is_fetched_meanwhile() {
    let harness = Harness::warm().await;
    let new = key();
    harness.server.publish(&[&harness.key.verifying_key(), &new.verifying_key()]);
    let token = harness.minter().mint(&new);
    assert_eq!(retry_after(harness.verifier.verify_now(&token)), SECOND);
    harness.until(|verifier| verifier.verify_now(&token).is_ok()).await;
    assert_eq!(harness.server.requests(), 2);
}

#[tokio::test]
async fn s31_a_withdrawn_key_is_refused_within_the_freshness_bound_cached_results_included() {
    let harness = Harness::warm().await;
    let kept = key();
    harness.server.publish(&[&harness.key.verifying_key(), &kept.verifying_key()]);
    let (doomed, lasting) = (harness.good(), harness.minter().mint(&kept));
    for token in [&doomed, &lasting] {
        harness.verify(token).await.unwrap();
        harness.verifier.verify_now(token).unwrap();
    }
    harness.server.publish(&[&kept.verifying_key()]);
    assert!(harness.verifier.verify_now(&doomed).is_ok(), "nobody has been told");

    harness.advance_to_fetch(REFRESH).await;
    assert_eq!(refusal(harness.verify(&doomed).await), VerifyError::UnknownKey);
    // A key that stayed verifies nothing anew.
    let hits = hits(&harness);
    assert!(harness.verifier.verify_now(&lasting).is_ok());
    assert_eq!(self::hits(&harness), hits + 1);
}

#[tokio::test]
async fn s31_a_key_that_comes_back_does_not_revive_what_was_cached() {
    let harness = Harness::warm().await;
    let (other, token) = (key(), harness.good());
    harness.verify(&token).await.unwrap();
    harness.server.publish(&[&other.verifying_key()]);
    harness.advance_to_fetch(REFRESH).await;
    harness.server.publish(&[&harness.key.verifying_key()]);
    harness.advance_to_fetch(REFRESH).await;
    let hits = hits(&harness);
    harness.verify(&token).await.unwrap();
    assert_eq!(self::hits(&harness), hits, "its signature was checked again");
}

#[tokio::test]
async fn s31_another_key_under_the_same_id_replaces_the_old_one() {
    let harness = Harness::warm().await;
    let token = harness.good();
    harness.verify(&token).await.unwrap();
    let mut set = serde_json::to_value(harness.key.public_jwk().unwrap()).unwrap();
    let other = serde_json::to_value(key().public_jwk().unwrap()).unwrap();
    for coordinate in ["x", "y"] {
        set[coordinate] = other[coordinate].clone();
    }
    harness.server.publish_raw(serde_json::json!({ "keys": [set] }).to_string());
    harness.advance_to_fetch(REFRESH).await;
    assert_eq!(refusal(harness.verify(&token).await), VerifyError::BadSignature);
    assert_eq!(harness.server.requests(), 2);
}

#[tokio::test]
async fn s31_a_bad_answer_in_between_ends_a_withdrawn_key_all_the_same() {
    let harness = Harness::warm().await;
    let token = harness.good();
    harness.verify(&token).await.unwrap();
    harness.server.publish(&[&key().verifying_key()]);
    harness.server.faults().next(JWKS_PATH, Fault::LoseRequest);
    harness.advance_to_fetch(REFRESH).await;
    assert!(harness.verifier.verify_now(&token).is_ok());
    harness.advance_to_fetch(COOL_DOWN).await;
    // 250 s after the withdrawal, and so within five minutes.
    assert_eq!(refusal(harness.verify(&token).await), VerifyError::UnknownKey);
}

/// How many tokens passed that were seen before.
fn hits(harness: &Harness) -> u64 {
    let text = harness.verifier.metrics_text();
    let line = text.lines().find(|line| line.starts_with("daypass_verify_cache_hits_total")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
