//! Scenarios 7 and 8, and who is signed in at all.

use daypass_client::{Credentials, Event, MemoryStore, SessionError, SessionState, SignOutReason};
use daypass_testkit::{Canned, Fault, Gate, NAME, PASSWORD};

use crate::stage::{Faulty, LIFETIME, LOGOUT, REFRESH, Stage, drained, event, pair, watched};

fn reason(result: Result<daypass_client::AccessToken, SessionError>) -> SignOutReason {
    match result {
        Err(SessionError::SignedOut(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn signing_in_and_out() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.session().await;
        let events = session.events();
        assert_eq!(session.state(), SessionState::SignedOut(SignOutReason::NotSignedIn));
        assert_eq!(reason(session.access_token().await), SignOutReason::NotSignedIn);
        session.sign_in(Credentials::password(NAME, PASSWORD).label("ada's laptop")).await.unwrap();
        assert_eq!(session.state(), SessionState::Active);
        session.access_token().await.unwrap();
        let record = stage.record().await.unwrap();
        assert_eq!(session.session_id(), Some(record.session_id));
        assert_eq!(record.service, stage.service.url());
        session.sign_out().await.unwrap();
        assert_eq!(session.state(), SessionState::SignedOut(SignOutReason::SignedOut));
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        assert_eq!((session.session_id(), stage.record().await), (None, None));
        assert_eq!(stage.faults().served(LOGOUT), 1);
        session.sign_out().await.unwrap();
        assert_eq!(stage.faults().served(LOGOUT), 1);
        drop(session);
        let expected = [Event::SignedIn, Event::SignedOut(SignOutReason::SignedOut)];
        assert_eq!(drained(events).await, expected);
    })
    .await;
}

#[tokio::test]
async fn wrong_credentials_change_nothing() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let before = stage.record().await;
        let error = session.sign_in(Credentials::password(NAME, "wrong")).await.unwrap_err();
        assert!(matches!(error, SessionError::Credentials), "{error:?}");
        stage.faults().next("/v1/login", Canned::status(429).header("retry-after", "7"));
        let error = session.sign_in(Credentials::password(NAME, PASSWORD)).await.unwrap_err();
        assert!(
            matches!(error, SessionError::Unavailable { retry_after: Some(wait) } if wait.as_secs() == 7)
        );
        stage.faults().next("/v1/login", Fault::LoseResponse);
        let error = session.sign_in(Credentials::password(NAME, PASSWORD)).await.unwrap_err();
        assert!(matches!(error, SessionError::Unavailable { retry_after: None }), "{error:?}");
        assert_eq!(stage.record().await, before);
        assert_eq!(session.state(), SessionState::Active);
    })
    .await;
}

#[tokio::test]
async fn s07_sign_out_in_mid_refresh_discards_and_revokes_the_new_pair_with_one_event() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let events = session.events();
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        session.sign_out().await.unwrap();
        // The caller does not wait for what is not wanted any more.
        assert_eq!(reason(caller.await.unwrap()), SignOutReason::SignedOut);
        gate.open();
        stage.faults().until_served(LOGOUT, 2).await;
        let sent = stage.faults().requests(LOGOUT);
        assert_ne!(
            sent[0].json()["refresh_token"],
            sent[1].json()["refresh_token"],
            "the new pair was not revoked"
        );
        assert_eq!(stage.record().await, None);
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        drop(session);
        assert_eq!(drained(events).await, [Event::SignedOut(SignOutReason::SignedOut)]);
    })
    .await;
}

#[tokio::test]
async fn sign_out_while_the_new_pair_is_being_written() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        stage.clock().advance(LIFETIME);
        let persisting = store.hold(1);
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        persisting.arrived().await;
        session.sign_out().await.unwrap();
        persisting.open();
        assert_eq!(reason(caller.await.unwrap()), SignOutReason::SignedOut);
        stage.faults().until_served(LOGOUT, 2).await;
        let stored = daypass_client::store::TokenStore::load(&store).await.unwrap();
        assert_eq!(stored.record, None);
    })
    .await;
}

#[tokio::test]
async fn sign_out_while_the_new_pair_cannot_be_written() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        stage.clock().advance(LIFETIME);
        let events = session.events();
        let persisting = store.hold(1);
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        persisting.arrived().await;
        session.sign_out().await.unwrap();
        store.fill(true);
        persisting.open();
        assert_eq!(reason(caller.await.unwrap()), SignOutReason::SignedOut);
        // What came late is revoked, and not given out.
        stage.faults().until_served(LOGOUT, 2).await;
        assert_eq!(session.state(), SessionState::SignedOut(SignOutReason::SignedOut));
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        drop(session);
        assert_eq!(drained(events).await, [Event::SignedOut(SignOutReason::SignedOut)]);
    })
    .await;
}

