//! The revocation feed and the audit events.

use std::time::Duration;

use daypass_core::revocation::FEED_LIFE;
use daypass_core::{Ending, EndingReason, Event, EventKind, SessionId, Timestamp};

use super::Harness;
use super::stage::{Stage, from_test, hash, public, sub};
use crate::{FeedCursor, PasswordChange, Pruned, SubjectChange};

/// A retention that forgets nothing.
const FOREVER: Duration = Duration::from_hours(1_000_000);

/// Signs somebody in and ends it.
async fn end_one(stage: &Stage) -> SessionId {
    let id = stage.sign_in("sam").await.id;
    stage.store.end_session(id, None, EndingReason::Revoked, from_test()).await.unwrap();
    id
}

/// Every ending, oldest first, with its times.
pub async fn endings_are_told_in_order(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let empty = stage.store.feed(None, 10).await.unwrap();
    assert!(empty.entries.is_empty() && empty.complete && empty.reset);
    let first = end_one(&stage).await;
    stage.clock.step(1_000);
    stage.store.end_sessions_of(sub("kim"), None, EndingReason::Revoked, from_test()).await.unwrap();
    stage.clock.step(1_000);
    let last = end_one(&stage).await;
    let page = stage.store.feed(None, 10).await.unwrap();
    let begun = stage.now().millis() - 2_000;
    let at = |offset: i64| Timestamp::from_millis(begun + offset);
    let told: Vec<_> = page.entries.iter().map(|entry| (entry.ending.clone(), entry.at)).collect();
    let kims = Ending::Subject { sub: sub("kim"), not_before: at(1_001) };
    assert_eq!(
        told,
        [(Ending::Session(first), at(0)), (kims, at(1_000)), (Ending::Session(last), at(2_000))]
    );
    assert!(page.entries.iter().all(|entry| entry.until == entry.at.plus(FEED_LIFE)));
    assert_eq!(page.cursor.epoch, empty.cursor.epoch);
}

/// Reading on entry by entry misses none and shows none twice, though more come meanwhile.
pub async fn the_feed_is_read_on_from_where_it_was_left(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let mut ended = Vec::new();
    for _ in 0..5 {
        ended.push(Ending::Session(end_one(&stage).await));
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    for turn in 0..6 {
        let page = stage.store.feed(cursor, 1).await.unwrap();
        assert_eq!((page.entries.len(), page.reset), (1, turn == 0));
        assert_eq!(page.complete, turn == 5, "turn {turn}");
        seen.extend(page.entries.into_iter().map(|entry| entry.ending));
        cursor = Some(page.cursor);
        if turn == 2 {
            ended.push(Ending::Session(end_one(&stage).await));
        }
    }
    assert_eq!(seen, ended);
    let nothing = stage.store.feed(cursor, 1).await.unwrap();
    assert!(nothing.entries.is_empty() && nothing.complete && !nothing.reset);
    assert_eq!(Some(nothing.cursor), cursor);
    end_one(&stage).await;
    let stage = stage.reopened(async |_| ()).await;
    let next = stage.store.feed(cursor, 10).await.unwrap();
    assert_eq!((next.entries.len(), next.complete, next.reset), (1, true, false));
}

/// A cursor that the store cannot have given out begins at the start and says so.
pub async fn an_unknown_cursor_reads_from_the_start(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    end_one(&stage).await;
    end_one(&stage).await;
    let end = stage.store.feed(None, 10).await.unwrap().cursor;
    let of_another_epoch = FeedCursor { epoch: end.epoch.map(|byte| !byte), ..end };
    // What a store remembers that was since put back to an earlier state.
    let past_the_end = FeedCursor { sequence: end.sequence + 1, ..end };
    for unknown in [of_another_epoch, past_the_end] {
        let page = stage.store.feed(Some(unknown), 10).await.unwrap();
        assert_eq!((page.entries.len(), page.reset, page.complete), (2, true, true));
        assert_eq!(page.cursor, end);
    }
}

/// An entry stays until the last access token has expired everywhere; a cursor outlives it.
pub async fn entries_go_when_they_say_nothing_any_more(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    end_one(&stage).await;
    let cursor = stage.store.feed(None, 10).await.unwrap().cursor;
    stage.clock.step(1_000);
    let second = end_one(&stage).await;
    stage.clock.step(daypass_core::time::millis(FEED_LIFE + Duration::from_hours(2)) - 1_001);
    assert_eq!(stage.store.prune(FOREVER, 100).await.unwrap(), Pruned::default());
    stage.clock.step(1);
    assert_eq!(stage.store.prune(FOREVER, 100).await.unwrap().feed, 1);
    assert_eq!(stage.endings().await, [Ending::Session(second)]);
    let page = stage.store.feed(Some(cursor), 10).await.unwrap();
    assert_eq!((page.entries.len(), page.reset), (1, false));
    stage.clock.step(1_000);
    assert_eq!(stage.store.prune(FOREVER, 100).await.unwrap().feed, 1);
    let page = stage.store.feed(Some(page.cursor), 10).await.unwrap();
    assert!(page.entries.is_empty() && !page.reset, "the end of the feed is remembered");
    let third = end_one(&stage).await;
    let page = stage.store.feed(Some(page.cursor), 10).await.unwrap();
    assert_eq!(
        page.entries.into_iter().map(|entry| entry.ending).collect::<Vec<_>>(),
        [Ending::Session(third)]
    );
}

/// Events have numbers that only go up; each is read once.
pub async fn events_are_read_on_from_where_they_were_left(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let said = Event::new(Timestamp::from_millis(1), EventKind::SignInRefused)
        .of(&sub("sam"))
        .in_session(SessionId::new(stage.now(), [3; 10]))
        .through(&public("shop").id)
        .from(Some("2001:db8::1"))
        .saying("Größe 研究");
    stage.store.record(said.clone()).await.unwrap();
    stage.store.record(Event::new(stage.now(), EventKind::KeyRotated)).await.unwrap();
    end_one(&stage).await;
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = stage.store.events(after, 1).await.unwrap();
        let Some((number, event)) = page.into_iter().next() else { break };
        assert!(number > after);
        after = number;
        seen.push(event);
    }
    assert_eq!(seen[0], Event { at: stage.now(), ..said }, "the time is the store's");
    let kinds: Vec<_> = seen[1..].iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::KeyRotated, EventKind::SignedIn, EventKind::Revoked]);
}

