//! What has ended stays ended, whatever ended it.

use std::time::Duration;

use daypass_service::core::{EndingReason, SubjectId};
use daypass_service::storage::{Store as _, SubjectChange};
use daypass_service::{Held, Introspection, Pair, RefreshError, RefusedBecause, Secret};

use super::{journeys, renewed, told};
use crate::support::{PASSWORD, World, public, refresh_token, source};

/// A session that is over, and what its tokens are answered with.
struct Over {
    how: &'static str,
    pair: Pair,
    because: Option<RefusedBecause>,
}

/// Sessions that ended in every way there is, each somebody else's.
async fn graveyard(world: &World) -> Vec<Over> {
    let mut over = vec![pruned(world).await, expired(world).await];
    for how in ["logged out", "revoked", "all revoked", "all but one", "new password", "disabled"] {
        over.push(ended(world, how).await);
    }
    over.extend(robbed(world).await);
    over
}

/// A client whose sessions are short.
async fn sign_in_shortly(world: &World, name: &str) -> Pair {
    world.person(name).await;
    world.sign_in_on(name, "short").await
}

/// Its end was so long ago that its row is gone.
async fn pruned(world: &World) -> Over {
    let pair = sign_in_shortly(world, "pruned").await;
    world.later(Duration::from_hours(25));
    assert_eq!(world.store.prune(Duration::from_hours(10_000), 500).await.unwrap().sessions, 1);
    Over { how: "pruned", pair, because: None }
}

/// Its end was longer ago than the clock ever goes back.
async fn expired(world: &World) -> Over {
    let pair = sign_in_shortly(world, "expired").await;
    world.later(Duration::from_hours(3));
    Over { how: "expired", pair, because: Some(RefusedBecause::Expired) }
}

async fn ended(world: &World, how: &'static str) -> Over {
    let name = how.replace(' ', "-");
    let sub = world.person(&name).await;
    let (pair, here) = (world.sign_in(&name).await, world.sign_in(&name).await);
    let caller = world.service.authenticate(here.access.expose()).await.unwrap();
    match how {
        "logged out" => world.service.log_out(Held::Refresh(refresh_token(&pair)), source()).await.unwrap(),
        "revoked" => {
            let id = pair.refresh.as_ref().unwrap().session;
            world.store.end_session(id, None, EndingReason::Revoked, source()).await.unwrap();
        }
        "all revoked" => world.service.end_sessions(&caller, false, source()).await.unwrap(),
        "all but one" => world.service.end_sessions(&caller, true, source()).await.unwrap(),
        "new password" => {
            let (old, new) =
                (Secret::new(PASSWORD.to_owned()), Secret::new("another long passphrase".to_owned()));
            world.service.change_password(&caller, old, new, source()).await.unwrap();
        }
        _ => disabled_and_enabled(world, &sub).await,
    }
    Over { how, pair, because: Some(RefusedBecause::Revoked) }
}

async fn disabled_and_enabled(world: &World, sub: &SubjectId) {
    for disabled in [true, false] {
        world.change(sub, SubjectChange { disabled: Some(disabled), ..SubjectChange::default() }).await;
    }
}

/// The session whose token was stolen, and the one beside it.
async fn robbed(world: &World) -> [Over; 2] {
    world.person("robbed").await;
    let (first, beside) = (world.sign_in("robbed").await, world.sign_in("robbed").await);
    let pair = renewed(world, &first).await.unwrap();
    let thief = world.refresh_as(refresh_token(&first), Some(&crate::support::attempt(66))).await;
    assert!(matches!(thief, Err(RefreshError::Refused(RefusedBecause::Reused))), "{thief:?}");
    let because = Some(RefusedBecause::Reused);
    [Over { how: "robbed", pair, because }, Over { how: "beside", pair: beside, because }]
}

async fn is_over(world: &World, over: &Over) {
    let how = over.how;
    for answer in [world.refresh(refresh_token(&over.pair)).await, renewed(world, &over.pair).await] {
        match (answer, over.because) {
            (Err(RefreshError::Refused(told)), Some(because)) => assert_eq!(told, because, "{how}"),
            (Err(RefreshError::Invalid), None) => {}
            (answer, _) => panic!("{how}: {answer:?}"),
        }
    }
    assert!(world.service.authenticate(over.pair.access.expose()).await.is_err(), "{how}");
    for token in [over.pair.access.expose(), refresh_token(&over.pair)] {
        assert!(matches!(world.service.introspect(token).await.unwrap(), Introspection::Inactive), "{how}");
    }
}

#[tokio::test]
async fn what_has_ended_stays_ended_wherever_the_clock_goes() {
    for journey in journeys() {
        let mut world = World::new().await;
        let mut short = public("short", "");
        short.ttl.session = Some(60);
        world.register(short).await;
        let over = graveyard(&world).await;
        world.person("kim").await;
        let mut bystander = world.sign_in("kim").await;
        let alarms = told(&world, "reused").await;
        for step in journey.clone() {
            world = step.take(world).await;
            for over in &over {
                is_over(&world, over).await;
            }
            bystander = renewed(&world, &bystander).await.unwrap();
        }
        assert_eq!((told(&world, "reused").await, told(&world, "healed").await), (alarms, 0), "{journey:?}");
    }
}

#[tokio::test]
async fn an_end_is_an_end_of_what_was_before_it_and_of_nothing_after_it() {
    for journey in journeys() {
        let mut world = World::new().await;
        let sub = world.person("ada").await;
        let (mut dead, mut living) = (Vec::new(), world.sign_in("ada").await);
        for step in journey {
            world = step.take(world).await;
            world.store.end_sessions_of(sub.clone(), None, EndingReason::Revoked, source()).await.unwrap();
            dead.push(Over { how: "before the end", pair: living, because: Some(RefusedBecause::Revoked) });
            living = world.sign_in("ada").await;
            for over in &dead {
                is_over(&world, over).await;
            }
            living = renewed(&world, &living).await.unwrap();
            let caller = world.service.authenticate(living.access.expose()).await.unwrap();
            let listed = world.service.sessions(&caller).await.unwrap();
            assert_eq!(listed.len(), 1, "one lives: {step:?}");
            assert_eq!(listed[0].session.id, living.refresh.as_ref().unwrap().session);
        }
    }
}