#[tokio::test]
async fn s08_sign_in_as_somebody_else_during_a_refresh_wins() {
    watched(async {
        let stage = Stage::new().await;
        stage.service.add_person("bob", PASSWORD).await;
        let (session, _) = stage.expired().await;
        let ada = session.session_id().unwrap();
        let events = session.events();
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        session.sign_in(Credentials::password("bob", PASSWORD)).await.unwrap();
        let bob = session.session_id().unwrap();
        assert_ne!(bob, ada);
        let token = session.access_token().await.unwrap();
        assert_eq!(caller.await.unwrap().unwrap(), token, "the caller was given ada's token");
        gate.open();
        // Ada's session is ended when bob's is there, and once more with the pair that came late.
        stage.faults().until_served(LOGOUT, 2).await;
        assert_eq!(session.session_id().unwrap(), bob);
        assert_eq!(session.access_token().await.unwrap(), token);
        assert_eq!(stage.record().await.unwrap().session_id, bob);
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        drop(session);
        let expected = [Event::SignedIn, Event::Refreshed];
        assert_eq!(drained(events).await, expected, "nobody was signed out");
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_that_the_service_cannot_be_told_of_is_one_all_the_same() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        stage.faults().always(LOGOUT, Canned::status(503));
        let error = stage.through_waits(session.sign_out()).await.unwrap_err();
        assert!(matches!(error, SessionError::Unavailable { .. }), "{error:?}");
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        assert_eq!(stage.record().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_that_the_store_does_not_take_is_one_all_the_same() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        store.fill(true);
        let error = session.sign_out().await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        assert_eq!(stage.faults().served(LOGOUT), 1, "the service has to know in any case");
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        assert!(store.inner_record().await.is_some());
        store.fill(false);
        assert_eq!(reason(session.access_token().await), SignOutReason::SignedOut);
        assert_eq!(store.inner_record().await, None, "what was left over was not removed");
        assert_eq!(stage.requests(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_stored_fails_and_its_session_is_ended() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        store.fill(true);
        let error = session.sign_in(Credentials::password(NAME, PASSWORD)).await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        stage.faults().until_served(LOGOUT, 1).await;
        assert_eq!(reason(session.access_token().await), SignOutReason::NotSignedIn);
    })
    .await;
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_before() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let before = stage.record().await.unwrap();
        let first = session.session_id();
        session.adopt(stage.pair().await).await.unwrap();
        assert_ne!(session.session_id(), first);
        stage.faults().until_served(LOGOUT, 1).await;
        let sent = &stage.faults().requests(LOGOUT)[0];
        assert_eq!(sent.json()["refresh_token"], before.refresh_token.expose());
    })
    .await;
}

#[tokio::test]
async fn a_pair_that_is_older_than_what_the_store_has_changes_nothing() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.session().await;
        let json = stage.service.sign_in().await;
        session.adopt(pair(&json)).await.unwrap();
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        let before = stage.record().await;
        session.adopt(pair(&json)).await.unwrap();
        assert_eq!(stage.record().await, before);
        assert_eq!(stage.faults().arrived(LOGOUT), 0);
    })
    .await;
}

#[tokio::test]
async fn a_record_of_another_service_is_not_used_and_its_token_not_sent_here() {
    watched(async {
        let (stage, other) = (Stage::new().await, Stage::new().await);
        let store = MemoryStore::new();
        let elsewhere = other.builder_on(store.clone()).build().await.unwrap();
        elsewhere.adopt(other.pair().await).await.unwrap();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        assert_eq!(reason(session.access_token().await), SignOutReason::NotSignedIn);
        session.sign_out().await.unwrap();
        assert_eq!((stage.requests(), stage.faults().arrived(LOGOUT)), (0, 0));
        session.adopt(stage.pair().await).await.unwrap();
        session.access_token().await.unwrap();
        assert_eq!(stage.faults().arrived(LOGOUT), 0);
    })
    .await;
}

#[tokio::test]
async fn a_registered_public_client_signs_in_under_its_name() {
    watched(async {
        let stage = Stage::new().await;
        let client = daypass_testkit::PUBLIC_CLIENT;
        let session = stage.builder().client_id(client).build().await.unwrap();
        session.sign_in(Credentials::password(NAME, PASSWORD)).await.unwrap();
        assert_eq!(stage.record().await.unwrap().client_id.as_deref(), Some(client));
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        assert_eq!(stage.service.rotations().await, 1);
        let another = stage.builder().build().await.unwrap();
        assert_eq!(reason(another.access_token().await), SignOutReason::NotSignedIn);
    })
    .await;
}

#[tokio::test]
async fn a_host_that_watches_sees_each_state() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        assert_eq!(session.state(), SessionState::Stale);
        let mut watch = session.watch();
        let mut events = session.events();
        session.access_token().await.unwrap();
        event(&mut events, |event| event == Event::Refreshed).await;
        assert_eq!(*watch.borrow_and_update(), SessionState::Active);
        session.sign_out().await.unwrap();
        let out = |state: &SessionState| *state == SessionState::SignedOut(SignOutReason::SignedOut);
        watch.wait_for(out).await.unwrap();
    })
    .await;
}
