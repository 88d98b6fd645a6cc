//! `vectors/rotation/`: read as a stranger would, and put to the `decide` that ships. The files are
//! made, and kept up to date, by the tables of `src/rotation/table`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use daypass_core::rotation::RepeatProof;
use daypass_core::{
    AttemptDigest, Claims, Client, ClientId, ClientKind, Cutoff, Decision, EndingReason, EventKind,
    Generation, OnReuse, Policy, Presented, PresentedAttempts, PresentedBy, Proof, Refusal,
    RememberedAttempts, Revoked, RotationState, Scope, Session, SessionId, Subject, SubjectId, Thumbprint,
    Timestamp, TokenKeyId, decide,
};
use serde::Deserialize;

use super::{bytes, folder, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: u8,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    now: i64,
    session: Option<Row>,
    subject: Person,
    client: Option<Registration>,
    policy: Rules,
    presented: Request,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    client: String,
    started_ago: i64,
    expires_in: Option<i64>,
    ended: Option<EndingReason>,
    jkt: Option<String>,
    rotation: State,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    generation: u32,
    remembered: BTreeMap<u32, String>,
    rotated_ago: i64,
    seen_ago: i64,
    token_key: u8,
    grace_run: u8,
    grace_used: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    disabled: bool,
    cutoff: Option<CutOff>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CutOff {
    not_before_ago: i64,
    why: EndingReason,
    reused_before_ago: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    id: String,
    kind: ClientKind,
    first_party: bool,
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    idle: Option<u64>,
    grace: u64,
    on_reuse: OnReuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    generation: u32,
    attempts: Option<String>,
    by: Option<String>,
    proof: String,
    proof_jkt: Option<String>,
    successor_key: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    answer: String,
    because: Option<String>,
    why: Option<EndingReason>,
    generation: Option<u32>,
    ends: Option<OnReuse>,
    rotation: Option<State>,
    event: Option<String>,
}

impl State {
    fn state(&self, now: i64) -> RotationState {
        let c = Generation(self.generation);
        let mut known = self.remembered.clone();
        let attempts =
            RememberedAttempts::realigned(c, |of| known.remove(&of.0).map(|hex| AttemptDigest(bytes(&hex))));
        assert!(known.is_empty(), "only the last four are remembered: {known:?}");
        RotationState {
            generation: c,
            attempts,
            rotated_at: Timestamp::from_millis(now - self.rotated_ago),
            seen_at: Timestamp::from_millis(now - self.seen_ago),
            token_key: TokenKeyId(self.token_key),
            grace_run: self.grace_run,
            grace_used: self.grace_used,
        }
    }
}

impl Row {
    fn session(&self, now: i64) -> Session {
        let start = Timestamp::from_millis(now - self.started_ago);
        Session {
            id: SessionId::new(start, [7; 10]),
            subject: SubjectId::new("somebody").unwrap(),
            client: ClientId::new(&self.client).unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: start,
            expires_at: self.expires_in.map(|left| Timestamp::from_millis(now + left)),
            jkt: self.jkt.as_deref().map(|key| Thumbprint(bytes(key))),
            revoked: self.ended.map(|why| Revoked { at: start, why }),
            rotation: self.rotation.state(now),
        }
    }
}

impl Person {
    fn subject(&self, now: i64) -> Subject {
        let cutoff = self.cutoff.as_ref().map(|cutoff| Cutoff {
            not_before: Timestamp::from_millis(now - cutoff.not_before_ago),
            why: cutoff.why,
            reused_before: cutoff.reused_before_ago.map(|ago| Timestamp::from_millis(now - ago)),
        });
        Subject {
            id: SubjectId::new("somebody").unwrap(),
            disabled: self.disabled,
            cutoff,
            scope: Scope::empty(),
            claims: Claims::default(),
        }
    }
}

impl Registration {
    fn client(&self) -> Client {
        let mut client = Client::new(ClientId::new(&self.id).unwrap(), self.kind);
        (client.first_party, client.disabled) = (self.first_party, self.disabled);
        client
    }
}

impl Rules {
    fn policy(&self) -> Policy {
        Policy {
            idle: self.idle.map(Duration::from_millis),
            grace: Duration::from_millis(self.grace),
            on_reuse: self.on_reuse,
            ..Policy::DEFAULT
        }
    }
}

impl Request {
    fn presented(&self) -> Presented {
        let generation = Generation(self.generation);
        let read = |header: &String| PresentedAttempts::parse(header, generation).unwrap();
        let key = self.proof_jkt.as_deref().map(|key| Thumbprint(bytes(key)));
        Presented {
            generation,
            attempts: self.attempts.as_ref().map_or(PresentedAttempts::NONE, read),
            by: match &self.by {
                Some(id) => PresentedBy::Client(ClientId::new(id).unwrap()),
                None => PresentedBy::FirstParty,
            },
            proof: match (&*self.proof, key) {
                ("absent", None) => Proof::Absent,
                ("bad", None) => Proof::Bad,
                ("good", Some(key)) => Proof::Good(key),
                other => panic!("{other:?}"),
            },
            successor_key: TokenKeyId(self.successor_key),
        }
    }
}

impl Expected {
    /// The decision, and the number of the case that makes it.
    fn decision(&self, now: i64) -> (u8, Decision) {
        let state = || self.rotation.as_ref().unwrap().state(now);
        let told = self.event.as_deref();
        let repeat = |because| Decision::Repeat { state: state(), because };
        match (&*self.answer, self.because.as_deref()) {
            ("rotate", None) => {
                let healed = told == Some("healed");
                (if healed { 13 } else { 7 }, Decision::Rotate { state: state(), healed })
            }
            ("repeat", Some("attempts")) => (8, repeat(RepeatProof::Attempts)),
            ("repeat", Some("dpop")) => (9, repeat(RepeatProof::Dpop)),
            ("repeat", Some("grace")) => {
                (10, repeat(RepeatProof::Grace { alarm: told == Some("grace_repeated") }))
            }
            ("mismatch", None) => {
                (6, Decision::Mismatch { generation: Generation(self.generation.unwrap()) })
            }
            ("reuse", None) => (12, Decision::Reuse { ends: self.ends.unwrap() }),
            ("refuse", Some(because)) => {
                let (case, refusal) = self.refusal(because);
                (case, Decision::Refuse(refusal))
            }
            other => panic!("{other:?}"),
        }
    }

    fn refusal(&self, because: &str) -> (u8, Refusal) {
        match because {
            "unknown" => (1, Refusal::Unknown),
            "wrong_client" => (2, Refusal::WrongClient),
            "proof_required" => (3, Refusal::ProofRequired),
            "ended" => (4, Refusal::Ended(self.why.unwrap())),
            "expired" => (5, Refusal::Expired),
            "superseded" => (11, Refusal::Superseded),
            "ahead" => (14, Refusal::Ahead),
            other => panic!("{other}"),
        }
    }
}

fn check(case: u8, vector: &Vector) {
    let now = vector.now;
    let session = vector.session.as_ref().map(|row| row.session(now));
    let client = vector.client.as_ref().map(Registration::client);
    let decision = decide(
        session.as_ref(),
        &vector.subject.subject(now),
        client.as_ref(),
        &vector.presented.presented(),
        &vector.policy.policy(),
        Timestamp::from_millis(now),
    );
    let expected = vector.expected.decision(now);
    assert_eq!((case, decision), expected, "{}", vector.name);
    assert_eq!(decision.event().map(EventKind::name), vector.expected.event.as_deref(), "{}", vector.name);
}

#[test]
fn what_ships_answers_as_the_rotation_vectors_say() {
    let files = std::fs::read_dir(folder("rotation")).unwrap().map(|file| file.unwrap().path());
    let (mut cases, mut names) = (HashSet::new(), HashSet::new());
    for path in files {
        let File { case, vectors } = read(&path);
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{case:02}-")));
        assert!(vectors.len() >= 10, "{} has {} vectors", path.display(), vectors.len());
        for vector in vectors {
            check(case, &vector);
            assert!(names.insert(vector.name), "each name once");
        }
        cases.insert(case);
    }
    assert_eq!(cases, (1..=14).collect());
}
