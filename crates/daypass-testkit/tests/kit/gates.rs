//! Gates hold requests and answers, and let them go.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use daypass_testkit::{Fault, FaultyServer, Gate};
use tokio::task::JoinHandle;

use super::{client, soon};

async fn server() -> FaultyServer {
    FaultyServer::start(Router::new().route("/x", get(async || "here"))).await
}

fn ask(server: &FaultyServer) -> JoinHandle<String> {
    let url = format!("{}/x", server.url());
    tokio::spawn(async move { client().get(url).send().await.unwrap().text().await.unwrap() })
}

#[tokio::test]
async fn a_request_is_held_before_the_router() {
    let (server, gate) = (server().await, Gate::new());
    server.faults().next("/x", Fault::HoldRequest(gate.clone()));
    let asked = ask(&server);
    soon(gate.arrived()).await;
    assert_eq!((server.faults().arrived("/x"), server.faults().served("/x")), (1, 0));
    // Others pass meanwhile.
    assert_eq!(soon(ask(&server)).await.unwrap(), "here");
    assert!(!asked.is_finished());
    gate.open();
    assert_eq!(soon(asked).await.unwrap(), "here");
}

#[tokio::test]
async fn a_response_is_held_behind_the_router() {
    let (server, gate) = (server().await, Gate::new());
    server.faults().next("/x", Fault::HoldResponse(gate.clone()));
    let asked = ask(&server);
    soon(gate.arrived()).await;
    assert_eq!((server.faults().arrived("/x"), server.faults().served("/x")), (1, 1));
    assert!(!asked.is_finished());
    gate.open();
    assert_eq!(soon(asked).await.unwrap(), "here");
}

#[tokio::test]
async fn a_gate_holds_several_and_stays_open() {
    let (server, gate) = (server().await, Gate::new());
    server.faults().always("/x", Fault::HoldRequest(gate.clone()));
    let asked: Vec<_> = (0..5).map(|_| ask(&server)).collect();
    soon(gate.arrivals(5)).await;
    assert_eq!(server.faults().served("/x"), 0);
    gate.open();
    for asked in asked {
        assert_eq!(soon(asked).await.unwrap(), "here");
    }
    assert_eq!(soon(ask(&server)).await.unwrap(), "here");
}

#[tokio::test]
async fn waiting_for_an_arrival_waits() {
    let gate = Gate::new();
    let mut arrived = Box::pin(gate.arrived());
    let early = tokio::time::timeout(Duration::ZERO, &mut arrived).await;
    assert!(early.is_err(), "nobody is there yet");
    let passing = tokio::spawn({
        let gate = gate.clone();
        async move { gate.pass().await }
    });
    soon(arrived).await;
    gate.open();
    soon(passing).await.unwrap();
}
