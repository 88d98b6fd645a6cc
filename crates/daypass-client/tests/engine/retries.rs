//! Scenarios 16 to 20: lost answers, busy and absent services.

use std::time::Duration;

use daypass_client::{Event, SessionError, SessionState};
use daypass_testkit::{Canned, Fault, Gate};
use serde_json::json;

use crate::stage::{LIFETIME, REFRESH, Stage, event, watched};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn s16_after_a_lost_response_the_retry_gets_the_same_successor() {
    watched(async {
        let stage = Stage::new().await;
        let (session, old) = stage.expired().await;
        stage.faults().next(REFRESH, Fault::LoseResponse);
        stage.faults().next(REFRESH, Fault::Truncate);
        let token = stage.through_waits(session.access_token()).await.unwrap();
        assert_ne!(token, old);
        let renewals = stage.service.renewals().await;
        assert_eq!((renewals.rotated, renewals.repeated, renewals.refused()), (1, 2, 0));
        let attempts = stage.attempts();
        assert!(attempts.len() == 3 && attempts.iter().all(|header| *header == attempts[0]));
        // The token that was stored is the one that rotates next.
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        assert_eq!(stage.service.rotations().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_gets_no_answer_is_given_up_after_ten_seconds_and_made_again() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Fault::Hang);
        let call = tokio::spawn(async move { session.access_token().await });
        stage.faults().until_arrived(REFRESH, 1).await;
        assert_eq!(stage.clock().waits(), [10 * SECOND]);
        stage.clock().advance(10 * SECOND - Duration::from_millis(1));
        assert_eq!((stage.clock().waits().len(), call.is_finished()), (1, false));
        stage.clock().advance(Duration::from_millis(1));
        stage.through_waits(call).await.unwrap().unwrap();
        assert_eq!((stage.requests(), stage.service.rotations().await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn s17_too_many_requests_keep_the_session_and_the_next_comes_after_retry_after() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Canned::status(429).header("retry-after", "7"));
        let told = stage.clock().clone();
        let call = tokio::spawn(async move { session.access_token().await });
        told.until(|waits| waits.len() == 1 && waits[0] >= 7 * SECOND && waits[0] < 8 * SECOND).await;
        stage.clock().advance(7 * SECOND - Duration::from_millis(1));
        assert_eq!((stage.requests(), stage.clock().waits().len()), (1, 1));
        stage.through_waits(call).await.unwrap().unwrap();
        assert_eq!((stage.requests(), stage.service.rotations().await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_long_retry_after_is_told_at_once_and_kept_for_everybody() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Canned::status(503).header("retry-after", "60"));
        let retry_after = |result: Result<_, SessionError>| match result {
            Err(SessionError::Unavailable { retry_after: Some(wait) }) => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(retry_after(session.access_token().await), 60 * SECOND);
        stage.clock().advance(30 * SECOND);
        session.wake();
        assert_eq!(retry_after(session.access_token().await), 30 * SECOND, "what is left");
        stage.clock().advance(20 * SECOND - Duration::from_millis(1));
        // It can be waited for now.
        let call = tokio::spawn(async move { session.access_token().await });
        stage.clock().until(|waits| waits == [10 * SECOND + Duration::from_millis(1)]).await;
        stage.clock().advance(10 * SECOND);
        assert_eq!((stage.requests(), stage.clock().waits().len()), (1, 1), "a request left before its time");
        stage.clock().advance(Duration::from_millis(1));
        call.await.unwrap().unwrap();
        assert_eq!(stage.requests(), 2);
    })
    .await;
}

#[tokio::test]
async fn s18_fifty_times_unavailable_and_the_session_is_kept() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let mut events = session.events();
        let before = stage.record().await.unwrap();
        stage.faults().next_times(REFRESH, 50, Canned::status(503));
        let mut failed = 0;
        let token = loop {
            match stage.through_waits(session.access_token()).await {
                Ok(token) => break token,
                Err(SessionError::Unavailable { retry_after: None }) => failed += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(session.state(), SessionState::Unreachable);
        };
        assert!((3..=17).contains(&failed), "about 20 s each: {failed}");
        assert_eq!((stage.requests(), stage.service.rotations().await), (51, 1));
        let seen: Vec<_> =
            [events.next().await, events.next().await, events.next().await].into_iter().flatten().collect();
        assert_eq!(seen, [Event::Unreachable, Event::Reachable, Event::Refreshed]);
        assert_eq!(session.state(), SessionState::Active);
        assert_eq!(session.access_token().await.unwrap(), token);
        let after = stage.record().await.unwrap();
        assert_eq!((after.session_id, after.generation), (before.session_id, 1));
    })
    .await;
}

#[tokio::test]
async fn s19_after_waking_offline_a_call_is_renewed_within_a_second_of_coming_online() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let clock = stage.clock();
        stage.service.server().stop().await;
        let mut call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        // It has been in vain for a while: the waits have become long.
        let mut passed = Duration::ZERO;
        while passed < 8 * SECOND {
            passed += next_wait(&stage).await;
        }
        assert!(!call.is_finished());
        clock.until(|waits| !waits.is_empty()).await;
        clock.suspend(Duration::from_hours(2));
        session.wake();
        // Two seconds offline.
        let mut passed = Duration::ZERO;
        while passed < 2 * SECOND {
            passed += next_wait(&stage).await;
        }
        stage.service.server().restart().await;
        let mut passed = Duration::ZERO;
        let token = loop {
            tokio::select! {
                biased;
                token = &mut call => break token.unwrap().unwrap(),
                wait = next_wait(&stage) => passed += wait,
            }
        };
        assert!(passed <= SECOND, "{passed:?}");
        assert_eq!(session.access_token().await.unwrap(), token);
    })
    .await;
}

