//! A person's password: what is taken, and what changing it ends.

use daypass_service::core::{Subject, SubjectId};
use daypass_service::storage::{AddUser, PasswordHash, Store as _, SubjectChange, User};
use daypass_service::{ChangePasswordError, Secret, SignInError, WeakPassword, hash_password};

use crate::support::{PASSWORD, World, refresh_token, request, source};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

const NEW: &str = "quite another passphrase";

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions_and_the_old_password() {
    let world = World::new().await;
    world.person("ada").await;
    let (here, there) = (world.sign_in("ada").await, world.sign_in("ada").await);
    let caller = world.service.authenticate(here.access.expose()).await.unwrap();
    world.service.change_password(&caller, secret(PASSWORD), secret(NEW), source()).await.unwrap();

    world.service.authenticate(here.access.expose()).await.unwrap();
    world.refresh(refresh_token(&here)).await.unwrap();
    assert!(world.service.authenticate(there.access.expose()).await.is_err());
    assert!(world.refresh(refresh_token(&there)).await.is_err());
    let old = world.try_sign_in(request("ada", PASSWORD)).await;
    assert!(matches!(old, Err(SignInError::Credentials)));
    world.try_sign_in(request("ada", NEW)).await.unwrap();
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing_and_counts_as_a_guess() {
    let world = World::new().await;
    world.person("ada").await;
    let (here, there) = (world.sign_in("ada").await, world.sign_in("ada").await);
    let caller = world.service.authenticate(here.access.expose()).await.unwrap();
    for _ in 0..10 {
        let wrong = world.service.change_password(&caller, secret("no"), secret(NEW), source()).await;
        assert!(matches!(wrong, Err(ChangePasswordError::Wrong)), "{wrong:?}");
    }
    let limited = world.service.change_password(&caller, secret(PASSWORD), secret(NEW), source()).await;
    assert!(matches!(limited, Err(ChangePasswordError::SignIn(SignInError::Limited { .. }))), "{limited:?}");
    world.later(std::time::Duration::from_secs(1));
    world.service.authenticate(there.access.expose()).await.unwrap();
    world.sign_in("ada").await;
}

#[tokio::test]
async fn a_weak_new_password_is_refused_with_its_reason() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let caller = world.service.authenticate(pair.access.expose()).await.unwrap();
    for (new, why) in [
        ("seven77", WeakPassword::Short),
        ("password123", WeakPassword::Common),
        (&"x".repeat(1025), WeakPassword::Long),
    ] {
        let refused = world.service.change_password(&caller, secret(PASSWORD), secret(new), source()).await;
        assert!(matches!(refused, Err(ChangePasswordError::Weak(weak)) if weak == why), "{refused:?}");
    }
    world.sign_in("ada").await;
}

#[tokio::test]
async fn a_long_password_counts_to_its_last_character() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let caller = world.service.authenticate(pair.access.expose()).await.unwrap();
    let long = "long passphrase ".repeat(64);
    let long = &long[..1024];
    world.service.change_password(&caller, secret(PASSWORD), secret(long), source()).await.unwrap();
    world.try_sign_in(request("ada", long)).await.unwrap();
    for wrong in [&long[..1023], &long[..72], &format!("{}X", &long[..1023])] {
        assert!(world.try_sign_in(request("ada", wrong)).await.is_err());
    }
}

async fn imported(world: &World, name: &str, password: Option<PasswordHash>) {
    let subject = Subject::new(SubjectId::new(&format!("sub-{name}")).unwrap());
    let user = User { name: name.parse().unwrap(), subject, password, created_at: world.now() };
    assert_eq!(world.store.add_user(user, source()).await.unwrap(), AddUser::Added);
}

/// `PASSWORD` under argon2id with 4 MiB and one pass, as another system may have made it.
fn weaker_hash() -> PasswordHash {
    use argon2::password_hash::PasswordHasher as _;
    let params = argon2::Params::new(4096, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"sixteen bytes ok").unwrap();
    PasswordHash::new(hash.to_string()).unwrap()
}

#[tokio::test]
async fn a_weaker_hash_is_replaced_at_the_first_sign_in_and_ends_nothing() {
    let world = World::new().await;
    imported(&world, "ada", Some(weaker_hash())).await;
    assert!(world.try_sign_in(request("ada", "wrong")).await.is_err());
    assert_eq!(world.store.user_named("ada").await.password, Some(weaker_hash()));
    let first = world.sign_in("ada").await;
    let strong = world.store.user_named("ada").await.password.unwrap();
    assert!(strong.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "OWASP's parameters");
    world.sign_in("ada").await;
    assert_eq!(world.store.user_named("ada").await.password, Some(strong), "once");
    world.refresh(refresh_token(&first)).await.unwrap();
}

#[tokio::test]
async fn a_person_without_a_password_cannot_sign_in_with_one() {
    let world = World::new().await;
    imported(&world, "ada", None).await;
    for password in ["", PASSWORD] {
        let answer = world.try_sign_in(request("ada", password)).await;
        assert!(matches!(answer, Err(SignInError::Credentials)));
    }
}

#[tokio::test]
async fn equal_passwords_have_different_hashes() {
    let world = World::new().await;
    let hash = || hash_password(&secret(PASSWORD), &*world.entropy).unwrap();
    assert_ne!(hash().as_phc(), hash().as_phc());
}

#[tokio::test]
async fn disabling_a_person_ends_everything_at_once_and_enabling_brings_nothing_back() {
    let world = World::new().await;
    let sub = world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let set = |disabled| SubjectChange { disabled: Some(disabled), ..SubjectChange::default() };
    world.change(&sub, set(true)).await;
    assert!(world.service.authenticate(pair.access.expose()).await.is_err());
    assert!(world.refresh(refresh_token(&pair)).await.is_err());
    world.change(&sub, set(false)).await;
    assert!(world.service.authenticate(pair.access.expose()).await.is_err());
    assert!(world.refresh(refresh_token(&pair)).await.is_err());
    world.later(std::time::Duration::from_millis(1));
    world.sign_in("ada").await;
}
