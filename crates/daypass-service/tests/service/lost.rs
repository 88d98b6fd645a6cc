//! A store that has lost what was acknowledged, as after a fail-over or a restored backup.

use std::sync::Arc;
use std::time::Duration;

use daypass_service::{RefreshError, RefusedBecause};

use crate::support::{Ground, World, attempt, master, refresh_token};

/// A copy of a store as it is now, to start another service on later.
fn backup(world: &World) -> Ground {
    let ground = Ground { folder: Arc::new(tempfile::tempdir().unwrap()), ..world.ground() };
    for file in std::fs::read_dir(world.folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), ground.folder.path().join(file.file_name())).unwrap();
    }
    ground
}

async fn restored(ground: Ground, world: &World) -> World {
    ground.start(world.service.config().clone(), master()).await.unwrap()
}

async fn counted(world: &World, outcome: &str) -> bool {
    let line = format!("daypass_refresh_total{{outcome=\"{outcome}\"}} 1\n");
    world.service.render_metrics().await.contains(&line)
}

#[tokio::test]
async fn lost_rotations_heal_and_the_client_goes_on() {
    let world = World::new().await;
    world.person("ada").await;
    let mut pair = world.sign_in("ada").await;
    let old = backup(&world);
    for n in 0..3 {
        pair = world.refresh_as(refresh_token(&pair), Some(&attempt(n))).await.unwrap();
    }
    let lost = restored(old, &world).await;
    world.later(Duration::from_mins(5));
    let ids = format!("3:{},2:{},1:{},0:{}", attempt(3), attempt(2), attempt(1), attempt(0));
    let healed = lost.refresh_as(refresh_token(&pair), Some(&ids)).await.unwrap();
    assert_eq!(healed.refresh.as_ref().unwrap().generation.0, 4);
    assert!(counted(&lost, "healed").await);
    assert!(lost.events().await.iter().any(|event| event.kind.name() == "healed"));

    // What was learnt from the ids counts: the same attempt repeats, another one is a theft.
    let again = lost.refresh_as(refresh_token(&pair), Some(&ids)).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&healed));
    let thief = lost.refresh_as(refresh_token(&pair), Some(&format!("3:{}", attempt(66)))).await;
    assert!(matches!(thief, Err(RefreshError::Refused(RefusedBecause::Reused))), "{thief:?}");
}

#[tokio::test]
async fn a_token_too_far_ahead_is_refused_without_a_reason_and_ends_nothing() {
    let world = World::new().await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let old = backup(&world);
    let mut pair = first.clone();
    for n in 0..17 {
        pair = world.refresh_as(refresh_token(&pair), Some(&attempt(n))).await.unwrap();
    }
    let lost = restored(old, &world).await;
    let answer = lost.refresh(refresh_token(&pair)).await;
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
    assert!(lost.events().await.iter().any(|event| event.kind.name() == "generation_ahead"));
    lost.refresh(refresh_token(&first)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_was_lost_is_unknown() {
    let world = World::new().await;
    world.person("ada").await;
    let old = backup(&world);
    let pair = world.sign_in("ada").await;
    let lost = restored(old, &world).await;
    let answer = lost.refresh(refresh_token(&pair)).await;
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
    assert!(counted(&lost, "unknown").await);
    assert!(lost.service.authenticate(pair.access.expose()).await.is_err());
}
