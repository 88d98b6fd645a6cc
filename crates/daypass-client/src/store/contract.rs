//! The contract suite: what every store has to keep, as tests that each store runs.
//!
//! A store's tests implement [`Harness`] and name it once; each rule then shows as a test of its own,
//! `a_stale_writer_changes_nothing` and so on:
//!
//! ```ignore
//! daypass_client::store_contract_tests!(MyHarness::new());
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite of tests fails by panicking"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::{Exchange, Guard, StoreError, Stored, TokenStore, Version};
use crate::{Access, AccessToken, Attempt, Record, RefreshToken};

/// How long a rule waits for what has to happen. It is there against hanging: no rule is about time.
const LONG: Duration = Duration::from_mins(1);

/// A wait that is in vain.
const SHORT: Duration = Duration::from_millis(20);

/// How a rule gets at a store. One harness is one place to keep a session, with nothing in it at first.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the place. It may be open already, by another store.
    async fn open(&self) -> Arc<dyn TokenStore>;
}

/// Makes a test of every rule. The expression gives a new [`Harness`] each time it is evaluated. Needs `tokio` with
/// its macros and the multi-threaded runtime.
#[macro_export]
macro_rules! store_contract_tests {
    ($harness:expr) => {
        $crate::store_contract_tests! { @tests $harness;
            a_new_store_holds_nothing
            what_is_written_is_kept_to_the_last_field
            a_stale_writer_changes_nothing
            a_removal_is_a_change_like_any_other
            no_version_comes_twice
            of_many_first_writers_one_writes
            eight_tasks_lose_no_update
            a_write_that_nobody_waits_for_is_whole_or_absent
            the_lock_is_one_holders_until_he_drops_it
            one_at_a_time_renews
            a_waiter_who_leaves_takes_nothing_along
            whoever_renews_holds_up_no_writer
            changes_are_heard_of
            nothing_prints_a_token
        }
    };
    (@tests $harness:expr; $($rule:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                $crate::store::contract::watched($crate::store::contract::$rule($harness)).await;
            }
        )+
    };
}

/// Ends a rule that hangs.
#[doc(hidden)]
pub async fn watched(rule: impl Future<Output = ()>) {
    tokio::time::timeout(LONG * 3, rule).await.unwrap_or_else(|_| panic!("the rule hangs"));
}

/// A store that was never written to is of the version [`Version::EMPTY`].
pub async fn a_new_store_holds_nothing(place: impl Harness) {
    assert_eq!(load(&place).await, Stored { version: Version::EMPTY, record: None });
}

/// Another store on the same place reads what one wrote.
pub async fn what_is_written_is_kept_to_the_last_field(place: impl Harness) {
    for record in [bare(), full()] {
        let store = place.open().await;
        let read = store.load().await.unwrap().version;
        let version = done(exchange(&*store, read, Some(&record)).await);
        assert_eq!(load(&place).await, Stored { version, record: Some(record) });
    }
}

/// Whoever has read an older state, or none, is told what is there.
pub async fn a_stale_writer_changes_nothing(place: impl Harness) {
    let store = place.open().await;
    let first = done(exchange(&*store, Version::EMPTY, Some(&bare())).await);
    let version = done(exchange(&*store, first, Some(&full())).await);
    let there = Stored { version, record: Some(full()) };
    let late = place.open().await;
    for read in [Version::EMPTY, first, Version(version.0 ^ 1)] {
        for new in [None, Some(&bare())] {
            assert_eq!(exchange(&*late, read, new).await, Exchange::Conflict(there.clone()));
        }
    }
    assert_eq!(load(&place).await, there);
}

/// What was removed is gone for everybody, and nobody who saw it, or saw the store empty, writes over that.
pub async fn a_removal_is_a_change_like_any_other(place: impl Harness) {
    let store = place.open().await;
    let written = done(exchange(&*store, Version::EMPTY, Some(&full())).await);
    let version = done(exchange(&*store, written, None).await);
    let there = Stored { version, record: None };
    assert_eq!(load(&place).await, there);
    for read in [Version::EMPTY, written] {
        let exchange = exchange(&*store, read, Some(&bare())).await;
        assert_eq!(exchange, Exchange::Conflict(there.clone()));
    }
    done(exchange(&*store, version, Some(&bare())).await);
    assert_eq!(load(&place).await.record, Some(bare()));
}

