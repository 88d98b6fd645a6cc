//! A new password overtakes what was begun with the old one.

use std::sync::Arc;

use daypass_service::{ChangePasswordError, Secret, SignInError};

use crate::support::{PASSWORD, World, refresh_token, request, source};

const NEW: &str = "a quite different passphrase";
const THEIRS: &str = "the passphrase of a thief";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_by_the_old_password_is_overtaken() {
    let world = Arc::new(World::new().await);
    world.person("ada").await;
    let own = world.sign_in("ada").await;
    let caller = world.service.authenticate(own.access.expose()).await.unwrap();
    let held = world.store.hold("open_session");
    let beside = Arc::clone(&world);
    let theirs = tokio::spawn(async move { beside.try_sign_in(request("ada", PASSWORD)).await });
    held.came().await;
    world.service.change_password(&caller, secret(PASSWORD), secret(NEW), source()).await.unwrap();
    held.go_on();
    let answer = theirs.await.unwrap();
    assert!(matches!(answer, Err(SignInError::Credentials)), "signed in by a password that was replaced");
    world.refresh(refresh_token(&own)).await.unwrap();
    world.try_sign_in(request("ada", NEW)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_change_by_the_old_password_is_overtaken() {
    let world = Arc::new(World::new().await);
    world.person("ada").await;
    let (own, stolen) = (world.sign_in("ada").await, world.sign_in("ada").await);
    let caller = world.service.authenticate(own.access.expose()).await.unwrap();
    let thief = world.service.authenticate(stolen.access.expose()).await.unwrap();
    // The hash in place has been read by then, the password not yet checked.
    let held = world.store.hold("guesses");
    let beside = Arc::clone(&world);
    let theirs = tokio::spawn(async move {
        beside.service.change_password(&thief, secret(PASSWORD), secret(THEIRS), source()).await
    });
    held.came().await;
    world.service.change_password(&caller, secret(PASSWORD), secret(NEW), source()).await.unwrap();
    held.go_on();
    let answer = theirs.await.unwrap();
    assert!(matches!(answer, Err(ChangePasswordError::Wrong)), "{answer:?}");
    world.refresh(refresh_token(&own)).await.unwrap();
    world.try_sign_in(request("ada", NEW)).await.unwrap();
}
