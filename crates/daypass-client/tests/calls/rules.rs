//! When a refused call is made again, on every front.

use std::time::Duration;

use daypass_client::call::NotReplayed;
use daypass_testkit::{Canned, Fault, Gate};
use http::Method;

use crate::api::ORDERS;
use crate::front::{Call, Kind, on_every_front};
use crate::world::World;

const INVALID: &str = "Bearer error=\"invalid_token\"";

on_every_front!(
    s02_a_hundred_concurrent_401s_make_one_refresh_and_each_call_is_replayed_once,
    s03_a_late_401_is_replayed_with_the_current_token_and_refreshes_nothing,
    s21_a_post_with_bytes_is_replayed_identically_once,
    s21_a_stream_gets_its_401_with_the_marker_after_the_token_was_renewed,
    s22_an_api_that_always_answers_401_makes_one_refresh_and_one_replay,
    an_api_that_refuses_a_token_of_just_now_gets_no_other,
    no_other_answer_is_taken_for_a_refused_token,
);

async fn s02_a_hundred_concurrent_401s_make_one_refresh_and_each_call_is_replayed_once(kind: Kind) {
    const CALLS: usize = 100;
    let world = World::new(kind).await;
    let old = world.token().await;
    let gate = Gate::new();
    world.api.faults().next_times(ORDERS, CALLS, Fault::HoldRequest(gate.clone()));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..CALLS {
        let (front, call) = (world.front.clone(), Call::post(world.api.orders(), format!("{number}")));
        calls.spawn(async move { (number, front.call(call).await.unwrap()) });
    }
    gate.arrivals(CALLS).await;
    world.api.refuse(&old);
    gate.open();
    while let Some(answered) = calls.join_next().await {
        let (number, answer) = answered.unwrap();
        assert_eq!((answer.status, answer.body), (200, format!("POST {number}")));
        assert_eq!(answer.marked, None);
    }
    assert_eq!((world.renewals().await, world.service.rotations().await), (1, 1));
    let new = world.token().await;
    let came = |token: &str| {
        let with = |value: &str| value.strip_prefix("Bearer ") == Some(token);
        let requests =
            world.api.came().into_iter().filter(|request| request.header("authorization").is_some_and(with));
        let mut bodies: Vec<usize> =
            requests.map(|request| std::str::from_utf8(&request.body).unwrap().parse().unwrap()).collect();
        bodies.sort_unstable();
        bodies
    };
    assert_eq!(came(&old), (0..CALLS).collect::<Vec<_>>());
    assert_eq!(came(&new), (0..CALLS).collect::<Vec<_>>());
    assert_eq!(world.api.came().len(), 2 * CALLS);
}

async fn s03_a_late_401_is_replayed_with_the_current_token_and_refreshes_nothing(kind: Kind) {
    let world = World::new(kind).await;
    let old = world.bearer().await;
    world.api.refuse(&world.token().await);
    let gate = Gate::new();
    world.api.faults().next(ORDERS, Fault::HoldResponse(gate.clone()));
    let (front, call) = (world.front.clone(), Call::get(world.api.orders()));
    let late = tokio::spawn(async move { front.call(call).await.unwrap() });
    gate.arrived().await;

    assert_eq!(world.call(Call::get(world.api.orders())).await.status, 200);
    assert_eq!(world.renewals().await, 1);
    // The new token is old enough to be renewed too, if that were asked for.
    world.service.clock().advance(Duration::from_secs(30));
    gate.open();
    assert_eq!(late.await.unwrap().status, 200);
    assert_eq!(world.renewals().await, 1);
    let new = world.bearer().await;
    assert_eq!(world.api.authorizations(), [old.clone(), old, new.clone(), new]);
}

