//! What remains after rotations were lost, and after the store was closed.

use daypass_core::{AttemptDigest, Decision, EndingReason, EventKind, Generation, Refusal};

use super::Harness;
use super::stage::{Stage, from_test, own_id, public};

/// A token of a later generation than the row's: the store goes on from the token.
pub async fn a_row_that_is_behind_is_healed(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    for g in 0..3 {
        stage.renew(&session, g).await.unwrap();
    }
    // The row is at 3; the rotations of 3 and 4 are lost, and the request tells of 4 only.
    let decision = stage.rotate(&session, 5, &[(5, &own_id(5)), (4, &own_id(4))]).await;
    let Decision::Rotate { state, healed: true } = decision else { panic!("not healed: {decision:?}") };
    assert_eq!(state.generation, Generation(6));
    let id = |g: u32| Some(AttemptDigest::of(&own_id(g)));
    assert_eq!(state.attempts.newest_first(), &[id(5), id(4), None, id(2)]);
    assert_eq!(stage.state(session.id).await, state);

    let event = stage.events().await.pop().unwrap();
    assert_eq!((event.kind, event.session), (EventKind::Healed, Some(session.id)));
    assert_eq!(event.subject, Some(session.subject.clone()));
    // A late copy of the request before is known; somebody else's is not.
    let late = stage.rotate(&session, 4, &[(4, &own_id(4))]).await;
    assert_eq!(late, Decision::Refuse(Refusal::Superseded));
    assert_eq!(stage.renew(&session, 6).await, Ok(7));
}

/// Sixteen lost rotations are a fail-over, seventeen are not.
pub async fn a_token_far_ahead_is_refused_and_told(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&session, 17).await, Err(Refusal::Ahead));
    assert_eq!(stage.state(session.id).await, session.rotation);
    assert_eq!(stage.kinds().await, [EventKind::SignedIn, EventKind::GenerationAhead]);
    assert_eq!(stage.renew(&session, 16).await, Ok(17));
}

/// The data goes back to an earlier state under the feet of a client that went on.
pub async fn lost_rotations_heal(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    stage.renew(&session, 0).await.unwrap();
    let mut able = false;
    let stage = stage.reopened(async |harness| able = harness.set_aside().await).await;
    if !able {
        return;
    }
    for g in 1..5 {
        stage.renew(&session, g).await.unwrap();
    }
    let stage = stage.reopened(async |harness| harness.put_back().await).await;
    assert_eq!(stage.state(session.id).await.generation, Generation(1));
    assert_eq!(stage.renew(&session, 5).await, Ok(6));
    assert_eq!(stage.kinds().await, [EventKind::SignedIn, EventKind::Healed]);
}

/// Closing and opening changes nothing, not even the epoch.
pub async fn reopening_keeps_everything(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    stage.store.add_client(public("shop"), from_test()).await.unwrap();
    let session = stage.sign_in("sam").await;
    let ended = stage.sign_in("sam").await;
    stage.renew(&session, 0).await.unwrap();
    stage.store.end_session(ended.id, None, EndingReason::SignedOut, from_test()).await.unwrap();

    let before = everything(&stage, &session.id, &ended.id).await;
    let stage = stage.reopened(async |_| ()).await;
    assert_eq!(everything(&stage, &session.id, &ended.id).await, before);
    assert_eq!(stage.renew(&session, 1).await, Ok(2));
}

async fn everything(stage: &Stage, a: &daypass_core::SessionId, b: &daypass_core::SessionId) -> String {
    let store = &stage.store;
    let feed = store.feed(None, 10).await.unwrap();
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        store.session(*a).await.unwrap(),
        store.session(*b).await.unwrap(),
        store.users(None, 10).await.unwrap(),
        store.clients().await.unwrap(),
        (feed.entries, feed.cursor),
        store.events(0, 100).await.unwrap(),
        store.versions().await.unwrap(),
        store.session_count().await.unwrap(),
    )
}
