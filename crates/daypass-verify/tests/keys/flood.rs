//! Junk costs the issuer next to nothing, and good tokens nothing at all.

use std::time::Duration;

use daypass_testkit::{Fault, Gate, JWKS_PATH, with_key_id, with_other_signature};
use daypass_verify::jwt::VerifyError;
use daypass_verify::{AuthError, Lacking};

use crate::harness::{COOL_DOWN, Harness, REFRESH, SECOND, refusal, retry_after, watched};

#[tokio::test]
async fn s25_ten_thousand_unknown_key_ids_in_a_minute_cost_six_requests() {
    let harness = Harness::warm().await;
    let known = harness.good();
    let (mut unknown, mut unavailable) = (0, 0);
    for number in 0..10_000 {
        let fresh = harness.good();
        match harness.verify(&with_key_id(&fresh, &format!("made-up-{number}"))).await {
            Err(AuthError::Invalid(VerifyError::UnknownKey)) => unknown += 1,
            Err(AuthError::Unavailable { what: Lacking::Keys, retry_after }) => {
                assert!(!retry_after.is_zero() && retry_after <= COOL_DOWN, "{retry_after:?}");
                unavailable += 1;
            }
            other => panic!("{other:?}"),
        }
        // Neither a token seen before nor a new one waits for anything.
        assert!(harness.verifier.verify_now(&known).is_ok());
        if number % 16 == 0 {
            assert!(harness.verifier.verify_now(&fresh).is_ok());
        }
        harness.clock.advance(Duration::from_millis(6));
    }
    // The flood went on for a minute; the keys were fetched once before.
    assert_eq!((harness.server.requests() - 1, unknown, unavailable), (6, 6, 9_994));
}

#[tokio::test]
async fn s25_a_flood_at_once_takes_sixty_four_places_and_leaves_good_tokens_alone() {
    let harness = Harness::warm().await;
    let gate = Gate::new();
    harness.server.faults().next(JWKS_PATH, Fault::HoldRequest(gate.clone()));
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let (verifier, token) =
                (harness.verifier.clone(), with_key_id(&harness.good(), &number.to_string()));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    harness.until_callers_wait(64).await;
    watched(gate.arrived()).await;
    assert!(harness.verifier.verify_now(&harness.good()).is_ok());
    gate.open();
    let (mut unknown, mut unavailable) = (0, 0);
    for judged in flood {
        match watched(judged).await.unwrap() {
            Err(AuthError::Invalid(VerifyError::UnknownKey)) => unknown += 1,
            judged => {
                assert_eq!(retry_after(judged), SECOND);
                unavailable += 1;
            }
        }
    }
    assert_eq!((unknown, unavailable, harness.server.requests()), (64, 136, 2));
}

#[tokio::test]
async fn s26_ten_thousand_bad_signatures_of_a_known_key_cost_no_request() {
    let harness = Harness::warm().await;
    let good = harness.good();
    let bad = with_other_signature(&good);
    for _ in 0..10_000 {
        assert_eq!(refusal(harness.verify(&bad).await), VerifyError::BadSignature);
    }
    assert_eq!(harness.server.requests(), 1);
    assert!(harness.verify(&good).await.is_ok());
}

#[tokio::test]
async fn s25_a_key_that_would_have_been_published_is_unknown_for_certain() {
    let harness = Harness::warm().await;
    harness.clock.advance(31 * SECOND);
    // The one fetch for a miss, and the cool-down after it.
    let made_up = |minter: daypass_testkit::Minter| with_key_id(&minter.mint(&harness.key), "made-up");
    assert_eq!(refusal(harness.verify(&made_up(harness.minter())).await), VerifyError::UnknownKey);
    harness.clock.advance(4 * SECOND);
    let rest = 6 * SECOND;

    // The keys were asked for 4 s ago. Issued 34 s ago, with the issuer's clock 30 s behind, is the same moment.
    let issued = |seconds| made_up(harness.minter().issued_at(harness.ago(seconds)));
    for ago in [0, 4, 33, 34] {
        assert_eq!(retry_after(harness.verify(&issued(ago)).await), rest, "{ago}");
        assert_eq!(retry_after(harness.verifier.verify_now(&issued(ago))), rest, "{ago}");
    }
    for ago in [35, 300] {
        assert_eq!(refusal(harness.verify(&issued(ago)).await), VerifyError::UnknownKey, "{ago}");
        assert_eq!(refusal(harness.verifier.verify_now(&issued(ago))), VerifyError::UnknownKey, "{ago}");
    }
    assert_eq!(harness.server.requests(), 2);
}

#[tokio::test]
async fn s25_a_step_of_the_wall_clock_makes_no_key_unknown() {
    let harness = Harness::warm().await;
    // The keys are fetched while the wall clock is an hour ahead.
    harness.clock.set_wall(harness.ago(0) + 3600 * SECOND);
    assert_eq!(
        refusal(harness.verify(&with_key_id(&harness.good(), "made-up")).await),
        VerifyError::UnknownKey
    );
    harness.clock.set_wall(harness.ago(3600));
    let new = with_key_id(&harness.good(), "perhaps new");
    assert_eq!(retry_after(harness.verify(&new).await), COOL_DOWN);
}

#[tokio::test]
async fn s25_after_a_failure_nothing_is_unknown_for_certain() {
    let harness = Harness::warm().await;
    harness.server.faults().next(JWKS_PATH, Fault::LoseResponse);
    harness.advance_to_fetch(REFRESH).await;
    assert_eq!(harness.last_error(), Some("connect"));
    let old = harness.minter().issued_at(harness.ago(280)).mint(&harness.key);
    assert!(harness.verify(&old).await.is_ok());
    assert_eq!(retry_after(harness.verify(&with_key_id(&old, "made-up")).await), COOL_DOWN);
}
