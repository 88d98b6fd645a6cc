//! What ends a session, and what only looks like it.

use daypass_client::{Event, RefreshPolicy, SessionError, SessionState, SignOutReason};
use daypass_testkit::{Canned, Fault, Gate, TestService};
use serde_json::json;

use crate::stage::{LIFETIME, LOGOUT, REFRESH, Stage, drained, watched};

async fn ends_with(stage: &Stage, session: daypass_client::Session, reason: SignOutReason) {
    let events = session.events();
    for _ in 0..3 {
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::SignedOut(told) if told == reason), "{error:?}");
    }
    assert_eq!(session.state(), SessionState::SignedOut(reason));
    assert_eq!((stage.requests(), stage.record().await), (1, None));
    drop(session);
    assert_eq!(drained(events).await, [Event::SignedOut(reason)]);
}

#[tokio::test]
async fn a_session_that_was_revoked_is_over() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.service.revoke_session(&session.session_id().unwrap()).await;
        ends_with(&stage, session, SignOutReason::Revoked).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_time_is_up_is_over() {
    watched(async {
        let service = TestService::builder().access(LIFETIME).session(2 * LIFETIME).start().await;
        let stage = Stage::with(service);
        let session = stage.signed_in().await;
        stage.clock().advance(3 * LIFETIME);
        ends_with(&stage, session, SignOutReason::Expired).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_the_service_does_not_know_is_over() {
    watched(async {
        let (stage, other) = (Stage::new().await, Stage::new().await);
        let session = stage.session().await;
        // A token of another service, with other secrets.
        session.adopt(other.pair().await).await.unwrap();
        stage.clock().advance(LIFETIME);
        ends_with(&stage, session, SignOutReason::Unknown).await;
    })
    .await;
}

#[tokio::test]
async fn after_a_theft_the_owner_is_told() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        // A copy of the store, without the owner's id for this rotation.
        let thief = stage.builder_on(daypass_client::MemoryStore::new()).build().await.unwrap();
        let token = stage.record().await.unwrap().refresh_token;
        let stolen = json!({
            "access_token": "x", "token_type": "Bearer", "expires_in": 0, "generation": 0,
            "refresh_token": token.expose(), "session_id": session.session_id(),
        });
        thief.adopt(crate::stage::pair(&stolen)).await.unwrap();
        thief.access_token().await.unwrap();
        assert_eq!(stage.service.rotations().await, 1);
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::SignedOut(SignOutReason::Reused)), "{error:?}");
        assert_eq!(stage.service.reuses().await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_end_is_believed_only_after_the_store_was_read_again() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldRequest(gate.clone()));
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        // Another process that shares the store signs in anew meanwhile, and ends the old session.
        let another = stage.session().await;
        let pair = stage.pair().await;
        another.adopt(pair).await.unwrap();
        stage.faults().until_served(LOGOUT, 1).await;
        gate.open();
        let token = call.await.unwrap().unwrap();
        assert_eq!(token, another.access_token().await.unwrap());
        assert_eq!(session.session_id(), another.session_id());
        assert_eq!(stage.service.refusals().await, 1);
    })
    .await;
}

#[tokio::test]
async fn superseded_with_nothing_newer_is_a_thief_and_he_is_logged_out_first() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let superseded = json!({ "error": "invalid_grant", "reason": "superseded" });
        stage.faults().next(REFRESH, Canned::json(400, &superseded));
        stage.faults().next(LOGOUT, Canned::status(503));
        stage.faults().next(LOGOUT, Fault::LoseRequest);
        stage.faults().next(LOGOUT, Canned::html(200, "<html>"));
        let record = stage.record().await.unwrap();
        let error = stage.through_waits(session.access_token()).await.unwrap_err();
        assert!(matches!(error, SessionError::SignedOut(SignOutReason::Reused)), "{error:?}");
        assert_eq!((stage.faults().arrived(LOGOUT), stage.faults().served(LOGOUT)), (4, 1));
        assert_eq!(stage.faults().requests(LOGOUT)[3].json()["refresh_token"], record.refresh_token.expose());
        assert_eq!(stage.record().await, None);
    })
    .await;
}

