//! What OAuth clients ask for themselves: tokens of their own, revocation (RFC 7009) and
//! introspection (RFC 7662).

use std::net::IpAddr;
use std::time::Duration;

use daypass_core::{EndingReason, Grant, Scope, SubjectId};
use daypass_jwt::AccessClaims;
use daypass_storage::{Source, StoreError};

use crate::access::AccessError;
use crate::clients::{ClientAuth, ClientError, RegisteredClient, own_scope};
use crate::error::ServiceError;
use crate::pair::{Bearer, Pair};
use crate::refresh::RefreshError;
use crate::start::Service;

/// The scope that lets a client introspect.
pub const INTROSPECT_SCOPE: &str = "daypass:introspect";

/// Why a client did not get a token of its own.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The client is not registered for the grant, or cannot authenticate.
    #[error("the client may not use this grant")]
    Unauthorized,
    /// More was asked for than the client is registered for.
    #[error("the scope exceeds what the client is registered for")]
    Scope,
    /// An audience was asked for that the client is not registered for.
    #[error("the client may not ask for that resource")]
    Resource,
    /// The service cannot answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Why a token was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// It is another client's.
    #[error("the token belongs to another client")]
    OtherClient,
    /// It is an access token without a session, which nothing can call back.
    #[error("an access token without a session cannot be revoked")]
    Unsupported,
    /// The service cannot answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for RevokeError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// What introspection tells of a token.
#[derive(Debug)]
pub enum Introspection {
    /// Nothing: it is not active.
    Inactive,
    /// An access token whose session, if it has one, lives.
    Access(Box<AccessClaims>),
    /// A refresh token that can still be used.
    Refresh {
        /// The session.
        session: Box<daypass_core::Session>,
    },
}

impl Service {
    /// Tells whether a client is who it says.
    pub fn authenticate_client(&self, auth: &ClientAuth) -> Result<RegisteredClient, ClientError> {
        self.inner.snapshot.load().authenticate(auth)
    }

    /// Notes that a client failed to authenticate from an address. The error: too many did, and how
    /// long to wait. Right secrets are never held up by it.
    pub fn client_failed(&self, address: IpAddr) -> Result<(), Duration> {
        let now = self.now();
        self.inner.client_failures.admit(address, now)?;
        self.inner.client_failures.failed(address, now);
        Ok(())
    }

    /// A client's token for itself (RFC 6749 section 4.4), without refresh token.
    pub fn client_credentials(
        &self,
        client: &RegisteredClient,
        scope: Option<&Scope>,
        resource: Option<&str>,
    ) -> Result<Pair, CredentialsError> {
        if !client.is_confidential() || !client.may(Grant::ClientCredentials) {
            return Err(CredentialsError::Unauthorized);
        }
        let scope = own_scope(&client.client, scope).ok_or(CredentialsError::Scope)?;
        let own = client.client.audience.as_deref();
        if resource.is_some_and(|resource| !self.inner.is_audience(own, resource)) {
            return Err(CredentialsError::Resource);
        }
        let bearer = Bearer {
            sub: client.id().as_str(),
            client: &client.client,
            scope,
            audience: resource,
            session: None,
            claims: None,
        };
        let snapshot = self.inner.snapshot.load();
        Ok(self.inner.access_token(&snapshot, &bearer, &client.policy, self.now())?)
    }

    /// Ends the session of a token, of whichever kind and generation. A token that is none, or whose
    /// session is over, is revoked already.
    pub async fn revoke(
        &self,
        client: &RegisteredClient,
        token: &str,
        source: Source,
    ) -> Result<(), RevokeError> {
        let session = match self.inner.open(token).await {
            Ok((_, opened)) => opened.session(),
            Err(RefreshError::Service(error)) => return Err(error.into()),
            Err(_) => match self.verify(token) {
                Ok(caller) if caller.claims().client_id != client.id().as_str() => {
                    return Err(RevokeError::OtherClient);
                }
                Ok(caller) => caller.session().ok_or(RevokeError::Unsupported)?,
                Err(AccessError::Service(error)) => return Err(error.into()),
                Err(_) => return Ok(()),
            },
        };
        match self.inner.store.session(session).await? {
            Some((session, _)) if session.client != *client.id() => Err(RevokeError::OtherClient),
            Some((session, _)) => {
                self.inner.store.end_session(session.id, None, EndingReason::SignedOut, source).await?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Tells a client with the scope for it what a token is worth now.
    pub async fn introspect(&self, token: &str) -> Result<Introspection, ServiceError> {
        let now = self.now();
        match self.inner.open(token).await {
            Ok((snapshot, opened)) => {
                let Some((session, subject)) = self.inner.store.session(opened.session()).await? else {
                    return Ok(Introspection::Inactive);
                };
                let current = opened.generation() == session.rotation.generation;
                let active = current && snapshot.is_live(&session, &subject, now);
                let refresh = Introspection::Refresh { session: Box::new(session) };
                return Ok(if active { refresh } else { Introspection::Inactive });
            }
            Err(RefreshError::Service(error)) => return Err(error),
            Err(_) => {}
        }
        let Ok(caller) = self.inner.verify(token, now) else { return Ok(Introspection::Inactive) };
        let claims = Box::new(caller.claims().clone());
        if caller.session().is_none() {
            let client =
                self.inner.snapshot.load().clients.get(&claims.client_id).map(|(client, _)| client.disabled);
            let live = client == Some(false);
            return Ok(if live { Introspection::Access(claims) } else { Introspection::Inactive });
        }
        match self.inner.live(caller, now).await {
            Ok(_) => Ok(Introspection::Access(claims)),
            Err(AccessError::Service(error)) => Err(error),
            Err(_) => Ok(Introspection::Inactive),
        }
    }

    /// The `username` of an introspected subject, if it has one.
    pub async fn username(&self, sub: &SubjectId) -> Result<Option<String>, ServiceError> {
        Ok(self.inner.store.user_of(sub).await?.map(|user| user.name.as_str().to_owned()))
    }
}
