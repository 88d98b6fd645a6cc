//! Rotation, as far as the store has a part in it.

use std::collections::BTreeSet;

use daypass_core::rotation::RepeatProof;
use daypass_core::{
    ClientId, Decision, Ending, EndingReason, EventKind, Generation, NewSession, PresentedBy, Proof, Refusal,
    RotationState, Session, SessionId, Thumbprint, Timestamp, TokenKeyId,
};
use tokio::task::JoinSet;

use super::Harness;
use super::stage::{BUILT_IN, SINGLE, Stage, own_id, sub};
use crate::RotateRequest;

/// How many requests come at once.
const CROWD: usize = 100;

/// All answers to requests that were on their way at the same time.
async fn at_once(stage: &Stage, requests: impl IntoIterator<Item = RotateRequest>) -> Vec<Decision> {
    let mut tasks = JoinSet::new();
    for request in requests {
        let stage = stage.clone();
        tasks.spawn(async move { stage.ask(request).await.decision });
    }
    tasks.join_all().await
}

/// How many rotated and repeated; all of them with the successor of generation 0.
fn successors(decisions: &[Decision]) -> (usize, usize) {
    let mut tokens = BTreeSet::new();
    let (mut rotated, mut repeated) = (0, 0);
    for decision in decisions {
        match decision {
            Decision::Rotate { healed: false, .. } => rotated += 1,
            Decision::Repeat { .. } => repeated += 1,
            other => panic!("neither rotated nor repeated: {other:?}"),
        }
        tokens.extend(decision.state().map(token));
    }
    assert_eq!(tokens, BTreeSet::from([(Generation(1), TokenKeyId(1))]));
    (rotated, repeated)
}

/// What a refresh token of a session depends on.
fn token(state: &RotationState) -> (Generation, TokenKeyId) {
    (state.generation, state.token_key)
}

/// A crowd of requests with one attempt id gets one successor: one rotates, the others repeat.
pub async fn one_attempt_gets_one_successor(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let request = stage.request(session.id, 0, &[(0, &own_id(0))]);
    let decisions = at_once(&stage, vec![request; CROWD]).await;
    assert_eq!(successors(&decisions), (1, CROWD - 1));
    assert_eq!(stage.state(session.id).await.generation, Generation(1));
}

/// The same without ids, inside the grace.
pub async fn clients_without_ids_share_one_successor_within_the_grace(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let decisions = at_once(&stage, vec![stage.request(session.id, 0, &[]); CROWD]).await;
    assert_eq!(successors(&decisions), (1, CROWD - 1));
    assert_eq!(stage.state(session.id).await.generation, Generation(1));
}

/// A crowd with an id each is a theft: one lineage, one alarm, and nothing alive at the end.
pub async fn different_attempts_leave_no_live_successor(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let requests =
        (0..CROWD).map(|n| stage.request(session.id, 0, &[(0, &format!("attempt-of-somebody-{n:08}"))]));
    let decisions = at_once(&stage, requests).await;
    let count = |what: fn(&Decision) -> bool| decisions.iter().filter(|decision| what(decision)).count();
    assert_eq!(count(|decision| matches!(decision, Decision::Rotate { .. })), 1);
    assert_eq!(count(|decision| matches!(decision, Decision::Reuse { .. })), 1);
    let over = Refusal::Ended(EndingReason::Reused);
    let refused = decisions.iter().filter(|decision| **decision == Decision::Refuse(over)).count();
    assert_eq!(refused, CROWD - 2);
    assert_eq!(stage.renew(&session, 1).await, Err(over), "a successor outlived the alarm");
    assert_eq!(stage.endings().await.len(), 1);
    assert_eq!(stage.kinds().await, [EventKind::SignedIn, EventKind::Reused]);
}

/// Two stores over the same data, as two nodes, or a command line beside the service, have them.
pub async fn two_openings_of_the_data_share_one_lineage(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let other = stage.opened_again().await;
    let session = stage.sign_in("sam").await;
    for g in 0..5 {
        let request = stage.request(session.id, g, &[(g, &own_id(g))]);
        let (here, there) = tokio::join!(
            at_once(&stage, vec![request.clone(); 20]),
            at_once(&other, vec![request.clone(); 20]),
        );
        let all = [here, there].concat();
        let rotated = all.iter().filter(|decision| matches!(decision, Decision::Rotate { .. })).count();
        assert_eq!(rotated, 1, "generation {g} was rotated {rotated} times");
        assert!(all.iter().all(|decision| decision.state().is_some_and(|state| state.generation.0 == g + 1)));
    }
    other.store.end_session(session.id, None, EndingReason::Revoked, crate::Source::default()).await.unwrap();
    assert_eq!(stage.renew(&session, 5).await, Err(Refusal::Ended(EndingReason::Revoked)));
}

