//! How sessions end, one by one and all at once, and which do not.

use daypass_core::{Ending, EndingReason, EventKind, Refusal, SessionId, Timestamp};

use super::Harness;
use super::stage::{IDLE, Stage, from_test, sub};
use crate::EndOutcome;

const REASONS: [EndingReason; 6] = [
    EndingReason::SignedOut,
    EndingReason::Revoked,
    EndingReason::Reused,
    EndingReason::PasswordChanged,
    EndingReason::Disabled,
    EndingReason::Deleted,
];

fn over(why: EndingReason) -> Result<u32, Refusal> {
    Err(Refusal::Ended(why))
}

/// Ending an ended session answers so, and is neither told nor accounted for again.
pub async fn a_second_end_changes_nothing(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let end = |why| stage.store.end_session(session.id, None, why, from_test());
    assert_eq!(end(EndingReason::SignedOut).await.unwrap(), EndOutcome::Ended);
    let first = stage.session(session.id).await;
    stage.clock.step(1_000);
    assert_eq!(end(EndingReason::Revoked).await.unwrap(), EndOutcome::AlreadyEnded);
    assert_eq!(stage.session(session.id).await, first);
    assert_eq!(stage.endings().await, [Ending::Session(session.id)]);
    assert_eq!(stage.kinds().await, [EventKind::SignedIn, EventKind::SignedOut]);

    // One that ended with its subject is over as well.
    let session = stage.sign_in("sam").await;
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    let again =
        stage.store.end_session(session.id, None, EndingReason::SignedOut, from_test()).await.unwrap();
    assert_eq!(again, EndOutcome::AlreadyEnded);
    assert_eq!(stage.renew(&session, 0).await, over(EndingReason::Revoked));
    assert_eq!(stage.endings().await.len(), 2);
}

/// A session that is not there, and one of somebody else, look alike.
pub async fn nobody_ends_what_is_not_theirs(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let end = |id, owner: Option<&str>| {
        stage.store.end_session(id, owner.map(sub), EndingReason::Revoked, from_test())
    };
    let nobodys = SessionId::new(stage.now(), [9; 10]);
    assert_eq!(end(nobodys, None).await.unwrap(), EndOutcome::NotFound);
    assert_eq!(end(nobodys, Some("sam")).await.unwrap(), EndOutcome::NotFound);
    assert_eq!(end(session.id, Some("kim")).await.unwrap(), EndOutcome::NotFound);
    assert_eq!(stage.endings().await, []);
    assert_eq!(stage.kinds().await, [EventKind::SignedIn]);
    assert_eq!(stage.renew(&session, 0).await, Ok(1));
    assert_eq!(end(session.id, Some("sam")).await.unwrap(), EndOutcome::Ended);
    assert_eq!(stage.renew(&session, 1).await, over(EndingReason::Revoked));
}

/// Why a session ended is what its tokens are answered with, whichever way it ended.
pub async fn each_reason_is_remembered(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for why in REASONS {
        let session = stage.sign_in("sam").await;
        stage.store.end_session(session.id, None, why, from_test()).await.unwrap();
        assert_eq!(stage.renew(&session, 0).await, over(why));
        assert_eq!(stage.session(session.id).await.revoked.map(|revoked| revoked.why), Some(why));

        let whole = format!("{why:?}");
        let session = stage.sign_in(&whole).await;
        stage.store.end_sessions_of(sub(&whole), None, why, from_test()).await.unwrap();
        assert_eq!(stage.renew(&session, 0).await, over(why));
        let (_, subject) = stage.store.session(session.id).await.unwrap().unwrap();
        assert_eq!(subject.cutoff.map(|cutoff| cutoff.why), Some(why));
    }
}

/// All but one: that one goes on, the others are over, and later ones are not concerned.
pub async fn ending_all_but_one_spares_that_one(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let older = stage.sign_in("sam").await;
    stage.clock.step(1_000);
    let kept = stage.sign_in("sam").await;
    stage.clock.step(1_000);
    let newer = stage.sign_in("sam").await;
    let bystander = stage.sign_in("kim").await;
    stage.store.end_sessions_of(sub("sam"), Some(kept.id), EndingReason::Revoked, from_test()).await.unwrap();
    assert_eq!(stage.renew(&older, 0).await, over(EndingReason::Revoked));
    assert_eq!(stage.renew(&newer, 0).await, over(EndingReason::Revoked));
    assert_eq!(stage.renew(&kept, 0).await, Ok(1));
    assert_eq!(stage.renew(&bystander, 0).await, Ok(1));
    let later = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&later, 0).await, Ok(1));
    // Verifiers are told of both and not of the one that goes on.
    let told = stage.endings().await;
    let covers = |id: SessionId| {
        told.iter().any(|ending| match ending {
            Ending::Session(ended) => *ended == id,
            Ending::Subject { sub: whose, not_before } => *whose == sub("sam") && id.start() < *not_before,
        })
    };
    assert!(covers(older.id) && covers(newer.id) && !covers(kept.id) && !covers(later.id), "{told:?}");
}

