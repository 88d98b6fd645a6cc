//! What is refused before anything is looked up.

use std::sync::Arc;
use std::time::Duration;

use daypass_service::storage::Source;
use daypass_service::{Held, Introspection, RefreshError, ServiceError};
use tokio::task::JoinSet;

use crate::support::{Ground, World, attempt, forged_everywhere, refresh_token, renamed, watched};

/// Refresh tokens that are none: damaged, cut short, respelt, forged, or of another kind.
async fn bad_tokens(world: &World) -> Vec<String> {
    let pair = world.sign_in("ada").await;
    let good = refresh_token(&pair);
    let mut bad = forged_everywhere(good);
    bad.extend((0..good.len()).map(|end| good[..end].to_owned()));
    bad.extend(["A", "=", "==", "\n", " ", "\0"].map(|tail| format!("{good}{tail}")));
    bad.extend([
        format!(" {good}"),
        good.to_uppercase(),
        good.replace("dpr_", "dps_"),
        good.replacen("dpr_", "", 1),
        format!("dpr_{good}"),
        pair.access.expose().to_owned(),
        "x".repeat(1 << 20),
        format!("dpr_{}", "ä".repeat(36)),
    ]);
    // The last character has bits that say nothing: every other spelling of it is refused.
    let spelt = |c: char| format!("{}{c}", &good[..good.len() - 1]);
    bad.extend(('A'..='Z').chain('a'..='z').chain('0'..='9').map(spelt).filter(|other| other != good));
    bad
}

#[tokio::test]
async fn a_forged_or_damaged_token_costs_no_storage_access() {
    let world = World::new().await;
    world.person("ada").await;
    let bad = bad_tokens(&world).await;
    assert!(bad.len() > 180);
    for token in &bad {
        let (answer, calls) = watched(world.refresh_as(token, Some(&attempt(1)))).await;
        assert!(matches!(answer, Err(RefreshError::Invalid)), "{token}: {answer:?}");
        assert_eq!(calls, [""; 0], "{token}");
    }
    // Neither at the other endpoints that take refresh tokens.
    for token in bad.iter().take(60) {
        let (answer, calls) = watched(world.service.log_out(Held::Refresh(token), Source::default())).await;
        assert_eq!((answer.is_ok(), calls.len()), (true, 0));
        let (answer, calls) = watched(world.service.introspect(token)).await;
        assert!(matches!(answer, Ok(Introspection::Inactive)) && calls.is_empty());
    }
}

#[tokio::test]
async fn a_good_token_costs_one_access() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let (answer, calls) = watched(world.refresh(refresh_token(&pair))).await;
    answer.unwrap();
    assert_eq!(calls, ["rotate"], "the watching itself works");
}

#[tokio::test]
async fn the_token_of_another_service_is_forged_here() {
    let world = World::new().await;
    let mut ground = Ground::new();
    ground.entropy = Arc::new(crate::support::Seeded::new(2));
    let config = world.service.config().clone();
    let other = ground.start(config, crate::support::master()).await.unwrap();
    other.person("ada").await;
    let pair = other.sign_in("ada").await;
    let (answer, calls) = watched(world.refresh(refresh_token(&pair))).await;
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
    assert!(calls.is_empty());
    assert!(world.service.verify(pair.access.expose()).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_looked_for_once_and_then_nobody_knows() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let unknown = renamed(refresh_token(&pair), 200);

    let (answer, calls) = watched(world.refresh(&unknown)).await;
    assert!(matches!(answer, Err(RefreshError::Service(ServiceError::Key(_)))), "{answer:?}");
    assert_eq!(calls, ["versions"]);
    let (answer, calls) = watched(world.refresh(&unknown)).await;
    assert!(matches!(answer, Err(RefreshError::Service(ServiceError::Key(_)))));
    assert!(calls.is_empty(), "not again within the second");
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(watched(world.refresh(&unknown)).await.1, ["versions"]);
    world.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_unknown_keys_at_once_are_looked_for_once() {
    let world = Arc::new(World::new().await);
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let mut flood = JoinSet::new();
    for n in 0..200u8 {
        let (world, token) = (Arc::clone(&world), renamed(refresh_token(&pair), 50 + n));
        flood.spawn(async move { watched(async move { world.refresh(&token).await }).await });
    }
    let mut looked = 0;
    for (answer, calls) in flood.join_all().await {
        assert!(matches!(answer, Err(RefreshError::Service(ServiceError::Key(_)))));
        looked += calls.len();
    }
    assert_eq!(looked, 1);
}

#[tokio::test]
async fn a_store_that_cannot_answer_is_never_the_tokens_fault() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    world.store.fail(true);
    let token = refresh_token(&pair);
    for attempts in [None, Some(attempt(1))] {
        let answer = world.refresh_as(token, attempts.as_deref()).await;
        let Err(RefreshError::Service(error)) = answer else { panic!("{answer:?}") };
        assert!(error.retry_after() >= Duration::from_secs(1));
    }
    assert!(world.service.log_out(Held::Refresh(token), Source::default()).await.is_err());
    assert!(world.service.introspect(token).await.is_err());
    assert!(world.service.ready().await.is_err());
    assert!(world.try_sign_in(crate::support::request("ada", "x")).await.is_err());
    let access = pair.access.expose();
    let refused = world.service.authenticate(access).await.unwrap_err();
    assert!(matches!(refused, daypass_service::AccessError::Service(_)), "{refused:?}");
    world.service.verify(access).unwrap();

    world.store.fail(false);
    world.service.ready().await.unwrap();
    world.refresh(token).await.unwrap();
}
