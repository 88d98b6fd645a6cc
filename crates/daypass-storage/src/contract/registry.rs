//! Clients and keys.

use std::time::Duration;

use daypass_core::client::Ttl;
use daypass_core::{Client, ClientId, ClientKind, EventKind, Grant, OnReuse, Scope, Timestamp};

use super::Harness;
use super::stage::{BUILT_IN, Stage, from_test, public};
use crate::{AddClient, AddKey, DropKey, KeyPurpose, KeyRecord, Lease};

/// A registration with something in every field.
fn full(id: &str) -> Client {
    Client {
        id: ClientId::new(id).unwrap(),
        kind: ClientKind::Confidential,
        first_party: true,
        disabled: true,
        grants: vec![Grant::ClientCredentials, Grant::RefreshToken],
        scopes: "orders:read daypass:feed".parse::<Scope>().unwrap(),
        audience: Some("https://api.example.org/é".to_owned()),
        redirect_uris: vec!["https://a.example.org/cb?x=1".to_owned(), "app:/b".to_owned()],
        claims: vec!["name".to_owned(), "*".to_owned()],
        ttl: Ttl { access: Some(60), session: Some(0), idle: None, grace: Some(0) },
        on_reuse: Some(OnReuse::Session),
        secrets: vec![[7; 32], [255; 32]],
    }
}

/// Registrations come back as they were, and tell of their coming and going.
pub async fn clients_come_back_whole(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    assert_eq!(stage.store.clients().await.unwrap(), [], "the built-in one is not registered");
    for client in [full("full"), public("bare")] {
        assert_eq!(stage.store.add_client(client, from_test()).await.unwrap(), AddClient::Added);
    }
    let mut clients = stage.store.clients().await.unwrap();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(clients, [public("bare"), full("full")]);
    let event = &stage.events().await[0];
    assert_eq!((event.kind, event.client.as_ref()), (EventKind::ClientAdded, Some(&full("full").id)));
    assert_eq!(event.detail.as_deref(), Some("by a test"));
}

/// One of a name; whether something changed shows in the version.
pub async fn clients_are_registered_once(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let version = async || stage.store.versions().await.unwrap();
    let first = version().await;
    assert_eq!(stage.store.add_client(full("shop"), from_test()).await.unwrap(), AddClient::Added);
    let second = version().await;
    assert_ne!(first.clients, second.clients);
    assert_eq!(stage.store.add_client(public("shop"), from_test()).await.unwrap(), AddClient::Taken);
    assert_eq!(stage.store.add_client(public(BUILT_IN), from_test()).await.unwrap(), AddClient::Taken);
    assert_eq!(stage.store.clients().await.unwrap(), [full("shop")]);
    let (shop, nobody) = (ClientId::new("shop").unwrap(), ClientId::new("nobody").unwrap());
    assert!(!stage.store.remove_client(nobody, from_test()).await.unwrap());
    assert_eq!(version().await, second);
    assert!(stage.store.remove_client(shop.clone(), from_test()).await.unwrap());
    assert!(!stage.store.remove_client(shop, from_test()).await.unwrap());
    assert_eq!(stage.store.clients().await.unwrap(), []);
    let third = version().await;
    assert_ne!(third.clients, second.clients);
    assert_eq!(third.keys, first.keys);
    assert_eq!(stage.kinds().await, [EventKind::ClientAdded, EventKind::ClientRemoved]);
}

fn key(stage: &Stage, id: &str, purpose: KeyPurpose, active_in: u64) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        purpose,
        algorithm: "ES256".to_owned(),
        sealed: (0..=255).collect(),
        created_at: stage.now(),
        active_from: stage.now().plus(Duration::from_millis(active_in)),
        retired_from: None,
    }
}

async fn add(stage: &Stage, key: KeyRecord) {
    let expected = stage.store.versions().await.unwrap().keys;
    assert!(stage.store.add_key(AddKey { key, expected, fence: None, source: from_test() }).await.unwrap());
    assert_ne!(stage.store.versions().await.unwrap().keys, expected);
}

async fn drop(stage: &Stage, id: &str) -> bool {
    let expected = stage.store.versions().await.unwrap().keys;
    stage.store.drop_key(DropKey { id: id.to_owned(), expected, fence: None }).await.unwrap()
}

