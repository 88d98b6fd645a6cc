//! A scene: everything that [`decide`] looks at, changed from an unremarkable request by named
//! steps, and told in one line with its answer.

use std::fmt::Write as _;
use std::time::Duration;

use crate::attempt::{AttemptDigest, PresentedAttempts, RememberedAttempts};
use crate::client::{Client, ClientKind, OnReuse, Policy};
use crate::id::{ClientId, Generation, SubjectId, Thumbprint, TokenKeyId};
use crate::revocation::{EndingReason, Revoked};
use crate::rotation::{Decision, Presented, PresentedBy, Proof, Refusal, RepeatProof, decide};
use crate::session::{NewSession, RotationState, Session};
use crate::subject::{Cutoff, Subject};
use crate::time::Timestamp;

/// When the session started, in milliseconds.
const START: i64 = 1_000_000;
/// When its current generation was made.
const ROTATED: i64 = START + 300_000;
/// How long after that the request comes, unless the scene says otherwise: past every grace.
const LATER: i64 = 60_000;

/// The key that a bound session is bound to.
pub(super) const OWN_KEY: Thumbprint = Thumbprint([1; 32]);
/// Any other.
pub(super) const OTHER_KEY: Thumbprint = Thumbprint([2; 32]);

/// The attempt id that `who` made for the rotation of generation `of`.
pub(super) fn id(who: char, of: u32) -> String {
    let who = if who == 'O' { "holder" } else { "somebody-else" };
    format!("{who}.attempt-id.of-generation-{of}")
}

fn digest(who: char, of: u32) -> AttemptDigest {
    AttemptDigest::of(&id(who, of))
}

/// Whose an id is: `O` the holder's, `X` somebody else's, `-` nobody's, `?` for another generation.
fn whose(digest: Option<AttemptDigest>, of: Option<u32>) -> char {
    let Some(digest) = digest else { return '-' };
    let made = |who: &char| of.is_some_and(|of| AttemptDigest::of(&id(*who, of)) == digest);
    ['O', 'X'].into_iter().find(made).unwrap_or('?')
}

/// One request and the state that it meets.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) row: bool,
    pub(super) session: Session,
    pub(super) subject: Subject,
    pub(super) client: Option<Client>,
    pub(super) presented: Presented,
    pub(super) policy: Policy,
    /// The attempt ids as they come.
    pub(super) header: Option<String>,
    pub(super) now: Timestamp,
    ids: String,
    notes: String,
}

