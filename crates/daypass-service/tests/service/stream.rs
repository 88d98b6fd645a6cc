//! The feed as it grows.

use std::collections::BTreeSet;
use std::time::Duration;

use daypass_service::core::{
    ClientId, Ending, EndingReason, NewSession, Origin, Scope, SessionId, TokenKeyId,
};
use daypass_service::storage::{EndOutcome, Opened, Store as _};
use daypass_service::{FeedFollower, FeedNews, Held, Pair, ServiceError};

use crate::support::{Ground, World, master, refresh_token, source};

/// Only against hanging.
const WATCHDOG: Duration = Duration::from_secs(30);

async fn sign_in_and_out(world: &World) -> SessionId {
    let pair = world.sign_in("ada").await;
    sign_out(world, &pair).await
}

/// As signing in and out, without the password, which takes its time.
async fn open_and_end(world: &World, number: u16) -> SessionId {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&number.to_be_bytes());
    let new = NewSession {
        random,
        subject: world.store.user_named("ada").await.subject.id,
        client: ClientId::new("daypass").unwrap(),
        scope: Scope::empty(),
        amr: "pwd".to_owned(),
        auth_time: None,
        life: None,
        jkt: None,
        token_key: TokenKeyId(1),
    };
    let Opened::Session(session, _) = world.store.open_session(new, Origin::default(), None).await.unwrap()
    else {
        panic!("nobody may sign in");
    };
    let ended = world.store.end_session(session.id, None, EndingReason::SignedOut, source()).await;
    assert_eq!(ended.unwrap(), EndOutcome::Ended);
    session.id
}

async fn sign_out(world: &World, pair: &Pair) -> SessionId {
    world.service.log_out(Held::Refresh(refresh_token(pair)), source()).await.unwrap();
    pair.refresh.as_ref().unwrap().session
}

async fn next(follower: &mut FeedFollower) -> Option<FeedNews> {
    tokio::time::timeout(WATCHDOG, follower.next()).await.expect("it hangs").unwrap()
}