async fn find(stage: &Stage, id: &str) -> KeyRecord {
    let keys = stage.store.keys().await.unwrap();
    keys.into_iter().find(|key| key.id == id).expect("the key is there")
}

/// Two that rotate the keys at once: the second finds that they have changed.
pub async fn a_key_is_added_only_to_what_its_maker_saw(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let expected = stage.store.versions().await.unwrap().keys;
    let first = key(&stage, "a", KeyPurpose::AccessToken, 0);
    let second = key(&stage, "b", KeyPurpose::AccessToken, 0);
    let [one, two] =
        [first.clone(), second].map(|key| AddKey { key, expected, fence: None, source: from_test() });
    assert!(stage.store.add_key(one).await.unwrap());
    assert!(!stage.store.add_key(two).await.unwrap());
    let keys = stage.store.keys().await.unwrap();
    assert_eq!(keys, [first]);
    assert_eq!(stage.kinds().await, [EventKind::KeyRotated]);
}

/// The key before goes out of use when the new one comes into use; other purposes, and keys that go
/// out of use earlier, stay as they are.
pub async fn a_new_key_retires_the_one_before(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    add(&stage, key(&stage, "a", KeyPurpose::AccessToken, 0)).await;
    add(&stage, key(&stage, "1", KeyPurpose::RefreshToken, 0)).await;
    let retired = async |id: &str| find(&stage, id).await.retired_from;
    assert_eq!((retired("a").await, retired("1").await), (None, None));

    let active = |key: &KeyRecord| -> Option<Timestamp> { Some(key.active_from) };
    let b = key(&stage, "b", KeyPurpose::AccessToken, 5_000);
    add(&stage, b.clone()).await;
    assert_eq!((retired("a").await, retired("b").await, retired("1").await), (active(&b), None, None));
    stage.clock.step(60_000);
    let c = key(&stage, "c", KeyPurpose::AccessToken, 5_000);
    add(&stage, c.clone()).await;
    assert_eq!((retired("a").await, retired("b").await), (active(&b), active(&c)));
    let second = key(&stage, "2", KeyPurpose::RefreshToken, 7);
    add(&stage, second.clone()).await;
    assert_eq!((retired("1").await, retired("c").await), (active(&second), None));
    assert_eq!(find(&stage, "c").await, c);
}

/// Forgetting a key, once.
pub async fn a_dropped_key_is_gone(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    add(&stage, key(&stage, "a", KeyPurpose::AccessToken, 0)).await;
    add(&stage, key(&stage, "b", KeyPurpose::AccessToken, 0)).await;
    let before = stage.store.versions().await.unwrap();
    assert!(drop(&stage, "a").await);
    let after = stage.store.versions().await.unwrap();
    assert_ne!(before.keys, after.keys);
    assert!(!drop(&stage, "a").await);
    assert_eq!(stage.store.versions().await.unwrap(), after);
    let left = stage.store.keys().await.unwrap();
    assert_eq!(left.into_iter().map(|key| key.id).collect::<Vec<_>>(), ["b"]);
}

/// Two that drop a key each: the second finds that the keys have changed.
pub async fn a_key_is_dropped_only_from_what_its_dropper_saw(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    for id in ["a", "b"] {
        add(&stage, key(&stage, id, KeyPurpose::AccessToken, 0)).await;
    }
    let expected = stage.store.versions().await.unwrap().keys;
    let [one, two] = ["a", "b"].map(|id| DropKey { id: id.to_owned(), expected, fence: None });
    assert!(stage.store.drop_key(one).await.unwrap());
    let after = stage.store.versions().await.unwrap();
    assert!(!stage.store.drop_key(two).await.unwrap());
    assert_eq!(stage.store.versions().await.unwrap(), after);
    assert_eq!(find(&stage, "b").await.retired_from, None);
}

