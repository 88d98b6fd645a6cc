//! Renewal while nobody calls.

use std::time::Duration;

use daypass_client::{Event, RefreshPolicy};
use daypass_testkit::Canned;

use crate::stage::{LIFETIME, REFRESH, Stage, event, watched};

#[tokio::test]
async fn an_eager_session_renews_while_nobody_calls_and_ends_with_its_last_clone() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.builder().refresh(RefreshPolicy::default().eager()).build().await.unwrap();
        let mut events = session.events();
        session.adopt(stage.pair().await).await.unwrap();
        for rotations in 1..=3 {
            stage.clock().until(|waits| waits.len() == 1 && waits[0] > LIFETIME / 2).await;
            stage.clock().advance(stage.clock().waits()[0]);
            event(&mut events, |event| event == Event::Refreshed).await;
            assert_eq!(stage.service.rotations().await, rotations);
        }
        stage.clock().until(|waits| waits.len() == 1).await;
        drop(session);
        stage.clock().until(<[Duration]>::is_empty).await;
        assert_eq!(event_or_end(events).await, None);
    })
    .await;
}

async fn event_or_end(mut events: daypass_client::Events) -> Option<Event> {
    events.next().await
}

#[tokio::test]
async fn an_eager_session_waits_while_nobody_is_signed_in_and_tries_again_after_a_failure() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.builder().refresh(RefreshPolicy::default().eager()).build().await.unwrap();
        let mut events = session.events();
        assert!(stage.clock().waits().is_empty());
        stage.faults().next(REFRESH, Canned::status(503).header("retry-after", "30"));
        session.adopt(stage.pair().await).await.unwrap();
        stage.clock().until(|waits| waits.len() == 1 && waits[0] > LIFETIME / 2).await;
        stage.clock().advance(stage.clock().waits()[0]);
        event(&mut events, |event| event == Event::Unreachable).await;
        let renewed = event(&mut events, |event| event == Event::Refreshed);
        tokio::pin!(renewed);
        loop {
            let step = Duration::from_secs(15);
            tokio::select! {
                biased;
                _ = &mut renewed => break,
                () = stage.clock().until(|waits| waits.contains(&step)) => stage.clock().advance(step),
            }
        }
        assert_eq!((stage.requests(), stage.service.rotations().await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn tokens_that_do_not_last_make_no_storm() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.builder().refresh(RefreshPolicy::default().eager()).build().await.unwrap();
        let mut events = session.events();
        let pair = stage.service.sign_in().await;
        for generation in 1..=50 {
            let mut answer = pair.clone();
            answer["generation"] = generation.into();
            answer["expires_in"] = 0.into();
            answer["refresh_in"] = serde_json::Value::Null;
            stage.faults().next(REFRESH, Canned::json(200, &answer));
        }
        session.adopt(crate::stage::pair(&pair)).await.unwrap();
        stage.clock().until(|waits| waits.len() == 1 && waits[0] > LIFETIME / 2).await;
        stage.clock().advance(stage.clock().waits()[0]);
        event(&mut events, |event| event == Event::Refreshed).await;
        stage.clock().until(|waits| waits.contains(&Duration::from_secs(15))).await;
        // The state has changed, which is looked at once.
        assert!(stage.requests() <= 2, "{} requests", stage.requests());
    })
    .await;
}
