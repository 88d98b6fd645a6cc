//! People and clients, and the requests that they make.

use std::sync::Arc;

use daypass_service::core::{Claims, Client, ClientId, ClientKind, Event, Grant, Origin, Scope, SubjectId};
use daypass_service::storage::{AddClient, Source, Store, SubjectChange};
use daypass_service::{
    AddPerson, ClientAuth, NewClient, Pair, Refresh, RefreshError, RegisteredClient, Secret, SignIn,
    SignInError,
};
use serde_json::Value;

use super::World;

pub(crate) const PASSWORD: &str = "a long enough passphrase";

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn source() -> Source {
    Source { address: Some("192.0.2.9".to_owned()), ..Source::default() }
}

/// An attempt id that is different for every `n`.
pub(crate) fn attempt(n: usize) -> String {
    format!("attempt-{n:0>24}")
}

/// A confidential client that may ask for tokens of its own and renew those of people.
pub(crate) fn client(id: &str, scopes: &str) -> Client {
    let mut client = Client::new(ClientId::new(id).unwrap(), ClientKind::Confidential);
    client.grants = vec![Grant::ClientCredentials, Grant::RefreshToken];
    client.scopes = scope(scopes);
    client
}

/// A public first-party client that carries all claims.
pub(crate) fn public(id: &str, scopes: &str) -> Client {
    let mut client = Client::new(ClientId::new(id).unwrap(), ClientKind::Public);
    client.first_party = true;
    client.grants = vec![Grant::RefreshToken];
    client.scopes = scope(scopes);
    client.claims = vec!["*".to_owned()];
    client
}

impl World {
    /// A person with [`PASSWORD`].
    pub(crate) async fn person(&self, name: &str) -> SubjectId {
        self.person_with(name, Value::Object(serde_json::Map::new()), "").await
    }

    pub(crate) async fn person_with(&self, name: &str, claims: Value, held: &str) -> SubjectId {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        let person = AddPerson {
            name: name.parse().unwrap(),
            password: Secret::new(PASSWORD.to_owned()),
            claims: Claims::try_from(claims).unwrap(),
            scope: scope(held),
        };
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        person.add(&store, &*self.clock, &*self.entropy, source()).await.unwrap()
    }

    pub(crate) async fn change(&self, sub: &SubjectId, change: SubjectChange) {
        assert!(self.store.change_subject(sub.clone(), change, source()).await.unwrap());
    }

    /// Registers a client and waits for the service to notice; a second service beside this one
    /// notices within its own time.
    pub(crate) async fn register(&self, client: Client) -> Option<Secret> {
        let id = client.id.clone();
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let (added, secret) = NewClient { client }.register(&store, &*self.entropy, source()).await.unwrap();
        assert_eq!(added, AddClient::Added);
        let auth = match &secret {
            Some(secret) => ClientAuth::Secret { id: id.as_str().to_owned(), secret: secret.clone() },
            None => ClientAuth::Named(id.as_str().to_owned()),
        };
        self.eventually(|| self.service.authenticate_client(&auth).is_ok()).await;
        secret
    }

    /// Registers a client and authenticates it.
    pub(crate) async fn registered(&self, client: Client) -> RegisteredClient {
        let id = client.id.as_str().to_owned();
        let auth = match self.register(client).await {
            Some(secret) => ClientAuth::Secret { id, secret },
            None => ClientAuth::Named(id),
        };
        self.service.authenticate_client(&auth).unwrap()
    }

    /// Waits, for ten seconds of tokio's time at most, for the upkeep to bring something about.
    pub(crate) async fn eventually(&self, condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.unwrap();
    }

    pub(crate) async fn sign_in(&self, name: &str) -> Pair {
        self.try_sign_in(request(name, PASSWORD)).await.unwrap()
    }

    pub(crate) async fn sign_in_on(&self, name: &str, client: &str) -> Pair {
        let client = Some(client.to_owned());
        self.try_sign_in(SignIn { client, ..request(name, PASSWORD) }).await.unwrap()
    }

    pub(crate) async fn try_sign_in(&self, request: SignIn) -> Result<Pair, SignInError> {
        self.service.sign_in(request).await
    }

    pub(crate) async fn wrong_password(&self, name: &str) -> SignInError {
        self.try_sign_in(request(name, "not the passphrase")).await.unwrap_err()
    }

    /// Renews without attempt ids.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Pair, RefreshError> {
        self.refresh_as(token, None).await
    }

    pub(crate) async fn refresh_as(&self, token: &str, attempts: Option<&str>) -> Result<Pair, RefreshError> {
        self.service.refresh(Refresh { attempts, ..renewal(token) }).await
    }

    pub(crate) async fn events(&self) -> Vec<Event> {
        let events = self.store.events(0, 10_000).await.unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }
}

pub(crate) fn request(name: &str, password: &str) -> SignIn {
    SignIn {
        username: name.to_owned(),
        password: Secret::new(password.to_owned()),
        client: None,
        scope: None,
        origin: Origin::default(),
        address: None,
    }
}

pub(crate) fn renewal(token: &str) -> Refresh<'_> {
    Refresh { token, attempts: None, client: None, scope: None, resource: None, address: None }
}

/// The refresh token of a pair.
pub(crate) fn refresh_token(pair: &Pair) -> &str {
    pair.refresh.as_ref().unwrap().token.expose()
}
