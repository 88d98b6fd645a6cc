//! Makes `vectors/rotation/` from the scenes of the tables, one file for each case that answers, and
//! fails when the two differ. `UPDATE_VECTORS=1 cargo test -p daypass-core rotation_vectors` writes
//! them anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::scene::Scene;
use crate::client::{Client, ClientKind, OnReuse, Policy};
use crate::event::EventKind;
use crate::id::{Generation, Thumbprint};
use crate::rotation::{Decision, PresentedBy, Proof, Refusal, RepeatProof};
use crate::session::{RotationState, Session};
use crate::subject::Subject;
use crate::time::{Timestamp, millis};

/// The cases, by the number that `docs/rotation.md` gives them, and their files.
const CASES: [(u8, &str); 14] = [
    (1, "unknown"),
    (2, "wrong-client"),
    (3, "proof-required"),
    (4, "ended"),
    (5, "expired"),
    (6, "mismatch"),
    (7, "rotate"),
    (8, "repeat-by-attempts"),
    (9, "repeat-by-dpop"),
    (10, "repeat-on-grace"),
    (11, "superseded"),
    (12, "reuse"),
    (13, "heal"),
    (14, "ahead"),
];

/// One vector: what is asked, and the answer.
#[derive(Serialize)]
struct Vector {
    name: String,
    now: i64,
    session: Option<SessionRow>,
    subject: SubjectRow,
    client: Option<ClientRow>,
    policy: PolicyRow,
    presented: PresentedRow,
    expected: Expected,
}

#[derive(Serialize)]
struct SessionRow {
    client: String,
    started_ago: i64,
    expires_in: Option<i64>,
    ended: Option<String>,
    jkt: Option<String>,
    rotation: RotationRow,
}

#[derive(Serialize)]
struct RotationRow {
    generation: u32,
    remembered: BTreeMap<u32, String>,
    rotated_ago: i64,
    seen_ago: i64,
    token_key: u8,
    grace_run: u8,
    grace_used: bool,
}

#[derive(Serialize)]
struct SubjectRow {
    disabled: bool,
    cutoff: Option<CutoffRow>,
}

#[derive(Serialize)]
struct CutoffRow {
    not_before_ago: i64,
    why: String,
    reused_before_ago: Option<i64>,
}

#[derive(Serialize)]
struct ClientRow {
    id: String,
    kind: &'static str,
    first_party: bool,
    disabled: bool,
}

#[derive(Serialize)]
struct PolicyRow {
    idle: Option<i64>,
    grace: i64,
    on_reuse: &'static str,
}

#[derive(Serialize)]
struct PresentedRow {
    generation: u32,
    attempts: Option<String>,
    by: Option<String>,
    proof: &'static str,
    proof_jkt: Option<String>,
    successor_key: u8,
}

#[derive(Default, Serialize)]
struct Expected {
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<RotationRow>,
    event: Option<&'static str>,
}

impl Vector {
    fn of(name: String, scene: &Scene) -> Self {
        let now = scene.now;
        Self {
            name,
            now: now.millis(),
            session: scene.row.then(|| session(&scene.session, now)),
            subject: subject(&scene.subject, now),
            client: scene.client.as_ref().map(client),
            policy: policy(&scene.policy),
            presented: presented(scene),
            expected: expected(&scene.decide(), now),
        }
    }
}

fn session(session: &Session, now: Timestamp) -> SessionRow {
    SessionRow {
        client: session.client.to_string(),
        started_ago: now.millis_since(session.start()),
        expires_in: session.expires_at.map(|end| end.millis_since(now)),
        ended: session.revoked.map(|revoked| word(&revoked.why)),
        jkt: session.jkt.map(hex_key),
        rotation: rotation(&session.rotation, now),
    }
}

fn rotation(state: &RotationState, now: Timestamp) -> RotationRow {
    let c = state.generation;
    let before = (1..=4).filter_map(|age| c.0.checked_sub(age));
    let remembered = before.filter_map(|of| Some((of, hex(&state.attempts.get(c, Generation(of))?.0))));
    RotationRow {
        generation: c.0,
        remembered: remembered.collect(),
        rotated_ago: now.millis_since(state.rotated_at),
        seen_ago: now.millis_since(state.seen_at),
        token_key: state.token_key.0,
        grace_run: state.grace_run,
        grace_used: state.grace_used,
    }
}

fn subject(subject: &Subject, now: Timestamp) -> SubjectRow {
    let cutoff = subject.cutoff.map(|cutoff| CutoffRow {
        not_before_ago: now.millis_since(cutoff.not_before),
        why: word(&cutoff.why),
        reused_before_ago: cutoff.reused_before.map(|before| now.millis_since(before)),
    });
    SubjectRow { disabled: subject.disabled, cutoff }
}

fn client(client: &Client) -> ClientRow {
    ClientRow {
        id: client.id.to_string(),
        kind: match client.kind {
            ClientKind::Public => "public",
            ClientKind::Confidential => "confidential",
        },
        first_party: client.first_party,
        disabled: client.disabled,
    }
}

fn policy(policy: &Policy) -> PolicyRow {
    PolicyRow {
        idle: policy.idle.map(millis),
        grace: millis(policy.grace),
        on_reuse: what_ends(policy.on_reuse),
    }
}

