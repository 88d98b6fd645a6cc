//! A hundred renewals of one token at once, through the whole service.

use std::collections::BTreeSet;
use std::sync::Arc;

use daypass_service::{Pair, RefreshError, RefusedBecause};
use tokio::task::JoinSet;

use crate::support::{World, attempt, refresh_token};

const AT_ONCE: usize = 100;

/// Signs in and renews the one token a hundred times at once.
async fn renew(attempts: impl Fn(usize) -> Option<String>) -> (Arc<World>, Vec<Result<Pair, RefreshError>>) {
    let world = Arc::new(World::new().await);
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let mut renewals = JoinSet::new();
    for n in 0..AT_ONCE {
        let (world, first, attempts) = (Arc::clone(&world), first.clone(), attempts(n));
        renewals.spawn(async move { world.refresh_as(refresh_token(&first), attempts.as_deref()).await });
    }
    (world, renewals.join_all().await)
}

async fn all_get_the_one_successor(world: &World, answers: Vec<Result<Pair, RefreshError>>) {
    let pairs: Vec<Pair> = answers.into_iter().map(Result::unwrap).collect();
    let tokens: BTreeSet<&str> = pairs.iter().map(refresh_token).collect();
    assert_eq!((pairs.len(), tokens.len()), (AT_ONCE, 1));
    for pair in &pairs {
        world.service.authenticate(pair.access.expose()).await.unwrap();
    }
    let next = world.refresh_as(refresh_token(&pairs[0]), Some(&attempt(1000))).await.unwrap();
    assert_eq!(next.refresh.unwrap().generation.0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_attempt_id_all_get_the_one_successor() {
    let (world, answers) = renew(|_| Some(attempt(1))).await;
    all_get_the_one_successor(&world, answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_attempt_ids_all_get_the_one_successor() {
    let (world, answers) = renew(|_| None).await;
    all_get_the_one_successor(&world, answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_different_attempt_ids_there_is_one_lineage_then_the_alarm_and_no_live_successor() {
    let (world, answers) = renew(|n| Some(attempt(n))).await;
    let mut pairs = Vec::new();
    for answer in answers {
        match answer {
            Ok(pair) => pairs.push(pair),
            Err(RefreshError::Refused(RefusedBecause::Reused)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(pairs.len(), 1);
    let successor = world.refresh(refresh_token(&pairs[0])).await;
    assert!(matches!(successor, Err(RefreshError::Refused(RefusedBecause::Reused))), "{successor:?}");
    assert!(world.service.authenticate(pairs[0].access.expose()).await.is_err());
    let alarms = world.events().await.into_iter().filter(|event| event.kind.name() == "reused").count();
    assert_eq!(alarms, 1);
}
