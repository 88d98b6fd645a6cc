//! Two services on one store, as the command line beside a running service, or two processes.

use std::time::Duration;

use daypass_service::storage::Store as _;
use daypass_service::{Activation, ClientAuth, RefreshError, ServiceError};

use crate::support::{Jwks, World, attempt, public, refresh_token, source, until};

/// Waits for a condition; the time is generous, since others use the machine as well.
async fn soon(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_key_and_a_new_client_are_noticed_within_a_second() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    let etag = one.service.published_keys().etag;
    assert_eq!(two.service.published_keys().etag, etag);
    one.rotate_keys(Activation::Published).await;
    one.store.add_client_quietly(public("app", "")).await;
    tokio::time::advance(Duration::from_millis(999)).await;
    // From here on no timer fires: time stands still while somebody waits busily.
    until(|| two.service.published_keys().etag != etag).await;
    until(|| two.service.authenticate_client(&ClientAuth::Named("app".to_owned())).is_ok()).await;
    assert_eq!(Jwks::fetch(&two).0.len(), 2);
}

#[tokio::test]
async fn a_client_is_known_and_forgotten_by_both() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    one.register(public("app", "")).await;
    let named = ClientAuth::Named("app".to_owned());
    soon(|| two.service.authenticate_client(&named).is_ok()).await;
    two.store.remove_client("app".parse().unwrap(), source()).await.unwrap();
    soon(|| one.service.authenticate_client(&named).is_err()).await;
    soon(|| two.service.authenticate_client(&named).is_err()).await;
}

#[tokio::test]
async fn a_session_of_one_renews_at_the_other_and_ends_at_both() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    one.person("ada").await;
    let first = one.sign_in("ada").await;
    let second = two.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    let again = one.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));
    one.service.authenticate(second.access.expose()).await.unwrap();
    let caller = two.service.authenticate(first.access.expose()).await.unwrap();
    two.service.end_sessions(&caller, false, source()).await.unwrap();
    assert!(one.service.authenticate(second.access.expose()).await.is_err());
    assert!(one.refresh(refresh_token(&second)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_secret_that_is_new_here_is_good_at_once() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    one.person("ada").await;
    one.rotate_keys(Activation::Now).await;
    one.noticed().await;
    let pair = one.sign_in("ada").await;
    // Whether the other has noticed meanwhile or looks now: the token is never refused.
    two.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_cannot_look_says_that_it_cannot_tell() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    one.person("ada").await;
    two.store.fail(true);
    one.rotate_keys(Activation::Now).await;
    soon(|| Jwks::fetch(&one).0.len() == 2).await;
    let pair = one.sign_in("ada").await;
    let answer = two.refresh(refresh_token(&pair)).await;
    assert!(matches!(answer, Err(RefreshError::Service(ServiceError::Key(_)))), "{answer:?}");
    two.store.fail(false);
    soon(|| Jwks::fetch(&two).0.len() == 2).await;
    two.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_services_replace_an_old_key_once() {
    let one = World::with(|config| config.keys.rotate_every = Some(Duration::from_hours(24))).await;
    let two = one.beside(|_| {}).await;
    one.later(Duration::from_hours(24));
    for world in [&one, &two, &one, &two] {
        world.tidied().await;
    }
    let keys = one.store.keys().await.unwrap();
    assert_eq!(keys.len(), 4, "two that sign, two that tag: {keys:?}");
    assert_eq!(Jwks::fetch(&one).0.len(), 2);
    assert_eq!(one.service.published_keys().etag, two.service.published_keys().etag);
}

#[tokio::test]
async fn a_rotation_made_elsewhere_under_a_secret_that_is_new_here_repeats_here() {
    let one = World::new().await;
    let two = one.beside(|_| {}).await;
    one.person("ada").await;
    let first = one.sign_in("ada").await;
    two.store.fail(true);
    one.rotate_keys(Activation::Now).await;
    soon(|| Jwks::fetch(&one).0.len() == 2).await;
    let second = one.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    two.store.fail(false);
    let again = two.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));
}
