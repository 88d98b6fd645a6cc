//! A used token that comes back: everything ends, everywhere, and somebody is told.

use std::time::Duration;

use daypass_service::core::{Ending, OnReuse, SubjectId};
use daypass_service::{AccessError, Held, Introspection, Pair, RefreshError, RefusedBecause};

use crate::support::{World, attempt, public, refresh_token, source};

fn refused(answer: Result<Pair, RefreshError>) -> RefusedBecause {
    match answer {
        Err(RefreshError::Refused(because)) => because,
        other => panic!("{other:?}"),
    }
}

/// Signs in twice and plays the theft of the first session.
async fn stolen(world: &World, client: &str) -> (Pair, Pair, Pair, SubjectId) {
    let sub = world.person("ada").await;
    let first = world.sign_in_on("ada", client).await;
    let beside = world.sign_in_on("ada", client).await;
    let owners = world.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
    world.later(Duration::from_secs(30));
    let thief = world.refresh_as(refresh_token(&first), Some(&attempt(2))).await;
    assert_eq!(refused(thief), RefusedBecause::Reused);
    (first, beside, owners, sub)
}

#[tokio::test]
async fn a_theft_ends_all_of_the_subjects_sessions_and_nobody_elses() {
    let world = World::new().await;
    world.person("bob").await;
    let bob = world.sign_in("bob").await;
    let (first, beside, owners, sub) = stolen(&world, "daypass").await;

    for pair in [&first, &beside, &owners] {
        assert_eq!(refused(world.refresh(refresh_token(pair)).await), RefusedBecause::Reused);
        assert!(RefusedBecause::Reused.session_is_over());
        let access = world.service.authenticate(pair.access.expose()).await;
        assert!(matches!(access, Err(AccessError::Ended)), "{access:?}");
        for token in [pair.access.expose(), refresh_token(pair)] {
            assert!(matches!(world.service.introspect(token).await, Ok(Introspection::Inactive)));
        }
        world.service.log_out(Held::Refresh(refresh_token(pair)), source()).await.unwrap();
    }
    let reused = world.events().await.into_iter().filter(|event| event.kind.name() == "reused");
    let reused: Vec<_> = reused.collect();
    assert_eq!(reused.len(), 1, "one alarm: {reused:?}");
    assert_eq!(reused[0].subject.as_ref(), Some(&sub));

    let feed = world.service.feed(None, 100).await.unwrap();
    let cut: Vec<_> = feed
        .entries
        .iter()
        .filter(|e| matches!(&e.ending, Ending::Subject { sub: s, .. } if *s == sub))
        .collect();
    assert_eq!(cut.len(), 1);
    let Ending::Subject { not_before, .. } = cut[0].ending else { unreachable!() };
    assert!(not_before > beside.refresh.unwrap().session.start());

    world.refresh(refresh_token(&bob)).await.unwrap();
    world.later(Duration::from_millis(1));
    let again = world.sign_in("ada").await;
    world.service.authenticate(again.access.expose()).await.unwrap();
}

#[tokio::test]
async fn by_policy_of_the_client_a_theft_ends_its_session_only() {
    let world = World::new().await;
    let mut app = public("app", "");
    app.on_reuse = Some(OnReuse::Session);
    world.register(app).await;
    let (first, beside, owners, _) = stolen(&world, "app").await;
    for pair in [&first, &owners] {
        assert_eq!(refused(world.refresh(refresh_token(pair)).await), RefusedBecause::Reused);
        assert!(world.service.authenticate(pair.access.expose()).await.is_err());
    }
    world.service.authenticate(beside.access.expose()).await.unwrap();
    world.refresh(refresh_token(&beside)).await.unwrap();
    let feed = world.service.feed(None, 100).await.unwrap();
    assert_eq!(feed.entries.len(), 1);
    assert_eq!(feed.entries[0].ending, Ending::Session(first.refresh.unwrap().session));
}

#[tokio::test]
async fn whoever_comes_second_raises_the_alarm_be_it_the_owner() {
    let world = World::new().await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let thiefs = world.refresh_as(refresh_token(&first), Some(&attempt(66))).await.unwrap();
    let owner = world.refresh_as(refresh_token(&first), Some(&attempt(1))).await;
    assert_eq!(refused(owner), RefusedBecause::Reused);
    assert_eq!(refused(world.refresh(refresh_token(&thiefs)).await), RefusedBecause::Reused);
}
