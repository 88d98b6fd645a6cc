//! A storm of sign-ins: the pool is bounded, the queue is bounded, and the rest is told so at once.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use daypass_service::{ServiceError, SignInError};
use tokio::task::JoinSet;

use crate::support::{PASSWORD, World, refresh_token, request, until};

const WORKERS: usize = 2;
const QUEUE: usize = 4;

async fn small() -> Arc<World> {
    let world = World::with(|config| {
        config.limits.password_workers = NonZeroUsize::new(WORKERS).unwrap();
        config.limits.password_queue = QUEUE;
        config.limits.account_failures = 10_000;
    });
    Arc::new(world.await)
}

async fn gauge(world: &World, name: &str) -> String {
    let text = world.service.render_metrics().await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().to_owned()
}

#[tokio::test]
async fn of_a_thousand_sign_ins_at_once_no_more_than_fit_are_taken_and_the_rest_is_told_to_come_back() {
    let world = small().await;
    world.person("ada").await;
    // Whoever has a turn on the pool stays there, so that the excess is exact.
    world.store.gate.forget_permits(usize::MAX >> 3);
    let mut storm = JoinSet::new();
    for _ in 0..1000 {
        let world = Arc::clone(&world);
        storm.spawn(async move { world.try_sign_in(request("ada", PASSWORD)).await });
    }
    for _ in 0..1000 - WORKERS - QUEUE {
        let refused = tokio::time::timeout(Duration::from_mins(1), storm.join_next()).await;
        match refused.expect("refused at once, not after a wait").unwrap().unwrap() {
            Err(SignInError::Service(error @ ServiceError::Busy { .. })) => {
                assert!(error.retry_after().as_secs() >= 1);
            }
            other => panic!("{other:?}"),
        }
    }
    until(|| world.store.looking_up().0 == WORKERS).await;
    assert_eq!(gauge(&world, "daypass_password_queue_depth").await, (WORKERS + QUEUE).to_string());

    world.store.gate.add_permits(1000);
    while let Some(answer) = storm.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(world.store.looking_up(), (0, WORKERS), "never more at once than there are workers");
    assert_eq!(gauge(&world, "daypass_password_queue_depth").await, "0");
}

#[tokio::test]
async fn renewals_pass_by_sign_ins_that_wait() {
    let world = small().await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    world.store.gate.forget_permits(usize::MAX >> 3);
    let mut storm = JoinSet::new();
    for _ in 0..WORKERS + QUEUE {
        let world = Arc::clone(&world);
        storm.spawn(async move { world.try_sign_in(request("ada", PASSWORD)).await });
    }
    until(|| world.store.looking_up().0 == WORKERS).await;
    world.refresh(refresh_token(&pair)).await.unwrap();
    world.service.authenticate(pair.access.expose()).await.unwrap();
    world.store.gate.add_permits(1000);
    storm.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_whose_callers_have_gone_leave_the_pool_to_the_others() {
    let world = small().await;
    world.person("ada").await;
    for _ in 0..20 {
        let before = world.store.count("user");
        let mut gone = JoinSet::new();
        for _ in 0..WORKERS + QUEUE {
            let world = Arc::clone(&world);
            gone.spawn(async move { world.try_sign_in(request("ada", "not the passphrase")).await });
        }
        until(|| world.store.count("user") > before).await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        gone.abort_all();
        while let Some(answer) = gone.join_next().await {
            // Most are cancelled; whoever got an answer was not told that the pool is broken.
            let broken = matches!(answer, Ok(Err(SignInError::Service(ServiceError::Internal(_)))));
            assert!(!broken, "{answer:?}");
        }
    }
    world.sign_in("ada").await;
}
