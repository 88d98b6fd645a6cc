//! A service on a real store in a temporary folder, driven through its router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daypass_http::HttpOptions;
use daypass_service::core::{Claims, Client, ClientId, ClientKind, Grant};
use daypass_service::storage::{AddClient, Source, Store};
use daypass_service::{AddPerson, MasterKey, Metrics, NewClient, Parts, Secret, Service, ServiceConfig};
use daypass_sqlite::{SqliteOptions, SqliteStore};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::parts::{Fallible, Seeded, SetClock};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ATTEMPT: &str = "aaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const OTHER_ATTEMPT: &str = "bbbbbbbbbbbbbbbbbbbbbb";

/// A service with two people, ann and bob, and the clients of [`clients`].
pub(crate) struct Harness {
    pub(crate) router: Router,
    pub(crate) service: Service,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) store: Arc<Fallible>,
    /// The secret of the client `backend`.
    pub(crate) secret: String,
    /// The secret of the client `lesser`.
    pub(crate) lesser_secret: String,
    _folder: tempfile::TempDir,
}

/// `backend` may do everything, `lesser` may only renew, `spa` is another public first-party client,
/// `partner` a public client of somebody else.
fn clients() -> Vec<Client> {
    let new = |id: &str, kind| Client::new(ClientId::new(id).unwrap(), kind);
    let mut backend = new("backend", ClientKind::Confidential);
    backend.grants = vec![Grant::RefreshToken, Grant::ClientCredentials];
    backend.scopes = "orders daypass:feed daypass:introspect".parse().unwrap();
    backend.audience = Some("https://api.example".to_owned());
    let mut lesser = new("lesser", ClientKind::Confidential);
    lesser.grants = vec![Grant::RefreshToken];
    let mut spa = new("spa", ClientKind::Public);
    spa.grants = vec![Grant::RefreshToken];
    spa.first_party = true;
    spa.scopes = "orders profile".parse().unwrap();
    let mut partner = new("partner", ClientKind::Public);
    partner.grants = vec![Grant::RefreshToken];
    vec![backend, lesser, spa, partner]
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(ServiceConfig::new(ISSUER), HttpOptions::default()).await
    }

    pub(crate) async fn with(config: ServiceConfig, options: HttpOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::new());
        let entropy = Arc::new(Seeded::new(7));
        let store =
            SqliteStore::open(folder.path(), &SqliteOptions::default(), clock.clone(), Arc::new(())).unwrap();
        let store = Arc::new(Fallible::new(Arc::new(store)));
        let mut secrets = Vec::new();
        let as_store: Arc<dyn Store> = store.clone();
        for client in clients() {
            let new = NewClient { client };
            let (added, secret) = new.register(&as_store, &*entropy, Source::default()).await.unwrap();
            assert_eq!(added, AddClient::Added);
            secrets.extend(secret.map(|secret| secret.expose().to_owned()));
        }
        for (name, claims) in [("ann", json!({ "name": "Ann", "roles": ["clerk"] })), ("bob", json!({}))] {
            let person = AddPerson {
                name: name.parse().unwrap(),
                password: Secret::new(PASSWORD.to_owned()),
                claims: serde_json::from_value::<Claims>(claims).unwrap(),
                scope: "profile".parse().unwrap(),
            };
            person.add(&as_store, &*clock, &*entropy, Source::default()).await.unwrap();
        }
        let parts = Parts {
            store: as_store,
            clock: clock.clone(),
            entropy,
            master: MasterKey::new([7; 32]),
            metrics: Arc::new(Metrics::new()),
        };
        let service = Service::start(config, parts).await.unwrap();
        let router = daypass_http::router(service.clone(), options);
        let [secret, lesser_secret] = secrets.try_into().unwrap();
        Self { router, service, clock, store, secret, lesser_secret, _folder: folder }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.pass(Duration::from_secs(seconds));
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Calling {
        let request = Request::builder().method(method).uri(path);
        Calling {
            router: self.router.clone(),
            request: request.body(Body::empty()).unwrap(),
            peer: "192.0.2.7:4711".parse().unwrap(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Calling {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Calling {
        self.call(Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Calling {
        self.call(Method::DELETE, path)
    }

    /// Signs somebody in, tokens in the body.
    pub(crate) async fn sign_in(&self, name: &str) -> Tokens {
        let body = json!({ "username": name, "password": PASSWORD });
        self.post("/v1/login").json(&body).send().await.tokens()
    }

    /// Signs ann in, refresh token in the cookie.
    pub(crate) async fn sign_in_by_cookie(&self) -> Answer {
        let body = json!({ "username": "ann", "password": PASSWORD, "transport": "cookie" });
        let answer = self.post("/v1/login").genuine().json(&body).send().await;
        assert_eq!(answer.status, StatusCode::OK);
        answer
    }

    /// An access token of the client `backend` for itself.
    pub(crate) async fn client_token(&self, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope), ("resource", ISSUER)];
        let answer = self.post("/oauth2/token").basic("backend", &self.secret).form(&form).send().await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Renews a refresh token by body.
    pub(crate) fn renew(&self, refresh: &str) -> Calling {
        self.post("/v1/refresh").json(&json!({ "refresh_token": refresh }))
    }
}

/// A request being put together.
pub(crate) struct Calling {
    router: Router,
    request: Request<Body>,
    peer: SocketAddr,
}

impl Calling {
    /// Adds a header line.
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.request.headers_mut().append(name, value.as_ref().parse().unwrap());
        self
    }

    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        self.header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    pub(crate) fn cookie(self, value: &str) -> Self {
        self.header("cookie", format!("theme=dark; __Host-Http-daypass={value}"))
    }

    /// As the service's own page would send it.
    pub(crate) fn genuine(self) -> Self {
        self.header("daypass-csrf", "1").header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", media_type)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn form(self, parameters: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.body("application/x-www-form-urlencoded", form)
    }

    pub(crate) async fn send(mut self) -> Answer {
        self.request.extensions_mut().insert(ConnectInfo(self.peer));
        let (parts, body) = self.router.oneshot(self.request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
            session: text("session_id"),
            generation: json["generation"].as_u64().unwrap(),
        }
    }

    /// The value of the cookie that the answer sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all("set-cookie").iter();
        lines
            .filter_map(|line| line.to_str().unwrap().split_once(';')?.0.split_once('='))
            .find_map(|(found, value)| (found == name).then(|| value.to_owned()))
    }

    pub(crate) fn refresh_cookie(&self) -> String {
        self.cookie("__Host-Http-daypass").unwrap()
    }

    /// Status and error, or the name of the problem.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        let name = json["error"].as_str().or_else(|| json["type"].as_str()).unwrap();
        (self.status.as_u16(), name.trim_start_matches("urn:daypass:problem:").to_owned())
    }
}

/// What a sign-in or a renewal gave.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) session: String,
    pub(crate) generation: u64,
}
