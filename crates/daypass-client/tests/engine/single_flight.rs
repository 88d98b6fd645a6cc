//! Scenarios 1 to 5: one renewal for everybody.

use daypass_testkit::{Fault, Gate};

use crate::stage::{Faulty, LIFETIME, REFRESH, Stage, all, at_once, watched};

#[tokio::test(flavor = "multi_thread")]
async fn s01_a_hundred_concurrent_calls_with_an_expired_token_make_one_refresh() {
    watched(async {
        let stage = Stage::new().await;
        let (session, old) = stage.expired().await;
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let calls = at_once(100, || {
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        })
        .await;
        gate.arrived().await;
        gate.open();
        let tokens = all(calls).await;
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old));
        assert_eq!(tokens.len(), 100);
        assert_eq!((stage.requests(), stage.service.rotations().await), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_a_hundred_concurrent_refusals_make_one_refresh() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let old = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME / 2);
        let calls = at_once(100, || {
            let (session, old) = (session.clone(), old.clone());
            async move { session.refresh_if(&old).await.unwrap() }
        })
        .await;
        let tokens = all(calls).await;
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old));
        assert_eq!((stage.requests(), stage.service.rotations().await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn s03_a_late_refusal_of_an_old_token_gives_the_current_one_and_refreshes_nothing() {
    watched(async {
        let stage = Stage::new().await;
        let (session, first) = stage.expired().await;
        let second = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME / 2);
        assert_eq!(session.refresh_if(&first).await.unwrap(), second);
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s04_a_caller_between_response_and_persist_never_reads_the_old_refresh_token() {
    watched(async {
        let stage = Stage::new().await;
        let store = Faulty::default();
        let session = stage.builder_on(store.clone()).build().await.unwrap();
        session.adopt(stage.pair().await).await.unwrap();
        stage.clock().advance(LIFETIME);
        let persisting = store.hold(1);
        let first = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        });
        persisting.arrived().await;
        let later = at_once(10, || {
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        })
        .await;
        persisting.open();
        let first = first.await.unwrap();
        assert!(all(later).await.iter().all(|token| *token == first));
        assert_eq!((stage.requests(), stage.service.repeats().await), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn s05_the_new_pair_is_persisted_although_its_caller_is_gone() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let caller = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        gate.arrived().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.open();
        stage.until_stored(|record| record.is_some_and(|record| record.generation == 1)).await;
        session.access_token().await.unwrap();
        assert_eq!((stage.requests(), stage.service.rotations().await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_renewal_goes_on_although_every_clone_of_the_session_is_gone() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
        let caller = tokio::spawn(async move { session.access_token().await });
        gate.arrived().await;
        caller.abort();
        gate.open();
        stage.until_stored(|record| record.is_some_and(|record| record.generation == 1)).await;
    })
    .await;
}

#[tokio::test]
async fn s22_an_api_that_always_refuses_makes_one_refresh() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let first = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME / 2);
        let second = session.refresh_if(&first).await.unwrap();
        assert_ne!(second, first);
        // It refuses the new one as well, again and again: that one is too young for another to help.
        for _ in 0..10 {
            assert_eq!(session.refresh_if(&second).await.unwrap(), second);
        }
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_attempt_id_is_stored_before_the_request_leaves() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let gate = Gate::new();
        stage.faults().next(REFRESH, Fault::HoldRequest(gate.clone()));
        let call = tokio::spawn(async move { session.access_token().await });
        gate.arrived().await;
        let record = stage.record().await.unwrap();
        let stored = &record.attempts[0];
        assert_eq!((record.generation, stored.generation), (0, 0));
        assert_eq!(stage.attempts(), [format!("0:{}", stored.id)]);
        gate.open();
        call.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn three_past_ids_are_sent_along() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        for _ in 0..6 {
            stage.clock().advance(LIFETIME);
            session.access_token().await.unwrap();
        }
        let labels = |header: &String| {
            let labels =
                header.split(", ").map(|pair| pair.split_once(':').unwrap().0.parse::<u32>().unwrap());
            labels.collect::<Vec<_>>()
        };
        let sent: Vec<_> = stage.attempts().iter().map(labels).collect();
        let expected =
            [vec![0], vec![1, 0], vec![2, 1, 0], vec![3, 2, 1, 0], vec![4, 3, 2, 1], vec![5, 4, 3, 2]];
        assert_eq!(sent, expected);
        assert_eq!(stage.service.rotations().await, 6);
    })
    .await;
}
