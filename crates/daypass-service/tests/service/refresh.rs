//! Renewing: rotation, repeats, refusals, narrowing.

use std::time::Duration;

use daypass_service::core::{Generation, Scope};
use daypass_service::{AccessError, Pair, Refresh, RefreshError, RefusedBecause, ServiceConfig};

use crate::support::{
    BEGIN, ISSUER, World, attempt, client, payload, payload_for, public, refresh_token, renewal, scope,
};

fn because(answer: Result<Pair, RefreshError>) -> RefusedBecause {
    match answer {
        Err(RefreshError::Refused(because)) => because,
        other => panic!("not refused with a reason: {other:?}"),
    }
}

async fn signed_in(change: impl FnOnce(&mut ServiceConfig)) -> (World, Pair) {
    let world = World::with(change).await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    (world, pair)
}

#[tokio::test]
async fn a_renewal_gives_a_new_pair_of_the_same_session() {
    let (world, first) = signed_in(|_| {}).await;
    world.later(Duration::from_mins(1));
    let second = world.refresh(refresh_token(&first)).await.unwrap();
    let (before, after) = (payload(&world, &first), payload(&world, &second));
    for same in ["iss", "sub", "aud", "client_id", "sid", "auth_time", "amr"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!((&after["iat"], &after["exp"]), (&(BEGIN + 60).into(), &(BEGIN + 660).into()));
    assert_ne!(before["jti"], after["jti"]);
    assert_ne!(refresh_token(&first), refresh_token(&second));
    let refresh = second.refresh.unwrap();
    assert_eq!(refresh.generation, Generation(1));
    assert_eq!(refresh.expires_in, Some(180 * 24 * 3600 - 60), "a renewal does not extend the session");
}

#[tokio::test]
async fn the_same_attempt_gets_the_same_refresh_token_byte_for_byte_however_late() {
    let (world, first) = signed_in(|_| {}).await;
    let id = attempt(1);
    let second = world.refresh_as(refresh_token(&first), Some(&id)).await.unwrap();
    for _ in 0..3 {
        world.later(Duration::from_hours(24));
        let again = world.refresh_as(refresh_token(&first), Some(&format!("0:{id}"))).await.unwrap();
        assert_eq!(refresh_token(&again), refresh_token(&second));
        assert_eq!(again.refresh.as_ref().unwrap().generation, Generation(1));
        assert_ne!(again.access, second.access, "the access token is fresh");
        payload(&world, &again);
    }
    world.refresh_as(refresh_token(&second), Some(&attempt(2))).await.unwrap();
}

#[tokio::test]
async fn a_client_that_lost_several_answers_in_a_row_catches_up() {
    let (world, first) = signed_in(|_| {}).await;
    let mut pair = first.clone();
    for generation in 0..4 {
        pair = world.refresh_as(refresh_token(&pair), Some(&attempt(generation))).await.unwrap();
    }
    let all = format!("3:{},2:{},1:{},0:{}", attempt(3), attempt(2), attempt(1), attempt(0));
    let caught_up = world.refresh_as(refresh_token(&first), Some(&all)).await.unwrap();
    assert_eq!(refresh_token(&caught_up), refresh_token(&pair));
}

#[tokio::test]
async fn without_attempt_ids_a_repeat_is_good_until_the_grace_is_over_and_does_not_extend_it() {
    let (world, first) = signed_in(|_| {}).await;
    let second = world.refresh(refresh_token(&first)).await.unwrap();
    for _ in 0..2 {
        world.later(Duration::from_secs(5));
        let again = world.refresh(refresh_token(&first)).await.unwrap();
        assert_eq!(refresh_token(&again), refresh_token(&second));
    }
    world.later(Duration::from_millis(1));
    assert_eq!(because(world.refresh(refresh_token(&first)).await), RefusedBecause::Reused);
}

#[tokio::test]
async fn attempt_ids_that_are_none_for_the_tokens_generation_change_nothing() {
    let (world, first) = signed_in(|_| {}).await;
    let answer = world.refresh_as(refresh_token(&first), Some(&format!("5:{}", attempt(5)))).await;
    assert!(matches!(answer, Err(RefreshError::Mismatch(Generation(0)))), "{answer:?}");
    world.refresh(refresh_token(&first)).await.unwrap();
}

#[tokio::test]
async fn attempt_ids_that_cannot_be_read_change_nothing_and_are_not_repeated() {
    let (world, first) = signed_in(|_| {}).await;
    for bad in ["short", "", "0:", "x:y", &format!("00:{}", attempt(1)), &format!("{},", attempt(1))] {
        let answer = world.refresh_as(refresh_token(&first), Some(bad)).await;
        let Err(RefreshError::Attempts(error)) = answer else { panic!("{bad}: {answer:?}") };
        assert!(!error.to_string().contains("short"));
    }
    world.refresh(refresh_token(&first)).await.unwrap();
}

#[tokio::test]
async fn a_late_copy_of_an_own_request_is_superseded_and_the_session_lives() {
    let (world, first) = signed_in(|_| {}).await;
    let second = world.refresh_as(refresh_token(&first), Some(&attempt(0))).await.unwrap();
    let third = world.refresh_as(refresh_token(&second), Some(&attempt(1))).await.unwrap();
    let late = world.refresh_as(refresh_token(&first), Some(&attempt(0))).await;
    let late = because(late);
    assert_eq!((late, late.session_is_over()), (RefusedBecause::Superseded, false));
    world.refresh_as(refresh_token(&third), Some(&attempt(2))).await.unwrap();
    assert!(world.events().await.iter().any(|event| event.kind.name() == "superseded"));
}

#[tokio::test]
async fn a_session_expires_at_its_end_to_the_millisecond() {
    let (world, mut pair) = signed_in(|config| config.policy.session = Some(Duration::from_secs(1000))).await;
    world.later(Duration::from_millis(999_999));
    pair = world.refresh(refresh_token(&pair)).await.unwrap();
    world.later(Duration::from_millis(1));
    assert_eq!(because(world.refresh(refresh_token(&pair)).await), RefusedBecause::Expired);
}

#[tokio::test]
async fn an_idle_session_expires_and_a_used_one_does_not() {
    let (world, mut pair) = signed_in(|config| config.policy.idle = Some(Duration::from_mins(1))).await;
    for _ in 0..5 {
        world.later(Duration::from_mins(1));
        pair = world.refresh(refresh_token(&pair)).await.unwrap();
    }
    world.service.authenticate(pair.access.expose()).await.unwrap();
    world.later(Duration::from_millis(60_001));
    assert_eq!(because(world.refresh(refresh_token(&pair)).await), RefusedBecause::Expired);
    let answer = world.service.authenticate(pair.access.expose()).await;
    assert!(
        matches!(answer, Err(AccessError::Ended)),
        "one rule for refresh tokens and access tokens: {answer:?}"
    );
    let other = world.sign_in("ada").await;
    let caller = world.service.authenticate(other.access.expose()).await.unwrap();
    assert_eq!(world.service.sessions(&caller).await.unwrap().len(), 1, "the idle one is not listed");
}

#[tokio::test]
async fn another_clients_token_is_invalid_without_a_reason_and_lives() {
    let world = World::new().await;
    world.person("ada").await;
    let backend = world.registered(client("backend", "")).await;
    let app = world.registered(public("app", "")).await;
    let pair = world.sign_in("ada").await;
    for other in [&backend, &app] {
        let answer =
            world.service.refresh(Refresh { client: Some(other), ..renewal(refresh_token(&pair)) }).await;
        assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
        let wider = scope("anything");
        let narrowed = Refresh { client: Some(other), scope: Some(&wider), ..renewal(refresh_token(&pair)) };
        let answer = world.service.refresh(narrowed).await;
        assert!(matches!(answer, Err(RefreshError::Invalid)), "its scope is not told either: {answer:?}");
    }
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    let app_pair = world.sign_in_on("ada", "app").await;
    let own = Refresh { client: Some(&app), ..renewal(refresh_token(&app_pair)) };
    world.service.refresh(own).await.unwrap();
    world.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test]
async fn a_narrower_scope_narrows_the_access_token_and_not_the_grant() {
    let world = World::new().await;
    world.person_with("ada", serde_json::json!({}), "read write").await;
    let mut pair = world.sign_in("ada").await;
    let narrow = |pair: &Pair, asked: &str| (refresh_token(pair).to_owned(), scope(asked));

    let (token, asked) = narrow(&pair, "read");
    pair = world.service.refresh(Refresh { scope: Some(&asked), ..renewal(&token) }).await.unwrap();
    assert_eq!((payload(&world, &pair)["scope"].as_str(), pair.scope.as_str()), (Some("read"), "read"));

    let wider: Scope = scope("read write admin");
    let token = refresh_token(&pair).to_owned();
    let answer = world.service.refresh(Refresh { scope: Some(&wider), ..renewal(&token) }).await;
    assert!(matches!(answer, Err(RefreshError::Scope)), "{answer:?}");

    let pair = world.refresh(&token).await.unwrap();
    assert_eq!(pair.refresh.as_ref().unwrap().generation, Generation(2), "the refusal rotated nothing");
    assert_eq!(payload(&world, &pair)["scope"], "read write");
}

#[tokio::test]
async fn a_resource_decides_the_audience_if_the_client_may_ask_for_it() {
    let world = World::with(|config| config.audience = Some("https://api.example".to_owned())).await;
    let mut app = public("app", "");
    app.audience = Some("https://app.example".to_owned());
    let app = world.registered(app).await;
    world.person("ada").await;
    let mut pair = world.sign_in_on("ada", "app").await;
    payload_for(&world, &pair, "https://app.example");
    for resource in ["https://api.example", "https://app.example", ISSUER] {
        let token = refresh_token(&pair).to_owned();
        let request = Refresh { client: Some(&app), resource: Some(resource), ..renewal(&token) };
        pair = world.service.refresh(request).await.unwrap();
        assert_eq!(payload_for(&world, &pair, resource)["aud"], resource);
    }
    for resource in ["https://other.example", "", "https://app.example/"] {
        let request =
            Refresh { client: Some(&app), resource: Some(resource), ..renewal(refresh_token(&pair)) };
        let answer = world.service.refresh(request).await;
        assert!(matches!(answer, Err(RefreshError::Resource)), "{resource}: {answer:?}");
    }
    let pair = world.service.refresh(Refresh { client: Some(&app), ..renewal(refresh_token(&pair)) }).await;
    assert_eq!(pair.unwrap().refresh.unwrap().generation, Generation(4), "the refusals rotated nothing");
}
