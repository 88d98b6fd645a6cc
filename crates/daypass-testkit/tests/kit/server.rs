//! A server stops, refuses, and comes back at the same address.

use axum::Router;
use axum::routing::get;
use daypass_testkit::{Fault, FaultyServer, Gate};

use super::{client, soon};

fn router(word: &'static str) -> Router {
    Router::new().route("/x", get(async move || word))
}

async fn ask(server: &FaultyServer) -> reqwest::Result<String> {
    soon(client().get(format!("{}/x", server.url())).send()).await?.text().await
}

#[tokio::test]
async fn a_stopped_server_refuses_and_a_restarted_one_answers_at_the_same_address() {
    let server = FaultyServer::start(router("here")).await;
    let url = server.url().to_owned();
    for _ in 0..3 {
        assert_eq!(ask(&server).await.unwrap(), "here");
        server.stop().await;
        server.stop().await;
        let error = ask(&server).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        server.restart().await;
        server.restart().await;
        assert_eq!((server.url(), &*ask(&server).await.unwrap()), (&*url, "here"));
    }
}

#[tokio::test]
async fn stopping_cuts_what_is_under_way() {
    let (server, gate) = (FaultyServer::start(router("here")).await, Gate::new());
    server.faults().next("/x", Fault::HoldRequest(gate.clone()));
    let asked = tokio::spawn(client().get(format!("{}/x", server.url())).send());
    soon(gate.arrived()).await;
    soon(server.stop()).await;
    assert!(soon(asked).await.unwrap().is_err());
    assert_eq!(server.connections(), 0);
    gate.open();
    server.restart().await;
    assert_eq!(ask(&server).await.unwrap(), "here");
    assert_eq!(server.faults().served("/x"), 1, "what was held is gone");
}

#[tokio::test]
async fn stopping_closes_connections_that_idle() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = FaultyServer::start(router("here")).await;
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    let mut answer = [0; 4096];
    assert!(soon(stream.read(&mut answer)).await.unwrap() > 0);
    assert_eq!(server.connections(), 1);
    soon(server.stop()).await;
    assert_eq!(server.connections(), 0);
    assert!(matches!(soon(stream.read(&mut answer)).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn the_router_can_be_replaced() {
    let server = FaultyServer::start(router("before")).await;
    assert_eq!(ask(&server).await.unwrap(), "before");
    server.replace(router("after"));
    assert_eq!(ask(&server).await.unwrap(), "after");
}

#[tokio::test]
async fn a_kept_connection_is_cut_with_its_request() {
    let server = FaultyServer::start(router("here")).await;
    let keeping = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async || soon(keeping.get(format!("{}/x", server.url())).send()).await?.text().await;
    assert_eq!(ask().await.unwrap(), "here");
    server.faults().next("/x", Fault::LoseResponse);
    assert!(ask().await.is_err());
    assert_eq!(server.faults().arrived("/x"), 2, "the client did not repeat it by itself");
    assert_eq!(ask().await.unwrap(), "here");
}
