//! Errors in the form of RFC 6749 section 5.2, for `/oauth2/*` and `/v1/refresh`.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use daypass_service::core::Generation;
use daypass_service::{CredentialsError, RefreshError, RevokeError, ServiceError};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer;

const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"daypass\", charset=\"UTF-8\"");

/// An error as it is answered.
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    content: Content,
    header: Option<Box<(http::HeaderName, HeaderValue)>>,
    session_is_over: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Content {
    error: &'static str,
    error_description: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<Generation>,
}

impl OAuthError {
    /// An error whose description keeps to the characters of RFC 6749 section 5.2.
    pub(crate) fn new(
        status: StatusCode,
        error: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        let content =
            Content { error, error_description: description.into(), reason: None, generation: None };
        Self { status, content, header: None, session_is_over: false }
    }

    pub(crate) fn bad(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, description)
    }

    /// The client is unknown, or failed to authenticate; which is not told.
    pub(crate) fn invalid_client() -> Self {
        Self {
            header: header(WWW_AUTHENTICATE, BASIC_CHALLENGE),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is unknown or failed to authenticate",
            )
        }
    }

    /// Too many wrong client secrets; come back after `wait`.
    pub(crate) fn limited(wait: Duration) -> Self {
        Self {
            header: header(RETRY_AFTER, answer::retry_after(wait)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "invalid_client",
                "too many failed attempts: wait before you try again",
            )
        }
    }

    /// The service cannot answer, and has said so in its log.
    fn unavailable(error: &ServiceError) -> Self {
        let what = "try again after a while";
        Self {
            header: header(RETRY_AFTER, answer::retry_after(error.retry_after())),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", what)
        }
    }

    /// The method is not one of `allow`.
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self {
            header: header(ALLOW, allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "the method is not allowed here")
        }
    }

    /// Whether the refused token's session is over, so that cookies that hold its tokens can go.
    pub(crate) const fn session_is_over(&self) -> bool {
        self.session_is_over
    }
}

impl From<ServiceError> for OAuthError {
    fn from(error: ServiceError) -> Self {
        tracing::warn!(%error, "a request could not be answered");
        Self::unavailable(&error)
    }
}

impl From<RefreshError> for OAuthError {
    fn from(error: RefreshError) -> Self {
        let invalid = || Self::bad("invalid_grant", "the refresh token is not valid");
        match error {
            RefreshError::Invalid => invalid(),
            RefreshError::Refused(because) => {
                let mut refused = invalid();
                refused.content.reason = Some(because.name());
                refused.session_is_over = because.session_is_over();
                refused
            }
            RefreshError::Mismatch(generation) => {
                let what = "no attempt id was sent for the generation of the refresh token";
                let mut mismatch = Self::new(StatusCode::CONFLICT, "mismatch", what);
                mismatch.content.generation = Some(generation);
                mismatch
            }
            RefreshError::Attempts(error) => {
                Self::bad("invalid_request", answer::clean(&format!("attempt: {error}")))
            }
            RefreshError::ProofRequired => {
                Self::bad("invalid_dpop_proof", "the session is bound to a key: a DPoP proof is required")
            }
            RefreshError::Scope => scope_exceeds("what was granted"),
            RefreshError::Resource => unknown_resource(),
            RefreshError::Service(error) => Self::unavailable(&error),
        }
    }
}

impl From<CredentialsError> for OAuthError {
    fn from(error: CredentialsError) -> Self {
        match error {
            CredentialsError::Unauthorized => unauthorized_client(),
            CredentialsError::Scope => scope_exceeds("what the client is registered for"),
            CredentialsError::Resource => unknown_resource(),
            CredentialsError::Service(error) => error.into(),
        }
    }
}

impl From<RevokeError> for OAuthError {
    fn from(error: RevokeError) -> Self {
        match error {
            RevokeError::OtherClient => Self::bad("invalid_grant", "the token belongs to another client"),
            RevokeError::Unsupported => Self::bad(
                "unsupported_token_type",
                "an access token without a session cannot be revoked: it ends by itself",
            ),
            RevokeError::Service(error) => error.into(),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is a field's value")]
fn header(name: http::HeaderName, value: HeaderValue) -> Option<Box<(http::HeaderName, HeaderValue)>> {
    Some(Box::new((name, value)))
}

pub(crate) fn unauthorized_client() -> OAuthError {
    OAuthError::bad("unauthorized_client", "the client is not registered for this grant")
}

fn scope_exceeds(what: &'static str) -> OAuthError {
    OAuthError::bad("invalid_scope", format!("the scope exceeds {what}"))
}

fn unknown_resource() -> OAuthError {
    OAuthError::bad("invalid_target", "the client may not ask for that resource")
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let mut response = answer::json(self.status, &self.content);
        answer::token_headers(response.headers_mut());
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
