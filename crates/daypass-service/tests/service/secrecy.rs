//! No secret shows: neither where a value is printed nor in a log of everything.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};

use daypass_service::core::{Claims, Scope};
use daypass_service::storage::{AddKey, PasswordChange, Source, Store};
use daypass_service::{Activation, AddPerson, ClientAuth, Held, Parts, Refresh, Secret, hash_password};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{
    PASSWORD, World, attempt, client, master, refresh_token, renamed, renewal, request, source,
};

/// All that is logged, by whichever test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The spelling of a secret and of each long part of it.
fn parts(secret: &str) -> Vec<&str> {
    secret.split(['.', '_']).chain([secret]).filter(|part| part.len() >= 16).collect()
}

#[tokio::test]
async fn a_log_of_everything_holds_no_token_password_or_secret() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();

    let world = World::new().await;
    world.person("ada").await;
    let secret = world.register(client("backend", "read")).await.unwrap();
    let auth = ClientAuth::Secret { id: "backend".to_owned(), secret: secret.clone() };
    let backend = world.service.authenticate_client(&auth).unwrap();
    let first = world.sign_in("ada").await;
    world.try_sign_in(request("ada", "a mistyped passphrase")).await.unwrap_err();
    world.try_sign_in(request("a passphrase as a name", "x")).await.unwrap_err();
    let second = world.refresh_as(refresh_token(&first), Some(&attempt(7))).await.unwrap();
    let other_key = renamed(refresh_token(&second), 90);
    world.refresh(&other_key).await.unwrap_err();
    let own = world.service.client_credentials(&backend, None, None).unwrap();
    for token in [first.access.expose(), refresh_token(&second), own.access.expose(), &other_key, "x"] {
        let _any = world.service.introspect(token).await;
        let _any = world.service.revoke(&backend, token, source()).await;
    }
    let caller = world.service.authenticate(second.access.expose()).await.unwrap();
    let changed = Secret::new("quite another passphrase".to_owned());
    world
        .service
        .change_password(&caller, Secret::new(PASSWORD.to_owned()), changed, source())
        .await
        .unwrap();
    world.rotate_keys(Activation::Now).await;
    world.refresh_as(refresh_token(&first), Some(&attempt(8))).await.unwrap_err();
    world.service.log_out(Held::Refresh(refresh_token(&second)), source()).await.unwrap();
    world.store.fail(true);
    world.refresh(refresh_token(&second)).await.unwrap_err();
    world.wrong_password("ada").await;
    world.store.fail(false);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a renewal could not be answered"), "the log is read: {log}");
    assert!(log.contains("a sign-in could not be answered"));
    let (seventh, eighth) = (attempt(7), attempt(8));
    for secret in [
        first.access.expose(),
        second.access.expose(),
        own.access.expose(),
        refresh_token(&first),
        refresh_token(&second),
        &other_key,
        secret.expose(),
        PASSWORD,
        "a mistyped passphrase",
        "quite another passphrase",
        "a passphrase as a name",
        &seventh,
        &eighth,
    ] {
        for part in parts(secret) {
            assert!(!log.contains(part), "{part} is in the log");
        }
    }
}

/// Prints a value in both ways and looks for secrets in it.
fn prints_none_of(secrets: &[&str], value: &dyn Debug) {
    let text = format!("{value:?} {value:#?}");
    for secret in secrets.iter().flat_map(|secret| parts(secret).into_iter().chain([*secret])) {
        assert!(!text.contains(secret), "{secret} is printed: {text}");
    }
}

#[tokio::test]
async fn no_answer_prints_a_token() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let secrets = [pair.access.expose(), refresh_token(&pair)];
    let caller = world.service.verify(secrets[0]).unwrap();
    let live = world.service.authenticate(secrets[0]).await.unwrap();
    let sessions = world.service.sessions(&live).await.unwrap();
    let access = world.service.introspect(secrets[0]).await.unwrap();
    let refresh = world.service.introspect(secrets[1]).await.unwrap();
    let answers: [&dyn Debug; 7] =
        [&pair, &pair.refresh, &pair.access, &caller, &live, &sessions, &(access, refresh)];
    for answer in answers {
        prints_none_of(&secrets, answer);
    }
    let again = world.refresh(secrets[1]).await;
    prints_none_of(&[refresh_token(again.as_ref().unwrap())], &again);
    let refused = world.refresh(&renamed(secrets[1], 9)).await;
    prints_none_of(&[&renamed(secrets[1], 9)], &refused);
}

#[tokio::test]
async fn no_request_prints_the_secret_that_it_carries() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    let (access, refresh, id) = (pair.access.expose(), refresh_token(&pair), attempt(1));
    let client_secret = world.register(client("backend", "")).await.unwrap();
    let auth = ClientAuth::Secret { id: "backend".to_owned(), secret: client_secret.clone() };
    let backend = world.service.authenticate_client(&auth).unwrap();
    let caller = world.service.verify(access).unwrap();
    let sign_in = request("ada", PASSWORD);
    let renewal = Refresh { attempts: Some(&id), client: Some(&backend), ..renewal(refresh) };
    let person = AddPerson {
        name: "bob".parse().unwrap(),
        password: Secret::new(PASSWORD.to_owned()),
        claims: Claims::default(),
        scope: Scope::empty(),
    };
    let held = (Held::Refresh(refresh), Held::Access(&caller));
    let requests: [&dyn Debug; 7] = [&auth, &backend, &client_secret, &sign_in, &renewal, &person, &held];
    for request in requests {
        prints_none_of(&[access, refresh, &id, client_secret.expose(), PASSWORD], request);
    }
}

#[tokio::test]
async fn nothing_kept_prints_a_key_or_a_hash() {
    let world = World::new().await;
    world.person("ada").await;
    let hash = hash_password(&Secret::new(PASSWORD.to_owned()), &*world.entropy).unwrap();
    let change = PasswordChange::Rehash { from: hash.clone(), to: hash.clone() };
    let key = world.store.keys().await.unwrap().remove(0);
    let (sealed, master_bytes) = (format!("{:?}", key.sealed), format!("{:?}", master().expose()));
    let user = world.store.user_named("ada").await;
    let keeper = world.ground().keeper(&world.store, world.service.config().keys);
    let parts = Parts {
        store: Arc::clone(&world.store) as Arc<dyn Store>,
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        master: master(),
        metrics: Arc::clone(&world.metrics),
    };
    let add = AddKey { key: key.clone(), expected: 0, fence: None, source: Source::default() };
    let kept: [&dyn Debug; 9] =
        [&hash, &change, &key, &add, &user, &keeper, &parts, &master(), &world.service];
    let own = user.password.as_ref().unwrap().as_phc();
    for value in kept {
        prints_none_of(&[hash.as_phc(), own, &sealed, &master_bytes], value);
    }
}
