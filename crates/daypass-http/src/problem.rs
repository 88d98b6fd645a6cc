//! Errors as problem details (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use daypass_service::ServiceError;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer;

const MEDIA_TYPE_OF_PROBLEMS: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A kind of problem: what clients tell problems apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) status: StatusCode,
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
}

macro_rules! kinds {
    ($($constant:ident = $status:ident $name:literal $title:literal;)*) => {
        $(pub(crate) const $constant: &Kind = &Kind { status: StatusCode::$status, name: $name, title: $title };)*

        /// Every kind, for the documentation.
        pub(crate) const KINDS: &[&Kind] = &[$($constant),*];
    };
}

kinds! {
    INVALID_REQUEST = BAD_REQUEST "invalid-request" "The request cannot be read";
    INVALID_CLIENT = BAD_REQUEST "invalid-client" "The client may not do that";
    INVALID_SCOPE = BAD_REQUEST "invalid-scope" "The scope cannot be granted";
    WEAK_PASSWORD = BAD_REQUEST "weak-password" "The new password must not be used";
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "An access token is needed";
    INVALID_TOKEN = UNAUTHORIZED "invalid-token" "The access token is no good";
    INVALID_CREDENTIALS = UNAUTHORIZED "invalid-credentials" "The user name or the password is wrong";
    INSUFFICIENT_SCOPE = FORBIDDEN "insufficient-scope" "The access token does not reach that far";
    WRONG_PASSWORD = FORBIDDEN "wrong-password" "The current password is wrong";
    CSRF = FORBIDDEN "csrf" "The request may have been forged";
    FORBIDDEN = FORBIDDEN "forbidden" "That is not for you";
    NOT_FOUND = NOT_FOUND "not-found" "There is nothing here";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "That cannot be done here";
    TIMEOUT = REQUEST_TIMEOUT "timeout" "The request took too long";
    NO_PASSWORD = CONFLICT "no-password" "There is no password to change";
    TOO_LARGE = PAYLOAD_TOO_LARGE "too-large" "The request is too large";
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The request body is of another kind";
    TOO_MANY_ATTEMPTS = TOO_MANY_REQUESTS "too-many-attempts" "Too many failed attempts";
    UNAVAILABLE = SERVICE_UNAVAILABLE "unavailable" "The service cannot answer at the moment";
}

/// An error as it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: &'static Kind,
    detail: Cow<'static, str>,
    header: Option<(http::HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), header: None }
    }

    /// With the challenge that a 401 or 403 needs (RFC 6750 section 3).
    pub(crate) fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.header = Some((WWW_AUTHENTICATE, challenge));
        self
    }

    /// Too many failures; come back after `wait`.
    pub(crate) fn limited(wait: Duration) -> Self {
        Self {
            header: Some((RETRY_AFTER, answer::retry_after(wait))),
            ..Self::new(TOO_MANY_ATTEMPTS, "wait before you try again")
        }
    }

    /// The method is not one of `allow`.
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self {
            header: Some((ALLOW, allow)),
            ..Self::new(METHOD_NOT_ALLOWED, "the method is not one that this resource has")
        }
    }

    /// The service cannot answer, and has said so in its log.
    pub(crate) fn unavailable(error: &ServiceError) -> Self {
        Self {
            header: Some((RETRY_AFTER, answer::retry_after(error.retry_after()))),
            ..Self::new(UNAVAILABLE, "try again after a while")
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(NOT_FOUND, "there is no such resource")
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        tracing::warn!(%error, "a request could not be answered");
        Self::unavailable(&error)
    }
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, header } = self;
        let details = Details {
            r#type: format!("urn:daypass:problem:{}", kind.name),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: &detail,
        };
        let mut response = answer::no_store(answer::typed(kind.status, MEDIA_TYPE_OF_PROBLEMS, &details));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
