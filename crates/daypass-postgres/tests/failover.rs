//! A primary that is killed and a standby that takes its place: what is healed, what is kept, and what is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod stage;

use std::net::Ipv4Addr;
use std::sync::Arc;

use daypass_core::{Decision, Ending, EndingReason, EventKind, Refusal, SessionId};
use daypass_postgres::testing::{Cluster, free_address};
use daypass_storage::{FeedCursor, FeedPage, RotateRequest, Source, Store, StoreError};

use stage::{attempt, cluster_folder, open, request, sign_in};

const STANDBY: &str = "standby";

/// A primary, its standby, and a store that knows the addresses of both.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    store: Arc<dyn Store>,
}

impl Pair {
    async fn start() -> Self {
        let primary = Cluster::start(&cluster_folder(), "");
        let database = primary.database().await;
        let standby = primary.standby(STANDBY, free_address(Ipv4Addr::LOCALHOST));
        let store = open(&primary.url_at_any(&[primary.address(), standby.address()], &database)).await;
        Self { primary, standby, store }
    }

    /// The primary is gone at once, and the standby takes its place.
    fn fail_over(&self) {
        self.primary.kill();
        self.standby.promote();
    }

    async fn end(&self, session: SessionId) -> Result<(), StoreError> {
        let ended = self.store.end_session(session, None, EndingReason::Revoked, Source::default()).await;
        ended.map(drop)
    }

    /// Ends a session, asking as often as it takes.
    async fn end_surely(&self, session: SessionId) {
        while self.end(session).await.is_err() {}
    }

    /// What is decided about a request, asked as often as it takes.
    async fn decided(&self, request: impl Fn() -> RotateRequest) -> Decision {
        loop {
            match self.store.rotate(request()).await {
                Ok(rotated) => return rotated.decision,
                Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// The generation that a client reaches which presents generation `g` with all its ids.
    async fn renewed(&self, session: SessionId, g: u32) -> u32 {
        let ids: Vec<_> = (g.max(3) - 3..=g).rev().map(|g| (g, attempt(g))).collect();
        match self.decided(|| request(session, g, &ids)).await {
            // Of two tries the first may have done it.
            Decision::Rotate { state, .. } | Decision::Repeat { state, .. } => state.generation.0,
            other => panic!("{other:?}"),
        }
    }

    /// The sessions of which the audit says that lost rotations were healed, as often as it says so.
    async fn healed(&self) -> Vec<Option<SessionId>> {
        let events = self.store.events(0, 100).await.unwrap();
        let healed = events.into_iter().filter(|(_, event)| event.kind == EventKind::Healed);
        healed.map(|(_, event)| event.session).collect()
    }
}

fn ended(page: &FeedPage) -> Vec<SessionId> {
    let session = |entry: &daypass_core::FeedEntry| match entry.ending {
        Ending::Session(session) => Some(session),
        Ending::Subject { .. } => None,
    };
    page.entries.iter().filter_map(session).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_synchronous_standby_lost_rotations_heal_and_nothing_else_is_lost() {
    let pair = Pair::start().await;
    pair.primary.wait_for_standby(STANDBY).await;
    let (sam, kim) = (sign_in(&*pair.store, "sam").await, sign_in(&*pair.store, "kim").await);
    let lee = sign_in(&*pair.store, "lee").await;
    assert_eq!(pair.renewed(sam, 0).await, 1);
    pair.end_surely(kim).await;
    let before = pair.store.feed(None, 10).await.unwrap();
    assert_eq!(ended(&before), [kim]);

    pair.standby.stop_receiving().await;
    for g in 1..4 {
        assert_eq!(pair.renewed(sam, g).await, g + 1, "the primary alone acknowledges a rotation");
    }
    let unacknowledged = pair.end(lee).await;
    assert!(matches!(unacknowledged, Err(StoreError::OutcomeUnknown(_))), "{unacknowledged:?}");
    pair.fail_over();

    assert_eq!(pair.renewed(sam, 4).await, 5, "the token that the last lost rotation gave is good");
    assert_eq!(pair.healed().await, [Some(sam)]);
    assert_eq!(pair.renewed(sam, 5).await, 6);
    assert_eq!(pair.healed().await, [Some(sam)], "that was all");

    let refused = pair.decided(|| request(kim, 0, &[(0, attempt(0))])).await;
    assert_eq!(refused, Decision::Refuse(Refusal::Ended(EndingReason::Revoked)), "it was acknowledged");
    let after = pair.store.feed(Some(before.cursor), 10).await.unwrap();
    assert!(after.reset && after.cursor.epoch != before.cursor.epoch, "{after:?}");
    assert_eq!(ended(&after), [kim]);
    assert_eq!(pair.renewed(lee, 0).await, 1, "it was not acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_synchronous_standby_sign_ins_and_revocations_that_it_had_not_seen_are_lost_as_well() {
    let pair = Pair::start().await;
    let (sam, kim) = (sign_in(&*pair.store, "sam").await, sign_in(&*pair.store, "kim").await);
    pair.end_surely(sam).await;
    pair.primary.until_followed_by(STANDBY).await;

    pair.standby.stop_receiving().await;
    let lee = sign_in(&*pair.store, "lee").await;
    pair.end_surely(kim).await;
    let before = pair.store.feed(None, 10).await.unwrap();
    assert_eq!(ended(&before), [sam, kim]);
    pair.fail_over();

    let refused = pair.decided(|| request(sam, 0, &[(0, attempt(0))])).await;
    assert_eq!(refused, Decision::Refuse(Refusal::Ended(EndingReason::Revoked)), "the standby had seen it");
    assert_eq!(pair.renewed(kim, 0).await, 1, "the revocation is lost");
    let unknown = pair.decided(|| request(lee, 0, &[(0, attempt(0))])).await;
    assert_eq!(unknown, Decision::Refuse(Refusal::Unknown), "the sign-in is lost");
    // Kim's place is given anew.
    pair.end_surely(kim).await;
    let after = pair.store.feed(Some(before.cursor), 10).await.unwrap();
    assert!(after.reset, "{after:?}");
    assert_eq!((ended(&after), after.cursor.sequence), (vec![sam, kim], before.cursor.sequence));
    let deaf = FeedCursor { epoch: after.cursor.epoch, ..before.cursor };
    let missed = pair.store.feed(Some(deaf), 10).await.unwrap();
    assert!(
        !missed.reset && missed.entries.is_empty(),
        "whoever did not begin anew would miss it: {missed:?}"
    );
}
