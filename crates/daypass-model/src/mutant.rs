//! Rules broken on purpose. A model that does not notice proves nothing.
//!
//! None of these repeats the decision: each changes what the shipped [`decide`] is asked, or what becomes of its
//! answer.

use std::time::Duration;

use daypass_core::attempt::{PresentedAttempts, REMEMBERED, RememberedAttempts};
use daypass_core::rotation::{Presented, Proof, Refusal, RepeatProof, decide};
use daypass_core::{
    Client, Decision, Generation, OnReuse, Policy, RotationState, Session, Subject, Timestamp,
};

#[cfg(test)]
mod declared;

/// A rule that is broken, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// All is as shipped.
    None,

    // Of the decision.
    /// 3: a session that is bound to a key serves whoever has its token.
    ProofIgnored,
    /// 4: the current token is rotated though the session was ended.
    EndIgnored,
    /// 4: a token ahead of the row is healed though the session was ended.
    EndedHealed,
    /// 4: that all of the subject's sessions were ended is not looked at.
    CutoffIgnored,
    /// 5: that nobody has used the session is not looked at.
    IdleIgnored,
    /// 5: the session's end is not looked at.
    EndlessSession,
    /// 5: nothing is written down of a session that was refused as expired.
    ExpiryForgotten,
    /// 5: tokens ahead of the row are refused if the row was idle.
    IdleAhead,
    /// 6: ids for other generations are taken as none.
    MismatchIgnored,
    /// 6: whatever its label, the first id is taken for the token's generation.
    LabelsIgnored,
    /// 7: the id of a rotation is not remembered.
    IdForgotten,
    /// 8: dropped.
    NoRepeat,
    /// 8: one generation at a time.
    RepeatOnlyOne,
    /// 8: only within the grace.
    RepeatInGrace,
    /// 8 and 10: a repeat makes the token anew, with the secret of today.
    RepeatWithNewKey,
    /// 9: dropped.
    NoRepeatByKey,
    /// 10: also for those who make ids.
    GraceForAll,
    /// 10: dropped.
    NoGrace,
    /// 10: ten times as long.
    WideGrace,
    /// 10: each repeat begins the grace anew.
    GraceExtended,
    /// 10: nobody is told.
    GraceUncounted,
    /// 11: dropped.
    NoSuperseded,
    /// 11, and 8: the id of the token's own generation is enough for the current token.
    SupersededRepeats,
    /// 8 and 11: one id fewer is remembered.
    ThreeRemembered,
    /// 12: rotated once more.
    UsedRotates,
    /// 12: refused, and nothing ends.
    ReuseOnlyRefused,
    /// 12: ends one session, whatever the policy says.
    ReuseEndsOne,
    /// 13: dropped.
    NoHealing,
    /// 13: one lost rotation only.
    HealsOne,
    /// 13: the ids are not realigned.
    HealsUnaligned,
    /// 13: only the request's newest id is taken.
    HealsForgetting,

    // Of what a client does.
    /// An id is made for every request.
    IdPerRequest,
    /// An id is written after its request has left.
    IdWrittenLate,
    /// Only the newest id is sent.
    NewestIdOnly,
    /// The store is written without comparing.
    BlindWrites,
    /// Two copies, each with a store of its own, send ids.
    StoresApart,
    /// A refresh token is used that was not written.
    UnwrittenUsed,
    /// `superseded` ends the session here though somebody has gone on.
    SupersededBelieved,
    /// `superseded` is taken for an answer that says nothing.
    SupersededForgotten,
    /// No answer is taken for the end.
    SilenceBelieved,
    /// Each tab makes its own id.
    TabsDisagree,
    /// The id store forgets its last id with the browser.
    IdsNotDurable,
    /// 409 is taken for an answer that says nothing.
    MismatchForgotten,
}

impl Mutant {
    /// Whether it tells one process or tab from another. All others are interchangeable.
    pub(crate) const fn tells_apart(self) -> bool {
        matches!(self, Self::StoresApart | Self::TabsDisagree)
    }

