//! The extractors behind the layer, and in front of none.

use axum::Router;
use axum::routing::get;
use daypass_verify::axum::{Auth, NoClaims, RequireScope, ScopeName};
use insta::assert_snapshot;
use serde::Deserialize;

use crate::harness::{Harness, request, send, shown};

struct Orders;

impl ScopeName for Orders {
    const SCOPE: &'static str = "orders";
}

#[derive(Deserialize)]
struct Staff {
    roles: Vec<String>,
}

async fn anybody(auth: Auth) -> String {
    let Auth { token, claims: NoClaims } = &auth;
    assert_eq!(token.subject(), auth.subject());
    auth.subject().to_owned()
}

async fn perhaps(auth: Option<Auth>) -> String {
    auth.map_or("nobody".to_owned(), |auth| auth.subject().to_owned())
}

async fn staff(auth: Auth<Staff>) -> String {
    format!("{}: {}", auth.subject(), auth.claims.roles.join(" "))
}

async fn perhaps_staff(auth: Option<Auth<Staff>>) -> String {
    auth.map_or("nobody".to_owned(), |auth| auth.claims.roles.join(" "))
}

async fn orders(auth: RequireScope<Orders>) -> String {
    format!("the orders of {}", auth.subject())
}

fn routes() -> Router {
    Router::new()
        .route("/anybody", get(anybody))
        .route("/perhaps", get(perhaps))
        .route("/staff", get(staff))
        .route("/perhaps_staff", get(perhaps_staff))
        .route("/orders", get(orders))
}

#[tokio::test]
async fn a_handler_gets_what_it_asks_for() {
    let h = Harness::start().await;
    let router = routes().layer(h.verifier.layer());
    let minter = h.minter().scope("orders").claim("roles", vec!["clerk", "cook"]);
    let token = h.bearer(&minter);
    for (path, body) in [
        ("/anybody", "ada"),
        ("/perhaps", "ada"),
        ("/staff", "ada: clerk cook"),
        ("/perhaps_staff", "clerk cook"),
        ("/orders", "the orders of ada"),
    ] {
        assert_eq!(send(&router, request(path, &[&token])).await.text(), body);
    }
}

#[tokio::test]
async fn a_handler_that_asks_for_more_than_there_is_is_not_called() {
    let h = Harness::start().await;
    let router = routes().layer(h.verifier.layer().optional().realm("shop"));
    let good = h.good();
    let send = |path: &str, lines: &[&str]| send(&router, request(path, lines));
    assert_snapshot!(shown(&[
        ("no token", send("/anybody", &[]).await),
        ("no token, and none needed", send("/perhaps", &[]).await),
        ("a bad token, and none needed", send("/perhaps", &["Bearer abc"]).await),
        ("no token, claims wanted", send("/staff", &[]).await),
        ("claims that do not fit", send("/staff", &[&good]).await),
        ("claims that do not fit, and none needed", send("/perhaps_staff", &[&good]).await),
        ("no token, a scope wanted", send("/orders", &[]).await),
        ("a scope that the token lacks", send("/orders", &[&good]).await),
    ]));
}

#[tokio::test]
async fn a_route_behind_no_layer_is_not_open() {
    let h = Harness::start().await;
    let router = routes();
    for path in ["/anybody", "/perhaps", "/staff", "/perhaps_staff", "/orders"] {
        for lines in [&[][..], &[h.good().as_str()]] {
            let answer = send(&router, request(path, lines)).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (500, "misconfigured"), "{path}");
        }
    }
    let answer = send(&router, request("/anybody", &[])).await;
    assert_snapshot!(shown(&[("no layer", answer)]));
}
