//! What becomes of a call when the session has no token for it, on every front.

use daypass_client::Credentials;
use daypass_client::call::NotReplayed;
use daypass_testkit::{Canned, Fault, Gate};

use crate::api::ORDERS;
use crate::front::{Call, Kind, on_every_front};
use crate::world::{REFRESH, World};

on_every_front!(
    a_call_without_a_session_is_not_made,
    a_call_whose_session_was_ended_says_so,
    a_call_whose_token_cannot_be_renewed_now_says_so,
    a_call_is_not_replayed_for_somebody_else_who_signed_in_meanwhile,
);

async fn a_call_without_a_session_is_not_made(kind: Kind) {
    let world = World::signed_out(kind).await;
    let error = world.front.call(Call::get(world.api.orders())).await.unwrap_err();
    assert!(error.contains("signed out: nobody has signed in"), "{error}");
    assert!(world.api.came().is_empty());
    // What is not for the session is none of its business.
    assert_eq!(world.call(Call::get(world.elsewhere.orders())).await.status, 200);
    let own = Call::get(world.api.orders()).header("authorization", "Basic YTpi");
    assert_eq!(world.call(own).await.status, 200);
}

async fn a_call_whose_session_was_ended_says_so(kind: Kind) {
    let world = World::new(kind).await;
    world.api.refuse(&world.token().await);
    world.service.revoke_session(&world.front.session_id().unwrap()).await;
    let error = world.front.call(Call::get(world.api.orders())).await.unwrap_err();
    assert!(error.contains("signed out: the session was ended elsewhere"), "{error}");
    assert_eq!(world.api.came().len(), 1);
}

async fn a_call_whose_token_cannot_be_renewed_now_says_so(kind: Kind) {
    let world = World::new(kind).await;
    let token = world.token().await;
    world.api.refuse(&token);
    world.service.faults().next(REFRESH, Canned::status(429).header("retry-after", "600"));
    let error = world.front.call(Call::get(world.api.orders())).await.unwrap_err();
    assert!(error.contains("the token service cannot be reached"), "{error}");
    assert!(!error.contains(&token));
    assert_eq!(world.api.came().len(), 1);
    assert_eq!(world.token().await, token, "the session is kept");
}

async fn a_call_is_not_replayed_for_somebody_else_who_signed_in_meanwhile(kind: Kind) {
    let world = World::new(kind).await;
    world.service.add_person("bob", "another battery staple").await;
    let old = world.bearer().await;
    world.api.refuse(&world.token().await);
    let gate = Gate::new();
    world.api.faults().next(ORDERS, Fault::HoldResponse(gate.clone()));
    let (front, call) = (world.front.clone(), Call::post(world.api.orders(), "for ada"));
    let late = tokio::spawn(async move { front.call(call).await.unwrap() });
    gate.arrived().await;
    world.front.sign_in(Credentials::password("bob", "another battery staple")).await.unwrap();
    gate.open();

    let answer = late.await.unwrap();
    assert_eq!((answer.status, answer.marked), (401, Some(NotReplayed::SomebodyElse)));
    assert_eq!(world.api.authorizations(), [old]);
    assert_eq!(world.renewals().await, 0);
}
