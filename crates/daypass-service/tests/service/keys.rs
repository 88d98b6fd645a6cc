//! Signing keys: made once, published before they sign, kept until nothing depends on them, sealed.

use std::sync::Arc;
use std::time::Duration;

use daypass_service::core::Grant;
use daypass_service::jwt::{Algorithm, SigningKey};
use daypass_service::storage::{AddKey, Source, Store as _};
use daypass_service::{
    Activation, KeyError, KeyKeeper, KeyPolicy, KeyState, MasterKey, RegisteredClient, StartError,
};

use crate::support::{Ground, Jwks, World, client, kid, master, watched};

/// A client whose own tokens show which key signs.
pub(crate) async fn machine(world: &World) -> RegisteredClient {
    let mut machine = client("machine", "");
    machine.grants = vec![Grant::ClientCredentials];
    machine.ttl.access = Some(3600);
    world.registered(machine).await
}

pub(crate) fn token(world: &World, machine: &RegisteredClient) -> String {
    world.service.client_credentials(machine, None, None).unwrap().access.expose().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_keys_and_the_next_uses_them() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let published = world.service.published_keys();
    assert_eq!((Jwks::fetch(&world).0.len(), &published.algorithms[..]), (1, &[Algorithm::ES256][..]));

    let ground = world.ground();
    let config = world.service.config().clone();
    drop(world);
    let again = ground.start(config, master()).await.unwrap();
    assert_eq!(again.service.published_keys().etag, published.etag);
    again.service.authenticate(pair.access.expose()).await.unwrap();
    again.refresh(crate::support::refresh_token(&pair)).await.unwrap();
    assert_eq!(again.store.keys().await.unwrap().len(), 2, "one that signs, one that tags");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_its_last_token_is_dead() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let old = token(&world, &machine);
    let etag = world.service.published_keys().etag;

    world.rotate_keys(Activation::Published).await;
    world.noticed().await;
    assert_eq!(Jwks::fetch(&world).0.len(), 2);
    assert_ne!(world.service.published_keys().etag, etag);
    assert_eq!(kid(&token(&world, &machine)), kid(&old));
    world.later(Duration::from_mins(10) - Duration::from_millis(1));
    let last = token(&world, &machine);
    assert_eq!(kid(&last), kid(&old));
    world.later(Duration::from_millis(1));
    let new = token(&world, &machine);
    assert_ne!(kid(&new), kid(&old));

    // An hour and five minutes after the old key retired, its last token is dead for every verifier.
    world.later(Duration::from_mins(65) - Duration::from_millis(1));
    world.tidied().await;
    assert!(Jwks::fetch(&world).has(&kid(&old)));
    world.later(Duration::from_millis(1));
    world.tidied().await;
    assert!(!Jwks::fetch(&world).has(&kid(&old)));
    assert!(Jwks::fetch(&world).has(&kid(&new)));
}

