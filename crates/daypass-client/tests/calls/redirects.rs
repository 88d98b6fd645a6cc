//! Redirects, on the fronts that follow them.

use std::time::Duration;

use daypass_client::call::CallError;
use daypass_client::{Pair, Session};
use daypass_testkit::{Canned, Fault, Gate};
use http::Method;

use crate::api::{MOVED, ORDERS};
use crate::front::{Call, Kind, http};
use crate::world::{World, describe, watched};

/// As `on_every_front`, without the front that follows none.
macro_rules! on_each_front_that_follows {
    ($($name:ident),+ $(,)?) => {
        mod wrap {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::watched(super::$name(super::Kind::Wrap)).await;
            })+
        }
        #[cfg(feature = "reqwest-middleware")]
        mod middleware {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::watched(super::$name(super::Kind::Middleware)).await;
            })+
        }
        #[cfg(feature = "blocking")]
        mod blocking {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::watched(super::$name(super::Kind::Blocking)).await;
            })+
        }
    };
}

on_each_front_that_follows!(
    the_token_comes_along_within_allowed_origins,
    the_token_is_dropped_on_the_way_to_another_port,
    the_token_is_dropped_for_every_later_request_as_well,
    a_call_that_somebody_else_leads_to_an_allowed_origin_has_no_token,
    an_authorization_of_the_callers_own_stays_with_its_origin,
    the_method_and_the_body_follow_the_status,
    the_request_that_was_refused_is_repeated_and_not_those_before_it,
    a_call_is_replayed_once_however_often_it_is_redirected,
    a_streamed_body_is_not_needed_after_303_and_missing_after_307,
    a_circle_of_redirects_ends,
);

async fn the_token_comes_along_within_allowed_origins(kind: Kind) {
    let world = World::new(kind).await;
    let through = world.api.moved(302, &world.other.orders());
    let answer = world.call(Call::get(world.api.moved(301, &through))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "GET "));
    let bearer = world.bearer().await;
    assert_eq!(world.other.authorizations(), std::slice::from_ref(&bearer));
    let moved = world.api.faults().requests(MOVED);
    assert!(moved.len() == 2 && moved.iter().all(|request| request.header("authorization") == Some(&bearer)));
}

async fn the_token_is_dropped_on_the_way_to_another_port(kind: Kind) {
    let world = World::new(kind).await;
    for status in [301, 302, 303, 307, 308] {
        let call =
            Call::post(world.api.moved(status, &world.elsewhere.orders()), "x").header("cookie", "a=b");
        assert_eq!(world.call(call).await.status, 200);
    }
    assert_eq!(world.elsewhere.authorizations(), [""; 5]);
    assert!(world.elsewhere.came().iter().all(|request| request.header("cookie").is_none()));
    let moved = world.api.faults().requests(MOVED);
    assert!(moved.len() == 5 && moved.iter().all(|request| request.header("authorization").is_some()));
}

async fn the_token_is_dropped_for_every_later_request_as_well(kind: Kind) {
    let world = World::new(kind).await;
    // Away, once more within there, and back.
    let back = world.elsewhere.moved(307, &world.api.orders());
    let within = world.elsewhere.moved(308, &back);
    let answer = world.call(Call::post(world.api.moved(307, &within), "x")).await;
    assert_eq!(answer.body, "POST x");
    let seen = world.elsewhere.faults().requests(MOVED);
    assert!(seen.len() == 2 && seen.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(world.api.authorizations(), [""]);
}

async fn a_call_that_somebody_else_leads_to_an_allowed_origin_has_no_token(kind: Kind) {
    let world = World::new(kind).await;
    world.api.refuse_all();
    let answer = world.call(Call::post(world.elsewhere.moved(307, &world.api.orders()), "x")).await;
    assert_eq!((answer.status, answer.marked), (401, None));
    assert_eq!((world.api.authorizations(), world.renewals().await), (vec![String::new()], 0));
}

async fn an_authorization_of_the_callers_own_stays_with_its_origin(kind: Kind) {
    let world = World::new(kind).await;
    for api in [&world.api, &world.other, &world.elsewhere] {
        let call = Call::get(world.api.moved(302, &api.orders())).header("authorization", "Basic YTpi");
        assert_eq!(world.call(call).await.status, 200);
    }
    assert_eq!(world.api.authorizations(), ["Basic YTpi"]);
    assert_eq!(
        (world.other.authorizations(), world.elsewhere.authorizations()),
        (vec![String::new()], vec![String::new()])
    );
}

async fn the_method_and_the_body_follow_the_status(kind: Kind) {
    let world = World::new(kind).await;
    let cases = [
        (Method::POST, 301, "GET "),
        (Method::POST, 302, "GET "),
        (Method::POST, 303, "GET "),
        (Method::PUT, 303, "GET "),
        (Method::PUT, 302, "PUT x"),
        (Method::POST, 307, "POST x"),
        (Method::DELETE, 308, "DELETE x"),
        (Method::PATCH, 308, "PATCH x"),
    ];
    for (number, (method, status, then)) in cases.into_iter().enumerate() {
        let call = Call { method, ..Call::post(world.api.moved(status, &world.other.orders()), "x") };
        let answer =
            world.call(call.header("content-type", "text/plain").header("accept", "text/plain")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, then), "{status}");
        let came = &world.other.came()[number];
        assert_eq!(came.header("content-type").is_some(), then.ends_with('x'), "{status}");
        assert_eq!(came.header("accept"), Some("text/plain"));
    }
    // A redirect that leads nowhere is the answer, and so is what is none.
    for (status, to) in [(302, "ftp://127.0.0.1/"), (300, "/orders"), (304, "/orders")] {
        assert_eq!(world.call(Call::get(world.api.moved(status, to))).await.status, status);
    }
}

