//! Clients: their secrets, their own tokens, and that nobody is mistaken for one.

use std::sync::Arc;

use daypass_service::core::{Client, ClientId, ClientKind, Grant, Subject, SubjectId};
use daypass_service::storage::{AddClient, AddUser, Store, User};
use daypass_service::{AccessError, ClientAuth, CredentialsError, NewClient, Secret};

use crate::support::{ISSUER, World, client, payload, payload_for, public, refresh_token, scope, source};

fn by_secret(id: &str, secret: &str) -> ClientAuth {
    ClientAuth::Secret { id: id.to_owned(), secret: Secret::new(secret.to_owned()) }
}

#[tokio::test]
async fn a_client_authenticates_as_it_is_registered_and_in_no_other_way() {
    let world = World::new().await;
    let secret = world.register(client("backend", "")).await.unwrap();
    let secret = secret.expose();
    assert!(secret.starts_with("dps_") && secret.len() == 47);
    assert!(world.register(public("app", "")).await.is_none());
    let mut off = client("off", "");
    off.disabled = true;
    off.secrets = vec![daypass_service::secret_digest(secret)];
    world.store.add_client_quietly(off).await;

    let good = |auth| world.service.authenticate_client(&auth).is_ok();
    assert!(good(by_secret("backend", secret)));
    assert!(good(ClientAuth::Named("app".to_owned())));
    assert!(good(ClientAuth::Named("daypass".to_owned())));
    for bad in [
        by_secret("backend", ""),
        by_secret("backend", &secret[..46]),
        by_secret("backend", &format!("{secret}x")),
        by_secret("app", ""),
        by_secret("app", secret),
        by_secret("daypass", secret),
        by_secret("unknown", secret),
        by_secret("off", secret),
        ClientAuth::Named("backend".to_owned()),
        ClientAuth::Named("unknown".to_owned()),
        ClientAuth::Named(String::new()),
    ] {
        assert!(!good(bad.clone()), "{bad:?}");
    }
}

#[tokio::test]
async fn either_of_two_secrets_is_good_while_one_replaces_the_other() {
    let world = World::new().await;
    let mut two = client("two", "");
    two.secrets = ["old", "new"].map(daypass_service::secret_digest).to_vec();
    world.store.add_client_quietly(two).await;
    world.eventually(|| world.service.authenticate_client(&by_secret("two", "old")).is_ok()).await;
    assert!(world.service.authenticate_client(&by_secret("two", "new")).is_ok());
    assert!(world.service.authenticate_client(&by_secret("two", "other")).is_err());
}

#[tokio::test]
async fn a_clients_own_token_is_its_own_and_cannot_be_renewed() {
    let world = World::new().await;
    let mut backend = client("backend", "read daypass:feed");
    backend.audience = Some("https://api.example".to_owned());
    let backend = world.registered(backend).await;
    let pair = world.service.client_credentials(&backend, None, None).unwrap();
    assert!(pair.refresh.is_none());
    let claims = payload_for(&world, &pair, "https://api.example");
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"backend".into(), &"backend".into()));
    assert_eq!(claims["scope"], "read daypass:feed");
    for absent in ["sid", "auth_time", "amr"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    let narrow = world.service.client_credentials(&backend, Some(&scope("read")), Some(ISSUER)).unwrap();
    assert_eq!(payload(&world, &narrow)["scope"], "read");
    let caller = world.service.verify(pair.access.expose()).unwrap();
    assert!(world.service.may_read_feed(&caller));
    let narrow = world.service.verify(narrow.access.expose()).unwrap();
    assert!(!world.service.may_read_feed(&narrow));

    let wide = world.service.client_credentials(&backend, Some(&scope("read write")), None);
    assert!(matches!(wide, Err(CredentialsError::Scope)));
    let elsewhere = world.service.client_credentials(&backend, None, Some("https://other.example"));
    assert!(matches!(elsewhere, Err(CredentialsError::Resource)));
    let live = world.service.authenticate(pair.access.expose()).await;
    assert!(matches!(live, Err(AccessError::Ended)), "a client is nobody with a session");
}

#[tokio::test]
async fn only_a_confidential_client_with_the_grant_gets_a_token_of_its_own() {
    let world = World::new().await;
    let mut app = public("app", "");
    app.grants.push(Grant::ClientCredentials);
    let app = world.registered(app).await;
    let mut without = client("without", "");
    without.grants = vec![Grant::RefreshToken];
    let without = world.registered(without).await;
    for client in [&app, &without] {
        let answer = world.service.client_credentials(client, None, None);
        assert!(matches!(answer, Err(CredentialsError::Unauthorized)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_removed_is_nobody_and_its_sessions_are_over() {
    let world = World::new().await;
    world.person("ada").await;
    world.register(public("app", "")).await;
    let pair = world.sign_in_on("ada", "app").await;
    world.store.remove_client("app".parse().unwrap(), source()).await.unwrap();
    let named = ClientAuth::Named("app".to_owned());
    world.eventually(|| world.service.authenticate_client(&named).is_err()).await;
    assert!(world.refresh(refresh_token(&pair)).await.is_err());
    assert!(world.service.authenticate(pair.access.expose()).await.is_err());
}

fn user(world: &World, sub: &str) -> User {
    let subject = Subject::new(SubjectId::new(sub).unwrap());
    User { name: format!("the {sub}").parse().unwrap(), subject, password: None, created_at: world.now() }
}

#[tokio::test]
async fn a_person_is_never_mistaken_for_a_client_whichever_came_first() {
    let world = World::new().await;
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    world.register(client("backend", "")).await;
    for taken in ["backend", "daypass"] {
        let added = world.store.add_user(user(&world, taken), source()).await.unwrap();
        assert_eq!(added, AddUser::SubjectTaken, "{taken}");
    }
    let added = world.store.add_user(user(&world, "ada"), source()).await.unwrap();
    assert_eq!(added, AddUser::Added);
    for (id, expected) in
        [("ada", AddClient::IsSubject), ("daypass", AddClient::Taken), ("backend", AddClient::Taken)]
    {
        let client = Client::new(ClientId::new(id).unwrap(), ClientKind::Confidential);
        let (added, secret) = NewClient { client }.register(&store, &*world.entropy, source()).await.unwrap();
        assert_eq!((added, secret.is_some()), (expected, false), "{id}");
    }
}
