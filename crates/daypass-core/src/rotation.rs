//! Rotation: what is answered to a presented refresh token.
//!
//! [`decide`] is the whole rule, one pure function. Stores run it inside their rotating
//! transaction; property tests and the model checker run it as it stands. Nothing of it is written
//! a second time anywhere, least of all in SQL.

use crate::attempt::{AttemptDigest, PresentedAttempts, REMEMBERED, RememberedAttempts};
use crate::client::{Client, ClientKind, OnReuse, Policy};
use crate::event::EventKind;
use crate::id::{ClientId, Generation, Thumbprint, TokenKeyId};
use crate::revocation::EndingReason;
use crate::session::{RotationState, Session};
use crate::subject::Subject;
use crate::time::{Timestamp, millis};

#[cfg(test)]
mod table;
#[cfg(test)]
mod walk;

/// How far a token may be ahead of its session before no fail-over explains it any more.
pub const MAX_LOST: u32 = 16;

/// How many generations running may be repeated on grace before somebody is told.
pub const GRACE_RUN_ALARM: u8 = 3;

/// A request to rotate, as far as the decision looks at it. That the token's tag is good has been
/// checked, and a confidential client has authenticated, before one of these exists.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The generation of the presented token: *g*.
    pub generation: Generation,
    /// The attempt ids sent along.
    pub attempts: PresentedAttempts,
    /// Who presents it.
    pub by: PresentedBy,
    /// What became of the DPoP proof, if there was one.
    pub proof: Proof,
    /// The secret that a successor is to be tagged with.
    pub successor_key: TokenKeyId,
}

/// Who presents a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentedBy {
    /// A client that named itself, and authenticated if it is confidential.
    Client(ClientId),
    /// Whoever uses the first-party endpoints: any public first-party client.
    FirstParty,
}

/// What became of a DPoP proof (RFC 9449 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// None was sent.
    Absent,
    /// One was sent that is stale, replayed, or wrong in any other way.
    Bad,
    /// A good one, by the key with this thumbprint.
    Good(Thumbprint),
}

/// The answer, and all that has to be written with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A new generation.
    Rotate {
        /// The state that the session takes.
        state: RotationState,
        /// Whether the token was ahead of the store, which had therefore lost rotations.
        healed: bool,
    },
    /// The current generation's token once more, to whoever made it.
    Repeat {
        /// The state that the session takes.
        state: RotationState,
        /// How the client showed that the rotation was its own.
        because: RepeatProof,
    },
    /// Ids were sent, but none for the token's generation. Nothing changes.
    Mismatch {
        /// The token's generation.
        generation: Generation,
    },
    /// A used token came back: end what the policy says.
    Reuse {
        /// What ends.
        ends: OnReuse,
    },
    /// No.
    Refuse(Refusal),
}

/// How a client showed that a rotation was its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatProof {
    /// It knows the attempt id of every rotation since.
    Attempts,
    /// It holds the session's DPoP key.
    Dpop,
    /// It came soon enough, without ids.
    Grace {
        /// Whether this makes [`GRACE_RUN_ALARM`] generations running.
        alarm: bool,
    },
}

/// Why a token was refused. None of these ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The store has no such session.
    Unknown,
    /// The token is so far ahead of its session that no fail-over explains it.
    Ahead,
    /// Another client's session.
    WrongClient,
    /// The session is bound to a key, and the request did not prove that it holds it.
    ProofRequired,
    /// The session is over.
    Ended(EndingReason),
    /// The session's time is up.
    Expired,
    /// A late copy of one of the holder's own old requests.
    Superseded,
}

impl Decision {
    /// The audit event that the decision calls for. Plain rotations and repeats call for none.
    pub const fn event(&self) -> Option<EventKind> {
        match self {
            Self::Rotate { healed: true, .. } => Some(EventKind::Healed),
            Self::Repeat { because: RepeatProof::Grace { alarm: true }, .. } => {
                Some(EventKind::GraceRepeated)
            }
            Self::Reuse { .. } => Some(EventKind::Reused),
            Self::Refuse(Refusal::ProofRequired) => Some(EventKind::ProofMissing),
            Self::Refuse(Refusal::Superseded) => Some(EventKind::Superseded),
            Self::Refuse(Refusal::Ahead) => Some(EventKind::GenerationAhead),
            Self::Rotate { .. } | Self::Repeat { .. } | Self::Mismatch { .. } | Self::Refuse(_) => None,
        }
    }

    /// The state that the session takes, where the decision changes it.
    pub const fn state(&self) -> Option<&RotationState> {
        match self {
            Self::Rotate { state, .. } | Self::Repeat { state, .. } => Some(state),
            Self::Mismatch { .. } | Self::Reuse { .. } | Self::Refuse(_) => None,
        }
    }
}