async fn the_request_that_was_refused_is_repeated_and_not_those_before_it(kind: Kind) {
    let world = World::new(kind).await;
    let old = world.bearer().await;
    world.api.refuse(&world.token().await);
    let answer = world.call(Call::post(world.api.moved(303, &world.api.orders()), "an order")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "GET "));
    assert_eq!(world.api.faults().arrived(MOVED), 1);
    assert_eq!(world.api.authorizations(), [old, world.bearer().await]);
    assert_eq!(world.renewals().await, 1);
}

async fn a_call_is_replayed_once_however_often_it_is_redirected(kind: Kind) {
    let world = World::new(kind).await;
    // The first request is refused, then redirected to where the new token is refused as well, when it is old
    // enough to be renewed.
    let challenge = Canned::status(401).header("www-authenticate", "Bearer error=invalid_token");
    world.api.faults().next(MOVED, challenge);
    world.other.refuse_all();
    let gate = Gate::new();
    world.other.faults().next(ORDERS, Fault::HoldRequest(gate.clone()));
    let (front, call) = (world.front.clone(), Call::get(world.api.moved(307, &world.other.orders())));
    let answered = tokio::spawn(async move { front.call(call).await.unwrap() });
    gate.arrived().await;
    world.service.clock().advance(Duration::from_secs(30));
    gate.open();

    let answer = answered.await.unwrap();
    assert_eq!((answer.status, answer.marked), (401, None));
    assert_eq!((world.api.faults().arrived(MOVED), world.other.came().len()), (2, 1));
    assert_eq!(world.renewals().await, 1);
}

async fn a_streamed_body_is_not_needed_after_303_and_missing_after_307(kind: Kind) {
    let world = World::new(kind).await;
    let call = |status| Call::post(world.api.moved(status, &world.other.orders()), "x").stream();
    let answer = world.call(call(303)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "GET "));
    assert_eq!(world.other.authorizations(), [world.bearer().await]);
    let answer = world.call(call(307)).await;
    assert_eq!((answer.status, answer.body.as_str()), (307, "moved"));
    assert_eq!(world.other.came().len(), 1);
}

async fn a_circle_of_redirects_ends(kind: Kind) {
    let world = World::new(kind).await;
    let circle = Canned::status(302).header("location", MOVED);
    world.api.faults().always(MOVED, circle);
    let error = world.front.call(Call::get(world.api.moved(302, "/"))).await.unwrap_err();
    assert!(error.contains("redirected too often"), "{error}");
    assert_eq!(world.api.faults().arrived(MOVED), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_redirects_are_followed_as_are_asked_for() {
    let world = World::new(Kind::Wrap).await;
    let session = signed_in(&world).await;
    let moved_once = world.api.moved(302, &world.api.orders());
    let moved_twice = world.api.moved(302, &moved_once);
    let none = session.wrap(http()).unwrap().redirects(0);
    assert_eq!(none.get(&moved_once).send().await.unwrap().status(), 302);
    let one = session.wrap(http()).unwrap().redirects(1);
    let response = one.get(&moved_once).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.url().as_str()), (200, world.api.orders().as_str()));
    let error = one.get(&moved_twice).send().await.unwrap_err();
    assert!(matches!(error, CallError::Redirects), "{error}");
}

/// The reason for which `wrap` takes no client but a builder: whatever policy the builder has is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_policy_of_the_callers_is_replaced() {
    let world = World::new(Kind::Wrap).await;
    let session = signed_in(&world).await;
    let follows = http().redirect(reqwest::redirect::Policy::limited(5));
    let api = session.wrap(follows).unwrap().redirects(0);
    let response = api.get(world.api.moved(302, &world.elsewhere.orders())).send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert!(world.elsewhere.came().is_empty());
}

/// Another session, which may call the API.
async fn signed_in(world: &World) -> Session {
    let described = describe(&world.service).allow_origin(world.api.origin());
    let session = described.build().await.unwrap();
    let pair = world.service.sign_in().await.to_string();
    session.adopt(Pair::from_json(pair.as_bytes()).unwrap()).await.unwrap();
    session
}