#[tokio::test(start_paused = true)]
async fn a_key_can_be_replaced_at_once() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let old = token(&world, &machine);
    world.rotate_keys(Activation::Now).await;
    world.noticed().await;
    let new = token(&world, &machine);
    assert_ne!(kid(&new), kid(&old));
    let jwks = Jwks::fetch(&world);
    assert!(jwks.has(&kid(&old)) && jwks.has(&kid(&new)));
    world.service.verify(&old).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_replaced_before_it_signed_never_does() {
    let world = World::new().await;
    let machine = machine(&world).await;
    world.rotate_keys(Activation::Published).await;
    world.later(Duration::from_mins(1));
    world.rotate_keys(Activation::Now).await;
    world.noticed().await;
    let at_once = kid(&token(&world, &machine));

    world.later(Duration::from_mins(20));
    let later = token(&world, &machine);
    assert_eq!(kid(&later), at_once, "the planned key has been replaced before its time");
    // So that forgetting it, when its retirement is over, takes no living token with it.
    world.later(Duration::from_mins(45));
    let living = token(&world, &machine);
    world.tidied().await;
    world.service.verify(&living).unwrap();
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let states: Vec<KeyState> = keeper.list(world.now()).await.unwrap().iter().map(|key| key.state).collect();
    assert_eq!(states.iter().filter(|state| **state == KeyState::Active).count(), 2, "{states:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_at_its_age() {
    let world = World::with(|config| config.keys.rotate_every = Some(Duration::from_hours(24))).await;
    let machine = machine(&world).await;
    let old = kid(&token(&world, &machine));
    world.later(Duration::from_hours(24) - Duration::from_millis(1));
    world.tidied().await;
    assert_eq!(Jwks::fetch(&world).0.len(), 1);
    world.later(Duration::from_millis(1));
    world.tidied().await;
    world.tidied().await;
    assert_eq!(Jwks::fetch(&world).0.len(), 2, "once, not at each look");
    assert_eq!(kid(&token(&world, &machine)), old);
    world.later(Duration::from_mins(10));
    assert_ne!(kid(&token(&world, &machine)), old);

    let never = World::with(|config| config.keys.rotate_every = None).await;
    never.later(Duration::from_hours(24 * 3650));
    never.tidied().await;
    assert_eq!(Jwks::fetch(&never).0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_made_by_a_clock_years_ahead_does_not_stop_the_replacing() {
    let day = Duration::from_hours(24);
    let world = World::with(|config| config.keys.rotate_every = Some(day)).await;
    let machine = machine(&world).await;
    let old = kid(&token(&world, &machine));
    world.later(3650 * day);
    world.rotate_keys(Activation::Published).await;
    world.clock.set_back(3650 * day);
    world.tidied().await;
    world.tidied().await;
    assert_eq!(Jwks::fetch(&world).0.len(), 3, "replaced once, not at each look");
    assert_eq!(kid(&token(&world, &machine)), old);
    world.later(Duration::from_mins(10));
    let new = kid(&token(&world, &machine));
    assert_ne!(new, old);
    world.later(day);
    world.tidied().await;
    world.later(Duration::from_mins(10));
    assert_ne!(kid(&token(&world, &machine)), new);
}

#[tokio::test]
async fn the_wrong_master_key_is_told_as_such() {
    let world = World::new().await;
    let (ground, config) = (world.ground(), world.service.config().clone());
    drop(world);
    let Err(error) = ground.start(config, MasterKey::new([43; 32])).await else { panic!("it started") };
    assert!(matches!(error, StartError::Key(KeyError::Sealed(_))), "{error:?}");
    assert!(error.to_string().contains("does not open under this master key"), "{error}");
}

#[tokio::test]
async fn the_stores_files_hold_no_key_as_it_is() {
    let ground = Ground::new();
    let store = ground.open(&Arc::default());
    let keeper = ground.keeper(&store, KeyPolicy::default());
    let imported = SigningKey::generate(Algorithm::ES256).unwrap();
    keeper.import(&imported, ground.clock.now(), Activation::Now).await.unwrap();
    drop((keeper, store));
    let config = daypass_service::ServiceConfig::new(crate::support::ISSUER);
    let world = ground.start(config, master()).await.unwrap();
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let secret = world.register(client("machine", "")).await.unwrap();

    let private = imported.to_private();
    let mut plain: Vec<Vec<u8>> = vec![private.to_vec(), secret.expose().as_bytes().to_vec()];
    plain.push(private[private.len() / 2..private.len() / 2 + 16].to_vec());
    plain.push(crate::support::refresh_token(&pair).as_bytes().to_vec());
    plain.push(pair.access.expose().as_bytes().to_vec());
    plain.push(crate::support::PASSWORD.as_bytes().to_vec());
    plain.push(master().expose().to_vec());
    let drawn = world.entropy.secrets();
    assert!(drawn.len() >= 2, "the secret that tags, and the client's");
    plain.extend(drawn.iter().map(|secret| secret.to_vec()));
    let mut read = 0;
    for file in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        read += bytes.len();
        for secret in &plain {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
    assert!(read > 10_000);
}

#[tokio::test]
async fn keys_are_only_looked_up_in_memory_to_sign_and_verify() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let (_, calls) = watched(async { world.service.verify(&token(&world, &machine)).unwrap() }).await;
    assert!(calls.is_empty());
}

/// The signing keys with their states, in order of use.
async fn signing_keys(keeper: &KeyKeeper, world: &World) -> Vec<(String, KeyState)> {
    let listed = keeper.list(world.now()).await.unwrap();
    let signing = listed.into_iter().filter(|view| view.purpose == "access_token");
    signing.map(|view| (view.id, view.state)).collect()
}

/// The key that is listed as the one in use is the one that signs, and its tokens verify.
async fn signs_as_listed(keeper: &KeyKeeper, world: &World, machine: &RegisteredClient) -> String {
    let token = token(world, machine);
    world.service.verify(&token).unwrap();
    assert!(Jwks::fetch(world).has(&kid(&token)));
    let keys = signing_keys(keeper, world).await;
    let active: Vec<_> = keys.iter().filter(|(_, state)| *state == KeyState::Active).collect();
    assert_eq!(active, [&(kid(&token), KeyState::Active)], "{keys:?}");
    kid(&token)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_withdrawn_before_it_signs_leaves_the_one_before_in_use() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let old = signs_as_listed(&keeper, &world, &machine).await;
    world.rotate_keys(Activation::Published).await;
    world.noticed().await;
    let in_use = keeper.withdraw(&old, world.now()).await;
    assert!(matches!(in_use, Err(KeyError::InUse(_))), "{in_use:?}");
    let keys = signing_keys(&keeper, &world).await;
    assert_eq!(keys[1].1, KeyState::Published);
    keeper.withdraw(&keys[1].0, world.now()).await.unwrap();
    world.noticed().await;

    for later in [1, 10, 75] {
        world.later(Duration::from_mins(later));
        world.tidied().await;
        assert_eq!(signs_as_listed(&keeper, &world, &machine).await, old);
        let in_use = keeper.withdraw(&old, world.now()).await;
        assert!(matches!(in_use, Err(KeyError::InUse(_))), "{in_use:?}");
        let listed = keeper.list(world.now()).await.unwrap();
        assert_eq!(listed.iter().find(|view| view.id == old).unwrap().retired_from, None);
        assert_eq!(signing_keys(&keeper, &world).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_keys_in_waiting_the_first_can_be_withdrawn() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let old = signs_as_listed(&keeper, &world, &machine).await;
    world.rotate_keys(Activation::Published).await;
    world.later(Duration::from_mins(5));
    world.rotate_keys(Activation::Published).await;
    let keys = signing_keys(&keeper, &world).await;
    assert_eq!(keys.len(), 3);
    keeper.withdraw(&keys[1].0, world.now()).await.unwrap();
    world.noticed().await;

    world.later(Duration::from_mins(10) - Duration::from_millis(1));
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, old);
    world.later(Duration::from_millis(1));
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, keys[2].0);
    // The old key's last token outlives what was to be its end.
    world.later(Duration::from_mins(65) - Duration::from_millis(1));
    world.tidied().await;
    assert!(Jwks::fetch(&world).has(&old));
    world.later(Duration::from_millis(1));
    world.tidied().await;
    assert!(!Jwks::fetch(&world).has(&old));
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, keys[2].0);
}

#[tokio::test(start_paused = true)]
async fn of_two_keys_in_waiting_both_can_be_withdrawn() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let old = signs_as_listed(&keeper, &world, &machine).await;
    for order in [[1, 2], [2, 1]] {
        world.rotate_keys(Activation::Published).await;
        world.later(Duration::from_mins(5));
        world.rotate_keys(Activation::Published).await;
        let keys = signing_keys(&keeper, &world).await;
        for place in order {
            keeper.withdraw(&keys[place].0, world.now()).await.unwrap();
        }
        world.noticed().await;
        world.later(Duration::from_mins(90));
        world.tidied().await;
        assert_eq!(signs_as_listed(&keeper, &world, &machine).await, old);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_replaced_at_once_can_be_withdrawn_and_its_successor_not() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let old = signs_as_listed(&keeper, &world, &machine).await;
    world.rotate_keys(Activation::Published).await;
    world.later(Duration::from_mins(1));
    world.rotate_keys(Activation::Now).await;
    world.noticed().await;
    let new = signs_as_listed(&keeper, &world, &machine).await;
    assert_ne!(new, old);
    let in_use = keeper.withdraw(&new, world.now()).await;
    assert!(matches!(in_use, Err(KeyError::InUse(_))), "{in_use:?}");
    keeper.withdraw(&old, world.now()).await.unwrap();
    world.noticed().await;
    assert!(!Jwks::fetch(&world).has(&old));
    world.later(Duration::from_mins(75));
    world.tidied().await;
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, new);
    assert_eq!(signing_keys(&keeper, &world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_signs_past_its_end_is_kept_until_another_has_been_published() {
    let world = World::new().await;
    let machine = machine(&world).await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    // A key with an end and none to follow it: what withdrawing the successor once left behind.
    let (elsewhere, key) = (Ground::new(), SigningKey::generate(Algorithm::ES256).unwrap());
    let store = elsewhere.open(&Arc::default());
    let other = elsewhere.keeper(&store, KeyPolicy::default());
    let made = world.now();
    other.import(&key, made, Activation::Now).await.unwrap();
    let (mut key, old) = (store.keys().await.unwrap().remove(0), key.kid().to_owned());
    key.active_from = made.plus(Duration::from_mins(10));
    key.retired_from = Some(made.plus(Duration::from_mins(20)));
    world.later(Duration::from_mins(100));
    let (expected, source) = (world.store.versions().await.unwrap().keys, Source::default());
    assert!(world.store.add_key(AddKey { key, expected, fence: None, source }).await.unwrap());
    world.noticed().await;

    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, old);
    let in_use = keeper.withdraw(&old, world.now()).await;
    assert!(matches!(in_use, Err(KeyError::InUse(_))), "{in_use:?}");
    world.tidied().await;
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, old);
    let keys = signing_keys(&keeper, &world).await;
    assert!(keys.iter().any(|(_, state)| *state == KeyState::Published), "another has been made: {keys:?}");
    world.later(Duration::from_mins(10));
    world.tidied().await;
    let new = signs_as_listed(&keeper, &world, &machine).await;
    assert_ne!(new, old);
    world.later(Duration::from_mins(65) - Duration::from_millis(1));
    world.tidied().await;
    assert!(Jwks::fetch(&world).has(&old), "its last token is alive");
    world.later(Duration::from_millis(1));
    world.tidied().await;
    assert!(!Jwks::fetch(&world).has(&old));
    assert_eq!(signs_as_listed(&keeper, &world, &machine).await, new);
}
