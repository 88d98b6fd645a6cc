//! Every algorithm signs and verifies; the shared secret comes from the operator and stays unseen.

use std::sync::Arc;

use daypass_service::jwt::{Algorithm, SigningKey};
use daypass_service::storage::Store as _;
use daypass_service::{Activation, KeyError, KeyPolicy, ServiceConfig, StartError};

use crate::support::{Ground, ISSUER, Jwks, World, header, master, payload, refresh_token};

fn config(algorithm: Algorithm) -> ServiceConfig {
    let mut config = ServiceConfig::new(ISSUER);
    config.keys.algorithm = algorithm;
    config
}

async fn signs_and_verifies(algorithm: Algorithm) {
    let world = World::with(|settings| settings.keys.algorithm = algorithm).await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    assert_eq!(header(pair.access.expose())["alg"], algorithm.name());
    payload(&world, &pair);
    world.service.authenticate(pair.access.expose()).await.unwrap();
    assert_eq!(world.service.published_keys().algorithms, [algorithm]);
    let text = String::from_utf8(world.service.published_keys().json.to_vec()).unwrap();
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"", "\"k\"", "oct"] {
        assert!(!text.contains(private), "{text}");
    }
}

#[tokio::test]
async fn es256_signs_and_verifies() {
    signs_and_verifies(Algorithm::ES256).await;
}

#[tokio::test]
async fn ed25519_signs_and_verifies() {
    signs_and_verifies(Algorithm::Ed25519).await;
}

#[tokio::test]
async fn rs256_signs_and_verifies() {
    signs_and_verifies(Algorithm::RS256).await;
}

#[tokio::test]
async fn ps256_signs_and_verifies() {
    signs_and_verifies(Algorithm::PS256).await;
}

#[tokio::test]
async fn hs256_without_a_secret_does_not_start_and_says_what_to_do() {
    let Err(error) = Ground::new().start(config(Algorithm::HS256), master()).await else {
        panic!("it started")
    };
    assert!(matches!(error, StartError::Key(KeyError::NoSharedSecret)));
    assert!(error.to_string().contains("daypass keys import --alg HS256 --secret-file FILE"), "{error}");

    // Neither on a store that has keys of another kind.
    let world = World::new().await;
    let (ground, settings) = (world.ground(), config(Algorithm::HS256));
    drop(world);
    let answer = ground.start(settings, master()).await;
    assert!(matches!(answer, Err(StartError::Key(KeyError::NoSharedSecret))));
}

#[tokio::test]
async fn an_imported_secret_signs_and_is_never_published() {
    let ground = Ground::new();
    let store = ground.open(&Arc::default());
    let settings = config(Algorithm::HS256);
    let keeper = ground.keeper(&store, settings.keys);
    let secret = SigningKey::from_private(Algorithm::HS256, b"0123456789abcdef0123456789ABCDEF").unwrap();
    keeper.import(&secret, ground.clock.now(), Activation::Published).await.unwrap();
    let again = keeper.import(&secret, ground.clock.now(), Activation::Published).await;
    assert!(matches!(again, Err(KeyError::Known(_))), "{again:?}");
    drop((keeper, store));

    let world = ground.start(settings, master()).await.unwrap();
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    assert_eq!(header(pair.access.expose())["alg"], "HS256");
    world.service.authenticate(pair.access.expose()).await.unwrap();
    world.refresh(refresh_token(&pair)).await.unwrap();
    assert_eq!(&world.service.published_keys().json[..], br#"{"keys":[]}"#);
    assert!(Jwks::fetch(&world).0.is_empty());
    let keeper = world.ground().keeper(&world.store, world.service.config().keys);
    keeper.rotate(world.now(), Activation::Now).await.unwrap();
    let listed = keeper.list(world.now()).await.unwrap();
    let signing = listed.iter().filter(|view| view.purpose == "access_token").count();
    assert_eq!(
        (signing, listed.len()),
        (1, 3),
        "the shared secret is its sharers' to replace, the other is ours"
    );
}

#[tokio::test]
async fn a_key_that_leaked_is_withdrawn_once_another_signs() {
    let world = World::new().await;
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    let leaked = keeper.list(world.now()).await.unwrap();
    let leaked = leaked.iter().find(|view| view.purpose == "access_token").unwrap().id.clone();
    assert!(matches!(keeper.withdraw(&leaked, world.now()).await, Err(KeyError::InUse(_))));
    assert!(matches!(keeper.withdraw("tag-0", world.now()).await, Err(KeyError::Unknown(_))));
    keeper.rotate(world.now(), Activation::Now).await.unwrap();
    keeper.withdraw(&leaked, world.now()).await.unwrap();
    let listed = keeper.list(world.now()).await.unwrap();
    assert!(!listed.iter().any(|view| view.id == leaked));
}

#[tokio::test]
async fn a_key_from_outside_takes_over_when_it_has_been_published() {
    let world = World::new().await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let keeper = world.ground().keeper(&world.store, KeyPolicy::default());
    keeper.import(&key, world.now(), Activation::Published).await.unwrap();
    let listed = keeper.list(world.now()).await.unwrap();
    let listed = listed.iter().find(|view| view.id == key.kid()).unwrap();
    assert_eq!(listed.active_from, world.now().plus(std::time::Duration::from_mins(10)));
    assert_eq!(listed.state.name(), "published");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_algorithm_is_published_before_it_signs() {
    let world = World::new().await;
    world.person("ada").await;
    let (ground, before) = (world.ground(), world.sign_in("ada").await);
    drop(world);
    let world = ground.start(config(Algorithm::Ed25519), master()).await.unwrap();
    let during = world.refresh(refresh_token(&before)).await.unwrap();
    assert_eq!(header(during.access.expose())["alg"], "ES256");
    assert_eq!(Jwks::fetch(&world).0.len(), 2);
    world.later(std::time::Duration::from_mins(10));
    let after = world.refresh(refresh_token(&during)).await.unwrap();
    assert_eq!(header(after.access.expose())["alg"], "Ed25519");
    payload(&world, &after);
    world.service.verify(during.access.expose()).unwrap_err();
    assert_eq!(world.store.keys().await.unwrap().len(), 3);
}
