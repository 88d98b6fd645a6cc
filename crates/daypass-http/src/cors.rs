//! Which pages on other origins may call (the CORS protocol of the Fetch standard).

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::answer;

/// How a resource deals with pages on other origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Allowed origins may call, and send cookies.
    WithCredentials,
    /// Allowed origins may call.
    Plain,
    /// Nobody may.
    Never,
}

const ALLOW_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Daypass-Attempt, Daypass-CSRF");
const EXPOSE_HEADERS: HeaderValue = HeaderValue::from_static("WWW-Authenticate, Retry-After");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The origin of a request, if it says exactly one.
pub(crate) fn origin_of(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut origins = headers.get_all(ORIGIN).iter();
    origins.next().filter(|_| origins.next().is_none())
}

/// Whether an origin is one of `allowed`, byte for byte. `null` never is.
pub(crate) fn is_allowed(origin: &HeaderValue, allowed: &[String]) -> bool {
    origin != "null" && allowed.iter().any(|allowed| origin == allowed.as_str())
}

/// The answer to a preflight, if the request is one. It says nothing to origins that may not call.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap, allow: &HeaderValue) -> Option<Response> {
    let asked = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) && headers.contains_key(ORIGIN);
    (method == Method::OPTIONS && asked).then(|| {
        let mut response = answer::empty(StatusCode::NO_CONTENT);
        response.headers_mut().insert(http::header::ALLOW, allow.clone());
        response
    })
}

impl Cors {
    /// The origin to answer to, if it is one that may call.
    pub(crate) fn judge(self, headers: &HeaderMap, allowed: &[String]) -> Option<HeaderValue> {
        if self == Self::Never || allowed.is_empty() {
            return None;
        }
        origin_of(headers).filter(|origin| is_allowed(origin, allowed)).cloned()
    }

    /// Adds to an answer what lets the page at `origin` read it.
    pub(crate) fn decorate(self, response: &mut Response, origin: Option<HeaderValue>, preflight: bool) {
        let headers = response.headers_mut();
        let Some(origin) = origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self == Self::WithCredentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if preflight {
            if let Some(methods) = headers.remove(http::header::ALLOW) {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
        }
    }

    /// Tells caches that the answer depends on the origin, where it does.
    pub(crate) fn vary(self, response: &mut Response, allowed: &[String]) {
        if self != Self::Never && !allowed.is_empty() && !response.headers().contains_key(VARY) {
            response.headers_mut().insert(VARY, VARY_ORIGIN);
        }
    }
}
