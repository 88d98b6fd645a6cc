//! What lives goes on: nobody is signed out early by more than the jump, and no retry becomes a theft.

use std::time::Duration;

use daypass_service::{Pair, RefreshError, RefusedBecause};

use super::{Step, journeys, jump, renewed, told};
use crate::support::{World, attempt, refresh_token};

const LIFE: i64 = 4 * 60 * 60;
const LIFE_SPAN: Duration = Duration::from_hours(4);

/// How far the clock jumps in all: from the least to the most that it is off, in seconds.
fn swing(journey: &[Step]) -> i64 {
    let mut off: i64 = 0;
    let (mut least, mut most) = (0, 0);
    for step in journey {
        if let Step::Jump(seconds) = step {
            off += seconds;
        }
        (least, most) = (least.min(off), most.max(off));
    }
    most - least
}

fn is_expired(answer: &Result<Pair, RefreshError>) -> bool {
    matches!(answer, Err(RefreshError::Refused(RefusedBecause::Expired)))
}

#[tokio::test]
async fn a_session_ends_early_by_no_more_than_the_jump() {
    for journey in journeys() {
        let mut world = World::with(|config| config.policy.session = Some(LIFE_SPAN)).await;
        world.person("ada").await;
        let mut sessions = vec![world.sign_in("ada").await];
        for step in &journey {
            world = step.take(world).await;
            // No time has passed but on the clock.
            sessions.push(world.sign_in("ada").await);
        }
        jump(&world, LIFE - swing(&journey) - 1);
        world.later(Duration::from_millis(999));
        for pair in &mut sessions {
            *pair = renewed(&world, pair).await.unwrap_or_else(|error| panic!("{journey:?}: {error:?}"));
        }
        // And late by no more.
        jump(&world, 2 * swing(&journey));
        world.later(Duration::from_millis(1));
        for pair in &sessions {
            assert!(is_expired(&renewed(&world, pair).await), "{journey:?}");
        }
    }
}

#[tokio::test]
async fn a_session_without_use_ends_early_by_no_more_than_the_jump() {
    for journey in journeys() {
        let mut world = World::with(|config| config.policy.idle = Some(LIFE_SPAN)).await;
        world.person("ada").await;
        let mut sessions = vec![world.sign_in("ada").await];
        for step in &journey {
            world = step.take(world).await;
            sessions.push(renewed(&world, &world.sign_in("ada").await).await.unwrap());
        }
        jump(&world, LIFE - swing(&journey));
        let mut seen = Vec::new();
        for pair in &sessions {
            seen.push(renewed(&world, pair).await.unwrap_or_else(|error| panic!("{journey:?}: {error:?}")));
        }
        jump(&world, LIFE + 1);
        for pair in &seen {
            assert!(is_expired(&renewed(&world, pair).await), "{journey:?}");
        }
    }
}

#[tokio::test]
async fn a_retry_with_its_id_gets_the_same_successor_after_every_jump() {
    for journey in journeys() {
        let mut world = World::new().await;
        world.person("ada").await;
        let mut pair = world.sign_in("ada").await;
        for step in journey {
            let successor = renewed(&world, &pair).await.unwrap();
            world = step.take(world).await;
            let again = renewed(&world, &pair).await.unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
            assert_eq!(refresh_token(&again), refresh_token(&successor), "{step:?}");
            pair = successor;
        }
        assert_eq!(told(&world, "reused").await, 0);
    }
}

#[tokio::test]
async fn another_id_is_a_theft_after_every_jump() {
    for journey in journeys() {
        let mut world = World::new().await;
        world.person("ada").await;
        for step in journey {
            let pair = world.sign_in("ada").await;
            renewed(&world, &pair).await.unwrap();
            world = step.take(world).await;
            let thief = world.refresh_as(refresh_token(&pair), Some(&attempt(66))).await;
            assert!(
                matches!(thief, Err(RefreshError::Refused(RefusedBecause::Reused))),
                "{step:?}: {thief:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_retry_without_id_survives_what_time_synchronisation_does() {
    let world = World::new().await;
    world.person("ada").await;
    let mut pair = world.sign_in("ada").await;
    for back in [1, 250, 999, 1_000] {
        let successor = world.refresh(refresh_token(&pair)).await.unwrap();
        world.clock.set_back(Duration::from_millis(back));
        let again =
            world.refresh(refresh_token(&pair)).await.unwrap_or_else(|error| panic!("{back}: {error:?}"));
        assert_eq!(refresh_token(&again), refresh_token(&successor));
        world.later(Duration::from_secs(2));
        pair = successor;
    }
}

#[tokio::test]
async fn waiting_for_the_limits_never_takes_longer_to_state_because_of_a_jump() {
    for journey in journeys() {
        let mut world = World::new().await;
        world.person("ada").await;
        let from = |password: &str| daypass_service::SignIn {
            address: Some([192, 0, 2, 1].into()),
            ..crate::support::request("ada", password)
        };
        for _ in 0..10 {
            world.try_sign_in(from("wrong")).await.unwrap_err();
        }
        for step in journey {
            world = step.take(world).await;
            // One second for the account, four at most for the address.
            if let Err(refused) = world.try_sign_in(from(crate::support::PASSWORD)).await {
                let daypass_service::SignInError::Limited { retry_after } = refused else {
                    panic!("{refused:?}")
                };
                assert!(retry_after <= Duration::from_secs(4), "{step:?}: {retry_after:?}");
            }
        }
    }
}