/// All of one subject: one entry for verifiers, one event, and nobody else is concerned.
pub async fn ending_all_spares_everybody_else(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let sessions = [stage.sign_in("sam").await, stage.sign_in("sam").await, stage.sign_in("sam").await];
    let bystander = stage.sign_in("kim").await;
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    for session in &sessions {
        assert_eq!(stage.renew(session, 0).await, over(EndingReason::Revoked));
    }
    assert_eq!(stage.renew(&bystander, 0).await, Ok(1));
    let not_before = Timestamp::from_millis(stage.now().millis() + 1);
    assert_eq!(stage.endings().await, [Ending::Subject { sub: sub("sam"), not_before }]);
    let events = stage.events().await;
    assert_eq!(events.len(), 5);
    assert_eq!((events[4].kind, events[4].subject.clone()), (EventKind::Revoked, Some(sub("sam"))));
    assert_eq!(events[4].address.as_deref(), Some("192.0.2.7"));
}

/// Who signs in while the clock still shows the millisecond of the revocation is not signed out.
pub async fn a_sign_in_in_the_millisecond_of_a_revocation_lives(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let before = stage.sign_in("sam").await;
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    let after = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&before, 0).await, over(EndingReason::Revoked));
    assert_eq!(stage.renew(&after, 0).await, Ok(1));
    let listed = stage.store.sessions_of(&sub("sam"), 10).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.session.id).collect::<Vec<_>>(), [after.id]);
    // And a revocation in the same millisecond again ends it.
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::SignedOut, from_test()).await.unwrap();
    assert_eq!(stage.renew(&after, 1).await, over(EndingReason::SignedOut));
}

/// Nor who signs in after the clock went back behind a revocation.
pub async fn a_sign_in_after_the_clock_went_back_lives(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let before = stage.sign_in("sam").await;
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    stage.clock.step(-3_600_000);
    let after = stage.sign_in_for("sam", 10_000).await;
    assert_eq!(stage.renew(&before, 0).await, over(EndingReason::Revoked));
    assert_eq!(stage.renew(&after, 0).await, Ok(1));
    assert_eq!(after.expires_at, Some(Timestamp::from_millis(stage.now().millis() + 10_000)));
}

/// A revocation ends what is there, whatever the clock said when it began.
pub async fn a_revocation_after_the_clock_went_back_ends_what_began_later(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let all = [stage.sign_in("sam").await, stage.sign_in("sam").await];
    let but_one = [stage.sign_in("kim").await, stage.sign_in("kim").await];
    stage.clock.step(-3_600_000);
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    let [kept, other] = &but_one;
    stage.store.end_sessions_of(sub("kim"), Some(kept.id), EndingReason::Revoked, from_test()).await.unwrap();
    for session in all.iter().chain([other]) {
        assert_eq!(stage.renew(session, 0).await, over(EndingReason::Revoked));
    }
    assert_eq!(stage.renew(kept, 0).await, Ok(1));
    let not_before = Timestamp::from_millis(all[1].start().millis() + 1);
    assert!(stage.endings().await.contains(&Ending::Subject { sub: sub("sam"), not_before }));
    let again = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&again, 0).await, Ok(1));
    // A weaker revocation later does not bring the cutoff back down.
    stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    assert_eq!(stage.renew(&again, 1).await, over(EndingReason::Revoked));
}

/// The last millisecond of a session is its own, the next is not.
pub async fn a_session_ends_at_its_boundary(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in_for("sam", 10_000).await;
    stage.clock.step(9_999);
    assert_eq!(stage.renew(&session, 0).await, Ok(1));
    assert_eq!(stage.store.sessions_of(&sub("sam"), 10).await.unwrap().len(), 1);
    stage.clock.step(1);
    assert_eq!(stage.renew(&session, 1).await, Err(Refusal::Expired));
    assert_eq!(stage.store.sessions_of(&sub("sam"), 10).await.unwrap().len(), 0);
    assert_eq!(stage.session(session.id).await.expires_at, session.expires_at, "a rotation extended it");
    assert_eq!(stage.kinds().await, [EventKind::SignedIn]);
}

/// As long as the limit is allowed, a millisecond more is not; a repeat counts as a sign of life.
pub async fn an_idle_session_ends_at_its_boundary(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in_on("sam", IDLE).await;
    let other = stage.sign_in("sam").await;
    stage.clock.step(60_000);
    assert_eq!(stage.renew(&session, 0).await, Ok(1));
    stage.clock.step(60_000);
    assert!(stage.rotate(&session, 0, &[(0, &super::stage::own_id(0))]).await.state().is_some());
    stage.clock.step(60_000);
    assert_eq!(stage.renew(&session, 1).await, Ok(2));
    stage.clock.step(60_001);
    assert_eq!(stage.renew(&session, 2).await, Err(Refusal::Expired));
    assert_eq!(stage.renew(&other, 0).await, Ok(1), "another client's sessions may idle");
}