async fn s21_a_post_with_bytes_is_replayed_identically_once(kind: Kind) {
    let world = World::new(kind).await;
    let old = world.bearer().await;
    world.api.refuse(&world.token().await);
    let call = Call::post(world.api.orders() + "?of=june", "two apples")
        .header("content-type", "text/plain")
        .header("x-twice", "a")
        .header("x-twice", "b");
    let answer = world.call(call).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.marked), (200, "POST two apples", None));

    let came = world.api.came();
    assert_eq!(world.api.authorizations(), [old, world.bearer().await]);
    let shown = came.iter().map(|request| {
        let mut headers = request.headers.clone();
        headers.remove("authorization");
        (request.method.clone(), request.target.clone(), headers, request.body.clone())
    });
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown[0], shown[1]);
    assert_eq!(came[1].target, "/orders?of=june");
    let twice: Vec<_> = came[1].headers.get_all("x-twice").iter().collect();
    assert_eq!(twice, ["a", "b"]);
    assert_eq!(world.renewals().await, 1);
}

async fn s21_a_stream_gets_its_401_with_the_marker_after_the_token_was_renewed(kind: Kind) {
    let world = World::new(kind).await;
    let old = world.bearer().await;
    world.api.refuse(&world.token().await);
    let call = Call::post(world.api.orders(), "two apples").stream();
    let answer = world.call(call.clone()).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "refused"));
    assert_eq!(answer.marked, Some(NotReplayed::Body));
    assert_eq!((world.renewals().await, world.api.authorizations()), (1, vec![old.clone()]));

    // The caller opens his stream again.
    let answer = world.call(call).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.marked), (200, "POST two apples", None));
    let new = world.bearer().await;
    assert_ne!(new, old);
    assert_eq!((world.renewals().await, world.api.authorizations()), (1, vec![old, new]));
}

async fn s22_an_api_that_always_answers_401_makes_one_refresh_and_one_replay(kind: Kind) {
    let world = World::new(kind).await;
    let old = world.bearer().await;
    world.api.refuse_all();
    let answer = world.call(Call::get(world.api.orders())).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.marked), (401, "refused", None));
    assert_eq!(world.api.authorizations(), [old, world.bearer().await]);
    assert_eq!(world.renewals().await, 1);
}

async fn an_api_that_refuses_a_token_of_just_now_gets_no_other(kind: Kind) {
    let world = World::new(kind).await;
    world.api.refuse_all();
    world.call(Call::get(world.api.orders())).await;
    assert_eq!((world.renewals().await, world.api.came().len()), (1, 2));
    for calls in 1..=3 {
        let answer = world.call(Call::get(world.api.orders())).await;
        assert_eq!((answer.status, answer.marked), (401, None));
        assert_eq!((world.renewals().await, world.api.came().len()), (1, 2 + calls));
    }
}

async fn no_other_answer_is_taken_for_a_refused_token(kind: Kind) {
    let world = World::new(kind).await;
    let answers = [
        Canned::status(401),
        Canned::status(401).header("www-authenticate", "Bearer realm=\"api\""),
        Canned::status(401).header("www-authenticate", "Bearer error=\"insufficient_scope\""),
        Canned::status(401).header("www-authenticate", "Basic realm=\"error=invalid_token\""),
        Canned::status(400).header("www-authenticate", INVALID),
        Canned::status(403).header("www-authenticate", INVALID),
        Canned::status(407).header("www-authenticate", INVALID),
        Canned::status(200).header("www-authenticate", INVALID),
        Canned::status(503).header("www-authenticate", INVALID),
    ];
    for (before, canned) in answers.into_iter().enumerate() {
        world.api.faults().next(ORDERS, canned);
        let answer = world.call(Call::new(Method::PUT, world.api.orders())).await;
        assert_eq!(answer.marked, None);
        assert_eq!((world.renewals().await, world.api.came().len()), (0, before + 1));
    }
    // What is taken for one.
    world.api.faults().next(ORDERS, Canned::status(401).header("www-authenticate", INVALID));
    assert_eq!(world.call(Call::get(world.api.orders())).await.status, 200);
    assert_eq!(world.renewals().await, 1);
}
