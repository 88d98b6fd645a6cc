//! Pages, cursors and resets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::json;

use crate::harness::{FEED, Made, SECOND, ok, page, reset, sid};

/// What the polls asked for, in order.
fn asked(made: &Made) -> Vec<String> {
    made.faults().requests(FEED).into_iter().map(|request| request.target).collect()
}

#[tokio::test]
async fn pages_are_read_one_after_the_other_without_waiting() {
    let made = Made::with(reset("a", true, &[1])).await;
    made.faults().next(FEED, ok(&page("b&1", false, &[2])));
    made.faults().next(FEED, ok(&page("c", false, &[3])));
    made.next(ok(&page("d", true, &[4]))).await;
    assert_eq!(made.ended().await, [1, 2, 3, 4]);
    assert_eq!(
        asked(&made),
        [FEED, &format!("{FEED}?since=a"), &format!("{FEED}?since=b%261"), &format!("{FEED}?since=c")]
    );
}

#[tokio::test]
async fn a_page_that_comes_again_changes_nothing() {
    let made = Made::with(reset("a", true, &[1, 2])).await;
    made.next(ok(&page("b", true, &[1, 2]))).await;
    made.next(ok(&page("b", true, &[2]))).await;
    assert_eq!((made.ended().await, made.following.health().entries), (vec![1, 2], 2));
}

#[tokio::test]
async fn a_reset_voids_what_was_known_once_it_is_complete() {
    let made = Made::with(reset("a", true, &[1, 2])).await;
    made.faults().next(FEED, ok(&reset("x", false, &[2, 3])));
    // The snapshot is interrupted: what was known, and what is new, are both in force.
    made.following.next_poll().await;
    assert_eq!(made.following.health().last_error, Some("status"));
    assert_eq!(made.ended().await, [1, 2, 3]);
    made.next(ok(&page("y", true, &[4]))).await;
    assert_eq!(made.ended().await, [2, 3, 4]);
    assert_eq!(asked(&made).last().unwrap(), &format!("{FEED}?since=x"));
}

#[tokio::test]
async fn subjects_are_ended_by_the_start_of_their_sessions() {
    let made = Made::with(reset("a", true, &[])).await;
    let start = Duration::from_secs(1_750_000_000);
    let token = |at: Duration| made.mint(&made.minter().session_started(at));
    let clients_own = |iat: Duration| made.mint(&made.minter().without("sid").issued_at(iat));
    let millis = i64::try_from(start.as_millis()).unwrap();
    let entry = |not_before_ms| json!({ "sub": "ada", "not_before_ms": not_before_ms, "at_ms": millis, "until": 1_750_003_900 });
    let with =
        |entry: serde_json::Value, cursor| json!({ "cursor": cursor, "complete": true, "entries": [entry] });
    made.next(ok(&with(entry(millis), "b"))).await;
    made.next(ok(&with(entry(millis - 60_000), "c"))).await;
    let outcome = async |token: String| made.following.outcome(&token).await;
    assert_eq!(outcome(token(start.checked_sub(Duration::from_millis(1)).unwrap())).await, "revoked");
    assert_eq!(outcome(token(start)).await, "ok");
    let bob = made.minter().subject("bob").session_started(start.checked_sub(SECOND).unwrap());
    assert_eq!(outcome(made.mint(&bob)).await, "ok");
    // Without a session it is the second of issue that counts, from its beginning.
    assert_eq!(outcome(clients_own(start.checked_sub(SECOND).unwrap())).await, "revoked");
    assert_eq!(outcome(clients_own(start)).await, "ok");
    made.next(ok(&with(entry(millis + 1), "d"))).await;
    assert_eq!(outcome(token(start)).await, "revoked");
    assert_eq!(outcome(clients_own(start)).await, "revoked");
}

#[tokio::test]
async fn a_session_that_the_feed_could_never_name_is_refused() {
    let made = Made::with(reset("a", true, &[])).await;
    for other in ["session-1", &sid(1).to_uppercase(), &sid(1).replace('-', "")] {
        let token = made.token(other);
        assert_eq!(made.following.outcome(&token).await, "claim", "{other}");
        assert_eq!(made.following.outcome(&token).await, "claim", "{other}, once more");
    }
}

#[tokio::test]
async fn a_page_that_leads_nowhere_is_not_followed() {
    let made = Made::with(reset("a", true, &[])).await;
    made.next(ok(&page("a", false, &[1]))).await;
    assert_eq!(made.following.health().last_error, Some("endless"));
    assert_eq!(asked(&made).len(), 2);
}

#[tokio::test]
async fn a_feed_without_end_is_not_followed_for_ever() {
    let made = Made::with(reset("a", true, &[])).await;
    let number = AtomicU32::new(0);
    let next = move || {
        let page = page(&format!("c{}", number.fetch_add(1, Ordering::Relaxed)), false, &[1]);
        std::future::ready(page.to_string())
    };
    let next = Arc::new(next);
    made.server.replace(Router::new().route(FEED, get(move || next())));
    made.faults().clear();
    made.following.next_poll().await;
    assert_eq!(made.following.health().last_error, Some("endless"));
    assert_eq!(made.faults().served(FEED), 2000);
    assert_eq!(made.ended().await, [1]);
}
