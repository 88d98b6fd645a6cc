//! Ending: logging out, and ending one's own sessions.

use daypass_service::core::{Ending, EndingReason, SessionId};
use daypass_service::storage::Store as _;
use daypass_service::{AccessError, Held, RefreshError, RefusedBecause};

use crate::support::{World, attempt, forged_everywhere, refresh_token, renamed, source};

async fn is_dead(world: &World, pair: &daypass_service::Pair) {
    let access = world.service.authenticate(pair.access.expose()).await;
    assert!(matches!(access, Err(AccessError::Ended)), "{access:?}");
    let renewal = world.refresh(refresh_token(pair)).await;
    assert!(matches!(renewal, Err(RefreshError::Refused(RefusedBecause::Revoked))), "{renewal:?}");
}

#[tokio::test]
async fn logging_out_twice_is_as_good_as_once() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let other = world.sign_in("ada").await;
    for _ in 0..2 {
        world.service.log_out(Held::Refresh(refresh_token(&pair)), source()).await.unwrap();
        is_dead(&world, &pair).await;
    }
    world.service.authenticate(other.access.expose()).await.unwrap();
    let events = world.events().await;
    assert_eq!(events.iter().filter(|event| event.kind.name() == "signed_out").count(), 1);
    assert_eq!(events.last().unwrap().address.as_deref(), Some("192.0.2.9"));
}

#[tokio::test]
async fn any_generation_logs_out_its_session_and_raises_no_alarm() {
    let world = World::new().await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let other = world.sign_in("ada").await;
    let mut pair = first.clone();
    for n in 0..6 {
        pair = world.refresh_as(refresh_token(&pair), Some(&attempt(n))).await.unwrap();
    }
    world.service.log_out(Held::Refresh(refresh_token(&first)), source()).await.unwrap();
    is_dead(&world, &pair).await;
    world.refresh(refresh_token(&other)).await.unwrap();
    assert!(world.events().await.iter().all(|event| event.kind.name() != "reused"));
}

#[tokio::test]
async fn an_access_token_logs_out_its_session() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let caller = world.service.verify(pair.access.expose()).unwrap();
    for _ in 0..2 {
        world.service.log_out(Held::Access(&caller), source()).await.unwrap();
    }
    is_dead(&world, &pair).await;
}

#[tokio::test]
async fn what_is_no_token_logs_nobody_out() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    for forged in forged_everywhere(refresh_token(&pair)).iter().map(String::as_str).chain(["", "dpr_", "x"])
    {
        world.service.log_out(Held::Refresh(forged), source()).await.unwrap();
    }
    let unknown = world.service.log_out(Held::Refresh(&renamed(refresh_token(&pair), 99)), source()).await;
    assert!(unknown.is_err(), "nobody can tell whose that is");
    world.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test]
async fn one_session_is_ended_by_its_owner_only() {
    let world = World::new().await;
    world.person("ada").await;
    world.person("bob").await;
    let (here, there, bobs) =
        (world.sign_in("ada").await, world.sign_in("ada").await, world.sign_in("bob").await);
    let id = |pair: &daypass_service::Pair| pair.refresh.as_ref().unwrap().session;
    let ada = world.service.authenticate(here.access.expose()).await.unwrap();

    assert!(!world.service.end_session(&ada, id(&bobs), source()).await.unwrap(), "somebody else's");
    assert!(!world.service.end_session(&ada, SessionId::new(world.now(), [1; 10]), source()).await.unwrap());
    world.refresh(refresh_token(&bobs)).await.unwrap();
    for _ in 0..2 {
        assert!(world.service.end_session(&ada, id(&there), source()).await.unwrap());
    }
    is_dead(&world, &there).await;
    world.service.authenticate(here.access.expose()).await.unwrap();
    let listed = world.service.sessions(&ada).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.session.id).collect::<Vec<_>>(), [id(&here)]);
}

#[tokio::test]
async fn all_sessions_end_or_all_but_the_one_that_calls() {
    let world = World::new().await;
    world.person("ada").await;
    world.person("bob").await;
    let bobs = world.sign_in("bob").await;
    let (here, there) = (world.sign_in("ada").await, world.sign_in("ada").await);
    let ada = world.service.authenticate(here.access.expose()).await.unwrap();

    world.service.end_sessions(&ada, true, source()).await.unwrap();
    is_dead(&world, &there).await;
    world.service.authenticate(here.access.expose()).await.unwrap();
    let here = world.refresh(refresh_token(&here)).await.unwrap();

    world.service.end_sessions(&ada, false, source()).await.unwrap();
    is_dead(&world, &here).await;
    world.refresh(refresh_token(&bobs)).await.unwrap();
}

#[tokio::test]
async fn whoever_signs_in_in_the_millisecond_of_the_ending_is_signed_in() {
    let world = World::new().await;
    world.person("ada").await;
    let before = world.sign_in("ada").await;
    let ada = world.service.authenticate(before.access.expose()).await.unwrap();
    world.service.end_sessions(&ada, false, source()).await.unwrap();
    let after = world.sign_in("ada").await;
    is_dead(&world, &before).await;
    world.service.authenticate(after.access.expose()).await.unwrap();
}

#[tokio::test]
async fn the_feed_tells_of_a_session_that_ended() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let id = pair.refresh.as_ref().unwrap().session;
    world.store.end_session(id, None, EndingReason::Revoked, source()).await.unwrap();
    let feed = world.service.feed(None, 10).await.unwrap();
    assert_eq!(
        feed.entries.iter().map(|entry| entry.ending.clone()).collect::<Vec<_>>(),
        [Ending::Session(id)]
    );
}
