//! Sessions as they are stored, listed, counted and forgotten.

use std::time::Duration;

use daypass_core::{
    ClientId, EndingReason, NewSession, Origin, Refusal, Scope, SessionId, Thumbprint, Timestamp, TokenKeyId,
};

use super::Harness;
use super::stage::{BUILT_IN, Stage, from_test, sub};
use crate::{Opened, Pruned};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A session with something in every field, and one with nothing where that can be.
pub async fn every_field_comes_back(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let full = NewSession {
        random: [0xff; 10],
        subject: sub("auth0|42"),
        client: ClientId::new("web-app_1.~").unwrap(),
        scope: "openid daypass:admin orders:read".parse::<Scope>().unwrap(),
        amr: "pwd otp".to_owned(),
        auth_time: Some(Timestamp::from_millis(stage.now().millis() - 12_345)),
        life: Some(Duration::from_millis(15_552_000_001)),
        jkt: Some(Thumbprint(std::array::from_fn(|at| u8::try_from(at * 7 % 256).unwrap()))),
        token_key: TokenKeyId(255),
    };
    let opened = stage.open(full.clone()).await;
    let stored = stage.session(opened.id).await;
    assert_eq!(stored, opened);
    assert_eq!(stored.id, SessionId::new(stage.now(), full.random));
    assert_eq!(stored.start(), stage.now());
    assert_eq!((&stored.subject, &stored.client, &stored.scope), (&full.subject, &full.client, &full.scope));
    assert_eq!((&stored.amr, Some(stored.auth_time), stored.jkt), (&full.amr, full.auth_time, full.jkt));
    assert_eq!(stored.expires_at.unwrap().millis_since(stage.now()), 15_552_000_001);
    assert_eq!((stored.revoked, stored.rotation.token_key), (None, TokenKeyId(255)));

    let bare = stage.sign_in("sam").await;
    let stored = stage.session(bare.id).await;
    assert_eq!(stored, bare);
    assert_eq!((stored.expires_at, stored.jkt, stored.auth_time), (None, None, stage.now()));
    assert!(stored.scope.is_empty());
}

/// Newest first, no more than asked for, and none that is over.
pub async fn the_list_is_newest_first_and_of_the_living(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(stage.sign_in("sam").await.id);
        stage.clock.step(10);
    }
    stage.sign_in("kim").await;
    let short = stage.sign_in_for("sam", 5).await;
    stage.clock.step(5);
    assert_eq!(stage.renew(&short, 0).await, Err(Refusal::Expired));
    stage.store.end_session(ids[3], None, EndingReason::Revoked, from_test()).await.unwrap();
    let listed = async |limit| {
        let entries = stage.store.sessions_of(&sub("sam"), limit).await.unwrap();
        entries.into_iter().map(|entry| entry.session.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(100).await, [ids[5], ids[4], ids[2], ids[1], ids[0]]);
    assert_eq!(listed(3).await, [ids[5], ids[4], ids[2]]);
    assert_eq!(listed(0).await, []);
    assert_eq!(stage.store.sessions_of(&sub("nobody"), 10).await.unwrap().len(), 0);
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    assert_eq!(listed(100).await, []);
    // Renewing changes what is shown, not the order.
    let first = stage.sign_in("sam").await;
    stage.clock.step(1);
    let second = stage.sign_in("sam").await;
    stage.renew(&first, 0).await.unwrap();
    assert_eq!(listed(100).await, [second.id, first.id]);
}

/// Labels, user agents and addresses, of any script and length.
pub async fn the_list_holds_where_each_was_opened(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let text = |text: &str| Some(text.to_owned());
    let origins = [
        Origin::default(),
        Origin { label: text("Büro – 研究室 🛰️"), user_agent: None, address: None },
        Origin { label: None, user_agent: Some("Mozilla/5.0 ".repeat(400)), address: text("2001:db8::7") },
        Origin { label: text("it's; -- \"quoted\""), user_agent: text("curl/8"), address: text("192.0.2.1") },
        Origin { label: text(""), user_agent: text(""), address: None },
    ];
    for origin in &origins {
        let opened =
            stage.store.open_session(stage.new_session("sam", BUILT_IN), origin.clone(), None).await.unwrap();
        assert!(matches!(opened, Opened::Session(..)));
        stage.clock.step(1);
    }
    let listed = stage.store.sessions_of(&sub("sam"), 10).await.unwrap();
    let shown: Vec<_> = listed.into_iter().rev().map(|entry| entry.origin).collect();
    assert_eq!(shown, origins);
}

