//! One session's life as a random walk: its holder renews, retries and is delivered late; a thief
//! copies and presents; answers and commits are lost, the clock steps, sessions end. At every step
//! [`decide`](super::decide) has to answer as the naive account in [`model`] says, and whatever the
//! answers, some things never happen.

mod model;

use std::collections::{HashMap, HashSet};

use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::{StateMachineTest, prop_state_machine};

use self::model::{Answer, Asked, Model, Setting, Step};
use crate::attempt::{AttemptDigest, PresentedAttempts};
use crate::client::{Client, ClientKind, OnReuse};
use crate::id::{ClientId, Generation, SubjectId, Thumbprint, TokenKeyId};
use crate::revocation::{EndingReason, Revoked};
use crate::rotation::{Decision, Presented, PresentedBy, Proof, Refusal, RepeatProof, decide};
use crate::session::{NewSession, Session};
use crate::subject::{Cutoff, Subject};
use crate::time::Timestamp;

prop_state_machine! {
    #![proptest_config(Config {
        cases: 4096,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0da1_9a55),
        ..Config::default()
    })]

    #[test]
    fn a_session_answers_as_its_history_says(sequential 1..60 => Walk);
}

const KEY: Thumbprint = Thumbprint([1; 32]);

/// The session under test, kept as a store would keep it.
struct Walk {
    session: Session,
    subject: Subject,
    client: Client,
    /// The rows that a fail-over may bring back, oldest first.
    before: Vec<Session>,
    /// Each generation's refresh token, by the secret that tags it, since rotations were last lost.
    tokens: HashMap<Generation, TokenKeyId>,
    /// The generations rotated since then.
    rotated: HashSet<Generation>,
}

impl StateMachineTest for Walk {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let subject = Subject::new(SubjectId::new("sam").unwrap());
        let mut client = Client::new(ClientId::new("web").unwrap(), ClientKind::Public);
        client.first_party = true;
        let new = NewSession {
            random: [7; 10],
            subject: subject.id.clone(),
            client: client.id.clone(),
            scope: client.scopes.clone(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: model.setting.policy.session,
            jkt: model.setting.bound.then_some(KEY),
            token_key: TokenKeyId(0),
        };
        let session = new.open(&subject, Timestamp::from_millis(model.now)).unwrap();
        let tokens = HashMap::from([(Generation(0), TokenKeyId(0))]);
        Self { session, subject, client, before: Vec::new(), tokens, rotated: HashSet::new() }
    }

    fn apply(mut walk: Self, model: &Model, step: Step) -> Self {
        let now = Timestamp::from_millis(model.now);
        match step {
            Step::LoseCommits(count) => walk.lose_commits(count),
            Step::End(why) => walk.session.revoked = Some(Revoked { at: now, why }),
            Step::CutOff(why) => walk.cut_off(now, why),
            Step::Disable => {
                walk.subject.disabled = true;
                walk.cut_off(now, EndingReason::Disabled);
            }
            Step::Enable => walk.subject.disabled = false,
            Step::Wait(_) | Step::NewSecret | Step::Steal => {}
            Step::Renew { .. } | Step::Late { .. } | Step::Rob { .. } | Step::Any { .. } => {
                let (asked, expected) = model.last.as_ref().unwrap();
                walk.ask(asked, *expected, &model.setting, now);
            }
        }
        walk
    }

    fn check_invariants(walk: &Self, model: &Model) {
        let now = Timestamp::from_millis(model.now);
        assert_eq!(walk.session.rotation.generation, Generation(model.generation()));
        assert_eq!(walk.session.lives(&walk.subject, now), model.lives(), "ended is ended");
        // What is a holder's with ids is its own, whatever the network, the clock and the store do.
        if model.blameless() {
            assert!(!model.alarmed(), "an honest client raised the alarm");
        }
    }
}