    /// Decides as shipped, but for the rule that is broken.
    pub(crate) fn decide(
        self,
        session: Option<&Session>,
        subject: &Subject,
        client: &Client,
        presented: &Presented,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision {
        let Some(session) = session else {
            return decide(None, subject, Some(client), presented, policy, now);
        };
        let asked = Asked { session, subject, client, presented, policy, now };
        let shipped = asked.shipped();
        self.proof_and_end(&asked, shipped)
            .or_else(|| self.ids(&asked, shipped))
            .or_else(|| self.repeats(&asked, shipped))
            .or_else(|| self.grace(&asked, shipped))
            .or_else(|| self.old_tokens(&asked, shipped))
            .or_else(|| self.healing(&asked, shipped))
            .unwrap_or(shipped)
    }

    /// Cases 3 to 5: who may ask at all, and for how long.
    fn proof_and_end(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let Asked { session, presented, policy, now, .. } = *asked;
        let (c, g) = asked.generations();
        let decision = match (self, shipped) {
            (Self::ProofIgnored, Decision::Refuse(Refusal::ProofRequired)) => {
                let proof = session.jkt.map_or(Proof::Absent, Proof::Good);
                asked.with_presented(&Presented { proof, ..presented.clone() })
            }
            (Self::EndIgnored, Decision::Refuse(Refusal::Ended(_))) if g == c => asked.unended(),
            (Self::EndedHealed, Decision::Refuse(Refusal::Ended(_))) if g > c => asked.unended(),
            (Self::CutoffIgnored, Decision::Refuse(Refusal::Ended(_))) => {
                let subject = Subject { cutoff: None, ..asked.subject.clone() };
                Asked { subject: &subject, ..*asked }.shipped()
            }
            (Self::IdleIgnored, Decision::Refuse(Refusal::Expired)) => {
                asked.with_policy(&Policy { idle: None, ..*policy })
            }
            (Self::EndlessSession, Decision::Refuse(Refusal::Expired)) => {
                asked.with_session(&Session { expires_at: None, ..session.clone() })
            }
            (Self::IdleAhead, Decision::Rotate { healed: true, .. })
                if session.idle_for_too_long(policy.idle, now) =>
            {
                Decision::Refuse(Refusal::Expired)
            }
            _ => return None,
        };
        Some(decision)
    }

    /// Cases 6 and 7, and what is remembered: the ids.
    fn ids(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let presented = asked.presented;
        let decision = match (self, shipped) {
            (Self::MismatchIgnored, Decision::Mismatch { .. }) => {
                asked.with_presented(&Presented { attempts: PresentedAttempts::NONE, ..presented.clone() })
            }
            (Self::LabelsIgnored, Decision::Mismatch { .. }) => {
                let newest = (0..=u8::MAX).rev().find_map(|k| presented.attempts.get(Generation(k.into())));
                let only = newest.and_then(|id| PresentedAttempts::from_pairs(&[(presented.generation, id)]));
                let attempts = only.unwrap_or_default();
                asked.with_presented(&Presented { attempts, ..presented.clone() })
            }
            (Self::IdForgotten, Decision::Rotate { state, healed: false }) => {
                let [_, second, third, fourth] = *state.attempts.newest_first();
                let attempts = RememberedAttempts::new([None, second, third, fourth]);
                Decision::Rotate { state: RotationState { attempts, ..state }, healed: false }
            }
            (Self::ThreeRemembered, _) => {
                let mut ids = *asked.session.rotation.attempts.newest_first();
                if let Some(oldest) = ids.get_mut(REMEMBERED - 1) {
                    *oldest = None;
                }
                asked.with_remembered(RememberedAttempts::new(ids))
            }
            _ => return None,
        };
        Some(decision)
    }

    /// Cases 8 and 9: repeats by proof.
    fn repeats(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let Decision::Repeat { state, because } = shipped else { return None };
        let (c, g) = asked.generations();
        let late = asked.now.millis_since(asked.session.rotation.rotated_at) > millis(asked.policy.grace);
        let decision = match (self, because) {
            (Self::NoRepeat, RepeatProof::Attempts) | (Self::NoRepeatByKey, RepeatProof::Dpop) => {
                asked.reuse()
            }
            (Self::RepeatOnlyOne, RepeatProof::Attempts) if c.0 - g.0 > 1 => asked.reuse(),
            (Self::RepeatInGrace, RepeatProof::Attempts) if late => asked.reuse(),
            (Self::RepeatWithNewKey, _) => {
                let token_key = asked.presented.successor_key;
                Decision::Repeat { state: RotationState { token_key, ..state }, because }
            }
            _ => return None,
        };
        Some(decision)
    }

    /// Case 10: repeats in the grace.
    fn grace(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let Asked { presented, policy, .. } = *asked;
        let decision = match (self, shipped) {
            (Self::GraceForAll, Decision::Reuse { .. }) => {
                let presented = Presented { attempts: PresentedAttempts::NONE, ..presented.clone() };
                let asked = Asked { presented: &presented, ..*asked };
                match asked.with_remembered(RememberedAttempts::default()) {
                    Decision::Repeat { because, .. } => Decision::Repeat { state: asked.seen(), because },
                    _ => shipped,
                }
            }
            (Self::NoGrace, Decision::Repeat { because: RepeatProof::Grace { .. }, .. }) => asked.reuse(),
            (Self::WideGrace, Decision::Reuse { .. }) => {
                asked.with_policy(&Policy { grace: policy.grace * 10, ..*policy })
            }
            (
                Self::GraceExtended,
                Decision::Repeat { state, because: because @ RepeatProof::Grace { .. } },
            ) => Decision::Repeat { state: RotationState { rotated_at: asked.now, ..state }, because },
            (Self::GraceUncounted, Decision::Repeat { state, because: RepeatProof::Grace { .. } }) => {
                Decision::Repeat { state, because: RepeatProof::Grace { alarm: false } }
            }
            _ => return None,
        };
        Some(decision)
    }

    /// Cases 11 and 12: used tokens that are not repeated.
    fn old_tokens(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let decision = match (self, shipped) {
            (Self::NoSuperseded, Decision::Refuse(Refusal::Superseded)) => asked.reuse(),
            (Self::SupersededRepeats, Decision::Refuse(Refusal::Superseded)) => {
                Decision::Repeat { state: asked.seen(), because: RepeatProof::Attempts }
            }
            (Self::UsedRotates, Decision::Reuse { .. }) => {
                let generation = asked.presented.generation;
                let rotation = RotationState { generation, ..asked.session.rotation };
                asked.with_session(&Session { rotation, ..asked.session.clone() })
            }
            (Self::ReuseOnlyRefused, Decision::Reuse { .. }) => Decision::Refuse(Refusal::Superseded),
            (Self::ReuseEndsOne, Decision::Reuse { .. }) => Decision::Reuse { ends: OnReuse::Session },
            _ => return None,
        };
        Some(decision)
    }

    /// Case 13: tokens ahead of the row.
    fn healing(self, asked: &Asked<'_>, shipped: Decision) -> Option<Decision> {
        let Decision::Rotate { state, healed: true } = shipped else { return None };
        let (c, g) = asked.generations();
        let id = asked.presented.attempts.get(g);
        let remembering = |ids| {
            let attempts = RememberedAttempts::new(ids);
            Decision::Rotate { state: RotationState { attempts, ..state }, healed: true }
        };
        let decision = match self {
            Self::NoHealing => Decision::Refuse(Refusal::Unknown),
            Self::HealsOne if g.0 - c.0 > 1 => Decision::Refuse(Refusal::Ahead),
            Self::HealsUnaligned => {
                let [first, second, third, _] = *asked.session.rotation.attempts.newest_first();
                remembering([id, first, second, third])
            }
            Self::HealsForgetting => remembering([id, None, None, None]),
            _ => return None,
        };
        Some(decision)
    }
}

/// What the decision is asked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    session: &'a Session,
    subject: &'a Subject,
    client: &'a Client,
    presented: &'a Presented,
    policy: &'a Policy,
    now: Timestamp,
}

