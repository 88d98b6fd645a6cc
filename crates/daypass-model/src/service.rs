//! The token service and its store: one row, whose rotations are decided by what is shipped.

use std::cell::RefCell;
use std::time::Duration;

use daypass_core::attempt::RememberedAttempts;
use daypass_core::rotation::{GRACE_RUN_ALARM, Presented, PresentedBy, Proof};
use daypass_core::{
    AttemptDigest, Client, ClientId, ClientKind, Cutoff, Decision, EndingReason,
    Generation as CoreGeneration, NewSession, OnReuse, Policy, PresentedAttempts, Revoked, RotationState,
    Session, Subject, SubjectId, Thumbprint, Timestamp, TokenKeyId,
};

use crate::setting::Setting;
use crate::token::{Generation, HERE, Ids, Maker, NOBODY, Request, Sender};

/// What a store holds of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) generation: Generation,
    /// The makers of the ids of the last four rotations, newest first.
    pub(crate) attempts: Ids,
    pub(crate) rotated_at: i8,
    pub(crate) seen_at: i8,
    pub(crate) key: u8,
    pub(crate) grace_run: u8,
    pub(crate) grace_used: bool,
    /// Why the session ended by itself, if it did.
    pub(crate) ended: Option<End>,
    /// Why all of the subject's sessions ended, if they did.
    pub(crate) cut_off: Option<End>,

    // What no store holds, but what has to be forgotten with it when commits are lost.
    /// When this generation was first handed out, and the secret of the token that was.
    pub(crate) made_at: i8,
    pub(crate) first_key: u8,
    /// Who rotated last, and who has been handed this generation's token since: owner 1, thief 2.
    pub(crate) rotated_by: u8,
    pub(crate) handed_to: u8,
    /// Whether either has got tokens for a stolen generation or a later one.
    pub(crate) owner_went_on: bool,
    pub(crate) thief_went_on: bool,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Reused,
    Revoked,
    SignedOut,
    /// Its time was up, and somebody was told so.
    Expired,
}

impl End {
    const fn reason(self) -> EndingReason {
        match self {
            Self::Reused => EndingReason::Reused,
            Self::Revoked => EndingReason::Revoked,
            Self::SignedOut => EndingReason::SignedOut,
            Self::Expired => EndingReason::Expired,
        }
    }
}

impl Sender {
    /// Who this is for.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Holder => 1,
            Self::Thief => 2,
        }
    }
}

impl Row {
    /// A session that has just begun.
    pub(crate) const fn first() -> Self {
        Self {
            generation: HERE,
            attempts: [NOBODY; 4],
            rotated_at: 0,
            seen_at: 0,
            key: 0,
            grace_run: 0,
            grace_used: false,
            ended: None,
            cut_off: None,
            made_at: 0,
            first_key: 0,
            rotated_by: 0,
            handed_to: 1,
            owner_went_on: false,
            thief_went_on: false,
        }
    }

    /// Whether it is over.
    pub(crate) const fn is_over(&self) -> bool {
        self.ended.is_some() || self.cut_off.is_some()
    }

    pub(crate) fn moved(self, by: i16) -> Self {
        let generation = i16::from(self.generation).saturating_add(by).max(0);
        Self { generation: u8::try_from(generation).unwrap_or(Generation::MAX), ..self }
    }

    /// The maker of the id that is remembered for `of`.
    pub(crate) fn attempt(&self, of: Generation) -> Maker {
        let age = self.generation.checked_sub(of).and_then(|age| age.checked_sub(1));
        age.and_then(|age| self.attempts.get(usize::from(age)).copied()).unwrap_or(NOBODY)
    }
}

/// The key that a bound session is bound to.
const KEY: Thumbprint = Thumbprint([1; 32]);

/// The session's start, in milliseconds since the Unix epoch, and a tick.
const START: i64 = 1_800_000_000_000;
const TICK: u64 = 1000;

fn at(tick: i8) -> Timestamp {
    Timestamp::from_millis(START + i64::from(tick) * 1000)
}

fn ticks(count: i8) -> Duration {
    Duration::from_millis(TICK * u64::from(count.unsigned_abs()))
}

fn ticks_at(time: Timestamp) -> i8 {
    i8::try_from((time.millis() - START) / 1000).unwrap_or(i8::MAX)
}