/// What a follower hears until it has caught up, and the cursor of there.
async fn caught_up(follower: &mut FeedFollower) -> (bool, Vec<SessionId>, String) {
    let (mut reset, mut entries) = (false, Vec::new());
    loop {
        match next(follower).await.unwrap() {
            FeedNews::Page(feed) => {
                reset |= feed.reset;
                entries.extend(feed.entries.into_iter().map(|entry| session(&entry.ending)));
            }
            FeedNews::Ready(cursor) => return (reset, entries, cursor),
            FeedNews::Beat => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The sessions that a follower hears of next.
async fn heard(follower: &mut FeedFollower) -> Vec<SessionId> {
    loop {
        match next(follower).await.unwrap() {
            FeedNews::Grown(growth) => {
                return growth.feed().entries.iter().map(|entry| session(&entry.ending)).collect();
            }
            FeedNews::Beat => {}
            other => panic!("{other:?}"),
        }
    }
}

fn session(ending: &Ending) -> SessionId {
    match ending {
        Ending::Session(id) => *id,
        Ending::Subject { .. } => panic!("{ending:?}"),
    }
}

#[tokio::test]
async fn a_follower_reads_what_was_and_hears_what_comes() {
    let world = World::new().await;
    world.person("ada").await;
    let (one, two) = (sign_in_and_out(&world).await, sign_in_and_out(&world).await);
    let mut follower = world.service.follow_feed(None).await.unwrap();
    let (reset, entries, cursor) = caught_up(&mut follower).await;
    assert_eq!((reset, entries), (true, vec![one, two]));
    let three = sign_in_and_out(&world).await;
    assert_eq!(heard(&mut follower).await, [three]);
    // Another node, or the command line.
    let beside = world.beside(|_| {}).await;
    let four = sign_in_and_out(&beside).await;
    assert_eq!(heard(&mut follower).await, [four]);
    // One that was away for a while goes on from where it was.
    let mut again = world.service.follow_feed(Some(&cursor)).await.unwrap();
    let (reset, entries, _) = caught_up(&mut again).await;
    assert_eq!((reset, entries), (false, vec![three, four]));
    let five = sign_in_and_out(&world).await;
    assert_eq!((heard(&mut follower).await, heard(&mut again).await), (vec![five], vec![five]));
}

#[tokio::test]
async fn a_thousand_followers_of_one_node_hear_of_an_end() {
    let world = World::new().await;
    world.person("ada").await;
    let mut followers = Vec::new();
    for _ in 0..1000 {
        let mut follower = world.service.follow_feed(None).await.unwrap();
        caught_up(&mut follower).await;
        followers.push(follower);
    }
    let (one, two) = (sign_in_and_out(&world).await, sign_in_and_out(&world).await);
    for follower in &mut followers {
        let mut seen = heard(follower).await;
        while !seen.contains(&two) {
            seen.extend(heard(follower).await);
        }
        assert_eq!(seen, [one, two]);
    }
}

#[tokio::test]
async fn nothing_is_missed_while_nobody_follows() {
    let world = World::new().await;
    world.person("ada").await;
    let mut follower = world.service.follow_feed(None).await.unwrap();
    let (_, _, cursor) = caught_up(&mut follower).await;
    drop(follower);
    let one = sign_in_and_out(&world).await;
    let mut follower = world.service.follow_feed(Some(&cursor)).await.unwrap();
    assert_eq!(caught_up(&mut follower).await.1, [one]);
    let two = sign_in_and_out(&world).await;
    let mut seen = Vec::new();
    // The reader goes on from where it was, too, and may tell of the first again.
    while !seen.contains(&two) {
        seen.extend(heard(&mut follower).await);
    }
    assert!(seen.iter().all(|seen| [one, two].contains(seen)), "{seen:?}");
}

#[tokio::test]
async fn one_who_cannot_keep_up_reads_again_and_misses_nothing() {
    let world = World::new().await;
    world.person("ada").await;
    let (mut slow, mut quick) =
        (world.service.follow_feed(None).await.unwrap(), world.service.follow_feed(None).await.unwrap());
    caught_up(&mut slow).await;
    caught_up(&mut quick).await;
    let mut ended = BTreeSet::new();
    // More than wait for anybody: each is told by itself, as the quick one shows.
    for number in 0..300 {
        let id = open_and_end(&world, number).await;
        assert_eq!(heard(&mut quick).await, [id]);
        ended.insert(id);
    }
    let mut seen = BTreeSet::new();
    let mut read_again = false;
    while seen != ended {
        match next(&mut slow).await.unwrap() {
            FeedNews::Page(feed) => {
                read_again = true;
                seen.extend(feed.entries.iter().map(|entry| session(&entry.ending)));
            }
            FeedNews::Grown(growth) => {
                seen.extend(growth.feed().entries.iter().map(|entry| session(&entry.ending)));
            }
            _ => {}
        }
    }
    assert!(read_again);
    let last = sign_in_and_out(&world).await;
    while !seen.contains(&last) {
        match next(&mut slow).await.unwrap() {
            FeedNews::Grown(growth) => {
                seen.extend(growth.feed().entries.iter().map(|entry| session(&entry.ending)));
            }
            FeedNews::Ready(_) | FeedNews::Beat => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_store_begins_at_the_start() {
    let world = World::new().await;
    world.person("ada").await;
    let one = sign_in_and_out(&world).await;
    let mut foreign = Ground::new();
    foreign.entropy = std::sync::Arc::new(crate::support::Seeded::new(3));
    let foreign = foreign.start(world.service.config().clone(), master()).await.unwrap();
    let cursor = foreign.service.feed(None, 1).await.unwrap().cursor;
    let mut follower = world.service.follow_feed(Some(&cursor)).await.unwrap();
    let (reset, entries, _) = caught_up(&mut follower).await;
    assert_eq!((reset, entries), (true, vec![one]));
}

#[tokio::test(start_paused = true)]
async fn it_beats_while_the_store_can_be_read_and_not_otherwise() {
    let world = World::new().await;
    world.person("ada").await;
    let mut follower = world.service.follow_feed(None).await.unwrap();
    caught_up(&mut follower).await;
    assert!(matches!(next(&mut follower).await, Some(FeedNews::Beat)));
    assert!(world.service.render_metrics().await.contains("daypass_feed_subscribers 1\n"));
    world.store.fail(true);
    // One may have been under way.
    let silent = async {
        loop {
            let heard = tokio::time::timeout(Duration::from_secs(20), follower.next()).await;
            let Ok(heard) = heard else { return };
            assert!(matches!(heard, Ok(Some(FeedNews::Beat))));
        }
    };
    tokio::time::timeout(Duration::from_mins(2), silent).await.expect("it goes on beating");
    let refused = world.service.follow_feed(None).await.unwrap().next().await;
    assert!(matches!(refused, Err(ServiceError::Store(_))));
    let metrics = world.service.render_metrics().await;
    let lag = metrics.lines().find_map(|line| line.strip_prefix("daypass_feed_lag_seconds ")).unwrap();
    assert!(lag.parse::<f64>().unwrap() >= 20.0, "{lag}");
    world.store.fail(false);
    assert!(matches!(next(&mut follower).await, Some(FeedNews::Beat)));
    drop(follower);
    assert!(world.service.render_metrics().await.contains("daypass_feed_lag_seconds 0.0\n"));
}

#[tokio::test]
async fn streams_end_when_they_are_told_to() {
    let world = World::new().await;
    let mut follower = world.service.follow_feed(None).await.unwrap();
    caught_up(&mut follower).await;
    let (heard, ()) = tokio::join!(next(&mut follower), async { world.service.end_streams() });
    assert!(heard.is_none());
    assert!(next(&mut follower).await.is_none());
}
