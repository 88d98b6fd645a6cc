//! The issuer's keys cannot be fetched.

use daypass_testkit::{Canned, Fault, JWKS_PATH, KeyServer, with_key_id};
use daypass_verify::jwt::VerifyError;

use crate::harness::{COOL_DOWN, Harness, REFRESH, SECOND, key, refusal, retry_after, watched};

/// How long the last keys stay good.
const GOOD_FOR: std::time::Duration = std::time::Duration::from_hours(1);

#[tokio::test]
async fn s28_warm_keys_stay_good_for_an_hour_of_503_and_then_it_is_503() {
    let harness = Harness::warm().await;
    harness.server.faults().always(JWKS_PATH, Canned::status(503));
    harness.advance_to_fetch(REFRESH).await;
    let mut seconds = REFRESH.as_secs();
    // As many attempts as cool-downs go into the hour.
    while seconds < 3590 {
        let token = harness.good();
        assert!(harness.verifier.verify_now(&token).is_ok() && harness.verifier.verify_now(&token).is_ok());
        harness.advance_to_fetch(COOL_DOWN).await;
        seconds += 10;
    }
    assert_eq!((harness.server.requests(), harness.last_error()), (1 + 336, Some("status")));
    harness.clock.advance(9 * SECOND);
    let token = harness.good();
    assert!(harness.verify(&token).await.is_ok() && harness.verifier.verify_now(&token).is_ok());

    harness.clock.advance(SECOND);
    assert!(!harness.verifier.health().is_ready());
    // Neither the cached token nor a new one, and neither is ever called bad.
    for token in [token, harness.good()] {
        assert!(!retry_after(harness.verifier.verify_now(&token)).is_zero());
        assert!(!retry_after(harness.verify(&token).await).is_zero());
    }
    assert_eq!(refusal(harness.verify("junk").await).code(), "malformed", "junk needs no keys");

    harness.server.faults().clear();
    harness.until_task_rests().await;
    harness.advance_to_fetch(COOL_DOWN).await;
    assert!(harness.verifier.verify_now(&harness.good()).is_ok());
    assert_eq!(harness.last_error(), None);
}

#[tokio::test]
async fn s28_cold_it_is_503_and_heals_by_itself() {
    let server = KeyServer::start().await;
    server.faults().always(JWKS_PATH, Canned::status(503));
    let harness = Harness::cold(key(), server, |builder| builder);
    harness.server.publish(&[&harness.key.verifying_key()]);
    harness.until_task_rests().await;
    let token = harness.good();
    assert_eq!(retry_after(harness.verify(&token).await), COOL_DOWN);
    assert_eq!(retry_after(harness.verify(&with_key_id(&token, "made-up")).await), COOL_DOWN);
    harness.advance_to_fetch(COOL_DOWN).await;
    assert_eq!(retry_after(harness.verify(&token).await), COOL_DOWN);

    harness.server.faults().clear();
    // Nobody calls.
    harness.advance_to_fetch(COOL_DOWN).await;
    assert_eq!((harness.age(), harness.server.requests()), (Some(0), 3));
    assert!(harness.verifier.verify_now(&token).is_ok());
}

#[tokio::test]
async fn s28_the_first_callers_wait_for_the_first_keys() {
    let key = key();
    let server = KeyServer::start().await;
    server.publish(&[&key.verifying_key()]);
    let harness = Harness::cold(key, server, |builder| builder);
    let token = harness.good();
    assert_eq!(retry_after(harness.verifier.verify_now(&token)), SECOND);
    assert!(harness.verify(&token).await.is_ok());
    assert_eq!(harness.server.requests(), 1);
}

#[tokio::test]
async fn s28_a_server_that_is_not_there_is_no_fault_of_the_tokens() {
    let harness = Harness::warm().await;
    harness.server.server().stop().await;
    harness.clock.advance(REFRESH);
    harness.until(|verifier| verifier.health().issuers[0].keys.last_error == Some("connect")).await;
    assert!(harness.verify(&harness.good()).await.is_ok());
    harness.until_task_rests().await;
    assert_eq!(retry_after(harness.verify(&harness.minter().mint(&key())).await), COOL_DOWN);
    harness.server.server().restart().await;
    harness.advance_to_fetch(COOL_DOWN).await;
    assert_eq!(harness.last_error(), None);
}

#[tokio::test]
async fn s29_a_server_that_hangs_leaves_known_keys_alone() {
    let harness = Harness::warm().await;
    harness.server.faults().always(JWKS_PATH, Fault::Hang);
    let known = harness.good();
    harness.clock.advance(REFRESH);
    watched(harness.server.until_requests(2)).await;
    // Thirty seconds, of which the request that hangs is given two.
    for second in 0..30 {
        assert!(
            harness.verifier.verify_now(&known).is_ok()
                && harness.verifier.verify_now(&harness.good()).is_ok()
        );
        let requests = harness.server.requests();
        harness.clock.advance(SECOND);
        match second {
            1 | 13 | 25 => harness.until_task_rests().await,
            11 | 23 => watched(harness.server.until_requests(requests + 1)).await,
            _ => {}
        }
    }
    assert_eq!((harness.last_error(), harness.server.requests()), (Some("timeout"), 4));
}

#[tokio::test]
async fn s29_whoever_waits_for_a_key_meanwhile_waits_for_a_second() {
    let harness = Harness::warm().await;
    harness.server.faults().always(JWKS_PATH, Fault::Hang);
    let (verifier, token) = (harness.verifier.clone(), harness.minter().mint(&key()));
    let caller = tokio::spawn(async move { verifier.verify(&token).await });
    harness.until_callers_wait(1).await;
    harness.clock.advance(SECOND);
    assert_eq!(retry_after(watched(caller).await.unwrap()), SECOND);
}

#[tokio::test]
async fn s28_after_a_night_asleep_the_keys_are_fetched_at_once() {
    let harness = Harness::warm().await;
    let token = harness.minter().mint(&harness.key);
    // The task's timer stood still, and so did nothing else.
    harness.clock.suspend(2 * GOOD_FOR);
    assert_eq!(refusal(harness.verify(&token).await), VerifyError::Expired);
    assert_eq!(harness.server.requests(), 1);
    assert!(harness.verify(&harness.good()).await.is_ok());
    assert_eq!((harness.age(), harness.server.requests()), (Some(0), 2));
}

#[tokio::test]
async fn s31_after_a_nap_a_withdrawn_key_is_found_out_at_the_first_use() {
    let harness = Harness::warm().await;
    let token = harness.good();
    harness.verify(&token).await.unwrap();
    harness.server.publish(&[&key().verifying_key()]);
    harness.clock.suspend(REFRESH + 60 * SECOND);
    assert!(
        harness.verifier.verify_now(&token).is_ok(),
        "the keys are five minutes old, and good for an hour"
    );
    // That one look has woken the task.
    watched(harness.server.until_requests(2)).await;
    harness.until(|verifier| verifier.verify_now(&token).is_err()).await;
}
