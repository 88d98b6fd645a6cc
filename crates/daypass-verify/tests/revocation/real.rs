//! The real service's sessions end, and its tokens are refused.

use std::time::Duration;

use daypass_testkit::{NAME, PASSWORD, TestService};
use daypass_verify::{RemoteKeys, Verifier};

use crate::harness::{FEED, Following, SECOND, follow, real, text, watched};
use daypass_verify::revocation::RevocationFeed;

#[tokio::test]
async fn s32_a_revoked_session_is_refused_at_the_next_poll_remembered_tokens_included() {
    let (service, following) = real(|feed| feed).await;
    let (ended, other) = (service.sign_in().await, service.sign_in().await);
    let (ended, sid, other) =
        (text(&ended, "access_token"), text(&ended, "session_id"), text(&other, "access_token"));
    for token in [ended, ended, other] {
        assert_eq!(following.outcome(token).await, "ok");
    }
    assert!(following.metric("daypass_verify_cache_hits_total") >= 1.0, "it is remembered");
    service.revoke_session(sid).await;
    let wait = following.polled(1.0).await;
    assert!(wait <= SECOND * 11 / 10, "{wait:?}");
    following.next_poll().await;
    assert_eq!(following.outcome(ended).await, "revoked");
    assert_eq!(following.verifier.verify_now(ended).unwrap_err().code(), "revoked");
    assert_eq!(following.outcome(other).await, "ok");
    assert_eq!((following.health().entries, following.metric("daypass_verify_feed_entries")), (1, 1.0));
}

/// The same with nothing prepared: keys, feed and its token all come over the network.
#[tokio::test]
async fn s32_a_revoked_session_is_refused_by_a_verifier_that_knows_only_urls() {
    let service = TestService::start().await;
    let (id, secret) = service.client();
    let feed = RevocationFeed::new(format!("{}{FEED}", service.url())).credentials(id, secret);
    let keys = RemoteKeys::new(format!("{}/.well-known/jwks.json", service.url()));
    let builder = Verifier::builder().issuer(service.url()).audience(service.url()).keys(keys);
    let following = Following::new(builder, service.clock(), feed);
    let pair = service.sign_in().await;
    let token = text(&pair, "access_token");
    assert_eq!(following.outcome(token).await, "ok");
    service.revoke_session(text(&pair, "session_id")).await;
    // The keys' task waits for minutes, the feed's for a second.
    let resting = |waits: &[Duration], polls| waits.len() == 2 && following.polls() >= polls;
    watched(following.clock.until(|waits| resting(waits, 1.0))).await;
    following.clock.advance(following.clock.waits()[0]);
    watched(following.clock.until(|waits| resting(waits, 2.0))).await;
    assert_eq!(following.outcome(token).await, "revoked");
}

#[tokio::test]
async fn s32_a_session_that_ended_before_the_verifier_started_is_refused() {
    let service = TestService::start().await;
    let pair = service.sign_in().await;
    service.revoke_session(text(&pair, "session_id")).await;
    let following = follow(&service, |feed| feed);
    following.polled(1.0).await;
    assert_eq!(following.outcome(text(&pair, "access_token")).await, "revoked");
}

#[tokio::test]
async fn s32_all_sessions_of_a_subject_end_and_later_ones_do_not() {
    let (service, following) = real(|feed| feed).await;
    service.add_person("bob", PASSWORD).await;
    let bob = service.sign_in_as("bob", PASSWORD).await;
    let before = [service.sign_in().await, service.sign_in_as(NAME, PASSWORD).await];
    let all = reqwest::Client::builder().no_proxy().build().unwrap();
    let all = all.delete(format!("{}/v1/sessions", service.url()));
    let answer = all.bearer_auth(text(&before[0], "access_token")).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    service.clock().advance(Duration::from_millis(2));
    let after = service.sign_in().await;
    following.next_poll().await;
    for pair in &before {
        assert_eq!(following.outcome(text(pair, "access_token")).await, "revoked");
    }
    assert_eq!(following.outcome(text(&after, "access_token")).await, "ok");
    assert_eq!(following.outcome(text(&bob, "access_token")).await, "ok");
}

#[tokio::test]
async fn a_client_that_acts_for_itself_passes() {
    let (service, following) = real(|feed| feed).await;
    let (id, secret) = service.client();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = format!("grant_type=client_credentials&scope=orders&resource={}", service.url());
    let answer = client
        .post(format!("{}/oauth2/token", service.url()))
        .basic_auth(id, Some(secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let token = following.verify(text(&answer, "access_token")).await.unwrap();
    assert_eq!((token.session_id(), token.subject()), (None, id));
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let (service, following) =
        real(|feed| feed.poll_every(Duration::from_mins(10)).max_staleness(Duration::from_mins(20))).await;
    let pair = service.sign_in().await;
    service.revoke_session(text(&pair, "session_id")).await;
    following.next_poll().await;
    assert_eq!(following.health().entries, 1);
    following.polls_for(Duration::from_mins(40)).await;
    assert_eq!(following.health().entries, 1);
    following.polls_for(Duration::from_mins(40)).await;
    assert_eq!(following.health().entries, 0);
}

#[tokio::test]
async fn a_service_that_was_away_is_followed_on() {
    let (service, following) = real(|feed| feed).await;
    let pair = service.sign_in().await;
    service.stop().await;
    following.next_poll().await;
    assert_eq!(following.health().last_error, Some("unreachable"));
    service.restart().await;
    service.revoke_session(text(&pair, "session_id")).await;
    following.next_poll().await;
    assert_eq!(following.health().last_error, None);
    assert_eq!(following.outcome(text(&pair, "access_token")).await, "revoked");
    let asked = service.faults().requests(FEED);
    assert!(asked.last().unwrap().target.contains("since="), "it reads on, and does not begin again");
}