/// Many sessions rotate at once, each through its own chain.
pub async fn sessions_rotate_beside_each_other(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let stage = stage.clone();
        tasks.spawn(async move {
            let session = stage.sign_in(&format!("subject-{n}")).await;
            for g in 0..20 {
                assert_eq!(stage.renew(&session, g).await, Ok(g + 1));
            }
            assert_eq!(stage.state(session.id).await.generation, Generation(20));
        });
    }
    tasks.join_all().await;
    assert_eq!(stage.store.queue_depth(), 0);
}

/// A well-tagged token whose session is not there.
pub async fn an_unknown_session_has_no_row(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let nobody = SessionId::new(stage.now(), [9; 10]);
    let rotated = stage.ask(stage.request(nobody, 3, &[])).await;
    assert_eq!(rotated.decision, Decision::Refuse(Refusal::Unknown));
    assert!(rotated.row.is_none());
    assert!(stage.store.session(nobody).await.unwrap().is_none());
    assert_eq!(stage.kinds().await, []);
}

/// Nothing of the row moves where the answer is no.
pub async fn a_refusal_changes_nothing(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    for g in 0..6 {
        stage.renew(&session, g).await.unwrap();
    }
    let before = stage.session(session.id).await;
    stage.clock.step(60_000);
    let mut wrong_client = stage.request(session.id, 6, &[]);
    wrong_client.presented.by = PresentedBy::Client(ClientId::new("other").unwrap());
    let mismatch = stage.request(session.id, 6, &[(5, &own_id(5))]);
    let superseded = stage.request(session.id, 3, &[(3, &own_id(3))]);
    let ahead = stage.request(session.id, 23, &[]);
    let expected = [
        (wrong_client, Decision::Refuse(Refusal::WrongClient)),
        (mismatch, Decision::Mismatch { generation: Generation(6) }),
        (superseded, Decision::Refuse(Refusal::Superseded)),
        (ahead, Decision::Refuse(Refusal::Ahead)),
    ];
    for (request, decision) in expected {
        let rotated = stage.ask(request).await;
        assert_eq!(rotated.decision, decision);
        assert_eq!(rotated.row.unwrap().0, before);
        assert_eq!(stage.session(session.id).await, before);
    }
    assert_eq!(stage.endings().await, []);
}

/// Ids that are there and ids that are not, times, the secret, and the count of grace repeats.
pub async fn what_rotation_remembers_is_kept_to_the_last_field(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    // The second and fourth rotations come without an id.
    for (g, ids) in [(0, true), (1, false), (2, true), (3, false), (4, true)] {
        stage.clock.step(1_000);
        let mut request = stage.request(session.id, g, &[]);
        if ids {
            request = stage.request(session.id, g, &[(g, &own_id(g))]);
        }
        request.presented.successor_key = TokenKeyId(200 + u8::try_from(g).unwrap());
        let rotated = stage.ask(request).await;
        let row = *rotated.decision.state().unwrap();
        assert_eq!((row.rotated_at, rotated.now), (stage.now(), stage.now()));
        assert_eq!(stage.state(session.id).await, row);
    }
    let there = stage.state(session.id).await.attempts.newest_first().map(|id| id.is_some());
    assert_eq!(there, [true, false, true, false]);
    assert_eq!(stage.state(session.id).await.token_key, TokenKeyId(204));

    // A repeat is seen, but the window and the secret stay.
    let rotated_at = stage.now();
    stage.clock.step(3_600_000);
    let repeat = stage.rotate(&session, 4, &[(4, &own_id(4))]).await;
    assert!(matches!(repeat, Decision::Repeat { because: RepeatProof::Attempts, .. }), "{repeat:?}");
    let row = stage.state(session.id).await;
    assert_eq!((row.rotated_at, row.seen_at, row.token_key), (rotated_at, stage.now(), TokenKeyId(204)));

    stage.rotate(&session, 5, &[]).await;
    let graced = stage.rotate(&session, 5, &[]).await;
    assert!(
        matches!(graced, Decision::Repeat { because: RepeatProof::Grace { alarm: false }, .. }),
        "{graced:?}"
    );
    let row = stage.state(session.id).await;
    assert_eq!((row.grace_run, row.grace_used), (1, true));
    assert_eq!(graced.state(), Some(&row));
}

/// What comes back with a decision is what the store then holds.
pub async fn every_answer_shows_the_row_as_it_is(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for client in [BUILT_IN, SINGLE] {
        let session = stage.sign_in_on(&format!("sam-{client}"), client).await;
        // Rotate, repeat, refuse, reuse, refuse.
        for (g, id) in [(0, 0), (0, 0), (40, 40), (0, 9), (1, 1)] {
            stage.clock.step(1_000);
            let rotated = stage.ask(stage.request(session.id, g, &[(g, &own_id(id))])).await;
            assert_eq!(rotated.now, stage.now());
            assert_eq!(rotated.row, stage.store.session(session.id).await.unwrap());
        }
    }
}