/// The count goes up with sign-ins and down with what is forgotten, not with what is over.
pub async fn the_count_follows(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    assert_eq!(stage.store.session_count().await.unwrap(), 0);
    for _ in 0..3 {
        stage.sign_in_for("sam", 1_000).await;
    }
    let lasting = stage.sign_in("sam").await;
    assert_eq!(stage.store.session_count().await.unwrap(), 4);
    stage.store.end_session(lasting.id, None, EndingReason::Revoked, from_test()).await.unwrap();
    assert_eq!(stage.store.session_count().await.unwrap(), 4);
    stage.clock.step(2 * DAY);
    assert_eq!(stage.store.prune(Duration::from_hours(1), 2).await.unwrap().sessions, 2);
    assert_eq!(stage.store.session_count().await.unwrap(), 2);
    assert_eq!(stage.store.prune(Duration::from_hours(1), 2).await.unwrap().sessions, 1);
    assert_eq!(stage.store.session_count().await.unwrap(), 1);
}

/// Sessions a day past their end go, others stay.
pub async fn pruning_takes_what_nobody_can_ask_for(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let ages = Duration::from_hours(1_000_000);
    let short = stage.sign_in_for("sam", 1_000).await;
    let longer = stage.sign_in_for("sam", 3_000).await;
    let endless = stage.sign_in("sam").await;
    assert_eq!(stage.store.prune(ages, 100).await.unwrap(), Pruned::default());
    // A millisecond before the day is over, and after.
    stage.clock.step(1_000 + DAY - 1);
    assert_eq!(stage.store.prune(ages, 100).await.unwrap(), Pruned::default());
    assert_eq!(stage.renew(&short, 0).await, Err(Refusal::Expired), "and not unknown");
    stage.clock.step(2);
    let pruned = stage.store.prune(ages, 100).await.unwrap();
    assert_eq!(pruned, Pruned { sessions: 1, feed: 0, events: 0 });
    assert_eq!(stage.renew(&short, 0).await, Err(Refusal::Unknown));
    assert_eq!(stage.renew(&longer, 0).await, Err(Refusal::Expired));
    assert_eq!(stage.renew(&endless, 0).await, Ok(1));
    assert_eq!(stage.store.sessions_of(&sub("sam"), 10).await.unwrap().len(), 1);
}

/// An ended session is still known as ended, and why: until its own time and the day after, or for
/// 30 days where it has no end of its own.
pub async fn ended_sessions_stay_until_their_time(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let ages = Duration::from_hours(1);
    let session = stage.sign_in_for("sam", u64::try_from(30 * DAY).unwrap()).await;
    let endless = [stage.sign_in("sam").await, stage.sign_in("sam").await];
    let lasting = stage.sign_in("sam").await;
    for id in [session.id, endless[0].id, endless[1].id] {
        stage.store.end_session(id, None, EndingReason::Reused, from_test()).await.unwrap();
    }
    stage.clock.step(30 * DAY - 1);
    assert_eq!(stage.store.prune(ages, 100).await.unwrap().sessions, 0);
    for ended in [&session, &endless[0], &endless[1]] {
        assert_eq!(stage.renew(ended, 0).await, Err(Refusal::Ended(EndingReason::Reused)));
    }
    stage.clock.step(2);
    assert_eq!(stage.store.prune(ages, 1).await.unwrap().sessions, 1, "no more than asked for");
    assert_eq!(stage.store.prune(ages, 100).await.unwrap().sessions, 1);
    assert_eq!(stage.renew(&endless[0], 0).await, Err(Refusal::Unknown));
    assert_eq!(stage.renew(&endless[1], 0).await, Err(Refusal::Unknown));
    stage.clock.step(DAY - 2);
    assert_eq!(stage.store.prune(ages, 100).await.unwrap().sessions, 0);
    assert_eq!(stage.renew(&session, 0).await, Err(Refusal::Ended(EndingReason::Reused)));
    stage.clock.step(2);
    assert_eq!(stage.store.prune(ages, 100).await.unwrap().sessions, 1);
    assert_eq!(stage.renew(&session, 0).await, Err(Refusal::Unknown));
    assert_eq!(stage.session(lasting.id).await, lasting);
    assert_eq!(stage.store.session_count().await.unwrap(), 1);
}

/// Whether anything is left that an old secret was used for.
pub async fn some_session_began_before(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let before = async |offset: i64, from: Timestamp| {
        let moment = Timestamp::from_millis(from.millis() + offset);
        stage.store.has_sessions_before(moment).await.unwrap()
    };
    assert!(!before(1_000_000, stage.now()).await);
    let ends = stage.sign_in("sam").await;
    assert!(!before(0, ends.start()).await);
    assert!(before(1, ends.start()).await);
    stage.store.end_session(ends.id, None, EndingReason::Revoked, from_test()).await.unwrap();
    assert!(!before(1, ends.start()).await);

    let expires = stage.sign_in_for("sam", 1_000).await;
    stage.clock.step(999);
    assert!(before(1, expires.start()).await);
    stage.clock.step(1);
    assert!(!before(1, expires.start()).await);
}
