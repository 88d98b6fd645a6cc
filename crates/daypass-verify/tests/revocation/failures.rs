//! Polls that fail: what was known stays in force, and the next good one heals.

use daypass_testkit::{Canned, Fault};
use daypass_verify::revocation::RevocationFeed;
use serde_json::json;

use crate::harness::{FEED, Made, SECOND, ok, page, real, reset};

#[tokio::test]
async fn whatever_is_answered_nothing_is_forgotten_and_nothing_let_in() {
    let big = format!("{{\"cursor\":\"{}\"}}", " ".repeat(8 * 1024 * 1024));
    let answers: [(&str, Fault); 14] = [
        ("unreachable", Fault::LoseRequest),
        ("unreachable", Fault::LoseResponse),
        ("status", Canned::status(503).into()),
        ("status", Canned::status(500).into()),
        ("status", Canned::status(404).into()),
        ("status", Canned::status(204).into()),
        ("status", Canned::status(302).header("location", "/v1/elsewhere").into()),
        ("refused", Canned::json(401, &json!({})).into()),
        ("refused", Canned::json(403, &json!({})).into()),
        ("malformed", Canned::html(200, "<html>Sign in to the Wi-Fi</html>").into()),
        ("malformed", ok(&json!({ "cursor": "b", "complete": true })).into()),
        ("malformed", ok(&json!({ "cursor": "b", "complete": true, "entries": [{ "jti": "x", "at_ms": 1, "until": 2 }] })).into()),
        ("malformed", Canned::status(200).into()),
        ("too_large", Canned::status(200).body(big).into()),
    ];
    let made = Made::with(reset("a", true, &[1])).await;
    for (number, (code, answer)) in answers.into_iter().enumerate() {
        let number = u8::try_from(number + 2).unwrap();
        made.next(answer.clone()).await;
        assert_eq!(made.following.health().last_error, Some(code), "{answer:?}");
        assert_eq!(made.following.health().entries, usize::from(number) - 1);
        made.next(ok(&page("a", true, &[number]))).await;
        assert_eq!(made.following.health().last_error, None, "after {answer:?}");
        assert_eq!(made.following.health().entries, usize::from(number));
    }
    assert_eq!(made.ended().await, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(made.faults().arrived("/v1/elsewhere"), 0, "the token goes nowhere else");
    assert!((made.following.polls_that("malformed") - 4.0).abs() < 0.1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let (service, following) = real(|feed| feed).await;
    service.faults().next(FEED, Fault::Truncate);
    following.next_poll().await;
    assert_eq!(following.health().last_error, Some("unreachable"));
    following.next_poll().await;
    assert_eq!(following.health().last_error, None);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_five_seconds() {
    let made = Made::with(reset("a", true, &[1])).await;
    made.faults().next(FEED, Fault::Hang);
    made.following.next_poll_hangs().await;
    assert_eq!(made.following.health().last_error, Some("timeout"));
    assert_eq!(made.ended().await, [1]);
    made.next(ok(&page("b", true, &[2]))).await;
    assert_eq!(made.ended().await, [1, 2]);
}

#[tokio::test]
async fn polls_that_fail_are_spaced_out() {
    let made = Made::with(reset("a", true, &[])).await;
    let mut waits = Vec::new();
    for _ in 0..40 {
        waits.push(made.following.next_poll().await);
    }
    for (wait, bound) in waits.iter().zip([1, 2, 4, 8, 10].into_iter().chain(std::iter::repeat(10))) {
        assert!(*wait <= bound * SECOND, "{waits:?}");
    }
    assert!(waits.iter().any(|wait| *wait > 8 * SECOND), "{waits:?}");
    let wait = made.next(ok(&page("b", true, &[]))).await;
    assert!((SECOND * 9 / 10..=SECOND * 11 / 10).contains(&wait), "{wait:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let made = Made::with(reset("a", true, &[])).await;
    let asking = |seconds| Canned::status(429).header("retry-after", seconds);
    assert_eq!(made.next(asking("17")).await, 17 * SECOND);
    assert_eq!(made.next(asking("86400")).await, 60 * SECOND);
    let unreadable = made.next(asking("Wed, 21 Oct 2026 07:28:00 GMT")).await;
    assert!(unreadable <= 10 * SECOND);
}

#[tokio::test]
async fn verifiers_do_not_come_all_at_once() {
    let every = |feed: RevocationFeed| feed.poll_every(10 * SECOND);
    let made = Made::start(ok(&reset("a", true, &[])), every).await;
    made.following.polled(1.0).await;
    let mut waits = Vec::new();
    for _ in 0..20 {
        waits.push(made.next(ok(&page("a", true, &[]))).await);
    }
    assert!(waits.iter().all(|wait| (9 * SECOND..=11 * SECOND).contains(wait)), "{waits:?}");
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(most.saturating_sub(*least) > SECOND / 2, "{waits:?}");
}