/// Signing in, ending and administering, with who and whence; asking is no act.
pub async fn events_tell_of_acts_and_nothing_else(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.store.add_user(stage.person("sam"), from_test()).await.unwrap();
    let session = stage.sign_in("sam").await;
    stage.store.end_session(session.id, None, EndingReason::SignedOut, from_test()).await.unwrap();
    stage.store.change_subject(sub("sam"), SubjectChange::default(), from_test()).await.unwrap();
    let change = PasswordChange::New { hash: hash("second"), from: None, keep: None };
    stage.store.set_password(sub("sam"), change, from_test()).await.unwrap();
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    let events = stage.events().await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::UserAdded,
            EventKind::SignedIn,
            EventKind::SignedOut,
            EventKind::UserChanged,
            EventKind::PasswordChanged,
            EventKind::Revoked,
        ]
    );
    assert!(events.iter().all(|event| event.subject == Some(sub("sam")) && event.at == stage.now()));
    for event in events.iter().filter(|event| event.kind != EventKind::SignedIn) {
        assert_eq!(
            (event.address.as_deref(), event.detail.as_deref()),
            (Some("192.0.2.7"), Some("by a test"))
        );
    }
    assert_eq!((events[1].session, events[2].session), (Some(session.id), Some(session.id)));

    stage.store.users(None, 10).await.unwrap();
    stage.store.keys().await.unwrap();
    stage.store.sessions_of(&sub("sam"), 10).await.unwrap();
    stage.store.prune(FOREVER, 10).await.unwrap();
    assert_eq!(stage.events().await.len(), events.len());
}

/// Events older than asked for are forgotten, and their numbers are not given again.
pub async fn old_events_go(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let hour = Duration::from_hours(1);
    stage.sign_in("sam").await;
    stage.sign_in("kim").await;
    let last = stage.store.events(0, 10).await.unwrap()[1].0;
    stage.clock.step(daypass_core::time::millis(hour) - 1);
    assert_eq!(stage.store.prune(hour, 100).await.unwrap().events, 0);
    stage.clock.step(2);
    assert_eq!(stage.store.prune(hour, 1).await.unwrap().events, 1);
    assert_eq!(stage.store.prune(hour, 100).await.unwrap().events, 1);
    assert_eq!(stage.events().await, []);
    stage.sign_in("sam").await;
    assert!(stage.store.events(last, 10).await.unwrap().len() == 1);
}