/// Lets the next wait between two tries go by, and tells how long it was. After sixteen seconds of a renewal the
/// limit of a request looks the same.
async fn next_wait(stage: &Stage) -> Duration {
    let between = |waits: &[Duration]| waits.first().is_some_and(|wait| *wait <= 4 * SECOND);
    stage.clock().until(between).await;
    let Some(wait) = stage.clock().waits().first().copied() else { return Duration::ZERO };
    stage.clock().advance(wait);
    wait
}

#[tokio::test]
async fn a_suspension_that_nobody_tells_of_is_noticed() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().always(REFRESH, Canned::status(503));
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        let mut passed = Duration::ZERO;
        while passed < 8 * SECOND {
            passed += next_wait(&stage).await;
        }
        stage.clock().until(|waits| waits.first().is_some_and(|wait| *wait <= 4 * SECOND)).await;
        stage.clock().suspend(Duration::from_hours(2));
        stage.faults().clear();
        // Two hours are more than there were left, and are not counted.
        stage.through_waits(call).await.unwrap().unwrap();
        assert_eq!(stage.service.rotations().await, 1);
    })
    .await;
}

#[tokio::test]
async fn waking_ends_the_wait_between_two_tries() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().always(REFRESH, Canned::status(503));
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        let mut passed = Duration::ZERO;
        while passed < 8 * SECOND {
            passed += next_wait(&stage).await;
        }
        stage.clock().until(|waits| waits.first().is_some_and(|wait| *wait <= 4 * SECOND)).await;
        stage.faults().clear();
        session.wake();
        // Without a moment going by.
        call.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn waking_makes_a_request_on_a_dead_connection_again() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        stage.faults().next(REFRESH, Fault::Hang);
        let call = tokio::spawn({
            let session = session.clone();
            async move { session.access_token().await }
        });
        stage.faults().until_arrived(REFRESH, 1).await;
        session.wake();
        let before = stage.clock().waits();
        stage.through_waits(call).await.unwrap().unwrap();
        assert_eq!(stage.requests(), 2, "{before:?}");
    })
    .await;
}