/// An id's digest. It differs by label, as ids do.
fn digest(maker: Maker, label: CoreGeneration) -> AttemptDigest {
    let [.., last] = label.0.to_be_bytes();
    let mut digest = [maker; 16];
    digest[0] = last;
    AttemptDigest(digest)
}

fn maker_of(digest: Option<AttemptDigest>) -> Maker {
    digest.map_or(NOBODY, |AttemptDigest([.., maker])| maker)
}

/// The session, its subject and its client as the decision wants them.
struct Parties {
    session: Session,
    subject: Subject,
    client: Client,
}

impl Parties {
    #[allow(clippy::unwrap_used, reason = "constants that are well-formed")]
    fn new() -> Self {
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
            token_key: TokenKeyId(0),
        };
        let session = new.open(&subject, at(0)).unwrap();
        Self { session, subject, client }
    }

    /// Makes them those of `row`.
    fn set(&mut self, row: &Row, setting: &Setting) {
        let generation = CoreGeneration(row.generation.into());
        self.session.revoked = row.ended.map(|end| Revoked { at: at(0), why: end.reason() });
        self.session.expires_at = setting.time.map(|time| at(time.life));
        self.session.jkt = setting.bound.then_some(KEY);
        self.session.rotation = RotationState {
            generation,
            attempts: RememberedAttempts::realigned(generation, |k| {
                let maker = u8::try_from(k.0).map_or(NOBODY, |k| row.attempt(k));
                (maker != NOBODY).then(|| digest(maker, k))
            }),
            rotated_at: at(row.rotated_at),
            seen_at: at(row.seen_at),
            token_key: TokenKeyId(row.key),
            grace_run: row.grace_run,
            grace_used: row.grace_used,
        };
        self.subject.cutoff = row.cut_off.map(|end| Cutoff::at(at(0), None, None, end.reason()));
    }
}

thread_local! {
    static PARTIES: RefCell<Parties> = RefCell::new(Parties::new());
}

/// The rules of a setting.
fn policy(setting: &Setting) -> Policy {
    Policy {
        session: setting.time.map(|time| ticks(time.life)),
        idle: setting.time.and_then(|time| time.idle).map(ticks),
        grace: ticks(setting.grace),
        on_reuse: if setting.ends_subject { OnReuse::Subject } else { OnReuse::Session },
        ..Policy::DEFAULT
    }
}

/// A request as the decision wants it.
fn presented(request: Request, setting: &Setting, key: u8) -> Presented {
    let mut pairs = Vec::with_capacity(4);
    for (maker, age) in request.ids.into_iter().zip(0..) {
        if let Some(label) = request.top.checked_sub(age).filter(|_| maker != NOBODY) {
            let label = CoreGeneration(label.into());
            pairs.push((label, digest(maker, label)));
        }
    }
    let own_key = setting.bound && request.from != Sender::Thief;
    Presented {
        generation: CoreGeneration(request.token.generation.into()),
        attempts: PresentedAttempts::from_pairs(&pairs).unwrap_or_default(),
        by: PresentedBy::FirstParty,
        proof: if own_key { Proof::Good(KEY) } else { Proof::Absent },
        successor_key: TokenKeyId(key),
    }
}

/// What is answered to `request` at `now`, where tokens are made with the secret `key`.
pub(crate) fn ask(setting: &Setting, row: Option<&Row>, request: Request, key: u8, now: i8) -> Decision {
    let (presented, policy) = (presented(request, setting, key), policy(setting));
    PARTIES.with_borrow_mut(|parties| {
        if let Some(row) = row {
            parties.set(row, setting);
        }
        let session = row.is_some().then_some(&parties.session);
        setting.mutant.decide(session, &parties.subject, &parties.client, &presented, &policy, at(now))
    })
}

/// The row after a decision that changes it.
pub(crate) fn after(row: &Row, state: &RotationState) -> Row {
    let mut attempts = [NOBODY; 4];
    for (slot, digest) in attempts.iter_mut().zip(state.attempts.newest_first()) {
        *slot = maker_of(*digest);
    }
    Row {
        generation: u8::try_from(state.generation.0).unwrap_or(Generation::MAX),
        attempts,
        rotated_at: ticks_at(state.rotated_at),
        seen_at: ticks_at(state.seen_at),
        key: state.token_key.0,
        // From the alarm on it makes no difference how many there were.
        grace_run: state.grace_run.min(GRACE_RUN_ALARM),
        grace_used: state.grace_used,
        ..row.clone()
    }
}