#[tokio::test]
async fn superseded_while_the_service_cannot_be_told_keeps_the_session() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let superseded = json!({ "error": "invalid_grant", "reason": "superseded" });
        stage.faults().next(REFRESH, Canned::json(400, &superseded));
        stage.faults().always(LOGOUT, Canned::status(503));
        let error = stage.through_waits(session.access_token()).await.unwrap_err();
        assert!(matches!(error, SessionError::Unavailable { .. }), "{error:?}");
        assert!(stage.record().await.is_some());
    })
    .await;
}

#[tokio::test]
async fn superseded_by_somebody_who_shares_the_store_is_nothing() {
    watched(async {
        let stage = Stage::new().await;
        drop(stage.expired().await);
        // It waits for its answer as long as it takes.
        let patient = RefreshPolicy::default().attempt(365 * 24 * LIFETIME).budget(365 * 24 * LIFETIME);
        let session = stage.builder().refresh(patient).build().await.unwrap();
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldRequest(gate.clone()));
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        // Others wait for the lock in vain, and go on: twice.
        let another = stage.session().await;
        for _ in 0..2 {
            stage.through_waits(another.access_token()).await.unwrap();
            stage.clock().advance(LIFETIME);
        }
        let current = stage.through_waits(another.access_token()).await.unwrap();
        gate.open();
        assert_eq!(call.await.unwrap().unwrap(), current);
        assert_eq!(stage.service.refusals().await, 1);
        assert_eq!(stage.faults().arrived(LOGOUT), 0);
    })
    .await;
}

#[tokio::test]
async fn a_stated_generation_is_taken_over_if_it_is_newer() {
    watched(async {
        let stage = Stage::new().await;
        let mut json = stage.service.sign_in().await;
        let donor = stage.builder_on(daypass_client::MemoryStore::new()).build().await.unwrap();
        donor.adopt(crate::stage::pair(&json)).await.unwrap();
        stage.clock().advance(LIFETIME);
        donor.access_token().await.unwrap();
        // A pair whose label says generation 0 and whose token says 1.
        let sent = stage.faults().requests(REFRESH).len();
        stage.clock().advance(LIFETIME);
        json["refresh_token"] = newest_token(&stage, &json).await.into();
        let session = stage.session().await;
        session.adopt(crate::stage::pair(&json)).await.unwrap();
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        let labels: Vec<_> = stage.attempts()[sent..].iter().map(|header| header[..2].to_owned()).collect();
        assert_eq!(labels, ["0:", "0:", "1:"]);
        assert_eq!(stage.record().await.unwrap().generation, 2);
    })
    .await;
}

/// The token of generation 1 of a session, which its holder gets again by repeating the rotation of 0.
async fn newest_token(stage: &Stage, json: &serde_json::Value) -> String {
    let header = stage.attempts()[0].clone();
    let answer = reqwest::Client::new()
        .post(format!("{}{REFRESH}", stage.service.url()))
        .header("daypass-attempt", header)
        .header("content-type", "application/json")
        .body(json!({ "refresh_token": json["refresh_token"] }).to_string());
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.send().await.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(answer["generation"], 1);
    answer["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_service_that_states_one_generation_after_another_is_not_followed_for_ever() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        for generation in [1, 2, 3, 4] {
            let mismatch = json!({ "error": "mismatch", "generation": generation });
            stage.faults().next(REFRESH, Canned::json(409, &mismatch));
        }
        let error = stage.through_waits(session.access_token()).await.unwrap_err();
        assert!(matches!(error, SessionError::Protocol(_)), "{error:?}");
        assert_eq!(stage.requests(), 3);
        assert!(stage.record().await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_stated_generation_that_is_not_newer_is_no_end() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Canned::json(409, &json!({ "error": "mismatch", "generation": 0 })));
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::Protocol(_)), "{error:?}");
        stage.through_waits(session.access_token()).await.unwrap();
    })
    .await;
}
