//! `POST /v1/refresh`, with the token in the body. The cookie has a file of its own.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{ATTEMPT, Harness, OTHER_ATTEMPT};
use crate::shown;

#[tokio::test]
async fn a_pair_is_renewed() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    h.pass(60);
    let answer = h.renew(&first.refresh).header("daypass-attempt", format!("0:{ATTEMPT}")).send().await;
    assert_snapshot!(shown::one(&answer));
    let second = answer.tokens();
    assert_eq!((second.session.as_str(), second.generation), (first.session.as_str(), 1));
    assert_ne!((&second.refresh, &second.access), (&first.refresh, &first.access));
    let third = h.renew(&second.refresh).header("daypass-attempt", OTHER_ATTEMPT).send().await.tokens();
    assert_eq!(third.generation, 2);
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let renew = || h.renew(&first.refresh).header("daypass-attempt", ATTEMPT).send();
    let second = renew().await.tokens();
    h.pass(3600);
    let again = renew().await.tokens();
    assert_eq!(again.refresh, second.refresh);
    let body = json!({ "refresh_token": first.refresh, "attempt": format!("0:{ATTEMPT}") });
    assert_eq!(h.post("/v1/refresh").json(&body).send().await.tokens().refresh, second.refresh);
    // Without an id, inside the grace.
    let third = h.renew(&second.refresh).send().await.tokens();
    assert_eq!(h.renew(&second.refresh).send().await.tokens().refresh, third.refresh);
}

#[tokio::test]
async fn a_renewal_is_refused() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let labelled = |id: &str| h.renew(&first.refresh).header("daypass-attempt", id).send();
    let mut damaged = first.refresh.clone();
    damaged.replace_range(20..21, if &damaged[20..21] == "A" { "B" } else { "A" });
    let mismatch = labelled(&format!("7:{ATTEMPT}")).await;
    let too_short = labelled("short").await;
    let second = h.renew(&first.refresh).header("daypass-attempt", ATTEMPT).send().await.tokens();
    let third = h.renew(&second.refresh).header("daypass-attempt", OTHER_ATTEMPT).send().await.tokens();
    let fourth = h.renew(&third.refresh).header("daypass-attempt", OTHER_ATTEMPT).send().await.tokens();
    let late = labelled(ATTEMPT).await;
    let reused = h.renew(&first.refresh).header("daypass-attempt", OTHER_ATTEMPT).send().await;
    let successor = h.renew(&fourth.refresh).send().await;
    assert_snapshot!(shown::all(&[
        ("damaged token", h.renew(&damaged).send().await),
        ("access token", h.renew(&first.access).send().await),
        ("no attempt id for this generation", mismatch),
        ("bad attempt id", too_short),
        ("a late copy of an old request", late),
        ("a used token", reused),
        ("the live token after that", successor),
        ("GET", h.get("/v1/refresh").send().await),
    ]));
    assert_eq!(h.get("/v1/me").bearer(&fourth.access).send().await.status, 401);
}

#[tokio::test]
async fn a_renewal_after_the_end_says_why() {
    let h = Harness::start().await;
    let (old, out) = (h.sign_in("ann").await, h.sign_in("bob").await);
    h.post("/v1/logout").json(&json!({ "refresh_token": out.refresh })).send().await;
    let logged_out = h.renew(&out.refresh).send().await;
    h.pass(180 * 24 * 60 * 60);
    assert_snapshot!(shown::all(&[
        ("logged out", logged_out),
        ("past its time", h.renew(&old.refresh).send().await),
    ]));
}

#[tokio::test]
async fn a_renewal_that_cannot_be_read_is_refused() {
    let h = Harness::start().await;
    let read = |body: &'static str| h.post("/v1/refresh").body("application/json", body).send();
    assert_snapshot!(shown::all(&[
        ("no body", h.post("/v1/refresh").send().await),
        ("no token", read("{}").await),
        ("unknown member", read(r#"{"refresh_token":"x","scope":"a"}"#).await),
        ("hostile member", read("{\"a\\\"\\\\\\r\\n\u{e9}\":1}").await),
        ("repeated member", read(r#"{"refresh_token":"x","refresh_token":"x"}"#).await),
        ("no string", read(r#"{"refresh_token":{"secret":"x"}}"#).await),
        ("no JSON", read("refresh_token=x").await),
        ("form", h.post("/v1/refresh").form(&[("refresh_token", "x")]).send().await),
        ("too large", h.post("/v1/refresh").body("application/json", "x".repeat(70_000)).send().await),
    ]));
}

#[tokio::test]
async fn attempt_ids_come_in_the_header_or_in_the_body() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let both = |member: &str| {
        let body = json!({ "refresh_token": first.refresh, "attempt": member });
        h.post("/v1/refresh").json(&body).header("daypass-attempt", ATTEMPT).send()
    };
    assert_eq!(both(OTHER_ATTEMPT).await.error(), (400, "invalid_request".to_owned()));
    let second = both(ATTEMPT).await.tokens();
    // Several lines are one list.
    let third = h
        .renew(&second.refresh)
        .header("daypass-attempt", format!("1:{OTHER_ATTEMPT}"))
        .header("daypass-attempt", format!("0:{ATTEMPT}"))
        .send()
        .await
        .tokens();
    let again = h
        .renew(&first.refresh)
        .header("daypass-attempt", format!("1:{OTHER_ATTEMPT}, 0:{ATTEMPT}"))
        .send()
        .await
        .tokens();
    assert_eq!(again.refresh, third.refresh);
    for bad in ["", "ü", "0:", &format!("0:{ATTEMPT},1:{ATTEMPT}")] {
        let answer = h.renew(&third.refresh).header("daypass-attempt", bad).send().await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{bad:?}");
    }
}

#[tokio::test]
async fn a_hundred_at_once_get_one_successor() {
    let h = Harness::start().await;
    let first = h.sign_in("ann").await;
    let calls: Vec<_> = (0..100)
        .map(|_| tokio::spawn(h.renew(&first.refresh).header("daypass-attempt", ATTEMPT).send()))
        .collect();
    let mut successors = std::collections::BTreeSet::new();
    for call in calls {
        successors.insert(call.await.unwrap().tokens().refresh);
    }
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn another_first_party_client_is_served_and_others_are_not() {
    let h = Harness::start().await;
    let body = json!({ "username": "ann", "password": crate::harness::PASSWORD, "client_id": "spa" });
    let spa = h.post("/v1/login").json(&body).send().await.tokens();
    assert_eq!(h.renew(&spa.refresh).send().await.tokens().generation, 1);
}