/// Not after the same record was written again, and not after a removal.
pub async fn no_version_comes_twice(place: impl Harness) {
    let store = place.open().await;
    let mut seen = HashSet::from([Version::EMPTY]);
    let mut read = Version::EMPTY;
    for round in 0..100 {
        let new = bare();
        read = done(exchange(&*store, read, (round % 4 != 0).then_some(&new)).await);
        assert!(seen.insert(read), "{read:?} came twice");
    }
}

/// The others learn who was first.
pub async fn of_many_first_writers_one_writes(place: impl Harness) {
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let store = place.open().await;
        tasks.spawn(async move {
            let mine = Record { session_id: format!("{number}"), ..bare() };
            (mine.clone(), exchange(&*store, Version::EMPTY, Some(&mine)).await)
        });
    }
    let (mut written, mut told) = (Vec::new(), Vec::new());
    for (mine, exchange) in tasks.join_all().await {
        match exchange {
            Exchange::Done(version) => written.push(Stored { version, record: Some(mine) }),
            Exchange::Conflict(there) => told.push(there),
        }
    }
    assert_eq!(written.len(), 1);
    assert_eq!(told.len(), 15);
    let there = load(&place).await;
    assert!(told.iter().chain(&written).all(|known| *known == there));
}

/// Eight tasks on two stores count to 800 between them.
pub async fn eight_tasks_lose_no_update(place: impl Harness) {
    let stores = [place.open().await, place.open().await];
    done(exchange(&*stores[0], Version::EMPTY, Some(&bare())).await);
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&stores[number % 2]);
        tasks.spawn(async move {
            for _ in 0..100 {
                increment(&*store).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(load(&place).await.record.unwrap().generation, 800);
}

/// A caller that leaves in mid-write does not tear it, and does not keep others out.
pub async fn a_write_that_nobody_waits_for_is_whole_or_absent(place: impl Harness) {
    let store = place.open().await;
    let mut before = Stored::default();
    for round in 0..50 {
        let new = Record { generation: round, ..full() };
        let left = {
            let writing = store.compare_exchange(before.version, Some(&new));
            // Polled a few times only: how far it comes is chance.
            tokio::select! {
                biased;
                exchange = writing => Some(done(exchange.unwrap())),
                () = yields(round) => None,
            }
        };
        // Whoever writes next is behind it, and finds one state or the other.
        let there = match exchange(&*store, before.version, Some(&bare())).await {
            Exchange::Done(version) => Stored { version, record: Some(bare()) },
            Exchange::Conflict(there) => {
                assert_eq!(there.record, Some(new));
                assert!(left.is_none_or(|version| version == there.version));
                there
            }
        };
        assert_eq!(load(&place).await, there);
        before = there;
    }
}

/// A wait for a lock that somebody has is in vain; when he drops it, the next one gets it.
pub async fn the_lock_is_one_holders_until_he_drops_it(place: impl Harness) {
    let (store, other) = (place.open().await, place.open().await);
    let guard = locked(&*store).await;
    assert!(store.lock(SHORT).await.unwrap().is_none());
    assert!(other.lock(SHORT).await.unwrap().is_none());
    let next = tokio::spawn(async move { locked(&*other).await });
    drop(guard);
    let guard = next.await.unwrap();
    assert!(store.lock(SHORT).await.unwrap().is_none());
    drop(guard);
    locked(&*store).await;
}

/// Many who want the lock have it one after the other.
pub async fn one_at_a_time_renews(place: impl Harness) {
    let inside = Arc::new(AtomicUsize::new(0));
    let stores = [place.open().await, place.open().await];
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let (store, inside) = (Arc::clone(&stores[number % 2]), Arc::clone(&inside));
        tasks.spawn(async move {
            for _ in 0..10 {
                let _guard = locked(&*store).await;
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have the lock");
                yields(3).await;
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
    tasks.join_all().await;
}

/// Neither those that never got it nor those that left just then keep a lock.
pub async fn a_waiter_who_leaves_takes_nothing_along(place: impl Harness) {
    let (store, other) = (place.open().await, place.open().await);
    for round in 0..20 {
        let guard = (round % 2 == 0).then_some(locked(&*store).await);
        tokio::select! {
            biased;
            got = other.lock(LONG) => drop(got.unwrap()),
            () = yields(round) => {}
        }
        drop(guard);
        locked(&*store).await;
    }
}

/// A frozen renewer is not in the way of a sign-out.
pub async fn whoever_renews_holds_up_no_writer(place: impl Harness) {
    let (store, other) = (place.open().await, place.open().await);
    let _guard = locked(&*store).await;
    let version = done(exchange(&*other, Version::EMPTY, Some(&full())).await);
    done(exchange(&*store, version, None).await);
}

/// A store that tells of changes tells of each one's version.
pub async fn changes_are_heard_of(place: impl Harness) {
    let (store, other) = (place.open().await, place.open().await);
    let Some(mut changes) = other.changes() else { return };
    let mut version = Version::EMPTY;
    for new in [Some(bare()), Some(full()), None] {
        version = done(exchange(&*store, version, new.as_ref()).await);
        let heard = tokio::time::timeout(LONG, changes.wait_for(|heard| *heard == version)).await;
        assert_eq!(*heard.unwrap().unwrap(), version);
    }
}

/// Neither the store nor anything that it answers.
pub async fn nothing_prints_a_token(place: impl Harness) {
    let store = place.open().await;
    let version = done(exchange(&*store, Version::EMPTY, Some(&full())).await);
    let conflict = exchange(&*store, Version::EMPTY, None).await;
    let printed = format!("{store:?} {:?} {conflict:?} {version:?}", store.load().await.unwrap());
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{printed}");
    }
}

const SECRETS: [&str; 4] = ["a-refresh-token", "an-access-token", "the-first-attempt", "the-second-attempt"];

/// The least that a session has.
fn bare() -> Record {
    Record {
        service: "https://id.example".to_owned(),
        client_id: None,
        session_id: "0197f6a0-0000-7000-8000-000000000000".to_owned(),
        generation: 0,
        refresh_token: RefreshToken::from("another-refresh-token".to_owned()),
        attempts: Vec::new(),
        access: None,
        ends_at_ms: None,
    }
}

/// All that a session can have, at the limits of what it can be.
fn full() -> Record {
    let [refresh, access, first, second] = SECRETS.map(str::to_owned);
    Record {
        client_id: Some("an \"odd\" näme\u{0}\n".to_owned()),
        generation: u32::MAX,
        refresh_token: RefreshToken::from(refresh),
        attempts: vec![
            Attempt { generation: u32::MAX, id: first },
            Attempt { generation: u32::MAX - 1, id: second },
        ],
        access: Some(Access {
            token: AccessToken::from(access),
            requested_at_ms: u64::MAX,
            expires_in: u64::MAX,
            refresh_in: Some(0),
        }),
        ends_at_ms: Some(u64::MAX),
        ..bare()
    }
}

async fn load(place: &impl Harness) -> Stored {
    place.open().await.load().await.unwrap()
}

fn done(exchange: Exchange) -> Version {
    match exchange {
        Exchange::Done(version) => version,
        Exchange::Conflict(there) => panic!("somebody was quicker: {there:?}"),
    }
}

/// Nobody is in anybody's way for long, but a disk may be slow: [`StoreError::Busy`] says to come again.
async fn exchange(store: &dyn TokenStore, read: Version, new: Option<&Record>) -> Exchange {
    loop {
        match store.compare_exchange(read, new).await {
            Err(StoreError::Busy) => tokio::task::yield_now().await,
            exchange => return exchange.unwrap(),
        }
    }
}

async fn locked(store: &dyn TokenStore) -> Guard {
    store.lock(LONG).await.unwrap().unwrap_or_else(|| panic!("nobody has the lock, and nobody gets it"))
}

async fn increment(store: &dyn TokenStore) {
    let mut there = store.load().await.unwrap();
    loop {
        let record = there.record.unwrap();
        let new = Record { generation: record.generation + 1, ..record };
        match exchange(store, there.version, Some(&new)).await {
            Exchange::Done(_) => return,
            Exchange::Conflict(newer) => there = newer,
        }
    }
}

async fn yields(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}
