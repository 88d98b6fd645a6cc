//! What these tests have in common: a store on a cluster, and short ways to ask it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses some of it"
)]

use std::path::PathBuf;
use std::sync::Arc;

use daypass_core::{
    AttemptDigest, ClientId, Clients, Generation, NewSession, Origin, Policy, Presented, PresentedAttempts,
    PresentedBy, Proof, Scope, SessionId, SubjectId, TokenKeyId,
};
use daypass_postgres::{PostgresOptions, PostgresStore};
use daypass_storage::{Opened, RotateRequest, Store};

/// Where clusters live.
pub fn cluster_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The store at a URL, as a service opens it.
pub async fn open(url: &str) -> Arc<dyn Store> {
    let url = url.parse().unwrap();
    Arc::new(PostgresStore::open(&url, &PostgresOptions::default(), Arc::new(())).await.unwrap())
}

/// Signs somebody in on the built-in client.
pub async fn sign_in(store: &dyn Store, subject: &str) -> SessionId {
    let random: Vec<u8> = subject.bytes().rev().cycle().take(10).collect();
    let new = NewSession {
        random: random.try_into().unwrap(),
        subject: SubjectId::new(subject).unwrap(),
        client: ClientId::new(daypass_core::client::BUILT_IN).unwrap(),
        scope: Scope::empty(),
        amr: "pwd".to_owned(),
        auth_time: None,
        life: None,
        jkt: None,
        token_key: TokenKeyId(1),
    };
    match store.open_session(new, Origin::default(), None).await.unwrap() {
        Opened::Session(session, _) => session.id,
        refused => panic!("{refused:?}"),
    }
}

/// The attempt id of a client for its rotation of generation `g`.
pub fn attempt(g: u32) -> String {
    format!("attempt-of-generation-{g:010}")
}

/// A request with the session's token of generation `g` and these ids, newest first.
pub fn request(session: SessionId, g: u32, ids: &[(u32, String)]) -> RotateRequest {
    let pairs: Vec<_> = ids.iter().map(|(of, id)| (Generation(*of), AttemptDigest::of(id))).collect();
    RotateRequest {
        session,
        presented: Presented {
            generation: Generation(g),
            attempts: PresentedAttempts::from_pairs(&pairs).unwrap(),
            by: PresentedBy::FirstParty,
            proof: Proof::Absent,
            successor_key: TokenKeyId(1),
        },
        clients: Arc::new(Clients::new([], &Policy::DEFAULT)),
        address: None,
    }
}
