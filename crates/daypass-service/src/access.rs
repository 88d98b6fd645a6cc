//! Taking back the service's own access tokens: who is calling?

use daypass_core::{Session, SessionId, Subject, SubjectId, Timestamp};
use daypass_jwt::{AccessClaims, Verified, VerifyError};
use daypass_storage::StoreError;

use crate::error::ServiceError;
use crate::start::{Inner, Service, Snapshot};

/// A caller whose access token is good, as far as that can be told without the store.
#[derive(Debug)]
pub struct Caller {
    claims: AccessClaims,
    session: Option<SessionId>,
}

/// A caller whose access token is good and whose session lives.
#[derive(Debug)]
pub struct LiveCaller {
    claims: AccessClaims,
    /// The session.
    pub session: Session,
    /// The subject.
    pub subject: Subject,
}

/// Why an access token was refused.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Its time is up.
    #[error("the access token has expired")]
    Expired,
    /// It is no good in another way, by the verifier's code.
    #[error("the access token is not valid: {0}")]
    Invalid(&'static str),
    /// Its session is over, or it has none.
    #[error("the session of the access token is over")]
    Ended,
    /// The service cannot tell.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<VerifyError> for AccessError {
    fn from(error: VerifyError) -> Self {
        if error.is_expired() { Self::Expired } else { Self::Invalid(error.code()) }
    }
}

impl Caller {
    /// The token's claims.
    pub const fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// The session, for callers that have one.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Whether the token may be used for `scope`.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.scope.contains(scope)
    }
}

impl LiveCaller {
    /// The token's claims.
    pub const fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// Who is calling.
    pub const fn sub(&self) -> &SubjectId {
        &self.subject.id
    }
}

impl Service {
    /// Verifies an access token of this service, in memory. Whether its session still lives is not
    /// looked at.
    pub fn verify(&self, token: &str) -> Result<Caller, AccessError> {
        self.inner.verify(token, self.now())
    }

    /// Verifies an access token and looks up its session.
    pub async fn authenticate(&self, token: &str) -> Result<LiveCaller, AccessError> {
        let now = self.now();
        let caller = self.inner.verify(token, now)?;
        self.inner.live(caller, now).await
    }
}

impl Snapshot {
    /// Whether a session can be used at `now`: it has neither ended, nor expired, nor been left idle
    /// for too long, and its client is there.
    pub(crate) fn is_live(&self, session: &Session, subject: &Subject, now: Timestamp) -> bool {
        let client = self.clients.get(session.client.as_str()).filter(|(client, _)| !client.disabled);
        client.is_some_and(|(_, policy)| {
            session.lives(subject, now) && !session.idle_for_too_long(policy.idle, now)
        })
    }
}

impl Inner {
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, AccessError> {
        let snapshot = self.snapshot.load();
        let verified: Verified =
            daypass_jwt::verify(token, &snapshot.tokens, snapshot.keys.verifying(), now.seconds())?;
        let (claims, _) = verified.into_parts();
        let session = claims.sid.as_deref().map(str::parse).transpose();
        let session = session.map_err(|_| AccessError::Invalid("claim"))?;
        Ok(Caller { claims, session })
    }

    pub(crate) async fn live(&self, caller: Caller, now: Timestamp) -> Result<LiveCaller, AccessError> {
        let Caller { claims, session } = caller;
        let id = session.ok_or(AccessError::Ended)?;
        let found = self.store.session(id).await?;
        let snapshot = self.snapshot.load();
        match found {
            Some((session, subject))
                if snapshot.is_live(&session, &subject, now) && subject.id.as_str() == claims.sub =>
            {
                Ok(LiveCaller { claims, session, subject })
            }
            _ => Err(AccessError::Ended),
        }
    }
}