/// Makes somebody else use a token of `session` that its holder has used.
async fn steal(stage: &Stage, session: &Session) -> Timestamp {
    assert_eq!(stage.renew(session, 0).await, Ok(1));
    stage.clock.step(60_000);
    let decision = stage.rotate(session, 0, &[(0, "attempt-of-somebody-else")]).await;
    assert!(matches!(decision, Decision::Reuse { .. }), "{decision:?}");
    stage.now()
}

/// One stolen session ends all of its subject's, and nobody else's.
pub async fn reuse_ends_every_session_of_the_subject(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let stolen = stage.sign_in("sam").await;
    let beside = stage.sign_in("sam").await;
    let elsewhere = stage.sign_in_on("sam", SINGLE).await;
    let bystander = stage.sign_in("kim").await;
    let at = steal(&stage, &stolen).await;
    let over = Err(Refusal::Ended(EndingReason::Reused));
    assert_eq!(stage.renew(&stolen, 1).await, over);
    assert_eq!(stage.renew(&beside, 0).await, over);
    assert_eq!(stage.renew(&elsewhere, 0).await, over);
    assert_eq!(stage.renew(&bystander, 0).await, Ok(1));
    let not_before = Timestamp::from_millis(at.millis() + 1);
    assert_eq!(stage.endings().await, [Ending::Subject { sub: sub("sam"), not_before }]);
    assert_eq!(stage.store.sessions_of(&sub("sam"), 10).await.unwrap().len(), 0);
    let again = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&again, 0).await, Ok(1));
}

/// One stolen session ends by itself where the client says so.
pub async fn reuse_ends_the_one_session_where_the_policy_says_so(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let stolen = stage.sign_in_on("sam", SINGLE).await;
    let beside = stage.sign_in_on("sam", SINGLE).await;
    steal(&stage, &stolen).await;
    assert_eq!(stage.renew(&stolen, 1).await, Err(Refusal::Ended(EndingReason::Reused)));
    assert_eq!(stage.renew(&beside, 0).await, Ok(1));
    assert_eq!(stage.endings().await, [Ending::Session(stolen.id)]);
    let revoked = stage.session(stolen.id).await.revoked.unwrap();
    assert_eq!((revoked.at, revoked.why), (stage.now(), EndingReason::Reused));
}

/// Rotations and repeats leave no trace in the audit; what is out of the ordinary does, once each.
pub async fn only_what_somebody_may_ask_about_is_an_event(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let jkt = Some(Thumbprint([5; 32]));
    let bound = stage.open(NewSession { jkt, ..stage.new_session("kim", BUILT_IN) }).await;
    let session = stage.sign_in("sam").await;
    for g in 0..4 {
        stage.renew(&session, g).await.unwrap();
        stage.rotate(&session, g, &[(g, &own_id(g))]).await;
    }
    stage.rotate(&session, 4, &[(3, &own_id(3))]).await;
    stage.ask(stage.request(SessionId::new(stage.now(), [8; 10]), 0, &[])).await;
    assert_eq!(stage.kinds().await, [EventKind::SignedIn; 2]);

    stage.rotate(&session, 1, &[(1, &own_id(1))]).await;
    stage.rotate(&bound, 0, &[]).await;
    let mut proven = stage.request(bound.id, 0, &[]);
    proven.presented.proof = Proof::Good(Thumbprint([5; 32]));
    assert!(matches!(stage.ask(proven).await.decision, Decision::Rotate { .. }));
    let events = stage.events().await;
    assert_eq!(events.len(), 4);
    assert_eq!((events[2].kind, events[3].kind), (EventKind::Superseded, EventKind::ProofMissing));
    for (event, session) in [(&events[2], &session), (&events[3], &bound)] {
        assert_eq!(event.session, Some(session.id));
        assert_eq!(
            (event.subject.as_ref(), event.client.as_ref()),
            (Some(&session.subject), Some(&session.client))
        );
        assert_eq!((event.address.as_deref(), event.at), (Some("192.0.2.1"), stage.now()));
    }
}

/// A client without ids that is shadowed generation after generation raises an event.
pub async fn three_generations_on_grace_are_an_event(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    for g in 0..4 {
        for _ in 0..3 {
            assert!(stage.rotate(&session, g, &[]).await.state().is_some());
        }
        let told = stage.kinds().await.iter().filter(|kind| **kind == EventKind::GraceRepeated).count();
        assert_eq!(told, usize::try_from(g.saturating_sub(1)).unwrap());
    }
}
