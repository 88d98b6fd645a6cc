//! Audit events: what happened that somebody may have to account for. Successful rotations and
//! repeats are none; they are counted instead.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, SessionId, SubjectId};
use crate::time::Timestamp;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A session began.
    SignedIn,
    /// Credentials were refused.
    SignInRefused,
    /// A session was ended by its holder.
    SignedOut,
    /// One session, or all of a subject's, ended from elsewhere.
    Revoked,
    /// A used refresh token came back: theft, or a client that keeps copies.
    Reused,
    /// A token ahead of the store was accepted: the store had lost rotations.
    Healed,
    /// A late copy of an old request of the holder's own.
    Superseded,
    /// A token of a DPoP-bound session came without a good proof.
    ProofMissing,
    /// A well-tagged token so far ahead of its session that no fail-over explains it.
    GenerationAhead,
    /// Three generations running were repeated on grace: somebody may be shadowing a client that
    /// sends no attempt ids.
    GraceRepeated,
    /// A signing key or MAC secret was made, imported or retired.
    KeyRotated,
    /// A person was added.
    UserAdded,
    /// A person's claims, scopes or state changed.
    UserChanged,
    /// A person was removed.
    UserRemoved,
    /// A person's password changed.
    PasswordChanged,
    /// A client was registered.
    ClientAdded,
    /// A client's registration changed.
    ClientChanged,
    /// A client was removed.
    ClientRemoved,
}

impl EventKind {
    /// The kind as it is written in stores and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInRefused => "sign_in_refused",
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::Reused => "reused",
            Self::Healed => "healed",
            Self::Superseded => "superseded",
            Self::ProofMissing => "proof_missing",
            Self::GenerationAhead => "generation_ahead",
            Self::GraceRepeated => "grace_repeated",
            Self::KeyRotated => "key_rotated",
            Self::UserAdded => "user_added",
            Self::UserChanged => "user_changed",
            Self::UserRemoved => "user_removed",
            Self::PasswordChanged => "password_changed",
            Self::ClientAdded => "client_added",
            Self::ClientChanged => "client_changed",
            Self::ClientRemoved => "client_removed",
        }
    }
}

/// One audit event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Whom it concerns.
    pub subject: Option<SubjectId>,
    /// Which session.
    pub session: Option<SessionId>,
    /// Through which client.
    pub client: Option<ClientId>,
    /// From which network address.
    pub address: Option<String>,
    /// More, in words that hold no secret.
    pub detail: Option<String>,
}

impl Event {
    /// An event of `kind` at `at`, about nobody yet.
    pub fn new(at: Timestamp, kind: EventKind) -> Self {
        Self { at, kind, subject: None, session: None, client: None, address: None, detail: None }
    }

    /// The same event, about `subject`.
    #[must_use]
    pub fn of(mut self, subject: &SubjectId) -> Self {
        self.subject = Some(subject.clone());
        self
    }

    /// The same event, in `session`.
    #[must_use]
    pub fn in_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same event, through `client`.
    #[must_use]
    pub fn through(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// The same event, from `address`.
    #[must_use]
    pub fn from(mut self, address: Option<&str>) -> Self {
        self.address = address.map(str::to_owned);
        self
    }

    /// The same event, with more in words.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