impl Scene {
    /// The holder of generation `c` presents generation `g` without ids, a minute after the last
    /// rotation. The row remembers the holder's ids of its last four rotations.
    pub(super) fn new(c: u32, g: u32) -> Self {
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
            life: None,
            jkt: None,
            token_key: TokenKeyId(1),
        };
        let mut session = new.open(&subject, Timestamp::from_millis(START)).unwrap();
        session.rotation.generation = Generation(c);
        session.rotation.rotated_at = Timestamp::from_millis(ROTATED);
        session.rotation.seen_at = Timestamp::from_millis(ROTATED);
        let presented = Presented {
            generation: Generation(g),
            attempts: PresentedAttempts::NONE,
            by: PresentedBy::FirstParty,
            proof: Proof::Absent,
            successor_key: TokenKeyId(2),
        };
        let scene = Self {
            row: true,
            session,
            subject,
            client: Some(client),
            presented,
            policy: Policy::DEFAULT,
            header: None,
            now: Timestamp::from_millis(ROTATED + LATER),
            ids: "-".to_owned(),
            notes: String::new(),
        };
        scene.remembers("OOOO")
    }

    /// Adds to what the line says of the request.
    pub(super) fn noting(mut self, note: &str) -> Self {
        write!(self.notes, ", {note}").unwrap();
        self
    }

    /// The row remembers these ids, newest first, each by [`whose`] letter.
    pub(super) fn remembers(mut self, letters: &str) -> Self {
        let next = self.session.rotation.generation;
        self.session.rotation.attempts = RememberedAttempts::realigned(next, |k| {
            let letter = letters.chars().nth(usize::try_from(next.0 - k.0 - 1).unwrap());
            letter.filter(|letter| *letter != '-').map(|who| digest(who, k.0))
        });
        self
    }

    /// The request sends these ids, newest first.
    pub(super) fn sends(mut self, ids: &[(u32, char)]) -> Self {
        let pairs: Vec<_> = ids.iter().map(|(of, who)| format!("{of}:{}", id(*who, *of))).collect();
        self.header = (!ids.is_empty()).then(|| pairs.join(", "));
        self.presented.attempts = self.header.as_deref().map_or(PresentedAttempts::NONE, |header| {
            PresentedAttempts::parse(header, self.presented.generation).unwrap()
        });
        let words: Vec<_> = ids.iter().map(|(of, who)| format!("{of}:{who}")).collect();
        self.ids = if ids.is_empty() { "-".to_owned() } else { words.join(" ") };
        self
    }

    /// The request sends the holder's ids for `from` and as many of the generations before it as
    /// fit, down to `down_to`.
    pub(super) fn sends_own(self, from: u32, down_to: u32) -> Self {
        let ids: Vec<_> = (down_to..=from).rev().take(4).map(|of| (of, 'O')).collect();
        self.sends(&ids)
    }

    /// The store holds no such session.
    pub(super) fn lost_row(mut self) -> Self {
        self.row = false;
        self.noting("no row")
    }

    /// Who presents the token.
    pub(super) fn by(mut self, client: &str) -> Self {
        self.presented.by = PresentedBy::Client(ClientId::new(client).unwrap());
        self.noting(&format!("presented by client {client}"))
    }

    /// Changes the registered client.
    pub(super) fn client(mut self, note: &str, change: impl FnOnce(&mut Client)) -> Self {
        self.client.as_mut().map(change).unwrap();
        self.noting(note)
    }

    /// The client is registered no more.
    pub(super) fn no_client(mut self) -> Self {
        self.client = None;
        self.noting("client not registered")
    }

    /// The session is bound to [`OWN_KEY`].
    pub(super) fn bound(mut self) -> Self {
        self.session.jkt = Some(OWN_KEY);
        self.noting("bound")
    }

    /// What became of the proof.
    pub(super) fn proof(mut self, proof: Proof) -> Self {
        self.presented.proof = proof;
        let word = match proof {
            Proof::Absent => "absent",
            Proof::Bad => "bad",
            Proof::Good(key) if key == OWN_KEY => "good",
            Proof::Good(_) => "good, of another key",
        };
        self.noting(&format!("proof {word}"))
    }

    /// The session itself was ended.
    pub(super) fn revoked(mut self, why: EndingReason) -> Self {
        self.session.revoked = Some(Revoked { at: Timestamp::from_millis(ROTATED), why });
        self.noting(&format!("session ended as {why:?}"))
    }

    /// The subject's sessions that began before `start + offset` ms were ended.
    pub(super) fn cut_off(mut self, offset: i64, why: EndingReason) -> Self {
        let start = self.session.start().millis();
        let not_before = Timestamp::from_millis(start + offset);
        let reused_before = (why == EndingReason::Reused).then_some(not_before);
        self.subject.cutoff = Some(Cutoff { not_before, why, reused_before });
        self.noting(&format!("subject's not_before start{offset:+} ms as {why:?}"))
    }

    /// The subject was disabled.
    pub(super) fn disabled_subject(mut self) -> Self {
        self.subject.disabled = true;
        self.noting("subject disabled")
    }

    /// The session's own end is `offset` ms after the request.
    pub(super) fn expires_in(mut self, offset: i64) -> Self {
        self.session.expires_at = Some(Timestamp::from_millis(self.now.millis() + offset));
        self.noting(&format!("expires_at now{offset:+} ms"))
    }

    /// The idle limit, and how long ago the session was seen.
    pub(super) fn idle(mut self, limit: i64, seen_ago: i64) -> Self {
        self.policy.idle = Some(Duration::from_millis(limit.unsigned_abs()));
        self.session.rotation.seen_at = Timestamp::from_millis(self.now.millis() - seen_ago);
        self.noting(&format!("idle {limit} ms, seen {seen_ago} ms ago"))
    }

    /// The grace, and how long after the last rotation the request comes.
    pub(super) fn grace(mut self, grace: u64, after: i64) -> Self {
        self.policy.grace = Duration::from_millis(grace);
        self.now = Timestamp::from_millis(self.session.rotation.rotated_at.millis() + after);
        self.noting(&format!("grace {grace} ms, now rotated_at{after:+} ms"))
    }

    /// What reuse ends.
    pub(super) fn on_reuse(mut self, ends: OnReuse) -> Self {
        self.policy.on_reuse = ends;
        self.noting(&format!("on_reuse {ends:?}"))
    }

    /// How many generations running were repeated on grace, and whether this one was.
    pub(super) fn grace_run(mut self, run: u8, used: bool) -> Self {
        self.session.rotation.grace_run = run;
        self.session.rotation.grace_used = used;
        self.noting(&format!("grace_run {run}{}", if used { " with this one" } else { "" }))
    }

    /// The answer.
    pub(super) fn decide(&self) -> Decision {
        let session = self.row.then_some(&self.session);
        decide(session, &self.subject, self.client.as_ref(), &self.presented, &self.policy, self.now)
    }

    /// The session as the decision leaves it.
    pub(super) fn apply(&mut self) {
        if let Some(state) = self.decide().state() {
            self.session.rotation = *state;
        }
    }

    /// The inputs in words.
    pub(super) fn asked(&self) -> String {
        let before = &self.session.rotation;
        let (c, g) = (before.generation, self.presented.generation);
        format!("c={c} [{}] g={g} ids {}{}", letters(before), self.ids, self.notes)
    }

    /// Inputs and answer in one line.
    pub(super) fn line(&self) -> String {
        let before = &self.session.rotation;
        let decision = self.decide();
        let mut line = format!("{} -> {}", self.asked(), answer(&decision));
        if let Some(after) = decision.state() {
            line.push_str(&self.changes(before, after));
        }
        if let Some(event) = decision.event() {
            write!(line, "; event {}", event.name()).unwrap();
        }
        line
    }

    /// What of the row changes.
    fn changes(&self, before: &RotationState, after: &RotationState) -> String {
        let time = |at: Timestamp| match at.millis_since(self.now) {
            0 => "now".to_owned(),
            off => format!("now{off:+}"),
        };
        let mut text = String::new();
        let mut say = |changed: bool, words: String| {
            if changed {
                write!(text, "; {words}").unwrap();
            }
        };
        say(before.generation != after.generation, format!("c={}", after.generation));
        say(before.attempts != after.attempts, format!("[{}]", letters(after)));
        say(before.rotated_at != after.rotated_at, format!("rotated {}", time(after.rotated_at)));
        say(before.seen_at != after.seen_at, format!("seen {}", time(after.seen_at)));
        say(before.token_key != after.token_key, format!("key {}", after.token_key.0));
        say(before.grace_run != after.grace_run, format!("grace_run {}", after.grace_run));
        say(before.grace_used != after.grace_used, format!("grace_used {}", after.grace_used));
        text
    }
}

/// The remembered ids, newest first.
fn letters(state: &RotationState) -> String {
    let ids = (1..).zip(state.attempts.newest_first());
    ids.map(|(age, digest)| whose(*digest, state.generation.0.checked_sub(age))).collect()
}

/// A decision in words.
fn answer(decision: &Decision) -> String {
    match decision {
        Decision::Rotate { healed: false, .. } => "ROTATE".to_owned(),
        Decision::Rotate { healed: true, .. } => "ROTATE healed".to_owned(),
        Decision::Repeat { state, because } => {
            let because = match because {
                RepeatProof::Attempts => "ids",
                RepeatProof::Dpop => "dpop",
                RepeatProof::Grace { alarm: false } => "grace",
                RepeatProof::Grace { alarm: true } => "grace, alarm",
            };
            format!("REPEAT {} by {because}", state.generation)
        }
        Decision::Mismatch { generation } => format!("MISMATCH {generation}"),
        Decision::Reuse { ends } => format!("REUSE ends {ends:?}"),
        Decision::Refuse(Refusal::Ended(why)) => format!("refuse ended as {why:?}"),
        Decision::Refuse(refusal) => format!("refuse {refusal:?}"),
    }
}