/// Decides what is answered to a presented refresh token whose tag is good.
///
/// `session` is the row that the token names, `subject` and `client` are that session's (no
/// `client`: it is not registered any more), `policy` is the client's. The cases are numbered as in
/// `docs/rotation.md`; the first that fits answers.
pub fn decide(
    session: Option<&Session>,
    subject: &Subject,
    client: Option<&Client>,
    presented: &Presented,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    // 1: the tag is good, so the row was lost, or it expired long ago.
    let Some(session) = session else { return Decision::Refuse(Refusal::Unknown) };
    let state = &session.rotation;
    let (c, g) = (state.generation, presented.generation);

    // 2
    if !presents_own(&presented.by, session, client) {
        return Decision::Refuse(Refusal::WrongClient);
    }
    // 3
    if session.jkt.is_some_and(|bound| presented.proof != Proof::Good(bound)) {
        return Decision::Refuse(Refusal::ProofRequired);
    }
    // 4
    if let Some(why) = session.ended(subject) {
        return Decision::Refuse(Refusal::Ended(why));
    }
    if client.is_none_or(|client| client.disabled) {
        return Decision::Refuse(Refusal::Ended(EndingReason::Revoked));
    }
    // 5: a token ahead of the row shows that the row's own time of last use was lost.
    let idle = g <= c && session.idle_for_too_long(policy.idle, now);
    if session.expired(now) || idle {
        return Decision::Refuse(Refusal::Expired);
    }
    // 6
    let id = presented.attempts.get(g);
    if id.is_none() && !presented.attempts.is_empty() {
        return Decision::Mismatch { generation: g };
    }
    // 7
    if g == c {
        return rotate(state, presented, now);
    }
    // 13, 14
    if g > c {
        let lost = g.0.saturating_sub(c.0);
        return if lost > MAX_LOST { Decision::Refuse(Refusal::Ahead) } else { heal(state, presented, now) };
    }
    // 8 to 12: g < c, a used token.
    used(session, presented, policy, now)
}

/// Case 2: whether the token is presented by the client whose session it names.
fn presents_own(by: &PresentedBy, session: &Session, client: Option<&Client>) -> bool {
    match by {
        PresentedBy::Client(id) => *id == session.client,
        PresentedBy::FirstParty => client.is_some_and(|c| c.first_party && c.kind == ClientKind::Public),
    }
}

/// Case 7: the current token, first use.
fn rotate(state: &RotationState, presented: &Presented, now: Timestamp) -> Decision {
    advance(state, presented, now, state.grace_used.then_some(state.grace_run), false)
}

/// Case 13: the service issued this token, so the store has lost the rotations up to it. What the
/// row remembers below its generation stays; above it, the request's own ids are taken.
fn heal(state: &RotationState, presented: &Presented, now: Timestamp) -> Decision {
    advance(state, presented, now, None, true)
}

/// Moves on to the generation after the presented one.
fn advance(
    state: &RotationState,
    presented: &Presented,
    now: Timestamp,
    grace_run: Option<u8>,
    healed: bool,
) -> Decision {
    let c = state.generation;
    // Four thousand million rotations: the session has had its time.
    let Some(next) = presented.generation.next() else { return Decision::Refuse(Refusal::Expired) };
    let attempts = RememberedAttempts::realigned(next, |k| {
        if k < c { state.attempts.get(c, k) } else { presented.attempts.get(k) }
    });
    let state = RotationState {
        generation: next,
        attempts,
        rotated_at: now,
        seen_at: now,
        token_key: presented.successor_key,
        grace_run: grace_run.unwrap_or(0),
        grace_used: false,
    };
    Decision::Rotate { state, healed }
}

/// Cases 8 to 12: a token that has been rotated before.
fn used(session: &Session, presented: &Presented, policy: &Policy, now: Timestamp) -> Decision {
    let state = &session.rotation;
    let (c, g) = (state.generation, presented.generation);
    let own = |k: Generation| own_rotation(&presented.attempts, state, k);
    let age = c.0.saturating_sub(g.0);
    let remembered = usize::try_from(age).is_ok_and(|age| age <= REMEMBERED);
    let seen = RotationState { seen_at: now, ..*state };

    // 8
    if remembered && (g.0..c.0).all(|k| own(Generation(k))) {
        return Decision::Repeat { state: seen, because: RepeatProof::Attempts };
    }
    if age == 1 && presented.attempts.is_empty() && state.attempts.get(c, g).is_none() {
        // 9: case 3 has checked that a good proof is by the session's key.
        if session.jkt.is_some() {
            return Decision::Repeat { state: seen, because: RepeatProof::Dpop };
        }
        // 10
        let since = now.millis_since(state.rotated_at);
        if !policy.grace.is_zero() && (0..=millis(policy.grace)).contains(&since) {
            return repeat_on_grace(seen);
        }
    }
    // 11
    if remembered && age >= 2 && own(g) {
        return Decision::Refuse(Refusal::Superseded);
    }
    // 12
    Decision::Reuse { ends: policy.on_reuse }
}

/// Whether the request proves that the rotation of generation `k` was its own.
fn own_rotation(presented: &PresentedAttempts, state: &RotationState, k: Generation) -> bool {
    let remembered: Option<AttemptDigest> = state.attempts.get(state.generation, k);
    remembered.is_some() && remembered == presented.get(k)
}

/// Case 10, counting the generations that needed it. The window is not extended.
fn repeat_on_grace(seen: RotationState) -> Decision {
    let run = if seen.grace_used { seen.grace_run } else { seen.grace_run.saturating_add(1) };
    let alarm = !seen.grace_used && run >= GRACE_RUN_ALARM;
    let state = RotationState { grace_run: run, grace_used: true, ..seen };
    Decision::Repeat { state, because: RepeatProof::Grace { alarm } }
}
