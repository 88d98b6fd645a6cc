//! The feed cannot be read for too long, or not yet.

use std::pin::pin;
use std::time::Duration;

use daypass_testkit::{Canned, Fault, Gate};
use daypass_verify::revocation::WhenStale;

use crate::harness::{FEED, Made, SECOND, STALE, is_stale, ok, page, real, reset, sid, text, watched};

const REFUSE: WhenStale = WhenStale::Refuse;

#[tokio::test]
async fn s32_a_stale_feed_lets_tokens_pass_if_so_configured_and_says_so() {
    let (service, following) = real(|feed| feed).await;
    let (ended, other) = (service.sign_in().await, service.sign_in().await);
    service.revoke_session(text(&ended, "session_id")).await;
    following.next_poll().await;
    service.faults().always(FEED, Canned::status(503));
    following.polls_for(31 * SECOND).await;
    assert_eq!(following.outcome(text(&other, "access_token")).await, "ok");
    assert_eq!(following.outcome(text(&ended, "access_token")).await, "revoked", "what is known stays known");
    let health = following.health();
    assert!(health.stale && health.age_seconds.unwrap() >= 31, "{health:?}");
    assert_eq!(health.last_error, Some("status"));
    assert!(!health.refusing && following.verifier.health().is_ready());
    assert!((following.metric("daypass_verify_feed_stale") - 1.0).abs() < 0.1);
    assert!(following.metric("daypass_verify_feed_age_seconds") > 31.0);
    service.faults().clear();
    following.next_poll().await;
    let health = following.health();
    assert_eq!((health.stale, health.age_seconds, health.last_error), (false, Some(0), None));
    assert!(following.metric("daypass_verify_feed_stale") < 0.1);
}

#[tokio::test]
async fn s32_a_stale_feed_refuses_tokens_if_so_configured_and_never_by_401() {
    let (service, following) = real(|feed| feed.when_stale(REFUSE)).await;
    let (ended, other) = (service.sign_in().await, service.sign_in().await);
    service.revoke_session(text(&ended, "session_id")).await;
    following.next_poll().await;
    let (ended, other) = (text(&ended, "access_token"), text(&other, "access_token"));
    assert_eq!((following.outcome(ended).await, following.outcome(other).await), ("revoked", "ok"));
    service.faults().always(FEED, Canned::status(503));
    following.clock.suspend(31 * SECOND);
    assert_eq!(following.outcome(other).await, STALE, "as soon as its time is over, polls or not");
    following.polls_for(SECOND).await;
    assert!(is_stale(&following.verify(other).await));
    assert!(is_stale(&following.verifier.verify_now(other)), "a token that is remembered too");
    assert_eq!(following.outcome(ended).await, "revoked");
    assert!(following.health().refusing && !following.verifier.health().is_ready());
    service.faults().clear();
    following.next_poll().await;
    assert!(following.verifier.health().is_ready());
    assert_eq!(following.outcome(other).await, "ok");
}

#[tokio::test]
async fn staleness_begins_when_its_time_is_over_and_not_before() {
    let made = Made::start(ok(&reset("a", true, &[])), |feed| feed.when_stale(REFUSE)).await;
    let following = &made.following;
    following.polled(1.0).await;
    let token = made.token(&sid(1));
    following.clock.suspend(30 * SECOND);
    assert_eq!(following.outcome(&token).await, "ok");
    following.clock.suspend(Duration::from_millis(1));
    assert_eq!(following.outcome(&token).await, STALE);
}

#[tokio::test]
async fn a_verifier_that_was_just_built_waits_for_the_first_list() {
    let gate = Gate::new();
    let made = Made::start(ok(&reset("a", true, &[])), |feed| feed.when_stale(REFUSE)).await;
    made.following.polled(1.0).await;
    // A second one, whose first poll is held.
    let held = Made::start(Fault::HoldRequest(gate.clone()), |feed| feed.when_stale(REFUSE)).await;
    watched(gate.arrived()).await;
    let (token, following) = (held.token(&sid(1)), &held.following);
    assert!(is_stale(&following.verifier.verify_now(&token)));
    let mut waiting = pin!(following.verify(&token));
    let wait = following.clock.until(|waits| waits.contains(&SECOND));
    tokio::select! {
        outcome = &mut waiting => panic!("it does not wait: {outcome:?}"),
        () = wait => {}
    }
    following.clock.advance(SECOND);
    assert!(is_stale(&waiting.await), "no longer than a second");
}

#[tokio::test]
async fn a_token_that_waited_for_the_first_list_is_judged_by_it() {
    let (service, gate) = (daypass_testkit::TestService::start().await, Gate::new());
    let (ended, other) = (service.sign_in().await, service.sign_in().await);
    service.revoke_session(text(&ended, "session_id")).await;
    service.faults().next(FEED, Fault::HoldRequest(gate.clone()));
    let following = crate::harness::follow(&service, |feed| feed.when_stale(REFUSE));
    let (ended, other) = (text(&ended, "access_token"), text(&other, "access_token"));
    let waiting =
        async { tokio::join!(Box::pin(following.outcome(ended)), Box::pin(following.outcome(other))) };
    let opening = async {
        let two = |waits: &[Duration]| waits.iter().filter(|wait| **wait == SECOND).count() == 2;
        following.clock.until(two).await;
        gate.open();
    };
    let (outcomes, ()) = watched(async { tokio::join!(waiting, opening) }).await;
    assert_eq!(outcomes, ("revoked", "ok"));
}

#[tokio::test]
async fn a_first_poll_that_fails_is_not_waited_for_again() {
    let made = Made::start(Canned::status(503), |feed| feed.when_stale(REFUSE)).await;
    made.following.polled(1.0).await;
    // Nobody moves the clock: a wait would not end.
    assert_eq!(made.following.outcome(&made.token(&sid(1))).await, STALE);
    assert_eq!(made.following.health().age_seconds, None);
    assert!(made.following.metric("daypass_verify_feed_stale") > 0.9);
    made.next(ok(&reset("a", true, &[2]))).await;
    assert_eq!(made.ended().await, [2]);
}

#[tokio::test]
async fn a_snapshot_that_is_not_complete_is_not_fresh() {
    let made = Made::start(ok(&reset("a", false, &[2])), |feed| feed.when_stale(REFUSE)).await;
    made.following.polled(1.0).await;
    assert_eq!(made.following.outcome(&made.token(&sid(1))).await, STALE);
    assert_eq!(made.following.outcome(&made.token(&sid(2))).await, "revoked");
    made.next(ok(&page("b", true, &[3]))).await;
    assert_eq!(made.ended().await, [2, 3]);
}

#[tokio::test]
async fn what_is_known_is_as_old_as_the_question() {
    let (service, following) = real(|feed| feed).await;
    let gate = Gate::new();
    service.faults().next(FEED, Fault::HoldResponse(gate.clone()));
    following.clock.advance(following.polled(1.0).await);
    watched(gate.arrived()).await;
    following.clock.advance(4 * SECOND);
    gate.open();
    following.polled(2.0).await;
    assert_eq!(following.health().age_seconds, Some(4));
}
