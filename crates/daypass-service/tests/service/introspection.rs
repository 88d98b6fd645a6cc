//! Introspection: what every kind of token is worth, now.

use std::time::Duration;

use daypass_service::Introspection;
use daypass_service::storage::{Store as _, SubjectChange};

use crate::support::{World, attempt, client, forged_everywhere, public, refresh_token, source};

async fn active(world: &World, token: &str) -> &'static str {
    match world.service.introspect(token).await.unwrap() {
        Introspection::Inactive => "inactive",
        Introspection::Access(_) => "access",
        Introspection::Refresh { .. } => "refresh",
    }
}

#[tokio::test]
async fn a_living_token_is_what_it_is() {
    let world = World::new().await;
    let sub = world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let Introspection::Access(claims) = world.service.introspect(pair.access.expose()).await.unwrap() else {
        panic!("not an access token")
    };
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), (sub.as_str(), "daypass"));
    assert_eq!(world.service.username(&sub).await.unwrap().as_deref(), Some("ada"));
    let Introspection::Refresh { session } = world.service.introspect(refresh_token(&pair)).await.unwrap()
    else {
        panic!("not a refresh token")
    };
    assert_eq!(session.subject, sub);

    let backend = world.registered(client("backend", "")).await;
    let own = world.service.client_credentials(&backend, None, None).unwrap();
    assert_eq!(active(&world, own.access.expose()).await, "access");
}

#[tokio::test]
async fn a_dead_or_foreign_token_is_inactive_and_nothing_else() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let mut nothing: Vec<String> = ["", "x", "a.b.c", "dpr_", "dps_secret"].map(str::to_owned).to_vec();
    nothing.extend(forged_everywhere(refresh_token(&pair)).into_iter().take(20));
    nothing.push(format!("{}A", pair.access.expose()));
    nothing.push(pair.access.expose().replacen('.', "", 1));
    for token in &nothing {
        assert_eq!(active(&world, token).await, "inactive", "{token}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_active_in_its_current_generation_only_and_asking_uses_nothing_up() {
    let world = World::new().await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    assert_eq!(active(&world, refresh_token(&first)).await, "refresh");
    let second = world.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    assert_eq!(active(&world, refresh_token(&first)).await, "inactive");
    assert_eq!(active(&world, refresh_token(&second)).await, "refresh");
    assert_eq!(active(&world, first.access.expose()).await, "access", "it lives until it expires");
    world.refresh(refresh_token(&second)).await.unwrap();
}

#[tokio::test]
async fn time_makes_tokens_inactive() {
    let world = World::with(|config| {
        config.policy.session = Some(Duration::from_hours(1));
        config.policy.idle = Some(Duration::from_mins(20));
    });
    let world = world.await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    world.later(Duration::from_millis(599_999));
    assert_eq!(active(&world, pair.access.expose()).await, "access");
    world.later(Duration::from_millis(1));
    assert_eq!(active(&world, pair.access.expose()).await, "inactive");
    world.later(Duration::from_mins(10));
    assert_eq!(active(&world, refresh_token(&pair)).await, "refresh");
    world.later(Duration::from_millis(1));
    assert_eq!(active(&world, refresh_token(&pair)).await, "inactive", "idle");
}

#[tokio::test]
async fn whatever_ends_a_session_makes_its_tokens_inactive_at_once() {
    let world = World::new().await;
    world.register(public("app", "")).await;
    let sub = world.person("ada").await;
    let pair = world.sign_in_on("ada", "app").await;
    world.change(&sub, SubjectChange { disabled: Some(true), ..SubjectChange::default() }).await;
    for token in [pair.access.expose(), refresh_token(&pair)] {
        assert_eq!(active(&world, token).await, "inactive");
    }
    world.person("bob").await;
    let pair = world.sign_in_on("bob", "app").await;
    let backend = world.registered(client("backend", "")).await;
    let own = world.service.client_credentials(&backend, None, None).unwrap();
    // The last one is public, so that it shows when both removals have been noticed.
    for id in ["backend", "app"] {
        world.store.remove_client(id.parse().unwrap(), source()).await.unwrap();
    }
    let named = daypass_service::ClientAuth::Named("app".to_owned());
    world.eventually(|| world.service.authenticate_client(&named).is_err()).await;
    for token in [pair.access.expose(), refresh_token(&pair), own.access.expose()] {
        assert_eq!(active(&world, token).await, "inactive");
    }
}
