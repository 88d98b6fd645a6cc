//! Several sessions on one store: other processes, and other windows of the same.

use std::time::Duration;

use daypass_client::store::{Exchange, TokenStore as _};
use daypass_client::{Event, SignOutReason};
use daypass_testkit::{Canned, Fault, Gate};

use crate::stage::{LIFETIME, REFRESH, Stage, all, drained, event, watched};

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_on_one_store_make_one_refresh() {
    watched(async {
        let stage = Stage::new().await;
        drop(stage.expired().await);
        let mut calls = Vec::new();
        for _ in 0..10 {
            let session = stage.session().await;
            calls.push(tokio::spawn(async move { session.access_token().await.unwrap() }));
        }
        let tokens = all(calls).await;
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn s11_whoever_waits_for_a_frozen_holder_of_the_lock_goes_on_after_five_seconds() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let frozen = stage.store.lock(Duration::ZERO).await.unwrap().unwrap();
        let call = tokio::spawn(async move { session.access_token().await });
        stage.clock().until(|waits| waits == [Duration::from_secs(5)]).await;
        assert_eq!(stage.requests(), 0);
        stage.clock().advance(Duration::from_secs(5));
        call.await.unwrap().unwrap();
        assert_eq!(stage.requests(), 1);
        drop(frozen);
    })
    .await;
}

#[tokio::test]
async fn two_that_renew_at_once_send_the_same_attempt_and_store_the_same_successor() {
    watched(async {
        let stage = Stage::new().await;
        let (first, _) = stage.expired().await;
        let second = stage.session().await;
        let frozen = stage.store.lock(Duration::ZERO).await.unwrap().unwrap();
        let gate = Gate::new();
        stage.faults().next_times(REFRESH, 2, Fault::HoldResponse(gate.clone()));
        let calls = [first.clone(), second.clone()]
            .map(|session| tokio::spawn(async move { session.access_token().await.unwrap() }));
        stage.clock().until(|waits| waits.len() == 2).await;
        stage.clock().advance(Duration::from_secs(5));
        gate.arrivals(2).await;
        gate.open();
        all(calls.into()).await;
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (1, 1, 0));
        let attempts = stage.attempts();
        assert_eq!(attempts[0], attempts[1]);
        assert_eq!(first.access_token().await.unwrap(), second.access_token().await.unwrap());
        drop(frozen);
    })
    .await;
}

#[tokio::test]
async fn the_store_is_read_again_before_a_request_is_repeated() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Canned::status(503).header("retry-after", "15"));
        let call = tokio::spawn(async move { session.access_token().await.unwrap() });
        let fifteen = |waits: &[Duration]| waits.iter().any(|wait| *wait >= Duration::from_secs(15));
        stage.clock().until(fifteen).await;
        // Another has not been asked to wait, and renews when it has waited for the lock.
        let another = stage.session().await;
        let current = stage.through_waits(another.access_token()).await.unwrap();
        stage.clock().advance(Duration::from_secs(15));
        assert_eq!(call.await.unwrap(), current);
        assert_eq!((stage.requests(), stage.service.repeats().await), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn what_another_did_is_noticed_at_the_next_call() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let mut events = session.events();
        let another = stage.session().await;
        another.sign_out().await.unwrap();
        assert!(session.access_token().await.unwrap_err().is_signed_out());
        assert_eq!(events.next().await, Some(Event::SignedOut(SignOutReason::SignedOut)));
        another.adopt(stage.pair().await).await.unwrap();
        assert_eq!(session.access_token().await.unwrap(), another.access_token().await.unwrap());
        assert_eq!(event(&mut events, |_| true).await, Event::SignedIn);
    })
    .await;
}

#[tokio::test]
async fn a_refused_token_that_another_has_renewed_already_needs_no_request() {
    watched(async {
        let stage = Stage::new().await;
        let (session, old) = stage.expired().await;
        let another = stage.session().await;
        let new = another.access_token().await.unwrap();
        assert_eq!(session.refresh_if(&old).await.unwrap(), new);
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn sign_out_by_another_during_a_refresh_discards_the_new_pair() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let events = session.events();
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let call = tokio::spawn(async move { session.access_token().await });
        gate.arrived().await;
        stage.session().await.sign_out().await.unwrap();
        gate.open();
        assert!(call.await.unwrap().unwrap_err().is_signed_out());
        stage.faults().until_served(crate::stage::LOGOUT, 2).await;
        assert_eq!(stage.record().await, None);
        assert_eq!(drained(events).await, [Event::SignedOut(SignOutReason::SignedOut)]);
    })
    .await;
}

#[tokio::test]
async fn others_get_the_lock_when_a_renewal_is_over() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME);
        assert!(stage.store.lock(Duration::ZERO).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_session_that_the_store_has_again_is_used_again() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let there = stage.store.load().await.unwrap();
        // As when a folder is mounted late, or a file is put back from a copy.
        let Exchange::Done(gone) = stage.store.compare_exchange(there.version, None).await.unwrap() else {
            panic!("nobody else writes");
        };
        assert!(session.access_token().await.unwrap_err().is_signed_out());
        stage.store.compare_exchange(gone, there.record.as_ref()).await.unwrap();
        let again = session.access_token().await;
        assert!(stage.record().await.is_some(), "a session that lives was removed from the store");
        again.unwrap();
    })
    .await;
}
