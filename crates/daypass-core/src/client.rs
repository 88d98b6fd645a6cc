//! Clients: the programs that hold sessions, and the policy that each is given.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::ClientId;
use crate::scope::Scope;

/// Whether a client can keep a secret (RFC 6749 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A browser, a phone, a command line: it identifies itself by name only.
    Public,
    /// A server: it authenticates with every request.
    Confidential,
}

/// What a client may ask the token endpoint for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// RFC 6749 section 6.
    RefreshToken,
    /// RFC 6749 section 4.4; confidential clients only.
    ClientCredentials,
}

/// What a returning used token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReuse {
    /// All sessions of the subject.
    Subject,
    /// The session concerned.
    Session,
}

/// The lifetimes and rules in force for one client's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The life of an access token.
    pub access: Duration,
    /// The life of a session from its start, or none for a session without end.
    pub session: Option<Duration>,
    /// How long a session may go without a renewal, if that is limited.
    pub idle: Option<Duration>,
    /// How long after a rotation a client without attempt ids may repeat it; zero for never.
    pub grace: Duration,
    /// What a returning used token ends.
    pub on_reuse: OnReuse,
}

impl Policy {
    /// The defaults: access 10 min, session 180 days, no idle limit, grace 10 s, reuse ends all of
    /// the subject's sessions.
    pub const DEFAULT: Self = Self {
        access: Duration::from_mins(10),
        session: Some(Duration::from_hours(4320)),
        idle: None,
        grace: Duration::from_secs(10),
        on_reuse: OnReuse::Subject,
    };
}

/// A client's own lifetimes, in seconds; what is absent follows the service's, and 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// The life of an access token, at most an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<u64>,
    /// The life of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// The longest time without a renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// The grace for repeats without attempt ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<u64>,
}

/// A client as registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its name.
    pub id: ClientId,
    /// Whether it can keep a secret.
    #[serde(rename = "type")]
    pub kind: ClientKind,
    /// Whether it is the operator's own: only such a one may take passwords at `/v1/login`.
    pub first_party: bool,
    /// A disabled client's sessions are over while it is disabled.
    pub disabled: bool,
    /// What it may ask the token endpoint for.
    pub grants: Vec<Grant>,
    /// What its tokens may be used for.
    pub scopes: Scope,
    /// The `aud` of its access tokens, if not the issuer.
    pub audience: Option<String>,
    /// Where sign-in may send people back to.
    pub redirect_uris: Vec<String>,
    /// Which of the subject's claims its access tokens carry; none named means none, `["*"]` all.
    pub claims: Vec<String>,
    /// Its own lifetimes.
    pub ttl: Ttl,
    /// Its own answer to reuse.
    pub on_reuse: Option<OnReuse>,
    /// SHA-256 digests of its secrets, at most two while one replaces the other.
    pub secrets: Vec<[u8; 32]>,
}

/// The name of the built-in client.
pub const BUILT_IN: &str = "daypass";

impl Client {
    /// A client with nothing granted yet.
    pub fn new(id: ClientId, kind: ClientKind) -> Self {
        Self {
            id,
            kind,
            first_party: false,
            disabled: false,
            grants: Vec::new(),
            scopes: Scope::empty(),
            audience: None,
            redirect_uris: Vec::new(),
            claims: Vec::new(),
            ttl: Ttl::default(),
            on_reuse: None,
            secrets: Vec::new(),
        }
    }

    /// The built-in public client, which needs no registration and carries all claims.
    pub fn built_in() -> Option<Self> {
        let mut client = Self::new(ClientId::new(BUILT_IN).ok()?, ClientKind::Public);
        client.first_party = true;
        client.grants = vec![Grant::RefreshToken];
        client.claims = vec!["*".to_owned()];
        Some(client)
    }

    /// The policy in force for this client, given the service's own.
    pub fn policy(&self, service: &Policy) -> Policy {
        let none_if_zero = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        Policy {
            access: self.ttl.access.map_or(service.access, Duration::from_secs),
            session: self.ttl.session.map_or(service.session, none_if_zero),
            idle: self.ttl.idle.map_or(service.idle, none_if_zero),
            grace: self.ttl.grace.map_or(service.grace, Duration::from_secs),
            on_reuse: self.on_reuse.unwrap_or(service.on_reuse),
        }
    }

    /// Whether the first-party endpoints serve this client.
    pub fn is_public_first_party(&self) -> bool {
        self.first_party && self.kind == ClientKind::Public
    }

    /// Whether access tokens for this client carry the subject's claim `name`.
    pub fn carries(&self, name: &str) -> bool {
        self.claims.iter().any(|claim| claim == "*" || claim == name)
    }
}

/// All clients with the policy in force for each: one consistent reading of the registry.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_id: HashMap<ClientId, (Arc<Client>, Policy)>,
}

impl Clients {
    /// The registered clients and the built-in one, under the service's policy.
    pub fn new(registered: impl IntoIterator<Item = Client>, service: &Policy) -> Self {
        let entry = |client: Client| (client.id.clone(), (Arc::new(client.clone()), client.policy(service)));
        Self { by_id: Client::built_in().into_iter().chain(registered).map(entry).collect() }
    }

    /// A client and its policy.
    pub fn get(&self, id: &str) -> Option<(&Client, &Policy)> {
        self.shared(id).map(|(client, policy)| (&**client, policy))
    }

    /// A client, to be kept, and its policy.
    pub fn shared(&self, id: &str) -> Option<(&Arc<Client>, &Policy)> {
        self.by_id.get(id).map(|(client, policy)| (client, policy))
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Client, &Policy)> {
        self.by_id.values().map(|(client, policy)| (&**client, policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_own_settings_weigh_more_and_zero_means_none() {
        let mut client = Client::new(ClientId::new("web").unwrap(), ClientKind::Public);
        assert_eq!(client.policy(&Policy::DEFAULT), Policy::DEFAULT);
        client.ttl = Ttl { access: Some(60), session: Some(0), idle: Some(5), grace: Some(0) };
        client.on_reuse = Some(OnReuse::Session);
        let own = client.policy(&Policy::DEFAULT);
        assert_eq!(own.access, Duration::from_mins(1));
        assert_eq!((own.session, own.idle), (None, Some(Duration::from_secs(5))));
        assert_eq!((own.grace, own.on_reuse), (Duration::ZERO, OnReuse::Session));
    }

    #[test]
    fn the_built_in_client_is_always_there() {
        let clients = Clients::new([], &Policy::DEFAULT);
        assert!(clients.get(BUILT_IN).unwrap().0.is_public_first_party());
        assert!(clients.get("other").is_none());
    }
}
