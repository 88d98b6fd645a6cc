//! What was acknowledged is on the disk: a process rotates sessions while a preloaded shim stands
//! ready to take back everything that was not synced. Its power is cut; the store is opened again;
//! every acknowledged rotation and ending has to be there. The same with a store that does not sync
//! its commits has to lose some, or this would prove nothing.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use daypass_core::{
    AttemptDigest, ClientId, Clients, Decision, EndingReason, Generation, NewSession, Origin, Policy,
    Presented, PresentedAttempts, PresentedBy, Proof, Scope, SessionId, SubjectId, TokenKeyId,
};
use daypass_sqlite::{Durability, SqliteOptions, SqliteStore};
use daypass_storage::contract::TestClock;
use daypass_storage::{EndOutcome, Opened, RotateRequest, Source, Store as _};

/// Which [`Durability`] the process opens its store with; absent, it is not meant to run.
const MODE: &str = "DAYPASS_TEST_DURABILITY";

/// How many sessions rotate beside each other.
const SESSIONS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_change_survives_a_power_cut() {
    let data = prepared().await;
    // The later ones are past a checkpoint, which moves what was committed to another file.
    for acknowledged in [1, 50, 700, 6_000, 9_000] {
        let told = cut_power_after(data.path(), Durability::Full, acknowledged);
        let (kept, lost) = what_remains(data.path(), &told).await;
        assert!(kept > 0);
        assert_eq!(lost, 0, "of {acknowledged} acknowledged changes and a few more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syncing_at_checkpoints_only_loses_what_was_acknowledged() {
    let data = prepared().await;
    let told = cut_power_after(data.path(), Durability::Normal, 700);
    let (_, lost) = what_remains(data.path(), &told).await;
    assert!(lost > 0, "nothing was lost: the shim does not cut the power");
}

#[tokio::test(flavor = "multi_thread")]
async fn syncing_never_loses_what_was_acknowledged() {
    let data = prepared().await;
    let told = cut_power_after(data.path(), Durability::Off, 6_000);
    let (_, lost) = what_remains(data.path(), &told).await;
    assert!(lost > 0, "nothing was lost: the shim does not cut the power");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is the process whose power is cut"]
async fn the_process() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let data = PathBuf::from(std::env::var_os("DAYPASS_LOST_WRITES_DIR").unwrap());
    let durability = match mode.as_str() {
        "Full" => Durability::Full,
        "Normal" => Durability::Normal,
        "Off" => Durability::Off,
        other => panic!("{other} is no durability"),
    };
    let store = Arc::new(open(&data, durability));
    let mut tasks = tokio::task::JoinSet::new();
    for entry in store.sessions_of(&sub("sam"), SESSIONS).await.unwrap() {
        let generation = entry.session.rotation.generation.0;
        tasks.spawn(rotate_for_ever(Arc::clone(&store), entry.session.id, generation));
    }
    tasks.spawn(end_for_ever(Arc::clone(&store)));
    tasks.join_all().await;
}

/// Opens the data as it would be in service, but for `durability`.
fn open(data: &Path, durability: Durability) -> SqliteStore {
    let options = SqliteOptions { cache: 4 << 20, durability, ..SqliteOptions::default() };
    SqliteStore::open(data, &options, TestClock::at(1_800_000_000_000), Arc::new(())).unwrap()
}

fn sub(name: &str) -> SubjectId {
    SubjectId::new(name).unwrap()
}

fn new_session(subject: &str, number: u64) -> NewSession {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    NewSession {
        random,
        subject: sub(subject),
        client: ClientId::new(daypass_core::client::BUILT_IN).unwrap(),
        scope: Scope::empty(),
        amr: "pwd".to_owned(),
        auth_time: None,
        life: None,
        jkt: None,
        token_key: TokenKeyId(1),
    }
}

async fn sign_in(store: &SqliteStore, new: NewSession) -> SessionId {
    match store.open_session(new, Origin::default(), None).await.unwrap() {
        Opened::Session(session, _) => session.id,
        refused => panic!("no session was opened: {refused:?}"),
    }
}

/// Says that a change was acknowledged, and of which kind.
fn acknowledge(session: SessionId, change: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {session} {change}").and_then(|()| out.flush()).unwrap();
}

async fn rotate_for_ever(store: Arc<SqliteStore>, session: SessionId, mut generation: u32) {
    let clients = Arc::new(Clients::new([], &Policy::DEFAULT));
    loop {
        let g = Generation(generation);
        let id = AttemptDigest::of(&format!("attempt-of-generation-{generation:010}"));
        let presented = Presented {
            generation: g,
            attempts: PresentedAttempts::from_pairs(&[(g, id)]).unwrap(),
            by: PresentedBy::FirstParty,
            proof: Proof::Absent,
            successor_key: TokenKeyId(1),
        };
        let request = RotateRequest { session, presented, clients: Arc::clone(&clients), address: None };
        let Decision::Rotate { state, healed: false } = store.rotate(request).await.unwrap().decision else {
            panic!("generation {generation} of {session} was not rotated");
        };
        generation = state.generation.0;
        acknowledge(session, &generation.to_string());
    }
}

async fn end_for_ever(store: Arc<SqliteStore>) {
    let before = store.session_count().await.unwrap();
    for number in before.. {
        let id = sign_in(&store, new_session("kim", number)).await;
        let ended = store.end_session(id, None, EndingReason::SignedOut, Source::default()).await.unwrap();
        assert_eq!(ended, EndOutcome::Ended);
        acknowledge(id, "ended");
    }
}

/// A folder with a store that has sessions to rotate, closed and synced.
async fn prepared() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let store = open(data.path(), Durability::Full);
    for number in 0..SESSIONS {
        sign_in(&store, new_session("sam", u64::try_from(number).unwrap())).await;
    }
    data
}

/// What the process said: each session's last acknowledged generation, none for one that ended.
type Told = HashMap<SessionId, Option<u32>>;

/// Runs the process, cuts its power once it has acknowledged so many changes, and returns all that
/// it acknowledged.
fn cut_power_after(data: &Path, durability: Durability, acknowledged: usize) -> Told {
    let mut process = start(data, durability);
    let mut told = Told::new();
    let mut count = 0;
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        // The test harness writes on the first of these lines as well; the last may be cut off.
        let Some((session, change)) = line.as_deref().ok().and_then(acknowledgement) else { continue };
        told.insert(session, change);
        count += 1;
        if count == acknowledged {
            let kill = format!("kill -USR1 {}", process.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        }
    }
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = process.wait().unwrap();
    assert_eq!(status.code(), Some(137), "the process ended otherwise: {said}");
    assert!(count >= acknowledged && said.contains("writes undone"), "{said}");
    told
}

fn acknowledgement(line: &str) -> Option<(SessionId, Option<u32>)> {
    let (_, change) = line.split_once("acknowledged ")?;
    let (session, change) = change.split_once(' ')?;
    let generation = if change == "ended" { None } else { Some(change.parse().ok()?) };
    Some((session.parse().ok()?, generation))
}

fn start(data: &Path, durability: Durability) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_process", "--nocapture"])
        .env("LD_PRELOAD", shim())
        .env("DAYPASS_LOST_WRITES_DIR", data)
        .env(MODE, format!("{durability:?}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Compiles the shim, once for this process; another may be doing the same.
fn shim() -> &'static Path {
    static SHIM: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lost_writes/shim.c");
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lost-writes.so");
        let made = shim.with_extension(format!("{}.so", std::process::id()));
        let flags =
            ["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread"];
        let compiled = Command::new("cc").args(flags).arg("-o").arg(&made).arg(source).status();
        assert!(compiled.unwrap().success(), "the shim needs a C compiler named cc");
        std::fs::rename(&made, &shim).unwrap();
        shim
    });
    &SHIM
}

/// How many of the sessions that the process told of are as it said, and how many are not. A
/// change that was under way may have been made as well.
async fn what_remains(data: &Path, told: &Told) -> (usize, usize) {
    let store = open(data, Durability::Full);
    let (mut kept, mut lost) = (0, 0);
    for (id, change) in told {
        let session = store.session(*id).await.unwrap().map(|(session, _)| session);
        let there = session.is_some_and(|session| match change {
            None => session.revoked.is_some(),
            Some(acknowledged) => {
                let generation = session.rotation.generation.0;
                assert!(generation <= acknowledged + 1, "more was done than was asked for");
                generation >= *acknowledged
            }
        });
        if there { kept += 1 } else { lost += 1 }
    }
    (kept, lost)
}
