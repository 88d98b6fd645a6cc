//! What an answer to a sign-in means.

use http::StatusCode;
use serde::Deserialize;

use super::pair::Pair;
use super::retry_after::retry_after;
use super::transport::Reply;
use crate::SessionError;

/// A problem (RFC 9457), as far as it is looked at.
#[derive(Deserialize)]
struct Problem {
    r#type: String,
}

/// Reads the answer to a sign-in.
pub(crate) fn read(reply: &Reply) -> Result<Pair, SessionError> {
    let unavailable = || SessionError::Unavailable { retry_after: retry_after(&reply.headers) };
    match reply.status {
        StatusCode::OK if reply.is_json() => {
            Pair::read(&reply.body).ok_or(SessionError::Protocol("a sign-in without tokens"))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Err(problem(reply).unwrap_or_else(unavailable)),
        _ => Err(unavailable()),
    }
}

/// What the service calls wrong with the request, if it is the service that speaks.
fn problem(reply: &Reply) -> Option<SessionError> {
    if !reply.is_of_type("application/problem+json") {
        return None;
    }
    let problem: Problem = serde_json::from_slice(&reply.body).ok()?;
    Some(match problem.r#type.strip_prefix("urn:daypass:problem:")? {
        "invalid-credentials" => SessionError::Credentials,
        "invalid-client" => SessionError::config("the client is unknown or may not sign people in"),
        "invalid-scope" => SessionError::config("the scope cannot be granted"),
        _ => SessionError::config("the service cannot read the sign-in"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use http::header::{CONTENT_TYPE, RETRY_AFTER};

    use super::*;

    fn meaning(status: u16, content_type: &'static str, body: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let body = body.as_bytes().to_vec().into();
        match read(&Reply { status: StatusCode::from_u16(status).unwrap(), headers, body }) {
            Ok(pair) => pair.refresh.session_id,
            Err(SessionError::Unavailable { retry_after: Some(wait) }) if wait == Duration::from_secs(7) => {
                "unavailable".to_owned()
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn wrong_credentials_are_told_from_a_page_in_between() {
        const PROBLEM: &str = "application/problem+json";
        let problem = |name: &str| format!(r#"{{"type":"urn:daypass:problem:{name}","title":"x"}}"#);
        let wrong = "the user name or the password is wrong";
        assert_eq!(meaning(401, PROBLEM, &problem("invalid-credentials")), wrong);
        assert_eq!(meaning(401, "text/html", &problem("invalid-credentials")), "unavailable");
        assert_eq!(meaning(401, PROBLEM, "{}"), "unavailable");
        assert_eq!(meaning(401, PROBLEM, r#"{"type":"about:blank"}"#), "unavailable");
        assert_eq!(meaning(400, PROBLEM, &problem("invalid-scope")), "the scope cannot be granted");
        for status in [200, 302, 403, 404, 429, 500, 503] {
            assert_eq!(meaning(status, "text/html", "<html>"), "unavailable", "{status}");
        }
        let answer = meaning(200, "application/json", "{}");
        assert!(answer.contains("a sign-in without tokens"), "{answer}");
    }
}
