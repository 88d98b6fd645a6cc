//! Clients with a secret that keep people signed in.

use std::sync::Arc;

use axum::response::IntoResponse;
use axum::routing::post;
use daypass_client::{SessionError, SessionState};
use daypass_testkit::{Fault, FaultyServer};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::stage::{LIFETIME, LOGOUT, REFRESH, Stage, TOKEN, pair, watched};

/// The generation that a token end point's answer leads to, after one that was sent as `dpr_<generation>`.
async fn rotate(headers: HeaderMap, body: String) -> impl IntoResponse {
    let authorization = headers["authorization"].to_str().unwrap();
    // "backend:top%3Asecret"
    assert_eq!(authorization, "Basic YmFja2VuZDp0b3AlM0FzZWNyZXQ=");
    let (asked, token) = body.rsplit_once("dpr_").unwrap();
    assert_eq!(asked, "grant_type=refresh_token&refresh_token=");
    let next = token.parse::<u32>().unwrap() + 1;
    ([("content-type", "application/json")], answer(next).to_string())
}

fn answer(generation: u32) -> Value {
    json!({
        "access_token": format!("at.{generation}"), "token_type": "Bearer", "expires_in": 600,
        "refresh_token": format!("dpr_{generation}"), "generation": generation, "session_id": "s",
    })
}

#[tokio::test]
async fn a_client_with_a_secret_renews_at_the_token_end_point_with_its_attempt_ids() {
    watched(async {
        let stage = Stage::new().await;
        let router = axum::Router::new().route(TOKEN, post(rotate));
        let server = Arc::new(FaultyServer::start(router).await);
        let session = daypass_client::Session::builder(server.url())
            .store(stage.store.clone())
            .clock(stage.service.ambient())
            .client_secret("backend", "top:secret")
            .build()
            .await
            .unwrap();
        session.adopt(pair(&answer(0))).await.unwrap();
        server.faults().next(TOKEN, Fault::LoseResponse);
        for _ in 0..2 {
            stage.clock().advance(LIFETIME);
            stage.through_waits(session.access_token()).await.unwrap();
        }
        let sent = server.faults().requests(TOKEN);
        let ids: Vec<_> = sent.iter().map(|request| request.header("daypass-attempt").unwrap()).collect();
        assert!(ids.len() == 3 && ids[0] == ids[1], "{}", ids.len());
        assert!(ids[0].starts_with("0:") && ids[2].starts_with("1:"));
        let record = stage.record().await.unwrap();
        assert_eq!((record.generation, record.client_id.as_deref()), (2, Some("backend")));
        assert_eq!((server.faults().arrived(REFRESH), server.faults().arrived(LOGOUT)), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_signs_nobody_out() {
    watched(async {
        let stage = Stage::new().await;
        let (id, _) = stage.service.client();
        let session = stage.builder().client_secret(id, "wrong").build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        stage.clock().advance(LIFETIME);
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::Config(_)), "{error:?}");
        assert_eq!(session.state(), SessionState::Stale);
        assert!(stage.record().await.is_some());
    })
    .await;
}
