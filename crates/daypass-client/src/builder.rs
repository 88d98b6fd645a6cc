//! How a session is put together.

use std::sync::Arc;

use daypass_ambient::{Clock, Entropy, SystemClock, SystemEntropy};

use crate::engine::Engine;
use crate::store::{MemoryStore, TokenStore};
use crate::{RefreshPolicy, Session, SessionError};

/// Describes a session. What is wrong with the description is told by [`build`](Self::build).
#[derive(Debug)]
#[must_use]
pub struct SessionBuilder {
    pub(crate) service: String,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    pub(crate) origins: Vec<String>,
    pub(crate) allow_http: bool,
    pub(crate) policy: RefreshPolicy,
    pub(crate) client: Client,
    pub(crate) scope: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) http: Option<reqwest::ClientBuilder>,
}

/// As whom the client speaks to the service.
pub(crate) enum Client {
    /// The service's built-in client.
    BuiltIn,
    /// A registered public client.
    Public { id: String },
    /// A client with a secret that renews people's sessions.
    Confidential { id: String, secret: Secret },
    /// A client with a secret that acts for itself, without session.
    ItsOwn { id: String, secret: Secret },
}

pub(crate) type Secret = zeroize::Zeroizing<String>;

impl Client {
    /// The client's id, unless it is the built-in one.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::BuiltIn => None,
            Self::Public { id } | Self::Confidential { id, .. } | Self::ItsOwn { id, .. } => Some(id),
        }
    }

    /// Whether the client acts for itself, so that nobody signs in.
    pub(crate) const fn is_its_own(&self) -> bool {
        matches!(self, Self::ItsOwn { .. })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "BuiltIn",
            Self::Public { .. } => "Public",
            Self::Confidential { .. } => "Confidential",
            Self::ItsOwn { .. } => "ItsOwn",
        })
    }
}

impl SessionBuilder {
    pub(crate) fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            store: None,
            origins: Vec::new(),
            allow_http: false,
            policy: RefreshPolicy::default(),
            client: Client::BuiltIn,
            scope: None,
            resource: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            http: None,
        }
    }

    /// Where the session is kept. Without one it is kept in memory and ends with the process.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Lets the access token be sent to this origin, such as `https://api.example`. May be called repeatedly; the
    /// service's own origin is not allowed unless it is named.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Lets the service and the allowed origins be `http` elsewhere than on this machine. Whoever listens on the
    /// network then has the tokens.
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// When to renew, and how long to try.
    pub fn refresh(mut self, policy: RefreshPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Names the public client that sessions are opened on, if it is not the service's built-in one.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client = Client::Public { id: id.into() };
        self
    }

    /// For a client with a secret that keeps people signed in: it renews at `/oauth2/token`.
    pub fn client_secret(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client = Client::Confidential { id: id.into(), secret: Secret::new(secret.into()) };
        self
    }

    /// For a service that calls another: its access tokens are its own (RFC 6749 section 4.4), nobody signs in, and
    /// nothing is stored.
    pub fn client_credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client = Client::ItsOwn { id: id.into(), secret: Secret::new(secret.into()) };
        self
    }

    /// What the access tokens of [`client_credentials`](Self::client_credentials) may be used for, as words divided
    /// by spaces.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Whom the access tokens are for (RFC 8707), where the client authenticates with a secret.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Where the time comes from: the system, if nothing else is said.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where random bytes come from: the system, if nothing else is said.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// What requests to the token service are made with: proxies, roots of trust, local addresses. Redirects are
    /// switched off in any case, since a token must not follow them.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Checks the description and reads the store.
    pub async fn build(self) -> Result<Session, SessionError> {
        let store = self.store.clone().unwrap_or_else(|| Arc::new(MemoryStore::new()));
        Ok(Session { engine: Engine::open(self, store).await? })
    }
}
