//! The secrets of refresh tokens: replacing them signs nobody out.

use std::time::Duration;

use daypass_service::Activation;

use crate::support::{World, attempt, refresh_token};

/// The number of the secret that a token was tagged with.
fn secret_of(token: &str) -> u8 {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&token[4..]).unwrap()[0]
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_older_secret_renews_into_one_of_the_new_and_repeats_stay_the_same() {
    let world = World::new().await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let second = world.refresh_as(refresh_token(&first), Some(&attempt(0))).await.unwrap();
    assert_eq!((secret_of(refresh_token(&first)), secret_of(refresh_token(&second))), (0, 0));

    world.rotate_keys(Activation::Published).await;
    world.noticed().await;
    let again = world.refresh_as(refresh_token(&first), Some(&attempt(0))).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));
    assert_eq!(secret_of(refresh_token(&world.sign_in("ada").await)), 0, "not yet in use");

    world.later(Duration::from_mins(10));
    assert_eq!(secret_of(refresh_token(&world.sign_in("ada").await)), 1);
    // A repeat of a rotation made under the old secret is that rotation's token, byte for byte.
    let again = world.refresh_as(refresh_token(&first), Some(&attempt(0))).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));

    let third = world.refresh_as(refresh_token(&second), Some(&attempt(1))).await.unwrap();
    assert_eq!(secret_of(refresh_token(&third)), 1);
    let again = world.refresh_as(refresh_token(&second), Some(&attempt(1))).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&third));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_slept_through_many_replacements_renews() {
    let world = World::with(|config| {
        config.policy.session = None;
        config.keys.rotate_every = None;
    });
    let world = world.await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    for _ in 0..20 {
        world.rotate_keys(Activation::Published).await;
        world.later(Duration::from_hours(24 * 30));
        world.tidied().await;
    }
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    assert_eq!(secret_of(refresh_token(&pair)), 20);
}
