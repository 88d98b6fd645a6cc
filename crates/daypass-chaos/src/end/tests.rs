//! Each way in which a store can differ from what the wire showed is noticed.

use daypass_core::{ClientId, EndingReason, Event, NewSession, Origin, Scope, SubjectId, TokenKeyId};
use daypass_storage::{Opened, Source};

use super::*;
use crate::ledger::{Outcome, Party, Presented};
use crate::token::Print;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A store with one session, which has never been rotated.
struct Ground {
    data: tempfile::TempDir,
    session: SessionId,
    run: Arc<Run>,
}

impl Ground {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let new = NewSession {
            random: [7; 10],
            subject: SubjectId::new("sam").unwrap(),
            client: ClientId::new(daypass_core::client::BUILT_IN).unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: None,
            jkt: None,
            token_key: TokenKeyId(1),
        };
        let opened = open(data.path()).unwrap().open_session(new, Origin::default(), None).await.unwrap();
        let Opened::Session(session, _) = opened else { panic!("no session was opened") };
        Self { data, session: session.id, run: Run::new(1, 1, None) }
    }

    /// The wire showed that a request of this generation was given its successor; or it showed only the request.
    fn shown(&self, session: SessionId, generation: u32, answered: bool) {
        let mut bytes = vec![1];
        bytes.extend(session.as_bytes());
        bytes.extend(generation.to_be_bytes());
        bytes.extend([0; 32]);
        let token = format!("dpr_{}", URL_SAFE_NO_PAD.encode(bytes));
        let mut request = Presented::read(&token, Some("abc"), Party::Owner).unwrap();
        self.run.ledger.arrive(&mut request);
        if answered {
            let outcome = Outcome::Successor { generation: generation + 1, token: Print::of("successor") };
            self.run.ledger.settle(&request, &outcome, &self.run.account);
        }
    }

    async fn objections(&self) -> Vec<(Zero, u64)> {
        compare(&self.run, &open(self.data.path()).unwrap()).await.unwrap();
        self.run.account.zeros().into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[tokio::test]
async fn a_store_that_has_what_was_acknowledged_is_fine() {
    let ground = Ground::new().await;
    ground.shown(ground.session, 0, false);
    assert_eq!(ground.objections().await, []);
}

#[tokio::test]
async fn the_machine_is_not_blamed_for_more_than_it_does() {
    for (held_up, expected) in [(6, None), (7, Some((Zero::Others, 1)))] {
        let ground = Ground::new().await;
        ground.shown(ground.session, 0, false);
        ground.run.account.add_many(What::Requests, 2_000);
        ground.run.account.add_many(What::HeldUpTooLong, held_up);
        assert_eq!(ground.objections().await, expected.into_iter().collect::<Vec<_>>(), "{held_up}");
    }
}

#[tokio::test]
async fn a_rotation_that_was_acknowledged_and_is_not_stored_is_lost() {
    let ground = Ground::new().await;
    ground.shown(ground.session, 0, true);
    assert_eq!(ground.objections().await, [(Zero::LostRotations, 1)]);
}

#[tokio::test]
async fn a_session_that_is_not_stored_is_lost() {
    let ground = Ground::new().await;
    ground.shown(SessionId::from_bytes([9; 16]), 0, false);
    assert_eq!(ground.objections().await, [(Zero::LostRotations, 1)]);
}

#[tokio::test]
async fn what_the_audit_tells_of_lost_rotations_is_heard() {
    for (kind, zero) in [
        (EventKind::Healed, Some(Zero::LostRotations)),
        (EventKind::GenerationAhead, Some(Zero::LostRotations)),
        (EventKind::Superseded, None),
    ] {
        let ground = Ground::new().await;
        ground.shown(ground.session, 0, false);
        let event = Event::new(Timestamp::from_millis(0), kind).in_session(ground.session);
        open(ground.data.path()).unwrap().record(event).await.unwrap();
        assert_eq!(ground.objections().await, zero.map(|zero| (zero, 1)).into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_alarm_for_nobodys_theft_is_false_and_one_too_many() {
    let ground = Ground::new().await;
    ground.shown(ground.session, 0, false);
    let event = Event::new(Timestamp::from_millis(0), EventKind::Reused).in_session(ground.session);
    open(ground.data.path()).unwrap().record(event).await.unwrap();
    assert_eq!(ground.objections().await, [(Zero::FalseAlarms, 2)]);
}

#[tokio::test]
async fn a_theft_raises_an_alarm_or_gains_nothing() {
    for (nothing, expected) in [(false, vec![(Zero::Unnoticed, 1)]), (true, vec![])] {
        let ground = Ground::new().await;
        ground.shown(ground.session, 0, false);
        ground.run.ledger.rob(ground.session);
        ground.run.account.add(What::StoreThefts);
        if nothing {
            ground.run.account.add(What::NothingGained);
        }
        assert_eq!(ground.objections().await, expected, "{nothing}");
    }
}

#[tokio::test]
async fn an_alarm_for_a_theft_is_as_it_should_be() {
    let ground = Ground::new().await;
    ground.shown(ground.session, 0, false);
    ground.run.ledger.rob(ground.session);
    ground.run.account.add(What::TokenThefts);
    let store = open(ground.data.path()).unwrap();
    store.end_session(ground.session, None, EndingReason::Reused, Source::default()).await.unwrap();
    drop(store);
    assert_eq!(ground.objections().await, []);
}

#[tokio::test]
async fn a_thief_who_gained_nothing_may_raise_the_alarm_after_all() {
    for given_up in [false, true] {
        let ground = Ground::new().await;
        ground.shown(ground.session, 0, false);
        ground.run.ledger.rob(ground.session);
        ground.run.account.add(What::StoreThefts);
        ground.run.account.add(What::NothingGained);
        if given_up {
            ground.run.ledger.abandon(ground.session);
        }
        let store = open(ground.data.path()).unwrap();
        store.end_session(ground.session, None, EndingReason::Reused, Source::default()).await.unwrap();
        drop(store);
        let expected = if given_up { vec![] } else { vec![(Zero::FalseAlarms, 1)] };
        assert_eq!(ground.objections().await, expected, "{given_up}");
    }
}

#[tokio::test]
async fn an_honest_session_that_was_ended_is_noticed_unless_its_holder_gave_it_up() {
    for abandoned in [false, true] {
        let ground = Ground::new().await;
        ground.shown(ground.session, 0, true);
        if abandoned {
            ground.run.ledger.abandon(ground.session);
        }
        let store = open(ground.data.path()).unwrap();
        store.end_session(ground.session, None, EndingReason::Revoked, Source::default()).await.unwrap();
        drop(store);
        let lost = (Zero::LostRotations, 1);
        let expected = if abandoned { vec![lost] } else { vec![(Zero::FalseAlarms, 1), lost] };
        assert_eq!(ground.objections().await, expected, "{abandoned}");
    }
}
