//! Scenario 15: stores that cannot be written or read.

use daypass_client::{Event, SessionError, SessionState};

use crate::stage::{Faulty, LIFETIME, Stage, event, watched};

async fn expired_on(stage: &Stage, store: &Faulty) -> daypass_client::Session {
    let session = stage.builder_on(store.clone()).build().await.unwrap();
    session.adopt(stage.pair().await).await.unwrap();
    stage.clock().advance(LIFETIME);
    session
}

#[tokio::test]
async fn s15_a_disk_that_is_full_after_a_rotation() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = expired_on(&stage, &store).await;
        let mut events = session.events();
        let persisting = store.hold(1);
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        });
        persisting.arrived().await;
        store.fill(true);
        persisting.open();
        let first = caller.await.unwrap();
        event(&mut events, |event| event == Event::PersistFailed).await;
        assert_eq!(session.access_token().await.unwrap(), first);
        assert_eq!(session.state(), SessionState::Active);
        // Renewals repeat the rotation on record. The token that is not on record is never sent.
        for _ in 0..3 {
            stage.clock().advance(LIFETIME);
            session.access_token().await.unwrap();
        }
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (1, 3, 0));
        assert_eq!(store.inner_record().await.unwrap().generation, 0);
        store.fill(false);
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        event(&mut events, |event| event == Event::Persisted).await;
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (2, 3, 0));
        assert_eq!(store.inner_record().await.unwrap().generation, 2);
    })
    .await;
}

#[tokio::test]
async fn s15_a_crash_while_the_disk_is_full_signs_nobody_out() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = expired_on(&stage, &store).await;
        let persisting = store.hold(1);
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        });
        persisting.arrived().await;
        store.fill(true);
        persisting.open();
        caller.await.unwrap();
        drop(session);
        store.fill(false);
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.access_token().await.unwrap();
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (1, 1, 0));
        assert_eq!(store.inner_record().await.unwrap().generation, 1);
    })
    .await;
}

#[tokio::test]
async fn without_an_attempt_id_on_record_no_request_leaves() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = expired_on(&stage, &store).await;
        let mut events = session.events();
        store.fill(true);
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        assert_eq!(event(&mut events, |_| true).await, Event::PersistFailed);
        assert_eq!(stage.requests(), 0);
        store.fill(false);
        stage.through_waits(session.access_token()).await.unwrap();
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn while_the_old_token_serves_callers_get_it() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        let old = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME - std::time::Duration::from_secs(5));
        store.fill(true);
        assert_eq!(session.access_token().await.unwrap(), old);
        store.fill(false);
        store.hide(true);
        assert_eq!(session.access_token().await.unwrap(), old);
        assert_eq!(stage.requests(), 0);
        let error = session.refresh_if(&old).await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        store.hide(false);
        assert_ne!(stage.through_waits(session.access_token()).await.unwrap(), old);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_cannot_be_read_when_the_service_says_the_end_ends_nothing() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = expired_on(&stage, &store).await;
        let gate = daypass_testkit::Gate::new();
        stage.faults().next(crate::stage::REFRESH, daypass_testkit::Fault::HoldResponse(gate.clone()));
        stage.service.revoke_session(&session.session_id().unwrap()).await;
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        store.hide(true);
        gate.open();
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        assert!(session.session_id().is_some());
    })
    .await;
}
