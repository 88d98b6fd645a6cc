//! What somebody was told is over stays over, and a wrong clock locks nobody out.

use std::time::Duration;

use daypass_service::core::EndingReason;
use daypass_service::storage::Store as _;
use daypass_service::{Held, Pair, RefreshError, RefusedBecause, Secret};

use super::{BACK, HOUR, jump, renewed};
use crate::support::{ISSUER, Jwks, PASSWORD, World, refresh_token, request, source};

async fn world(session: Duration) -> World {
    let world = World::with(|config| config.policy.session = Some(session)).await;
    world.person("ada").await;
    world
}

fn refused(answer: Result<Pair, RefreshError>) -> RefusedBecause {
    match answer {
        Err(RefreshError::Refused(because)) => because,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_log_out_counts_though_the_session_seemed_to_be_over() {
    let world = world(Duration::from_mins(90)).await;
    let pair = world.sign_in("ada").await;
    jump(&world, 40 * 60 + HOUR);
    world.service.log_out(Held::Refresh(refresh_token(&pair)), source()).await.unwrap();
    jump(&world, -HOUR);
    assert_eq!(refused(renewed(&world, &pair).await), RefusedBecause::Revoked);
    assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 1, "verifiers have the right time");
}

#[tokio::test]
async fn all_but_one_are_ended_though_they_seemed_to_be_over() {
    for new_password in [false, true] {
        let world = world(Duration::from_mins(90)).await;
        let pair = world.sign_in("ada").await;
        jump(&world, 40 * 60 + HOUR);
        let here = world.sign_in("ada").await;
        let caller = world.service.authenticate(here.access.expose()).await.unwrap();
        if new_password {
            let (old, new) =
                (Secret::new(PASSWORD.to_owned()), Secret::new("another long passphrase".to_owned()));
            world.service.change_password(&caller, old, new, source()).await.unwrap();
        } else {
            world.service.end_sessions(&caller, true, source()).await.unwrap();
        }
        jump(&world, -HOUR);
        assert_eq!(refused(renewed(&world, &pair).await), RefusedBecause::Revoked);
        renewed(&world, &here).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_was_refused_as_expired_does_not_come_back() {
    for back in [BACK, -HOUR] {
        let world = world(Duration::from_hours(2)).await;
        let pair = world.sign_in("ada").await;
        jump(&world, 2 * HOUR + 1);
        assert_eq!(refused(renewed(&world, &pair).await), RefusedBecause::Expired);
        jump(&world, back);
        assert_eq!(refused(renewed(&world, &pair).await), RefusedBecause::Expired);
        assert_eq!(refused(world.refresh(refresh_token(&pair)).await), RefusedBecause::Expired);
        let feed = world.service.feed(None, 10).await.unwrap();
        assert!(feed.entries.is_empty(), "no access token outlives its session");
    }
}

/// After a fail-over a row may be behind a token that its holder has, and seem idle to a late copy of
/// an older request: that refusal must not end the session, which the newer token heals.
#[tokio::test]
async fn a_session_that_was_refused_as_idle_is_what_it_was() {
    for back in [BACK, -HOUR] {
        let world = World::with(|config| config.policy.idle = Some(Duration::from_hours(2))).await;
        world.person("ada").await;
        let pair = world.sign_in("ada").await;
        let id = pair.refresh.as_ref().unwrap().session;
        let before = world.store.session(id).await.unwrap();
        jump(&world, 2 * HOUR + 1);
        for _ in 0..2 {
            assert_eq!(refused(renewed(&world, &pair).await), RefusedBecause::Expired);
        }
        assert_eq!(world.store.session(id).await.unwrap(), before);
        assert!(world.service.feed(None, 10).await.unwrap().entries.is_empty());
        jump(&world, back);
        renewed(&world, &pair).await.unwrap();
    }
}

#[tokio::test]
async fn the_feed_tells_of_an_end_as_long_as_a_token_from_the_future_will_live() {
    for everything in [false, true] {
        let world = World::new().await;
        let sub = world.person("ada").await;
        let pair = world.sign_in("ada").await;
        jump(&world, HOUR);
        let pair = renewed(&world, &pair).await.unwrap();
        jump(&world, -HOUR);
        if everything {
            world.store.end_sessions_of(sub, None, EndingReason::Revoked, source()).await.unwrap();
        } else {
            let session = pair.refresh.as_ref().unwrap().session;
            world.store.end_session(session, None, EndingReason::Revoked, source()).await.unwrap();
        }
        let until = world.service.feed(None, 10).await.unwrap().entries[0].until;
        let late = Jwks::fetch(&world).verify(pair.access.expose(), ISSUER, until.seconds());
        assert!(late.is_err_and(|error| error.is_expired()));
    }
}

#[tokio::test]
async fn a_jump_forward_takes_nothing_out_of_the_feed_that_is_needed_after_it() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    world.service.log_out(Held::Refresh(refresh_token(&pair)), source()).await.unwrap();
    jump(&world, 5 * 60 + HOUR);
    world.store.prune(Duration::from_hours(10_000), 500).await.unwrap();
    jump(&world, -HOUR);
    Jwks::fetch(&world).verify(pair.access.expose(), ISSUER, world.now().seconds()).unwrap();
    assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_retry_without_id_just_after_the_clock_went_back_is_no_theft_and_a_late_one_is() {
    for back in [2, 300, HOUR] {
        let world = World::new().await;
        world.person("ada").await;
        let (first, other) = (world.sign_in("ada").await, world.sign_in("ada").await);
        let successor = world.refresh(refresh_token(&first)).await.unwrap();
        world.refresh(refresh_token(&other)).await.unwrap();
        jump(&world, -back);
        world.sign_in("ada").await;
        jump(&world, 1);
        let again =
            world.refresh(refresh_token(&first)).await.unwrap_or_else(|error| panic!("{back}: {error:?}"));
        assert_eq!(refresh_token(&again), refresh_token(&successor));
        if back > 60 {
            jump(&world, 20);
            assert_eq!(refused(world.refresh(refresh_token(&other)).await), RefusedBecause::Reused);
        }
    }
}

#[tokio::test]
async fn an_account_waits_no_longer_than_it_is_told_after_the_clock_went_back() {
    let world = World::new().await;
    world.person("ada").await;
    for _ in 0..10 {
        world.wrong_password("ada").await;
    }
    jump(&world, BACK);
    jump(&world, 1);
    world.sign_in("ada").await;
}

#[tokio::test]
async fn one_wrong_password_locks_no_address_when_the_clock_goes_back() {
    let world = World::new().await;
    world.person("ada").await;
    let from = |password: &str| daypass_service::SignIn {
        address: Some([192, 0, 2, 1].into()),
        ..request("ada", password)
    };
    world.try_sign_in(from("wrong")).await.unwrap_err();
    jump(&world, BACK);
    world.try_sign_in(from(PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn tokens_made_before_the_clock_went_back_five_minutes_are_good_at_home() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    jump(&world, BACK);
    world.service.authenticate(pair.access.expose()).await.unwrap();
}
