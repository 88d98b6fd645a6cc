//! Chains of redirects over origins of every kind, without a network.

use daypass_ambient::ManualClock;
use http::StatusCode;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reqwest::{Method, Url};
use std::sync::Arc;

use super::*;
use crate::Pair;

const ALLOWED: [&str; 3] = ["https://api.example", "https://api.example:8443", "http://127.0.0.1:8000"];

/// None of them is allowed, and each is near to one that is.
const OTHERS: [&str; 11] = [
    "http://api.example",
    "http://api.example:443",
    "http://api.example:8443",
    "https://api.example:444",
    "https://127.0.0.1:8000",
    "http://127.0.0.1",
    "http://localhost:8000",
    "https://example",
    "https://sub.api.example",
    "https://api.example.evil.example",
    "https://id.example",
];

/// Answers the n-th request with a redirect to the n-th place, the last with 200; and keeps what came.
struct Web {
    leads: Vec<(u16, String)>,
    came: Vec<(Url, Option<String>)>,
}

impl Transport for Web {
    type Error = std::convert::Infallible;

    async fn send(&mut self, request: Request) -> Result<Response, Self::Error> {
        let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let response = match self.leads.get(self.came.len()) {
            Some((status, to)) => http::Response::builder().status(*status).header("location", to),
            None => http::Response::builder(),
        };
        self.came.push((request.url().clone(), token));
        Ok(response.body("").unwrap().into())
    }
}

async fn session() -> Session {
    let described = ALLOWED
        .iter()
        .fold(Session::builder("https://id.example"), |described, origin| described.allow_origin(*origin));
    let session = described.clock(Arc::new(ManualClock::new())).build().await.unwrap();
    let pair = br#"{"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 600, "refresh_in": 480,
        "refresh_token": "dpr_x", "generation": 0, "session_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "server_time": 1750000000000, "scope": ""}"#;
    session.adopt(Pair::from_json(pair).unwrap()).await.unwrap();
    session
}

/// The status of a redirect and an origin, whether it is allowed, and how it is written.
fn a_place() -> impl Strategy<Value = (u16, &'static str, bool)> {
    let status = prop::sample::select(&[301, 302, 303, 307, 308][..]);
    let allowed = prop::sample::select(&ALLOWED[..]).prop_map(|origin| (origin, true));
    let other = prop::sample::select(&OTHERS[..]).prop_map(|origin| (origin, false));
    (status, prop_oneof![2 => allowed, 1 => other]).prop_map(|(status, (origin, is))| (status, origin, is))
}

#[test]
fn no_chain_of_redirects_brings_the_token_to_an_origin_that_is_not_allowed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = runtime.block_on(session());
    let chains = prop::collection::vec(a_place(), 1..8);
    let checked = TestRunner::default().run(&chains, |chain| {
        let leads =
            chain.iter().skip(1).map(|(status, origin, _)| (*status, format!("{origin}/next"))).collect();
        let mut web = Web { leads, came: Vec::new() };
        let first = Url::parse(chain[0].1).unwrap();
        let exchange = Exchange { session: &session, redirects: 10 };
        let response = runtime.block_on(exchange.call(&mut web, Request::new(Method::POST, first))).unwrap();
        prop_assert_eq!(response.status(), StatusCode::OK);
        prop_assert_eq!(web.came.len(), chain.len());
        let mut within = true;
        for ((_, origin, allowed), (url, token)) in chain.iter().zip(web.came) {
            within &= *allowed;
            prop_assert_eq!(url.origin(), Url::parse(origin).unwrap().origin());
            prop_assert_eq!(token, within.then(|| "Bearer a.b.c".to_owned()));
        }
        Ok(())
    });
    checked.unwrap();
}

#[tokio::test]
async fn names_and_passwords_of_a_redirect_are_not_sent_and_the_token_is() {
    let session = session().await;
    let mut web = Web { leads: vec![(302, "https://ann:secret@api.example/".to_owned())], came: Vec::new() };
    let request = Request::new(Method::GET, "https://api.example".parse().unwrap());
    Exchange { session: &session, redirects: 1 }.call(&mut web, request).await.unwrap();
    assert_eq!(web.came[1].0.as_str(), "https://api.example/");
    assert_eq!(web.came[1].1.as_deref(), Some("Bearer a.b.c"));
}
