//! Guessing passwords: the limits, whom they hit, and whom they leave alone.

use std::net::IpAddr;
use std::time::Duration;

use daypass_service::{SignIn, SignInError};

use crate::support::{PASSWORD, World, request, watched};

fn wait(error: &SignInError) -> Duration {
    let SignInError::Limited { retry_after } = error else { panic!("not limited: {error:?}") };
    *retry_after
}

async fn try_from(world: &World, name: &str, password: &str, address: &str) -> Result<(), SignInError> {
    let address = Some(address.parse::<IpAddr>().unwrap());
    world.try_sign_in(SignIn { address, ..request(name, password) }).await.map(|_| ())
}

#[tokio::test]
async fn after_ten_wrong_passwords_an_account_waits_and_each_further_one_doubles_the_wait() {
    let world = World::new().await;
    world.person("ada").await;
    world.person("bob").await;
    for _ in 0..10 {
        assert!(matches!(world.wrong_password("ada").await, SignInError::Credentials));
    }
    for seconds in [1, 2, 4, 8] {
        let error = world.try_sign_in(request("ada", PASSWORD)).await.unwrap_err();
        assert_eq!(wait(&error), Duration::from_secs(seconds), "the right password waits as well");
        world.later(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(wait(&world.wrong_password("ada").await), Duration::from_millis(1));
        world.later(Duration::from_millis(1));
        assert!(matches!(world.wrong_password("ada").await, SignInError::Credentials));
    }
    world.sign_in("bob").await;
}

#[tokio::test]
async fn the_right_password_forgets_the_wrong_ones() {
    let world = World::new().await;
    world.person("ada").await;
    for _ in 0..2 {
        for _ in 0..9 {
            assert!(matches!(world.wrong_password("ada").await, SignInError::Credentials));
        }
        world.sign_in("ada").await;
    }
    for _ in 0..10 {
        assert!(matches!(world.wrong_password("ada").await, SignInError::Credentials));
    }
    wait(&world.wrong_password("ada").await);
}

#[tokio::test]
async fn a_name_that_nobody_has_is_limited_like_one_that_somebody_has() {
    let world = World::new().await;
    for _ in 0..10 {
        assert!(matches!(world.wrong_password("nobody").await, SignInError::Credentials));
    }
    assert_eq!(wait(&world.wrong_password("nobody").await), Duration::from_secs(1));
    assert!(matches!(world.wrong_password("nobody else").await, SignInError::Credentials));
}

#[tokio::test]
async fn an_account_that_waits_costs_no_hashing_and_no_look_up_of_the_user() {
    let world = World::new().await;
    world.person("ada").await;
    for _ in 0..10 {
        world.wrong_password("ada").await;
    }
    let (error, calls) = watched(world.wrong_password("ada")).await;
    assert_eq!((wait(&error).as_secs(), calls), (1, vec!["guesses"]));
}

#[tokio::test]
async fn the_limit_of_an_account_outlives_the_process() {
    let world = World::new().await;
    world.person("ada").await;
    for _ in 0..10 {
        world.wrong_password("ada").await;
    }
    let ground = world.ground();
    let config = world.service.config().clone();
    drop(world);
    let world = ground.start(config, crate::support::master()).await.unwrap();
    wait(&world.wrong_password("ada").await);
}

#[tokio::test]
async fn an_address_that_guesses_across_accounts_waits_and_others_do_not() {
    let world = World::with(|config| config.limits.address_failures = 5).await;
    world.person("ada").await;
    for n in 0..5 {
        let answer = try_from(&world, &format!("name {n}"), PASSWORD, "192.0.2.1").await;
        assert!(matches!(answer, Err(SignInError::Credentials)));
    }
    let answer = try_from(&world, "ada", PASSWORD, "192.0.2.1").await.unwrap_err();
    assert_eq!(wait(&answer), Duration::from_secs(2));
    try_from(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    world.sign_in("ada").await;

    world.later(Duration::from_secs(2));
    try_from(&world, "ada", PASSWORD, "192.0.2.1").await.unwrap();
}

#[tokio::test]
async fn a_refused_sign_in_is_accounted_for_without_the_name_that_was_typed() {
    let world = World::new().await;
    world.wrong_password("perhaps a password").await;
    let event = world.events().await.pop().unwrap();
    assert_eq!((event.kind.name(), event.subject.as_ref()), ("sign_in_refused", None));
    assert_eq!(event.client.as_ref().unwrap().as_str(), "daypass");
    assert!(!format!("{event:?}").contains("perhaps"));
}

#[tokio::test]
async fn an_unknown_user_takes_the_same_steps_as_a_wrong_password() {
    let world = World::new().await;
    world.person("ada").await;
    let (_, known) = watched(world.wrong_password("ada")).await;
    let (_, unknown) = watched(world.wrong_password("nobody")).await;
    assert_eq!(known, ["guesses", "guesses", "user", "record_password_use", "record"]);
    assert_eq!(known, unknown);
}
