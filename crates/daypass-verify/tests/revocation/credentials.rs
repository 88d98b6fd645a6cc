//! The token to read the feed with.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use daypass_testkit::{Canned, Fault, TestService};
use daypass_verify::revocation::RevocationFeed;
use serde_json::json;

use crate::harness::{FEED, Following, Made, SECOND, TOKEN, follow, ok, page, reset};

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_for_four_fifths_of_its_life() {
    let service = TestService::builder().access(60 * SECOND).start().await;
    let following = follow(&service, |feed| feed);
    following.polled(1.0).await;
    let asked = &service.faults().requests(TOKEN)[0];
    let form: Vec<_> = form_urlencoded::parse(&asked.body).into_owned().collect();
    let wanted =
        [("grant_type", "client_credentials"), ("scope", "daypass:feed"), ("resource", service.url())];
    assert_eq!(form, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    following.polls_for(45 * SECOND).await;
    assert_eq!(service.faults().arrived(TOKEN), 1);
    following.polls_for(5 * SECOND).await;
    assert_eq!(service.faults().arrived(TOKEN), 2);
    following.polls_for(200 * SECOND).await;
    assert_eq!(service.faults().arrived(TOKEN), 6);
    assert!((following.polls_that("read") - following.polls()).abs() < 0.1, "no poll failed");
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_in_the_same_poll() {
    let service = TestService::start().await;
    let following = follow(&service, |feed| feed);
    following.polled(1.0).await;
    service.faults().next(FEED, Canned::json(401, &json!({})));
    following.next_poll().await;
    assert_eq!((service.faults().arrived(TOKEN), following.health().last_error), (2, None));
    // One that is new and refused is not replaced before the next poll.
    service.faults().next_times(FEED, 2, Canned::json(401, &json!({})));
    following.next_poll().await;
    assert_eq!((service.faults().arrived(TOKEN), following.health().last_error), (3, Some("refused")));
    following.next_poll().await;
    assert_eq!((service.faults().arrived(TOKEN), following.health().last_error), (4, None));
}

#[tokio::test]
async fn while_no_new_token_is_to_be_had_the_old_one_serves_as_long_as_it_can() {
    let service = TestService::builder().access(60 * SECOND).start().await;
    let following = follow(&service, |feed| feed);
    following.polled(1.0).await;
    service.faults().always(TOKEN, Canned::status(503).header("retry-after", "3"));
    following.polls_for(55 * SECOND).await;
    let asked = service.faults().arrived(TOKEN);
    assert!((2..5).contains(&asked), "{asked} times, every five seconds and not each time");
    assert_eq!(following.health().last_error, None);
    let mut wait = SECOND;
    while following.health().last_error.is_none() {
        wait = following.next_poll().await;
    }
    assert_eq!(following.health().last_error, Some("token"));
    assert!(wait >= 3 * SECOND, "{wait:?}");
    service.faults().clear();
    following.next_poll().await;
    assert_eq!(following.health().last_error, None);
}

#[tokio::test]
async fn a_client_that_the_service_does_not_know_reads_nothing() {
    let service = TestService::start().await;
    let following = follow(&service, |feed| feed.credentials("backend", "not the secret"));
    following.polled(1.0).await;
    assert_eq!(following.health().last_error, Some("token"));
    assert_eq!(service.faults().arrived(FEED), 0);
}

#[tokio::test]
async fn an_answer_that_holds_no_bearer_token_is_none() {
    let service = TestService::start().await;
    let answers: [Fault; 5] = [
        ok(&json!({ "access_token": "a", "token_type": "DPoP", "expires_in": 60 })).into(),
        ok(&json!({ "access_token": "a\nb", "token_type": "Bearer", "expires_in": 60 })).into(),
        ok(&json!({ "token_type": "Bearer" })).into(),
        Canned::html(200, "<html>").into(),
        Canned::status(200).body(vec![b' '; 100_000]).into(),
    ];
    let number = answers.len();
    for answer in answers {
        service.faults().next(TOKEN, answer);
    }
    let following = follow(&service, |feed| feed);
    following.polled(1.0).await;
    for _ in 1..number {
        following.next_poll().await;
    }
    assert_eq!((service.faults().arrived(FEED), following.health().age_seconds), (0, None));
    following.next_poll().await;
    assert_eq!(following.health().last_error, None);
}

#[tokio::test]
async fn odd_names_and_secrets_arrive_as_they_are() {
    let service = TestService::start().await;
    let following = follow(&service, |feed| feed.credentials("a:b c", "ä%&+"));
    following.polled(1.0).await;
    let asked = &service.faults().requests(TOKEN)[0];
    // `a%3Ab+c:%C3%A4%25%26%2B`, as RFC 6749 section 2.3.1 wants it.
    assert_eq!(asked.header("authorization"), Some("Basic YSUzQWIrYzolQzMlQTQlMjUlMjYlMkI="));
}

#[tokio::test]
async fn tokens_may_come_from_elsewhere() {
    let made = Made::with(reset("a", true, &[])).await;
    let bearer = |made: &Made| {
        let last = made.faults().requests(FEED).pop().unwrap();
        last.header("authorization").unwrap().to_owned()
    };
    assert_eq!(bearer(&made), "Bearer feed-token");
    let asked = Arc::new(AtomicU32::new(0));
    let number = Arc::clone(&asked);
    let source = move || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move { if number == 1 { Err("the vault is shut") } else { Ok(format!("token-{number}\n")) } }
    };
    let made = Made::start(ok(&reset("a", true, &[])), |feed| feed.bearer(source)).await;
    made.following.polled(1.0).await;
    assert_eq!(bearer(&made), "Bearer token-0");
    made.following.next_poll().await;
    assert_eq!(made.following.health().last_error, Some("token"));
    made.next(ok(&page("b", true, &[]))).await;
    assert_eq!((bearer(&made).as_str(), made.following.health().last_error), ("Bearer token-2", None));
}

#[tokio::test]
async fn a_source_that_panics_costs_a_poll_and_not_the_feed() {
    let asked = AtomicU32::new(0);
    let source = move || {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        assert_ne!(number, 1, "at once");
        async move {
            assert_ne!(number, 2, "later");
            Ok::<_, Infallible>("token".to_owned())
        }
    };
    let made = Made::start(ok(&reset("a", true, &[1])), |feed| feed.bearer(source)).await;
    made.following.polled(1.0).await;
    for _ in 0..2 {
        made.following.next_poll().await;
        assert_eq!(made.following.health().last_error, Some("token"));
    }
    made.next(ok(&page("b", true, &[2]))).await;
    assert_eq!((made.ended().await, made.following.health().last_error), (vec![1, 2], None));
}

#[tokio::test]
async fn a_source_that_never_answers_is_not_waited_for_longer_than_a_server() {
    let never = |feed: RevocationFeed| feed.bearer(std::future::pending::<Result<String, Infallible>>);
    let made = Made::start(ok(&reset("a", true, &[])), never).await;
    let following: &Following = &made.following;
    crate::harness::watched(following.clock.until(|waits| waits == [5 * SECOND])).await;
    following.clock.advance(5 * SECOND);
    following.polled(1.0).await;
    assert_eq!(following.health().last_error, Some("timeout"));
}
