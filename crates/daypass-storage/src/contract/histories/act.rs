//! Operations as they were asked for, their answers, and when each began and ended.

use std::fmt;
use std::time::Duration;

use daypass_core::{EndingReason, NewSession, Presented, Session, SessionId, Subject};

use crate::contract::stage::hash;
use crate::{EndOutcome, Opened, PasswordHash, Rotated};

/// Something that is done to one subject's sessions.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Rotate {
        session: SessionId,
        presented: Presented,
    },
    /// Where a password was checked, `proven` is the one that was in place then.
    SignIn {
        new: Box<NewSession>,
        proven: Option<Password>,
    },
    End {
        session: SessionId,
        owned: bool,
        why: EndingReason,
    },
    EndAll {
        except: Option<SessionId>,
        why: EndingReason,
    },
    Disable(bool),
    NewPassword {
        password: Password,
        from: Option<Password>,
        keep: Option<SessionId>,
    },
    Rehash {
        from: Password,
        to: Password,
    },
    Prune,
    /// Time passes.
    Step(Duration),
    LookAtSession(SessionId),
    LookAtList,
    LookAtPerson,
}

/// One of the passwords that a person may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Password(pub(super) &'static str);

impl Password {
    pub(super) const ALL: [Self; 3] = [Self("first"), Self("second"), Self("third")];

    pub(super) fn hash(self) -> PasswordHash {
        hash(self.0)
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Rotated(Box<Rotated>),
    Opened(Box<Opened>),
    Ended(EndOutcome),
    Flag(bool),
    Done,
    Session(Option<Box<(Session, Subject)>>),
    List(Vec<Session>),
    Person(PasswordHash, Box<Subject>),
}

/// One operation of a history. `began` and `ended` are readings of one counter: where one call ended
/// before another began, everybody could tell which came first.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) actor: usize,
    pub(super) act: Act,
    pub(super) answer: Answer,
    pub(super) began: u64,
    pub(super) ended: u64,
}

impl Call {
    /// Whether this was over when the other began.
    pub(super) fn before(&self, other: &Self) -> bool {
        self.ended < other.began
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}..{:<4} actor {}: {:?} -> ", self.began, self.ended, self.actor, self.act)?;
        match &self.answer {
            Answer::Rotated(rotated) => write!(f, "{:?} at {}", rotated.decision, rotated.now.millis()),
            Answer::Opened(opened) => match &**opened {
                Opened::Session(session, _) => write!(f, "{}", session.id),
                refused => write!(f, "{refused:?}"),
            },
            Answer::Session(Some(row)) => {
                let (Session { rotation, revoked, .. }, Subject { disabled, cutoff, .. }) = &**row;
                write!(f, "{rotation:?} {revoked:?} {disabled} {cutoff:?}")
            }
            Answer::List(sessions) => {
                let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
                write!(f, "{ids:?}")
            }
            other => write!(f, "{other:?}"),
        }
    }
}
