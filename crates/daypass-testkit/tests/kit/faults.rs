//! Each fault does what it says.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use daypass_testkit::{Canned, Fault, FaultyServer, Gate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{client, soon};

const PATH: &str = "/echo";

/// A server that counts what it does and gives the body back.
async fn echo() -> (FaultyServer, Arc<AtomicUsize>) {
    let done = Arc::new(AtomicUsize::new(0));
    let answer = async |State(done): State<Arc<AtomicUsize>>, body: String| {
        // What a handler does takes more than one step.
        tokio::task::yield_now().await;
        done.fetch_add(1, Ordering::SeqCst);
        body
    };
    let router = Router::new().route(PATH, post(answer)).with_state(Arc::clone(&done));
    (FaultyServer::start(router).await, done)
}

async fn send(server: &FaultyServer) -> Result<(u16, String), reqwest::Error> {
    let answer = client().post(format!("{}{PATH}?x=1", server.url())).body("0123456789").send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn is_well(server: &FaultyServer) {
    assert_eq!(soon(send(server)).await.unwrap(), (200, "0123456789".to_owned()));
}

fn counts(server: &FaultyServer) -> (usize, usize) {
    (server.faults().arrived(PATH), server.faults().served(PATH))
}

#[tokio::test]
async fn without_a_fault_the_router_answers() {
    let (server, done) = echo().await;
    is_well(&server).await;
    assert_eq!((counts(&server), done.load(Ordering::SeqCst)), ((1, 1), 1));
}

#[tokio::test]
async fn the_router_is_busy_while_it_works() {
    let gate = Gate::new();
    let slow = gate.clone();
    let router = Router::new().route(PATH, post(async move || slow.pass().await));
    let server = FaultyServer::start(router).await;
    let url = format!("{}{PATH}", server.url());
    let sent = tokio::spawn(client().post(&url).send());
    soon(gate.arrived()).await;
    assert_eq!(server.faults().busy(), 1);
    gate.open();
    assert!(soon(sent).await.unwrap().is_ok());
    assert_eq!(server.faults().busy(), 0);
}

#[tokio::test]
async fn a_lost_request_never_comes_to_the_router() {
    let (server, done) = echo().await;
    server.faults().next(PATH, Fault::LoseRequest);
    let error = soon(send(&server)).await.unwrap_err();
    assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!((counts(&server), done.load(Ordering::SeqCst)), ((1, 0), 0));
    is_well(&server).await;
}

#[tokio::test]
async fn a_lost_response_was_earned() {
    let (server, done) = echo().await;
    server.faults().next(PATH, Fault::LoseResponse);
    let error = soon(send(&server)).await.unwrap_err();
    assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!((counts(&server), done.load(Ordering::SeqCst)), ((1, 1), 1));
    is_well(&server).await;
}

#[tokio::test]
async fn an_answer_of_the_tests_own_is_given_for_the_router() {
    let (server, done) = echo().await;
    server.faults().next(PATH, Canned::status(429).header("retry-after", "7").body("later"));
    let url = format!("{}{PATH}", server.url());
    let answer = soon(client().post(url).send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(soon(answer.text()).await.unwrap(), "later");
    assert_eq!((counts(&server), done.load(Ordering::SeqCst)), ((1, 0), 0));
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_its_body() {
    let (server, done) = echo().await;
    server.faults().next(PATH, Fault::Truncate);
    let url = format!("{}{PATH}", server.url());
    let mut answer = soon(client().post(url).body("0123456789").send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(10)));
    assert_eq!(soon(answer.chunk()).await.unwrap().as_deref(), Some(&b"01234"[..]));
    assert!(soon(answer.chunk()).await.is_err(), "the other half is missing");
    assert_eq!((counts(&server), done.load(Ordering::SeqCst)), ((1, 1), 1));
}

#[tokio::test]
async fn a_hanging_request_hangs_until_its_sender_leaves() {
    let (server, done) = echo().await;
    server.faults().next(PATH, Fault::Hang);
    let url = format!("{}{PATH}", server.url());
    let sender = tokio::spawn(client().post(url).send());
    soon(server.faults().until_arrived(PATH, 1)).await;
    assert!(!sender.is_finished());
    assert_eq!(server.connections(), 1);
    sender.abort();
    soon(async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(done.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn faults_queue_up_and_one_for_always_comes_after_them() {
    let (server, _) = echo().await;
    let status = async || soon(send(&server)).await.unwrap().0;
    server.faults().always(PATH, Canned::status(500));
    server.faults().next(PATH, Canned::status(501));
    server.faults().next_times(PATH, 2, Canned::status(502));
    assert_eq!([status().await, status().await, status().await], [501, 502, 502]);
    assert_eq!([status().await, status().await], [500, 500]);
    server.faults().next(PATH, Canned::status(501));
    server.faults().clear();
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn faults_befall_their_own_path_only() {
    let (server, _) = echo().await;
    server.faults().next("/elsewhere", Fault::LoseRequest);
    is_well(&server).await;
    let elsewhere = client().get(format!("{}/elsewhere?x=1", server.url())).send();
    assert!(soon(elsewhere).await.is_err());
    assert_eq!(server.faults().arrived("/elsewhere"), 1);
    let targets = |path| server.faults().requests(path).into_iter().map(|request| request.target);
    assert!(targets("/elsewhere").eq(["/elsewhere?x=1"]) && targets(PATH).eq(["/echo?x=1"]));
}

#[tokio::test]
async fn a_mixture_befalls_the_same_requests_again() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (server, _) = echo().await;
        server.faults().random(3, 500, &[PATH], &[Canned::status(503).into()]);
        let mut run = Vec::new();
        for _ in 0..20 {
            run.push(soon(send(&server)).await.unwrap().0);
        }
        seen.push(run);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains(&503) && seen[0].contains(&200), "{seen:?}");
}

#[tokio::test]
async fn what_arrived_is_kept_and_printed_without_its_secrets() {
    let (server, _) = echo().await;
    server.faults().next(PATH, Fault::LoseRequest);
    let request = client().post(format!("{}{PATH}?x=1", server.url()));
    let sent = request.header("daypass-attempt", "3:secret-id").body(r#"{"refresh_token":"dpr_x"}"#).send();
    assert!(soon(sent).await.is_err());
    let requests = server.faults().requests(PATH);
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), &*requests[0].target), ("POST", "/echo?x=1"));
    assert_eq!(requests[0].header("daypass-attempt"), Some("3:secret-id"));
    assert_eq!(requests[0].json()["refresh_token"], "dpr_x");
    let shown = format!("{requests:?}");
    assert!(shown.contains("daypass-attempt") && !shown.contains("secret-id") && !shown.contains("dpr_x"));
}

#[tokio::test]
async fn a_held_request_is_delivered_late_even_if_its_sender_has_left() {
    let (server, done) = echo().await;
    let gate = Gate::new();
    server.faults().next(PATH, Fault::HoldRequest(gate.clone()));
    let url = format!("{}{PATH}", server.url());
    let sender = tokio::spawn(client().post(url).body("late").send());
    soon(gate.arrived()).await;
    sender.abort();
    soon(async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(counts(&server), (1, 0));
    gate.open();
    soon(server.faults().until_served(PATH, 1)).await;
    assert_eq!(done.load(Ordering::SeqCst), 1);
}