impl Walk {
    /// Presents a token, compares the answer with the model's, and applies it.
    fn ask(&mut self, asked: &Asked, expected: Answer, setting: &Setting, now: Timestamp) {
        let presented = presented(asked);
        let session = Some(&self.session);
        let client = Some(&self.client);
        let decision = decide(session, &self.subject, client, &presented, &setting.policy, now);
        assert_eq!(answer(&decision), expected, "{asked:?}");
        let before = self.session.clone();
        match decision {
            Decision::Rotate { state, .. } => {
                assert!(self.rotated.insert(presented.generation), "a generation was rotated twice");
                self.before.push(before.clone());
                self.session.rotation = state;
                let known = self.tokens.entry(state.generation).or_insert(state.token_key);
                assert_eq!(*known, state.token_key, "two successors of one generation");
            }
            Decision::Repeat { state, .. } => {
                self.session.rotation = state;
                assert_eq!(self.tokens.get(&state.generation), Some(&state.token_key), "not the same token");
                assert_eq!(state.rotated_at, before.rotation.rotated_at, "a repeat extended the grace");
                assert_eq!(state.attempts, before.rotation.attempts);
                assert_eq!(state.generation, before.rotation.generation);
            }
            Decision::Reuse { ends: OnReuse::Session } => {
                self.session.revoked = Some(Revoked { at: now, why: EndingReason::Reused });
            }
            Decision::Reuse { ends: OnReuse::Subject } => self.cut_off(now, EndingReason::Reused),
            Decision::Mismatch { .. } | Decision::Refuse(_) => assert_eq!(decision.state(), None),
        }
        assert_eq!(self.session.expires_at, before.expires_at, "a rotation extended the session");
    }

    /// A fail-over: the last rotations are gone. Endings wait for the standby and are not.
    fn lose_commits(&mut self, count: usize) {
        let kept = self.before.len() - count;
        let mut tail = self.before.drain(kept..);
        if let Some(row) = tail.next() {
            self.session = Session { revoked: self.session.revoked, ..row };
        }
        drop(tail);
        self.tokens = HashMap::from([(self.session.rotation.generation, self.session.rotation.token_key)]);
        self.rotated.clear();
    }

    fn cut_off(&mut self, now: Timestamp, why: EndingReason) {
        let latest = Some(self.session.start());
        self.subject.cutoff = Some(Cutoff::at(now, latest, self.subject.cutoff, why));
    }
}

fn presented(asked: &Asked) -> Presented {
    let digest = |id: u64| {
        let mut digest = [9; 16];
        digest[..8].copy_from_slice(&id.to_be_bytes());
        AttemptDigest(digest)
    };
    let pairs: Vec<_> = asked.ids.iter().map(|(of, id)| (Generation(*of), digest(*id))).collect();
    Presented {
        generation: Generation(asked.token),
        attempts: PresentedAttempts::from_pairs(&pairs).unwrap(),
        by: PresentedBy::FirstParty,
        proof: if asked.proof { Proof::Good(KEY) } else { Proof::Absent },
        successor_key: TokenKeyId(asked.secret),
    }
}

/// A decision in the model's words.
fn answer(decision: &Decision) -> Answer {
    match decision {
        Decision::Rotate { state, healed } => {
            Answer::Rotate { to: state.generation.0, secret: state.token_key.0, healed: *healed }
        }
        Decision::Repeat { state, because } => Answer::Repeat {
            of: state.generation.0,
            secret: state.token_key.0,
            by_ids: *because == RepeatProof::Attempts,
            alarm: *because == RepeatProof::Grace { alarm: true },
        },
        Decision::Mismatch { generation } => Answer::Mismatch(generation.0),
        Decision::Reuse { .. } => Answer::Reuse,
        Decision::Refuse(Refusal::Superseded) => Answer::Superseded,
        Decision::Refuse(Refusal::Ahead) => Answer::Ahead,
        Decision::Refuse(Refusal::Ended(EndingReason::Reused)) => Answer::Over { reused: true },
        Decision::Refuse(Refusal::Ended(_)) => Answer::Over { reused: false },
        Decision::Refuse(Refusal::Expired) => Answer::Expired,
        Decision::Refuse(Refusal::ProofRequired) => Answer::ProofRequired,
        Decision::Refuse(refusal) => unreachable!("no step asks for {refusal:?}"),
    }
}
