//! What answers are made of: a status, a few headers, one buffer.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// An answer in JSON, serialised into one buffer.
pub(crate) fn json(status: StatusCode, content: &impl Serialize) -> Response {
    typed(status, JSON, content)
}

/// An answer in a media type that is written as JSON.
pub(crate) fn typed(status: StatusCode, media_type: HeaderValue, content: &impl Serialize) -> Response {
    let mut buffer = Vec::with_capacity(1536);
    if serde_json::to_writer(&mut buffer, content).is_err() {
        // Nothing that is serialised here can fail; half an answer must not leave all the same.
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    }
    bytes(status, media_type, Body::from(buffer))
}

/// An answer of bytes.
pub(crate) fn bytes(status: StatusCode, media_type: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// An answer without content.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Keeps an answer with personal data out of every cache.
pub(crate) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// Keeps an answer with tokens out of every cache (RFC 6749 section 5.1).
pub(crate) fn token_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(PRAGMA, NO_CACHE);
}

/// The value of `Retry-After`: whole seconds, rounded up, at least one.
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    HeaderValue::from(seconds.max(1))
}

/// `text` with everything replaced that RFC 6749 does not let an error's text contain (section 5.2:
/// `%x20-21 / %x23-5B / %x5D-7E`), at most 200 characters of it.
pub(crate) fn clean(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    text.chars().take(200).map(|c| if allowed(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_never_zero() {
        let header = |millis| retry_after(Duration::from_millis(millis)).to_str().unwrap().to_owned();
        assert_eq!([header(0), header(1), header(1000), header(1001)], ["1", "1", "1", "2"]);
    }

    #[test]
    fn what_is_reflected_is_clean() {
        assert_eq!(clean("a\"b\\c\r\nd\u{e9}\u{7f} e!"), "a?b?c??d?? e!");
        assert_eq!(clean(&"x".repeat(1000)).len(), 200);
    }
}
