//! Who gets the access token, on every front.

use crate::front::{Call, Kind, on_every_front};
use crate::world::World;

on_every_front!(
    the_token_goes_to_allowed_origins_and_to_no_other,
    a_refusal_by_an_origin_that_is_not_allowed_renews_nothing,
    an_authorization_of_the_callers_own_is_left_alone,
    nothing_that_is_shown_holds_the_token,
);

async fn the_token_goes_to_allowed_origins_and_to_no_other(kind: Kind) {
    let world = World::new(kind).await;
    for api in [&world.api, &world.other, &world.elsewhere] {
        assert_eq!(world.call(Call::post(api.orders(), "x")).await.body, "POST x");
    }
    // The same port, and another name for the same host.
    let alias = world.api.orders().replace("127.0.0.1", "localhost");
    assert_eq!(world.call(Call::get(&alias)).await.status, 200);
    let bearer = world.bearer().await;
    assert_eq!(world.api.authorizations(), [bearer.as_str(), ""]);
    assert_eq!(world.other.authorizations(), [bearer]);
    assert_eq!(world.elsewhere.authorizations(), [""]);
}

async fn a_refusal_by_an_origin_that_is_not_allowed_renews_nothing(kind: Kind) {
    let world = World::new(kind).await;
    world.elsewhere.refuse_all();
    let answer = world.call(Call::get(world.elsewhere.orders())).await;
    assert_eq!((answer.status, answer.marked), (401, None));
    assert_eq!((world.renewals().await, world.elsewhere.authorizations()), (0, vec![String::new()]));
}

async fn an_authorization_of_the_callers_own_is_left_alone(kind: Kind) {
    let world = World::new(kind).await;
    world.api.refuse_all();
    for own in ["Basic YTpi", "Bearer another", ""] {
        let answer = world.call(Call::get(world.api.orders()).header("authorization", own)).await;
        assert_eq!((answer.status, answer.marked), (401, None));
    }
    assert_eq!(world.api.authorizations(), ["Basic YTpi", "Bearer another", ""]);
    assert_eq!(world.renewals().await, 0);
}

async fn nothing_that_is_shown_holds_the_token(kind: Kind) {
    let world = World::new(kind).await;
    let token = world.token().await;
    world.call(Call::get(world.api.orders())).await;
    let shown = world.front.shown();
    assert!(shown.contains("Session"), "{shown}");
    assert!(!shown.contains(&token));
    assert!(!shown.contains("dpr_"));
}
