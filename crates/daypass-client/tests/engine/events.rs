//! Scenario 6: hosts that act on what they are told.

use daypass_client::{Event, SessionState};

use crate::stage::{LIFETIME, Stage, watched};

#[tokio::test]
async fn s06_an_event_handler_that_calls_the_client_does_not_deadlock() {
    watched(async {
        let stage = Stage::new().await;
        let (session, _) = stage.expired().await;
        let mut events = session.events();
        let handler = tokio::spawn({
            let session = session.clone();
            async move {
                let mut seen = Vec::new();
                while let Some(event) = events.next().await {
                    match event {
                        Event::Refreshed => {
                            assert_eq!(session.state(), SessionState::Active);
                            let token = session.access_token().await.unwrap();
                            assert_eq!(session.refresh_if(&token).await.unwrap(), token);
                            session.sign_out().await.unwrap();
                        }
                        Event::SignedOut(_) => {
                            assert!(session.access_token().await.unwrap_err().is_signed_out());
                            return seen;
                        }
                        _ => {}
                    }
                    seen.push(event);
                }
                seen
            }
        });
        session.access_token().await.unwrap();
        assert_eq!(handler.await.unwrap(), [Event::Refreshed]);
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_too_slow_is_told_so_and_goes_on() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let mut events = session.events();
        for _ in 0..70 {
            stage.clock().advance(LIFETIME);
            session.access_token().await.unwrap();
        }
        assert_eq!(events.next().await, Some(Event::Missed(6)));
        assert_eq!(events.next().await, Some(Event::Refreshed));
    })
    .await;
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_token() {
    watched(async {
        let stage = Stage::new().await;
        let (session, old) = stage.expired().await;
        let token = session.access_token().await.unwrap();
        let record = stage.record().await.unwrap();
        let pair = stage.pair().await;
        let shown = format!("{session:?} {token:?} {record:?} {pair:?} {:?}", stage.builder());
        for secret in [old.expose(), token.expose(), record.refresh_token.expose(), &record.attempts[0].id] {
            assert!(!shown.contains(secret), "{shown}");
        }
    })
    .await;
}
