//! What is answered to a request that is not let through, in the form that the service itself answers in.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use daypass_jwt::VerifyError;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::AuthError;

/// The realm of challenges unless told otherwise.
pub const DEFAULT_REALM: &str = "daypass";

/// What a client is told. Of a token that is not valid it learns no more than that, unless its time was over or its
/// session has ended: those two it can do something about.
struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
    /// `error` of the challenge (RFC 6750 section 3.1); none if no token came.
    error: Option<&'static str>,
    scope: Option<String>,
}

/// Problem details (RFC 9457).
#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

/// The answer to a request that is not let through, for those who do not use the layer: status, challenge
/// (RFC 6750 section 3) and problem details (RFC 9457).
///
/// ```
/// use daypass_verify::AuthError;
/// use daypass_verify::http::{DEFAULT_REALM, answer};
///
/// let answer = answer(&AuthError::Scope("orders".to_owned()), DEFAULT_REALM);
/// assert_eq!(answer.status(), 403);
/// ```
pub fn answer(error: &AuthError, realm: &str) -> Response<Bytes> {
    let problem = match error {
        AuthError::Unavailable { retry_after, .. } => return unavailable(*retry_after),
        AuthError::Missing => Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", None)
            .text("An access token is needed", "send an access token as Authorization: Bearer"),
        AuthError::Request => {
            let detail = "the Authorization header does not hold one access token";
            Problem::new(StatusCode::BAD_REQUEST, "invalid-request", Some("invalid_request"))
                .text("The request cannot be read", detail)
        }
        AuthError::Invalid(VerifyError::Expired) => Problem::token("the access token has expired"),
        AuthError::Invalid(_) => Problem::token("the access token is not valid"),
        AuthError::Revoked => Problem::token("the session of the access token is over"),
        AuthError::Scope(scope) => {
            let problem =
                Problem::new(StatusCode::FORBIDDEN, "insufficient-scope", Some("insufficient_scope"));
            let detail = format!("the access token lacks the scope {scope}");
            let problem = problem.text("The access token does not reach that far", detail);
            Problem { scope: Some(scope.clone()), ..problem }
        }
    };
    let challenge = problem.challenge(realm);
    let (status, detail) = (problem.status, problem.detail.as_str());
    let answer = render(status, problem.name, problem.title, detail);
    with(answer, WWW_AUTHENTICATE, HeaderValue::try_from(challenge).ok())
}

impl Problem {
    fn new(status: StatusCode, name: &'static str, error: Option<&'static str>) -> Self {
        Self { status, name, title: "", detail: String::new(), error, scope: None }
    }

    fn token(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid-token", Some("invalid_token"))
            .text("The access token is no good", detail)
    }

    fn text(self, title: &'static str, detail: impl Into<String>) -> Self {
        Self { title, detail: detail.into(), ..self }
    }

    fn challenge(&self, realm: &str) -> String {
        let mut challenge = format!("Bearer realm=\"{}\"", quotable(realm));
        let description = match self.error {
            // RFC 6750 section 3 has no text beside `invalid_request` that would help: the body says it.
            Some("invalid_request") | None => None,
            Some("insufficient_scope") => Some("the access token lacks a scope"),
            Some(_) => Some(self.detail.as_str()),
        };
        let members =
            [("error", self.error), ("error_description", description), ("scope", self.scope.as_deref())];
        for (name, value) in members {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(challenge, ", {name}=\"{}\"", quotable(value));
            }
        }
        challenge
    }
}

/// `text` with everything replaced that would need an escape within quotes (RFC 6750 section 3).
fn quotable(text: &str) -> String {
    let plain = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    text.chars().map(|c| if plain(c) { c } else { '?' }).collect()
}

/// 503: nothing is known against the token, and nothing for it. There is no challenge, since another token would
/// help no more.
fn unavailable(retry_after: Duration) -> Response<Bytes> {
    let title = "The service cannot answer at the moment";
    let answer = render(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title, "try again after a while");
    let seconds = retry_after.as_secs().saturating_add(u64::from(retry_after.subsec_nanos() > 0));
    with(answer, RETRY_AFTER, Some(HeaderValue::from(seconds.max(1))))
}

/// 500: a route asks for a token, and no layer has judged the request.
#[cfg(feature = "axum")]
pub(crate) fn no_layer() -> Response<Bytes> {
    let title = "The service is not set up as it should be";
    render(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", title, "the log says more")
}

fn render(status: StatusCode, name: &str, title: &'static str, detail: &str) -> Response<Bytes> {
    let r#type = format!("urn:daypass:problem:{name}");
    let details = Details { r#type, title, status: status.as_u16(), detail };
    // Texts and a number do not fail to serialise.
    let body = serde_json::to_vec(&details).unwrap_or_default();
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn with(mut answer: Response<Bytes>, name: HeaderName, value: Option<HeaderValue>) -> Response<Bytes> {
    if let Some(value) = value {
        answer.headers_mut().insert(name, value);
    }
    answer
}