fn presented(scene: &Scene) -> PresentedRow {
    let presented = &scene.presented;
    let (proof, proof_jkt) = match presented.proof {
        Proof::Absent => ("absent", None),
        Proof::Bad => ("bad", None),
        Proof::Good(key) => ("good", Some(hex_key(key))),
    };
    PresentedRow {
        generation: presented.generation.0,
        attempts: scene.header.clone(),
        by: match &presented.by {
            PresentedBy::Client(id) => Some(id.to_string()),
            PresentedBy::FirstParty => None,
        },
        proof,
        proof_jkt,
        successor_key: presented.successor_key.0,
    }
}

fn expected(decision: &Decision, now: Timestamp) -> Expected {
    let event = decision.event().map(EventKind::name);
    let state = decision.state().map(|state| rotation(state, now));
    let expected = Expected { rotation: state, event, ..Expected::default() };
    match decision {
        Decision::Rotate { .. } => Expected { answer: "rotate", ..expected },
        Decision::Repeat { because, .. } => {
            let because = match because {
                RepeatProof::Attempts => "attempts",
                RepeatProof::Dpop => "dpop",
                RepeatProof::Grace { .. } => "grace",
            };
            Expected { answer: "repeat", because: Some(because), ..expected }
        }
        Decision::Mismatch { generation } => {
            Expected { answer: "mismatch", generation: Some(generation.0), ..expected }
        }
        Decision::Reuse { ends } => Expected { answer: "reuse", ends: Some(what_ends(*ends)), ..expected },
        Decision::Refuse(refusal) => {
            let because = match refusal {
                Refusal::Unknown => "unknown",
                Refusal::Ahead => "ahead",
                Refusal::WrongClient => "wrong_client",
                Refusal::ProofRequired => "proof_required",
                Refusal::Ended(_) => "ended",
                Refusal::Expired => "expired",
                Refusal::Superseded => "superseded",
            };
            let why = if let Refusal::Ended(why) = refusal { Some(word(why)) } else { None };
            Expected { answer: "refuse", because: Some(because), why, ..expected }
        }
    }
}

const fn what_ends(ends: OnReuse) -> &'static str {
    match ends {
        OnReuse::Subject => "subject",
        OnReuse::Session => "session",
    }
}

/// The name under which a value is written elsewhere too.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn hex_key(key: Thumbprint) -> String {
    hex(&key.0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Which case of `docs/rotation.md` gave the answer.
fn case(scene: &Scene) -> u8 {
    match scene.decide() {
        Decision::Refuse(Refusal::Unknown) => 1,
        Decision::Refuse(Refusal::WrongClient) => 2,
        Decision::Refuse(Refusal::ProofRequired) => 3,
        Decision::Refuse(Refusal::Ended(_)) => 4,
        Decision::Refuse(Refusal::Expired) => 5,
        Decision::Mismatch { .. } => 6,
        Decision::Rotate { healed: false, .. } => 7,
        Decision::Repeat { because: RepeatProof::Attempts, .. } => 8,
        Decision::Repeat { because: RepeatProof::Dpop, .. } => 9,
        Decision::Repeat { because: RepeatProof::Grace { .. }, .. } => 10,
        Decision::Refuse(Refusal::Superseded) => 11,
        Decision::Reuse { .. } => 12,
        Decision::Rotate { healed: true, .. } => 13,
        Decision::Refuse(Refusal::Ahead) => 14,
    }
}

/// All scenes of all tables under their names, each once.
fn scenes() -> Vec<(String, Scene)> {
    let tables = [
        super::whose_session(),
        super::ended(),
        super::expired(),
        super::current(),
        super::used(),
        super::long_used(),
        super::used_without_ids(),
        super::grace_running(),
        super::ahead(),
        super::last_generation(),
        super::precedence::used_contests(),
    ];
    let contests = super::precedence::contests().into_iter().map(|(_, scene)| scene);
    let mut known = HashMap::new();
    let mut scenes = Vec::new();
    for scene in tables.into_iter().flatten().chain(contests) {
        let name = scene.asked();
        let inputs = serde_json::to_string(&Vector::of(String::new(), &scene)).unwrap();
        match known.get(&name) {
            None => scenes.push((name.clone(), scene)),
            Some(before) => assert_eq!(*before, inputs, "one name for two requests: {name}"),
        }
        known.insert(name, inputs);
    }
    scenes
}

/// The files by name, and what is in them.
fn made() -> BTreeMap<String, String> {
    let scenes = scenes();
    let of_case = |(number, slug): (u8, &str)| {
        let vectors = scenes.iter().filter(|(_, scene)| case(scene) == number);
        let lines: Vec<_> = vectors
            .map(|(name, scene)| serde_json::to_string(&Vector::of(name.clone(), scene)).unwrap())
            .collect();
        assert!(!lines.is_empty(), "no vector for case {number}");
        let text = format!("{{\"case\":{number},\"vectors\":[\n{}\n]}}\n", lines.join(",\n"));
        (format!("{number:02}-{slug}.json"), text)
    };
    CASES.into_iter().map(of_case).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/rotation")
}

#[test]
fn rotation_vectors() {
    let (folder, made) = (folder(), made());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &made {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, made.keys().cloned().collect());
    for (name, text) in &made {
        let written = std::fs::read_to_string(folder.join(name)).unwrap();
        let first = written.lines().zip(text.lines()).find(|(written, made)| written != made);
        assert!(
            written == *text,
            "vectors/rotation/{name} differs from the tables ({first:?}): \
             UPDATE_VECTORS=1 cargo test -p daypass-core rotation_vectors"
        );
    }
}