/// The key before one that is dropped goes out of use when that one would have: at the next one's
/// time, or not at all. Other purposes and other keys stay as they are.
pub async fn a_dropped_key_hands_its_end_to_the_one_before(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let retired = async |id: &str| find(&stage, id).await.retired_from;
    add(&stage, key(&stage, "a", KeyPurpose::AccessToken, 0)).await;
    add(&stage, key(&stage, "1", KeyPurpose::RefreshToken, 0)).await;
    let b = key(&stage, "b", KeyPurpose::AccessToken, 5_000);
    add(&stage, b.clone()).await;
    add(&stage, key(&stage, "2", KeyPurpose::RefreshToken, 5_000)).await;
    stage.clock.step(1_000);
    let c = key(&stage, "c", KeyPurpose::AccessToken, 5_000);
    add(&stage, c.clone()).await;
    assert!(drop(&stage, "b").await);
    assert_eq!((retired("a").await, retired("c").await), (Some(c.active_from), None));
    assert!(drop(&stage, "c").await);
    assert_eq!((retired("a").await, retired("1").await), (None, Some(b.active_from)));

    // A key that was replaced before its time stays so when the one that replaced it goes.
    let late = key(&stage, "late", KeyPurpose::AccessToken, 5_000);
    add(&stage, late.clone()).await;
    add(&stage, key(&stage, "now", KeyPurpose::AccessToken, 0)).await;
    stage.clock.step(1_000);
    let next = key(&stage, "next", KeyPurpose::AccessToken, 0);
    add(&stage, next.clone()).await;
    assert!(drop(&stage, "now").await);
    assert_eq!((retired("a").await, retired("late").await), (Some(late.active_from), Some(next.active_from)));
    assert!(drop(&stage, "late").await);
    assert_eq!((retired("a").await, retired("next").await), (Some(next.active_from), None));
}

/// One holder at a time, by the store's clock; a lease that has run out is given under a new number.
pub async fn the_keys_are_leased_to_one_at_a_time(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let lease = async |holder: u8| stage.store.lease([holder; 16], Duration::from_secs(90)).await.unwrap();
    let (of_a, beginning) = (lease(1).await.unwrap(), stage.now());
    assert_eq!(of_a.now, beginning);
    assert_eq!(lease(2).await, None, "it is a's");
    stage.clock.step(60_000);
    assert_eq!(lease(1).await, Some(Lease { now: stage.now(), ..of_a }), "renewed under its number");
    stage.clock.step(60_000);
    assert_eq!(lease(2).await, None, "renewed is renewed");
    stage.clock.step(30_000);
    let of_b = lease(2).await.unwrap();
    assert!(of_b.fence > of_a.fence && of_b.now == stage.now());
    assert_eq!(lease(1).await, None, "it is b's");
    stage.clock.step(90_000);
    let again = lease(2).await.unwrap();
    assert!(again.fence > of_b.fence, "somebody else could have had it in between");
    stage.clock.step(3_600_000);
    let ahead = lease(1).await.unwrap();
    stage.clock.step(-3_600_000);
    let of_b = lease(2).await.unwrap();
    assert!(of_b.fence > ahead.fence, "a clock that was ahead locks nobody out for as long as it was");
    assert_eq!(stage.kinds().await, []);
}

/// Whoever was stopped while he had the lease changes nothing after it was given to another, even if
/// the keys are as he saw them.
pub async fn a_lost_lease_changes_no_key(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let lease = async |holder: u8| stage.store.lease([holder; 16], Duration::from_secs(90)).await.unwrap();
    let add = async |id: &str, lease: Lease| {
        let expected = stage.store.versions().await.unwrap().keys;
        let key = key(&stage, id, KeyPurpose::AccessToken, 0);
        stage
            .store
            .add_key(AddKey { key, expected, fence: Some(lease.fence), source: from_test() })
            .await
            .unwrap()
    };
    let drop = async |id: &str, lease: Lease| {
        let expected = stage.store.versions().await.unwrap().keys;
        stage.store.drop_key(DropKey { id: id.to_owned(), expected, fence: Some(lease.fence) }).await.unwrap()
    };
    let of_a = lease(1).await.unwrap();
    assert!(add("first", of_a).await);
    stage.clock.step(90_000);
    assert!(add("late", of_a).await, "nobody has been given another");
    let of_b = lease(2).await.unwrap();
    let before = stage.store.versions().await.unwrap();
    assert!(!add("second", of_a).await && !drop("first", of_a).await);
    assert_eq!(stage.store.versions().await.unwrap(), before);
    assert!(add("third", of_b).await && drop("first", of_b).await);
    let left = stage.store.keys().await.unwrap();
    let mut left: Vec<_> = left.iter().map(|key| key.id.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["late", "third"]);
}

/// A store at rest.
pub async fn the_store_says_that_it_is_well(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.store.check().await.unwrap();
    assert_eq!(stage.store.queue_depth(), 0);
}
