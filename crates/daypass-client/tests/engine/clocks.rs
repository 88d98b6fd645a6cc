//! Scenario 23: short lives, wrong clocks, and sleep.

use std::time::Duration;

use daypass_ambient::Clock as _;
use daypass_client::{Event, SessionState};

use crate::stage::{LIFETIME, Stage, event, watched};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn s23_a_lifetime_of_twenty_seconds_makes_no_storm() {
    watched(async {
        let stage = Stage::with_lifetime(Duration::from_secs(20)).await;
        let session = stage.signed_in().await;
        let mut events = session.events();
        let mut token = session.access_token().await.unwrap();
        for _ in 0..2000 {
            stage.clock().advance(Duration::from_millis(100));
            let requests = stage.requests();
            let next = session.access_token().await.unwrap();
            // A renewal that has begun is over before time goes on.
            if stage.clock().waits().len() + stage.requests() > requests || next != token {
                event(&mut events, |event| event == Event::Refreshed).await;
                token = session.access_token().await.unwrap();
            }
        }
        // 200 seconds, and no token is renewed in its first five.
        let rotations = stage.service.rotations().await;
        assert!((10..=40).contains(&rotations), "{rotations}");
        assert_eq!(stage.requests() as u64, rotations);
    })
    .await;
}

#[tokio::test]
async fn s23_a_clock_that_is_set_forward_an_hour_costs_one_refresh() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let clock = stage.clock();
        clock.advance(LIFETIME / 4);
        clock.set_wall(clock.wall() + HOUR);
        for _ in 0..10 {
            session.access_token().await.unwrap();
        }
        assert_eq!(stage.requests(), 1);
        clock.set_wall(clock.wall() - HOUR);
        for _ in 0..10 {
            session.access_token().await.unwrap();
        }
        assert_eq!(stage.requests(), 1, "set back again, the new token is as good as before");
        clock.advance(LIFETIME);
        session.access_token().await.unwrap();
        assert_eq!(stage.requests(), 2, "by the clock that was not set");
    })
    .await;
}

#[tokio::test]
async fn s23_a_stored_token_and_a_clock_that_was_set_back() {
    watched(async {
        let stage = Stage::new().await;
        drop(stage.signed_in().await);
        let clock = stage.clock();
        clock.advance(2 * LIFETIME);
        clock.set_wall(clock.wall() - HOUR);
        // To the next process the token is from the future. It is of any age: a refusal counts at once.
        let session = stage.session().await;
        assert_eq!(session.state(), SessionState::Active);
        let old = session.access_token().await.unwrap();
        assert_eq!(stage.requests(), 0);
        let new = session.refresh_if(&old).await.unwrap();
        assert_ne!(new, old);
        for _ in 0..10 {
            assert_eq!(session.access_token().await.unwrap(), new);
            assert_eq!(session.refresh_if(&new).await.unwrap(), new);
        }
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn s23_a_stored_token_expires_by_the_wall_clock_of_its_request() {
    watched(async {
        let stage = Stage::new().await;
        let first = stage.signed_in().await.access_token().await.unwrap();
        stage.clock().advance(LIFETIME / 2);
        let session = stage.session().await;
        assert_eq!(session.access_token().await.unwrap(), first);
        stage.clock().advance(LIFETIME / 2);
        assert_ne!(stage.session().await.access_token().await.unwrap(), first);
    })
    .await;
}

#[tokio::test]
async fn s23_after_two_hours_of_suspension_the_token_has_expired() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let old = session.access_token().await.unwrap();
        let wall = stage.clock().wall();
        stage.clock().suspend(2 * HOUR);
        // Not even a wall clock that stood still hides it.
        stage.clock().set_wall(wall);
        assert_eq!(session.state(), SessionState::Stale);
        assert_ne!(session.access_token().await.unwrap(), old);
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_service_says_when_it_would_like_the_token_renewed() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.signed_in().await;
        let mut events = session.events();
        let access = stage.record().await.unwrap().access.unwrap();
        let refresh_in = Duration::from_secs(access.refresh_in.unwrap());
        assert!(refresh_in < Duration::from_mins(9), "before the client's own lead");
        stage.clock().advance(refresh_in - Duration::from_secs(1));
        assert_eq!(session.access_token().await.unwrap(), access.token);
        assert_eq!((stage.requests(), stage.clock().waits().len()), (0, 0));
        stage.clock().advance(Duration::from_secs(1));
        assert_eq!(session.access_token().await.unwrap(), access.token, "nobody waits");
        event(&mut events, |event| event == Event::Refreshed).await;
        assert_ne!(session.access_token().await.unwrap(), access.token);
        assert_eq!(stage.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_renewed_ahead_of_the_sessions_end() {
    watched(async {
        let service =
            daypass_testkit::TestService::builder().access(LIFETIME).session(LIFETIME).start().await;
        let stage = Stage::with(service);
        let session = stage.signed_in().await;
        let token = session.access_token().await.unwrap();
        stage.clock().advance(LIFETIME - Duration::from_secs(2));
        assert_eq!(session.access_token().await.unwrap(), token);
        assert_eq!((stage.requests(), stage.clock().waits().len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_once_per_change() {
    watched(async {
        let stage = Stage::new().await;
        // A clock of the client's own, which the service does not live by.
        let clock = daypass_ambient::ManualClock::new();
        clock.set_wall(stage.clock().wall() + Duration::from_mins(2));
        let builder = stage.builder().clock(std::sync::Arc::new(clock.clone()));
        let session = builder.build().await.unwrap();
        let mut events = session.events();
        session.adopt(stage.pair().await).await.unwrap();
        let skew = event(&mut events, |event| matches!(event, Event::Skew(_))).await;
        assert_eq!(skew, Event::Skew(-120));
        for _ in 0..2 {
            clock.advance(LIFETIME);
            stage.clock().advance(LIFETIME);
            session.access_token().await.unwrap();
        }
        clock.set_wall(stage.clock().wall());
        clock.advance(LIFETIME);
        stage.clock().advance(LIFETIME);
        session.access_token().await.unwrap();
        drop(session);
        let skews =
            crate::stage::drained(events).await.into_iter().filter(|event| matches!(event, Event::Skew(_)));
        assert_eq!(skews.collect::<Vec<_>>(), [Event::Skew(0)]);
    })
    .await;
}
