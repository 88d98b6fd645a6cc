//! The feed that verifiers follow.

use std::time::Duration;

use daypass_service::core::Ending;
use daypass_service::{Held, Pair};

use crate::support::{Ground, World, master, refresh_token, source};

fn ended(pair: &Pair) -> Ending {
    Ending::Session(pair.refresh.as_ref().unwrap().session)
}

async fn sign_in_and_out(world: &World) -> Pair {
    let pair = world.sign_in("ada").await;
    world.service.log_out(Held::Refresh(refresh_token(&pair)), source()).await.unwrap();
    pair
}

#[tokio::test]
async fn a_cursor_reads_on_where_it_stopped() {
    let world = World::new().await;
    world.person("ada").await;
    let start = world.service.feed(None, 10).await.unwrap();
    assert_eq!((start.reset, start.complete, start.entries.len()), (true, true, 0));

    let mut pairs = Vec::new();
    for _ in 0..5 {
        pairs.push(sign_in_and_out(&world).await);
    }
    let (mut cursor, mut seen, mut pages) = (start.cursor, Vec::new(), 0);
    loop {
        let page = world.service.feed(Some(&cursor), 2).await.unwrap();
        assert!(!page.reset && page.entries.len() <= 2);
        seen.extend(page.entries.into_iter().map(|entry| entry.ending));
        (cursor, pages) = (page.cursor, pages + 1);
        if page.complete {
            break;
        }
    }
    assert_eq!(seen, pairs.iter().map(ended).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(pages, 3);
    let nothing = world.service.feed(Some(&cursor), 10).await.unwrap();
    assert_eq!((nothing.entries.len(), &nothing.cursor, nothing.complete), (0, &cursor, true));
}

#[tokio::test]
async fn an_unknown_cursor_reads_from_the_start_and_says_so() {
    let world = World::new().await;
    world.person("ada").await;
    let pair = sign_in_and_out(&world).await;
    let mut foreign = Ground::new();
    foreign.entropy = std::sync::Arc::new(crate::support::Seeded::new(3));
    let foreign = foreign.start(world.service.config().clone(), master()).await.unwrap();
    let other_store = foreign.service.feed(None, 1).await.unwrap().cursor;
    for unknown in ["", "nonsense", "ä", &"A".repeat(32), &other_store] {
        let feed = world.service.feed(Some(unknown), 10).await.unwrap();
        assert!(feed.reset, "{unknown}");
        assert_eq!(feed.entries[0].ending, ended(&pair));
    }
}

#[tokio::test]
async fn an_entry_says_when_and_until_when_it_matters() {
    let world = World::new().await;
    world.person("ada").await;
    world.later(Duration::from_millis(77));
    sign_in_and_out(&world).await;
    let entry = world.service.feed(None, 1).await.unwrap().entries.remove(0);
    assert_eq!(entry.at, world.now());
    assert_eq!(entry.until, world.now().plus(Duration::from_mins(65)));
}

#[tokio::test]
async fn the_end_of_all_sessions_is_one_entry_whatever_their_number() {
    let world = World::new().await;
    let sub = world.person("ada").await;
    let mut pair = world.sign_in("ada").await;
    for _ in 0..3 {
        pair = world.sign_in("ada").await;
    }
    let caller = world.service.authenticate(pair.access.expose()).await.unwrap();
    world.service.end_sessions(&caller, false, source()).await.unwrap();
    let feed = world.service.feed(None, 10).await.unwrap();
    let [entry] = &feed.entries[..] else { panic!("{feed:?}") };
    let Ending::Subject { sub: whose, not_before } = &entry.ending else { panic!("{entry:?}") };
    assert_eq!(*whose, sub);
    assert!(*not_before > pair.refresh.unwrap().session.start());
}

#[tokio::test(start_paused = true)]
async fn entries_that_matter_no_more_are_forgotten_and_sessions_long_past_their_end_too() {
    let world = World::with(|config| config.policy.session = Some(Duration::from_hours(1))).await;
    world.person("ada").await;
    sign_in_and_out(&world).await;
    world.later(Duration::from_mins(64 + 120));
    world.tidied().await;
    assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 1);
    world.later(Duration::from_mins(1));
    world.tidied().await;
    assert_eq!(world.service.feed(None, 10).await.unwrap().entries.len(), 0);
    assert!(world.service.render_metrics().await.contains("daypass_sessions 1\n"));
    world.later(Duration::from_hours(25));
    world.tidied().await;
    assert!(world.service.render_metrics().await.contains("daypass_sessions 0\n"));
}
