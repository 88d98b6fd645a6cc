//! Sessions: one sign-in of one subject on one client.

use std::time::Duration;

use crate::attempt::RememberedAttempts;
use crate::id::{ClientId, Generation, SessionId, SubjectId, Thumbprint, TokenKeyId};
use crate::revocation::{EndingReason, Revoked};
use crate::scope::Scope;
use crate::subject::Subject;
use crate::time::{Timestamp, millis};

/// A session as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, which carries its start.
    pub id: SessionId,
    /// Whose it is.
    pub subject: SubjectId,
    /// On which client.
    pub client: ClientId,
    /// What was granted at sign-in.
    pub scope: Scope,
    /// How the subject authenticated (RFC 8176), separated by spaces.
    pub amr: String,
    /// When the subject authenticated.
    pub auth_time: Timestamp,
    /// When the session ends whatever happens; none for a session without end.
    pub expires_at: Option<Timestamp>,
    /// The DPoP key that the session is bound to (RFC 9449 section 5).
    pub jkt: Option<Thumbprint>,
    /// When and why it was ended, if it was. A session cut off with its subject says so there.
    pub revoked: Option<Revoked>,
    /// What rotation changes.
    pub rotation: RotationState,
}

impl Session {
    /// When the session started.
    pub fn start(&self) -> Timestamp {
        self.id.start()
    }

    /// Why the session is over, by itself or with its subject; `None` while it lives.
    pub fn ended(&self, subject: &Subject) -> Option<EndingReason> {
        match (self.revoked.map(|revoked| revoked.why), subject.ended(self.start())) {
            (Some(EndingReason::Reused), _) | (_, Some(EndingReason::Reused)) => Some(EndingReason::Reused),
            (own, with_subject) => own.or(with_subject),
        }
    }

    /// Whether the session's own end has come.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// Whether the session has gone without a renewal for longer than `idle`, if that is limited.
    pub fn idle_for_too_long(&self, idle: Option<Duration>, now: Timestamp) -> bool {
        idle.is_some_and(|idle| now.millis_since(self.rotation.seen_at) > millis(idle))
    }

    /// Whether an access token of this session is good at `now`: it neither ended nor expired.
    pub fn lives(&self, subject: &Subject, now: Timestamp) -> bool {
        self.ended(subject).is_none() && !self.expired(now)
    }
}

/// The part of a session that a rotation changes. Nothing in it is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RotationState {
    /// The generation of the current refresh token.
    pub generation: Generation,
    /// The attempt ids of the last four rotations.
    pub attempts: RememberedAttempts,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// When the session was last rotated or repeated.
    pub seen_at: Timestamp,
    /// The secret that the current refresh token was tagged with.
    pub token_key: TokenKeyId,
    /// How many generations running have been repeated on grace, up to and with the current one.
    pub grace_run: u8,
    /// Whether the current generation is one of them.
    pub grace_used: bool,
}

impl RotationState {
    /// The state of a session that starts now.
    pub fn first(now: Timestamp, token_key: TokenKeyId) -> Self {
        Self {
            generation: Generation(0),
            attempts: RememberedAttempts::default(),
            rotated_at: now,
            seen_at: now,
            token_key,
            grace_run: 0,
            grace_used: false,
        }
    }
}

/// Where a sign-in came from, for the person to recognise it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// A name that the client gave.
    pub label: Option<String>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The network address.
    pub address: Option<String>,
}

/// A session about to be opened. Its start is settled inside the store's transaction.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Randomness for the id.
    pub random: [u8; 10],
    /// Whose it is.
    pub subject: SubjectId,
    /// On which client.
    pub client: ClientId,
    /// What is granted.
    pub scope: Scope,
    /// How the subject authenticated.
    pub amr: String,
    /// When the subject authenticated, if not now.
    pub auth_time: Option<Timestamp>,
    /// The life of the session, if it ends.
    pub life: Option<Duration>,
    /// The DPoP key to bind it to.
    pub jkt: Option<Thumbprint>,
    /// The secret that its first refresh token will be tagged with.
    pub token_key: TokenKeyId,
}

/// The subject may not sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subject is disabled")]
pub struct SignInRefused;

impl NewSession {
    /// Opens the session for `subject` at `now`.
    ///
    /// It starts no earlier than the subject's cutoff, so that somebody who signs in during the
    /// millisecond of a revocation, or after the clock went back, is not signed out by it.
    ///
    /// # Errors
    /// A disabled subject is refused.
    pub fn open(&self, subject: &Subject, now: Timestamp) -> Result<Session, SignInRefused> {
        if subject.disabled {
            return Err(SignInRefused);
        }
        let start = now.max(subject.not_before());
        Ok(Session {
            id: SessionId::new(start, self.random),
            subject: self.subject.clone(),
            client: self.client.clone(),
            scope: self.scope.clone(),
            amr: self.amr.clone(),
            auth_time: self.auth_time.unwrap_or(now),
            expires_at: self.life.map(|life| now.plus(life)),
            jkt: self.jkt,
            revoked: None,
            rotation: RotationState::first(now, self.token_key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Cutoff;

    fn new_session() -> NewSession {
        NewSession {
            random: [7; 10],
            subject: SubjectId::new("s").unwrap(),
            client: ClientId::new("c").unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: Some(Duration::from_secs(10)),
            jkt: None,
            token_key: TokenKeyId(1),
        }
    }

    #[test]
    fn a_sign_in_in_the_millisecond_of_a_revocation_lives() {
        let now = Timestamp::from_millis(1000);
        let mut subject = Subject::new(SubjectId::new("s").unwrap());
        subject.cutoff = Some(Cutoff::at(now, None, None, EndingReason::Revoked));
        let session = new_session().open(&subject, now).unwrap();
        assert!(session.lives(&subject, now));
        assert!(session.lives(&subject, now.plus(Duration::from_millis(9_999))));
        assert!(!session.lives(&subject, now.plus(Duration::from_secs(10))), "expires_at is exclusive");
    }

    #[test]
    fn a_disabled_subject_cannot_sign_in() {
        let mut subject = Subject::new(SubjectId::new("s").unwrap());
        subject.disabled = true;
        assert_eq!(new_session().open(&subject, Timestamp::from_millis(1)), Err(SignInRefused));
    }
}