impl Asked<'_> {
    /// What is shipped answers.
    fn shipped(&self) -> Decision {
        decide(Some(self.session), self.subject, Some(self.client), self.presented, self.policy, self.now)
    }

    fn with_session(&self, session: &Session) -> Decision {
        Asked { session, ..*self }.shipped()
    }

    fn with_presented(&self, presented: &Presented) -> Decision {
        Asked { presented, ..*self }.shipped()
    }

    fn with_policy(&self, policy: &Policy) -> Decision {
        Asked { policy, ..*self }.shipped()
    }

    /// The answer if the row remembered these ids.
    fn with_remembered(&self, attempts: RememberedAttempts) -> Decision {
        let rotation = RotationState { attempts, ..self.session.rotation };
        self.with_session(&Session { rotation, ..self.session.clone() })
    }

    /// The answer if nobody had ended the session.
    fn unended(&self) -> Decision {
        let subject = Subject { cutoff: None, ..self.subject.clone() };
        let session = Session { revoked: None, ..self.session.clone() };
        Asked { session: &session, subject: &subject, ..*self }.shipped()
    }

    /// The alarm.
    const fn reuse(&self) -> Decision {
        Decision::Reuse { ends: self.policy.on_reuse }
    }

    /// The row's state after a repeat.
    fn seen(&self) -> RotationState {
        RotationState { seen_at: self.now, ..self.session.rotation }
    }

    /// The row's generation and the token's.
    const fn generations(&self) -> (Generation, Generation) {
        (self.session.rotation.generation, self.presented.generation)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
