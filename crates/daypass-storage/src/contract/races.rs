//! Ends of sessions against renewals that are under way: what starts after an end was acknowledged
//! is refused, every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daypass_core::{Decision, EndingReason, Refusal, Session};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Harness;
use super::stage::{BUILT_IN, SINGLE, Stage, from_test, hash, own_id, sub};
use crate::{PasswordChange, SubjectChange};

/// How many renewals have to have gone through before the end comes.
const UNDER_WAY: usize = 60;

/// Renews `session` until it is refused; none may succeed that starts once `ended` is set.
async fn renew_until_refused(
    stage: Stage,
    session: Session,
    ended: Arc<AtomicBool>,
    renewed: mpsc::UnboundedSender<()>,
) -> Refusal {
    let mut g = 0;
    loop {
        let late = ended.load(Ordering::SeqCst);
        match stage.rotate(&session, g, &[(g, &own_id(g))]).await {
            Decision::Rotate { state, healed: false } => {
                assert!(!late, "a renewal went through after the end was acknowledged");
                g = state.generation.0;
                let _nobody_counts = renewed.send(());
            }
            Decision::Refuse(refusal) => return refusal,
            other => panic!("neither rotated nor refused: {other:?}"),
        }
    }
}

/// Lets `sessions` renew without pause, ends them, and waits until each was refused because of `why`.
async fn race(stage: &Stage, sessions: &[Session], why: EndingReason, end: impl Future<Output = ()>) {
    let ended = Arc::new(AtomicBool::new(false));
    let (renewed, mut counted) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for session in sessions {
        let (ended, renewed) = (Arc::clone(&ended), renewed.clone());
        tasks.spawn(renew_until_refused(stage.clone(), session.clone(), ended, renewed));
    }
    for _ in 0..UNDER_WAY {
        counted.recv().await.unwrap();
    }
    end.await;
    ended.store(true, Ordering::SeqCst);
    for refusal in tasks.join_all().await {
        assert_eq!(refusal, Refusal::Ended(why));
    }
}

async fn eight_sessions(stage: &Stage, client: &str) -> Vec<Session> {
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(stage.sign_in_on("sam", client).await);
    }
    sessions
}

/// Logging out, one session after the other.
pub async fn ending_one_session(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for session in eight_sessions(&stage, BUILT_IN).await {
        race(&stage, std::slice::from_ref(&session), EndingReason::SignedOut, async {
            let end = stage.store.end_session(session.id, None, EndingReason::SignedOut, from_test());
            assert_eq!(end.await.unwrap(), crate::EndOutcome::Ended);
        })
        .await;
    }
}

/// Signing out everywhere.
pub async fn ending_all_sessions(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let sessions = eight_sessions(&stage, BUILT_IN).await;
    race(&stage, &sessions, EndingReason::Revoked, async {
        stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
    })
    .await;
}

/// Signing out everywhere else.
pub async fn ending_all_but_one(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let kept = stage.sign_in("sam").await;
    let sessions = eight_sessions(&stage, BUILT_IN).await;
    race(&stage, &sessions, EndingReason::Revoked, async {
        let all = stage.store.end_sessions_of(sub("sam"), Some(kept.id), EndingReason::Revoked, from_test());
        all.await.unwrap();
    })
    .await;
    assert_eq!(stage.renew(&kept, 0).await, Ok(1));
}

/// Disabling.
pub async fn disabling_the_subject(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let sessions = eight_sessions(&stage, BUILT_IN).await;
    race(&stage, &sessions, EndingReason::Disabled, async {
        let change = SubjectChange { disabled: Some(true), ..SubjectChange::default() };
        assert!(stage.store.change_subject(sub("sam"), change, from_test()).await.unwrap());
    })
    .await;
}

/// A new password, from one of the sessions.
pub async fn changing_the_password(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    let kept = stage.sign_in("sam").await;
    let sessions = eight_sessions(&stage, BUILT_IN).await;
    race(&stage, &sessions, EndingReason::PasswordChanged, async {
        let change = PasswordChange::New { hash: hash("second"), from: None, keep: Some(kept.id) };
        assert!(stage.store.set_password(sub("sam"), change, from_test()).await.unwrap());
    })
    .await;
    assert_eq!(stage.renew(&kept, 0).await, Ok(1));
}

/// A theft on one session, while the subject's others renew; and on clients that end one by one,
/// where the others are left alone.
pub async fn reuse_on_another_session(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for (client, alone) in [(SINGLE, true), (BUILT_IN, false)] {
        let stolen = stage.sign_in_on("sam", client).await;
        let sessions = eight_sessions(&stage, client).await;
        assert_eq!(stage.renew(&stolen, 0).await, Ok(1));
        let reuse = async || {
            let decision = stage.rotate(&stolen, 0, &[(0, "attempt-of-somebody-else")]).await;
            assert!(matches!(decision, Decision::Reuse { .. }), "{decision:?}");
        };
        if alone {
            reuse().await;
            assert_eq!(stage.renew(&sessions[0], 0).await, Ok(1));
        } else {
            race(&stage, &sessions, EndingReason::Reused, reuse()).await;
        }
    }
}

/// Who signs in after a revocation was acknowledged is never ended by it, and who signed in before
/// always is, though all of it happens within one millisecond.
pub async fn sign_ins_beside_revocations(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for _ in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..5 {
            let stage = stage.clone();
            tasks.spawn(async move { stage.sign_in("sam").await });
        }
        let before = stage.sign_in("sam").await;
        stage.store.end_sessions_of(sub("sam"), None, EndingReason::Revoked, from_test()).await.unwrap();
        let after = stage.sign_in("sam").await;
        assert_eq!(stage.renew(&before, 0).await, Err(Refusal::Ended(EndingReason::Revoked)));
        assert_eq!(stage.renew(&after, 0).await, Ok(1));
        tasks.join_all().await;
    }
}
