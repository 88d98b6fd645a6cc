//! An API that refuses the access tokens that it is told to, and redirects to wherever it is asked to.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use daypass_testkit::{Faults, FaultyServer, Recorded};
use http::{HeaderMap, Method, StatusCode};

/// Answers 200 with `METHOD BODY`, or 401 if the token is refused.
pub(crate) const ORDERS: &str = "/orders";
/// Redirects with `status` to `to`.
pub(crate) const MOVED: &str = "/moved";

pub(crate) struct Api {
    server: FaultyServer,
    refused: Arc<Mutex<Refused>>,
}

#[derive(Default)]
struct Refused {
    all: bool,
    tokens: HashSet<String>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let refused = Arc::<Mutex<Refused>>::default();
        let router = Router::new().route(ORDERS, any(orders)).route(MOVED, any(moved));
        let server = FaultyServer::start(router.with_state(Arc::clone(&refused))).await;
        Self { server, refused }
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> &str {
        self.server.url()
    }

    pub(crate) fn orders(&self) -> String {
        format!("{}{ORDERS}", self.origin())
    }

    /// Where a request is redirected from to `to`.
    pub(crate) fn moved(&self, status: u16, to: &str) -> String {
        let to: String = form_urlencode(to);
        format!("{}{MOVED}?status={status}&to={to}", self.origin())
    }

    /// Refuses this token from now on.
    pub(crate) fn refuse(&self, token: &str) {
        self.refused.lock().unwrap().tokens.insert(token.to_owned());
    }

    /// Refuses every token from now on.
    pub(crate) fn refuse_all(&self) {
        self.refused.lock().unwrap().all = true;
    }

    pub(crate) fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// The requests for orders that came.
    pub(crate) fn came(&self) -> Vec<Recorded> {
        self.faults().requests(ORDERS)
    }

    /// The `Authorization` of each request for orders that came; "" for none.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        let of = |request: &Recorded| request.header("authorization").unwrap_or_default().to_owned();
        self.came().iter().map(of).collect()
    }
}

async fn orders(
    State(refused): State<Arc<Mutex<Refused>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let refused = refused.lock().unwrap();
    if refused.all || token.is_some_and(|token| refused.tokens.contains(token)) {
        let challenge = "Basic realm=\"api\", Bearer realm=\"api\", error=\"invalid_token\"";
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], "refused").into_response();
    }
    format!("{method} {}", String::from_utf8(body.to_vec()).unwrap()).into_response()
}

#[derive(serde::Deserialize)]
struct Moved {
    status: u16,
    to: String,
}

async fn moved(Query(Moved { status, to }): Query<Moved>) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("location", to)], "moved").into_response()
}

fn form_urlencode(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://a/").unwrap();
    url.query_pairs_mut().append_key_only(text);
    url.query().unwrap().to_owned()
}
