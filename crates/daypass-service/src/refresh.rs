//! Renewal: open the token, let the store decide and write, answer with the pair.

use std::fmt;
use std::sync::Arc;

use daypass_core::attempt::InvalidAttempt;
use daypass_core::{
    Decision, EndingReason, Generation, OpenedToken, Presented, PresentedAttempts, PresentedBy, Proof,
    Refusal, Scope, SessionId, TokenError,
};
use daypass_storage::{RotateRequest, Rotated, StoreError};
use tokio::time::Instant;

use crate::clients::RegisteredClient;
use crate::error::ServiceError;
use crate::metrics::RefreshOutcome;
use crate::pair::Pair;
use crate::start::{Inner, Service, Snapshot};

/// A request to renew. It does not print the token and the attempt ids.
#[derive(Clone)]
pub struct Refresh<'a> {
    /// The refresh token, as it came.
    pub token: &'a str,
    /// The attempt ids, as they came.
    pub attempts: Option<&'a str>,
    /// The client that presents it and has authenticated if it must; none on the first-party
    /// endpoint, which serves any public first-party client.
    pub client: Option<&'a RegisteredClient>,
    /// A narrower scope for the access token, if one was asked for (RFC 6749 section 6).
    pub scope: Option<&'a Scope>,
    /// The audience that was asked for (RFC 8707).
    pub resource: Option<&'a str>,
    /// Where the request came from.
    pub address: Option<Arc<str>>,
}

impl fmt::Debug for Refresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh")
            .field("client", &self.client.map(RegisteredClient::id))
            .field("scope", &self.scope)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// Why a renewal was refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token is no good, and why is not told: it is malformed, forged, unknown, or another
    /// client's.
    #[error("the refresh token is not valid")]
    Invalid,
    /// The token is no good, and its holder may know why.
    #[error("the refresh token is not valid: {0:?}")]
    Refused(RefusedBecause),
    /// Attempt ids were sent, but none for the token's generation. Nothing has changed.
    #[error("no attempt id was sent for generation {0}")]
    Mismatch(Generation),
    /// The attempt ids cannot be read.
    #[error("{0}")]
    Attempts(#[from] InvalidAttempt),
    /// The session is bound to a DPoP key, and no good proof came.
    #[error("the session is bound to a key: a DPoP proof is required")]
    ProofRequired,
    /// More was asked for than was granted.
    #[error("the scope exceeds what was granted")]
    Scope,
    /// An audience was asked for that the client is not registered for.
    #[error("the client may not ask for that resource")]
    Resource,
    /// The service cannot answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// Why a refresh token with a good tag is no good any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The session's time is up.
    Expired,
    /// The session was ended.
    Revoked,
    /// The session was ended because a used token came back.
    Reused,
    /// A late copy of one of the client's own old requests. The session lives.
    Superseded,
}

impl RefusedBecause {
    /// The `reason` member of the answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Reused => "reused",
            Self::Superseded => "superseded",
        }
    }

    /// Whether the session is over, so that cookies that hold its tokens can go.
    pub const fn session_is_over(self) -> bool {
        !matches!(self, Self::Superseded)
    }
}

impl Service {
    /// Renews.
    pub async fn refresh(&self, request: Refresh<'_>) -> Result<Pair, RefreshError> {
        let began = Instant::now();
        let mut outcome = RefreshOutcome::invalid;
        let answer = self.inner.refresh(request, &mut outcome).await;
        if let Err(RefreshError::Service(error)) = &answer {
            outcome = RefreshOutcome::unavailable;
            // Anybody can make up a token of an unknown secret: the reload tells of it, once a second.
            if matches!(error, ServiceError::Key(_)) {
                tracing::debug!(%error, "a renewal could not be answered");
            } else {
                tracing::warn!(%error, "a renewal could not be answered");
            }
        }
        self.inner.metrics.refreshed(outcome, began);
        answer
    }
}

impl Inner {
    async fn refresh(
        &self,
        request: Refresh<'_>,
        outcome: &mut RefreshOutcome,
    ) -> Result<Pair, RefreshError> {
        let (mut snapshot, token) = self.open(request.token).await?;
        let attempts = match request.attempts {
            Some(text) => PresentedAttempts::parse(text, token.generation())?,
            None => PresentedAttempts::NONE,
        };
        self.check_resource(&request)?;
        if let Some(scope) = request.scope {
            self.check_scope(&snapshot, token.session(), request.client, scope).await?;
        }
        let successor_key = snapshot
            .keys
            .tagger(self.clock.now())
            .ok_or_else(|| ServiceError::Key("none that tags".to_owned()))?;
        let rotated = self
            .store
            .rotate(RotateRequest {
                session: token.session(),
                presented: Presented {
                    generation: token.generation(),
                    attempts,
                    by: request
                        .client
                        .map_or(PresentedBy::FirstParty, |client| PresentedBy::Client(client.id().clone())),
                    proof: Proof::Absent,
                    successor_key,
                },
                clients: Arc::clone(&snapshot.clients),
                address: request.address.clone(),
            })
            .await?;
        *outcome = outcome_of(&rotated);
        accepted(&rotated)?;
        let (session, subject) =
            rotated.row.as_ref().ok_or(ServiceError::Internal("a rotation without a session"))?;
        if snapshot
            .keys
            .secrets()
            .issue(session.rotation.token_key, session.id, session.rotation.generation)
            .is_none()
        {
            // Another node has rotated with a secret that is new here.
            self.reload_for_unknown_key().await;
            snapshot = self.snapshot.load_full();
        }
        Ok(self.pair(&snapshot, (session, subject), request.scope, request.resource, rotated.now)?)
    }

