//! What is made for a time: access tokens, keys, and the feed.

use std::time::Duration;

use daypass_service::core::{Ending, EndingReason};
use daypass_service::storage::Store as _;
use daypass_service::{AccessError, Activation};

use super::{BACK, HOUR, Step, journeys, jump, renewed};
use crate::support::{ISSUER, Jwks, World, payload, refresh_token, source};

#[tokio::test]
async fn after_every_jump_a_renewal_gives_an_access_token_that_is_good() {
    for journey in journeys() {
        let mut world = World::with(|config| config.policy.session = Some(Duration::from_hours(3))).await;
        world.person("ada").await;
        let mut pair = world.sign_in("ada").await;
        for step in journey {
            world = step.take(world).await;
            pair = renewed(&world, &pair).await.unwrap();
            world.service.authenticate(pair.access.expose()).await.unwrap();
            let claims = payload(&world, &pair);
            let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
            assert_eq!((iat, exp), (world.now().seconds(), iat + 600), "{step:?}");
            assert_eq!(pair.expires_in, 600);
        }
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_good_for_five_minutes_of_it_and_never_the_end_of_anything() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    jump(&world, -300);
    world.service.authenticate(pair.access.expose()).await.unwrap();
    jump(&world, -1);
    let early = world.service.authenticate(pair.access.expose()).await;
    assert!(matches!(early, Err(AccessError::Invalid(_))), "neither expired nor ended: {early:?}");
    let pair = renewed(&world, &pair).await.unwrap();
    world.service.authenticate(pair.access.expose()).await.unwrap();
}

#[tokio::test]
async fn a_token_made_by_a_slow_clock_is_good_where_the_time_is_right() {
    let world = World::new().await;
    world.person("ada").await;
    jump(&world, BACK);
    let pair = world.sign_in("ada").await;
    let (jwks, right) = (Jwks::fetch(&world), world.now().seconds() - BACK);
    for after in [0, 299] {
        jwks.verify(pair.access.expose(), ISSUER, right + after).unwrap();
    }
    assert!(jwks.verify(pair.access.expose(), ISSUER, right + 300).is_err(), "early by the five minutes");
}

#[tokio::test(start_paused = true)]
async fn no_key_is_forgotten_or_missed_because_of_a_jump() {
    for activation in [Activation::Now, Activation::Published] {
        for journey in journeys() {
            let mut world = World::new().await;
            world.person("ada").await;
            let before = world.sign_in("ada").await;
            world.rotate_keys(activation).await;
            world.noticed().await;
            let mut sessions = vec![before.clone()];
            for step in &journey {
                world = step.take(world).await;
                world.tidied().await;
                let published = Jwks::fetch(&world);
                let pair = world.sign_in("ada").await;
                published.verify(pair.access.expose(), ISSUER, world.now().seconds()).unwrap();
                sessions.push(pair);
                for pair in &mut sessions {
                    *pair = renewed(&world, pair).await.unwrap();
                    world.service.verify(pair.access.expose()).unwrap();
                }
            }
            // The clock is right again: what was signed before it was wrong is still good.
            let off: i64 = journey.iter().map(|step| if let Step::Jump(by) = step { *by } else { 0 }).sum();
            jump(&world, -off);
            world.tidied().await;
            world.service.verify(before.access.expose()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_cursor_reads_each_end_once_and_in_order_wherever_the_clock_goes() {
    for journey in journeys() {
        let mut world = World::new().await;
        world.person("ada").await;
        let mut cursor = world.service.feed(None, 10).await.unwrap().cursor;
        let mut all = Vec::new();
        for step in journey {
            let (first, second) = (world.sign_in("ada").await, world.sign_in("ada").await);
            let [first, second] = [first, second].map(|pair| pair.refresh.unwrap().session);
            world.store.end_session(first, None, EndingReason::Revoked, source()).await.unwrap();
            world = step.take(world).await;
            world.store.end_session(second, None, EndingReason::Revoked, source()).await.unwrap();
            let page = world.service.feed(Some(&cursor), 10).await.unwrap();
            let read: Vec<_> = page.entries.into_iter().map(|entry| entry.ending).collect();
            assert_eq!((page.reset, &read), (false, &vec![Ending::Session(first), Ending::Session(second)]));
            (cursor, all) = (page.cursor, [all, read].concat());
        }
        let from_the_start = world.service.feed(None, 1000).await.unwrap();
        assert_eq!(from_the_start.entries.into_iter().map(|entry| entry.ending).collect::<Vec<_>>(), all);
    }
}

#[tokio::test]
async fn the_feed_tells_of_an_end_until_the_last_token_is_dead_though_the_clock_went_back() {
    let world = World::with(|config| config.policy.access = Duration::from_mins(55)).await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    jump(&world, BACK);
    let session = pair.refresh.as_ref().unwrap().session;
    world.store.end_session(session, None, EndingReason::Revoked, source()).await.unwrap();
    let jwks = Jwks::fetch(&world);
    let keep = Duration::from_hours(10_000);
    let mut checked = 0;
    for _ in 0..(2 * HOUR / 60) {
        jump(&world, 60);
        world.store.prune(keep, 500).await.unwrap();
        if jwks.verify(pair.access.expose(), ISSUER, world.now().seconds()).is_ok() {
            assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 1);
            checked += 1;
        }
    }
    assert!(checked > 50, "the token was good for a while: {checked}");
    jump(&world, 24 * HOUR);
    world.store.prune(keep, 500).await.unwrap();
    assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 0, "and then it is forgotten");
    assert!(world.refresh(refresh_token(&pair)).await.is_err());
}