#[tokio::test]
async fn s20_a_renewal_ahead_of_need_that_fails_is_seen_by_nobody() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let mut events = session.events();
        let old = session.access_token().await.unwrap();
        stage.faults().always(REFRESH, Canned::status(503));
        stage.clock().advance(LIFETIME - 45 * SECOND);
        assert_eq!(session.access_token().await.unwrap(), old);
        stage.faults().until_arrived(REFRESH, 1).await;
        // It is tried for twenty seconds, while calls go on.
        let given_up = event(&mut events, |event| event == Event::Unreachable);
        let calls = async {
            assert_eq!(stage.through_waits(given_up).await, Event::Unreachable);
        };
        calls.await;
        assert_eq!(session.access_token().await.unwrap(), old);
        assert_eq!(stage.service.rotations().await, 0);
        stage.faults().clear();
        stage.clock().advance(5 * SECOND);
        assert_eq!(session.access_token().await.unwrap(), old, "nobody waits");
        event(&mut events, |event| event == Event::Refreshed).await;
        assert_ne!(session.access_token().await.unwrap(), old);
        assert_eq!(stage.service.rotations().await, 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_comes_late_to_a_renewal_that_fails_has_another_tried() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        stage.faults().next_times(REFRESH, 2, Canned::status(503).header("retry-after", "15"));
        stage.clock().advance(LIFETIME - 30 * SECOND);
        let old = session.access_token().await.unwrap();
        let fifteen = |waits: &[Duration]| waits.iter().any(|wait| *wait >= 15 * SECOND);
        stage.clock().until(fifteen).await;
        // In the background it is tried for a while, and again: then there is too little time left.
        stage.clock().advance(14 * SECOND);
        let late = session.refresh_if(&old);
        tokio::pin!(late);
        tokio::select! {
            biased;
            _ = &mut late => panic!("there is no token yet"),
            () = std::future::ready(()) => {}
        }
        stage.clock().advance(2 * SECOND);
        let through = async {
            stage.clock().until(fifteen).await;
            stage.clock().advance(16 * SECOND);
        };
        let (token, ()) = tokio::join!(late, through);
        assert_ne!(token.unwrap(), old);
        assert_eq!((stage.requests(), stage.service.rotations().await), (3, 1));
    })
    .await;
}

#[tokio::test]
async fn calls_in_the_last_seconds_wait_and_fall_back_on_the_old_token_if_it_still_serves() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let old = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME - 9 * SECOND);
        stage.faults().next(REFRESH, Canned::status(503).header("retry-after", "60"));
        assert_eq!(session.access_token().await.unwrap(), old);
        assert_eq!(stage.requests(), 1);
        stage.clock().advance(9 * SECOND);
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::Unavailable { .. }), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn no_page_in_between_signs_anybody_out() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let invalid = json!({ "error": "invalid_grant", "reason": "revoked" });
        let pages = [
            Canned::html(200, "<html>Accept the terms of this hotel</html>"),
            Canned::html(403, "<html>blocked</html>"),
            Canned::html(400, invalid.to_string()),
            Canned::json(403, &invalid),
            Canned::json(401, &invalid),
            Canned::json(500, &invalid),
            Canned::json(200, &json!({})),
            Canned::json(200, &json!({ "access_token": "x", "token_type": "Bearer", "expires_in": 600 })),
            Canned::status(302).header("location", "http://127.0.0.1:1/portal"),
            Canned::status(408),
            Canned::json(200, &json!({ "large": "x".repeat(70_000) })),
        ];
        let number = pages.len();
        for page in pages {
            stage.faults().next(REFRESH, page);
        }
        let mut tries = 0;
        while stage.through_waits(session.access_token()).await.is_err() {
            assert_eq!(session.state(), SessionState::Unreachable);
            tries += 1;
            assert!(tries < 10, "never renewed");
        }
        assert_eq!((stage.requests(), stage.service.rotations().await), (number + 1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_redirect_takes_no_token_along() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let elsewhere = daypass_testkit::FaultyServer::start(axum::Router::new()).await;
        let to = format!("{}/v1/refresh", elsewhere.url());
        stage.faults().next(REFRESH, Canned::status(307).header("location", &to));
        stage.faults().next(REFRESH, Canned::status(308).header("location", &to));
        stage.through_waits(session.access_token()).await.unwrap();
        assert_eq!((elsewhere.faults().arrived(REFRESH), stage.requests()), (0, 3));
    })
    .await;
}

#[tokio::test]
async fn nothing_runs_while_nobody_calls() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        session.access_token().await.unwrap();
        stage.clock().advance(2 * LIFETIME);
        assert!(stage.clock().waits().is_empty());
        let gate = Gate::new();
        stage.faults().always(REFRESH, Fault::HoldRequest(gate.clone()));
        stage.clock().advance(2 * LIFETIME);
        assert_eq!(stage.requests(), 1);
        gate.open();
    })
    .await;
}