    /// Opens a refresh token. A forged or damaged one costs no storage access.
    pub(crate) async fn open(&self, token: &str) -> Result<(Arc<Snapshot>, OpenedToken), RefreshError> {
        let snapshot = self.snapshot.load_full();
        match snapshot.keys.secrets().open(token) {
            Ok(opened) => return Ok((snapshot, opened)),
            Err(TokenError::Malformed | TokenError::Forged) => return Err(RefreshError::Invalid),
            Err(TokenError::UnknownKey(_)) => {}
        }
        self.reload_for_unknown_key().await;
        let snapshot = self.snapshot.load_full();
        match snapshot.keys.secrets().open(token) {
            Ok(opened) => Ok((snapshot, opened)),
            Err(TokenError::Malformed | TokenError::Forged) => Err(RefreshError::Invalid),
            Err(TokenError::UnknownKey(id)) => {
                Err(ServiceError::Key(format!("the secret {} of a token", id.0)).into())
            }
        }
    }

    /// Refuses an audience that the client is not registered for, before anything is rotated.
    fn check_resource(&self, request: &Refresh<'_>) -> Result<(), RefreshError> {
        let Some(resource) = request.resource else { return Ok(()) };
        let own = request.client.and_then(|client| client.client.audience.as_deref());
        if self.is_audience(own, resource) { Ok(()) } else { Err(RefreshError::Resource) }
    }

    /// Whether a client may ask for an audience: its own, the service's default, or the issuer.
    pub(crate) fn is_audience(&self, own: Option<&str>, resource: &str) -> bool {
        let default = self.config.audience.as_deref();
        own == Some(resource) || default == Some(resource) || self.config.issuer == resource
    }

    /// Refuses a scope beyond what was granted, before anything is rotated. What was granted never
    /// changes, so that it may be read ahead. Of a session that is over, or another client's, nothing
    /// is told: that is for the decision to answer.
    async fn check_scope(
        &self,
        snapshot: &Snapshot,
        session: SessionId,
        client: Option<&RegisteredClient>,
        scope: &Scope,
    ) -> Result<(), RefreshError> {
        let Some((session, subject)) = self.store.session(session).await? else { return Ok(()) };
        let own = client.is_none_or(|client| *client.id() == session.client);
        if own
            && snapshot.is_live(&session, &subject, self.clock.now())
            && !scope.is_subset_of(&session.scope)
        {
            return Err(RefreshError::Scope);
        }
        Ok(())
    }
}

/// What a decision means to the client.
fn accepted(rotated: &Rotated) -> Result<(), RefreshError> {
    let refused = |because| Err(RefreshError::Refused(because));
    match rotated.decision {
        Decision::Rotate { .. } | Decision::Repeat { .. } => Ok(()),
        Decision::Mismatch { generation } => Err(RefreshError::Mismatch(generation)),
        Decision::Reuse { .. } => refused(RefusedBecause::Reused),
        Decision::Refuse(refusal) => match refusal {
            Refusal::Unknown | Refusal::Ahead | Refusal::WrongClient => Err(RefreshError::Invalid),
            Refusal::ProofRequired => Err(RefreshError::ProofRequired),
            Refusal::Ended(EndingReason::Reused) => refused(RefusedBecause::Reused),
            Refusal::Ended(EndingReason::Expired) | Refusal::Expired => refused(RefusedBecause::Expired),
            Refusal::Ended(_) => refused(RefusedBecause::Revoked),
            Refusal::Superseded => refused(RefusedBecause::Superseded),
        },
    }
}

/// How a decision is counted. `reused` counts alarms; what comes after one is `revoked`.
const fn outcome_of(rotated: &Rotated) -> RefreshOutcome {
    match rotated.decision {
        Decision::Rotate { healed: false, .. } => RefreshOutcome::rotated,
        Decision::Rotate { healed: true, .. } => RefreshOutcome::healed,
        Decision::Repeat { .. } => RefreshOutcome::repeated,
        Decision::Mismatch { .. } => RefreshOutcome::mismatch,
        Decision::Reuse { .. } => RefreshOutcome::reused,
        Decision::Refuse(refusal) => match refusal {
            Refusal::Unknown | Refusal::Ahead => RefreshOutcome::unknown,
            Refusal::WrongClient => RefreshOutcome::wrong_client,
            Refusal::ProofRequired => RefreshOutcome::proof_required,
            Refusal::Ended(EndingReason::Expired) | Refusal::Expired => RefreshOutcome::expired,
            Refusal::Ended(_) => RefreshOutcome::revoked,
            Refusal::Superseded => RefreshOutcome::superseded,
        },
    }
}
