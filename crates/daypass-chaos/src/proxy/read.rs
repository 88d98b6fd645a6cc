//! What requests and answers say.

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, Response, StatusCode};
use serde::Deserialize;

use super::upstream::Asked;
use crate::ledger::{Outcome, Party, Presented};
use crate::token::Print;

const ATTEMPT: &str = "daypass-attempt";

/// The cookie of a refresh token, as its name is unless it is configured.
const REFRESH_COOKIE: &str = "__Host-Http-daypass";

#[derive(Deserialize)]
struct Body {
    refresh_token: Option<String>,
    attempt: Option<String>,
    generation: Option<u32>,
    reason: Option<String>,
    error: Option<String>,
}

/// What a renewal presents; none for another request.
pub(super) fn presented(asked: &Asked, party: Party) -> Option<Presented> {
    // A browser asks whether it may, first.
    if asked.method != Method::POST {
        return None;
    }
    let body: Body = serde_json::from_slice(&asked.body).ok()?;
    let header = asked.headers.get(ATTEMPT).and_then(|ids| ids.to_str().ok());
    let by_cookie = body.refresh_token.is_none();
    let token = body.refresh_token.or_else(|| sent_cookie(&asked.headers))?;
    let presented = Presented::read(&token, header.or(body.attempt.as_deref()), party)?;
    Some(Presented { by_cookie, ..presented })
}

fn sent_cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(named)
}

fn set_cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).find_map(named)
}

/// The value of the refresh token's cookie, if this is one and holds something.
fn named(cookie: &str) -> Option<String> {
    let value = cookie.trim().strip_prefix(REFRESH_COOKIE)?.strip_prefix('=')?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// What an answer to a renewal says.
pub(super) fn outcome(answer: &Response<Bytes>) -> Outcome {
    let status = answer.status();
    let body: Option<Body> = serde_json::from_slice(answer.body()).ok();
    match (status, body) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => Outcome::Busy,
        (StatusCode::OK, Some(Body { generation: Some(generation), refresh_token, .. })) => {
            match refresh_token.or_else(|| set_cookie(answer.headers())) {
                Some(token) => Outcome::Successor { generation, token: Print::of(&token) },
                None => Outcome::Odd(status.as_u16()),
            }
        }
        (StatusCode::BAD_REQUEST, Some(Body { error: Some(error), reason, .. }))
            if error == "invalid_grant" =>
        {
            Outcome::Refused(reason)
        }
        (StatusCode::CONFLICT, _) => Outcome::Mismatch,
        _ => Outcome::Odd(status.as_u16()),
    }
}

/// The refresh token that a sign-in was answered with.
pub(super) fn signed_in(asked: &Asked, answer: &Response<Bytes>) -> Option<String> {
    let signed_in = asked.target == "/v1/login" && answer.status() == StatusCode::OK;
    let body = signed_in.then(|| serde_json::from_slice::<Body>(answer.body()).ok()).flatten();
    body?.refresh_token.or_else(|| set_cookie(answer.headers()))
}

impl Outcome {
    /// The same with another token, for every other one: what a service with two successors would say.
    pub(super) fn forged(self, forge: bool) -> Self {
        match self {
            Self::Successor { generation, .. } if forge => {
                Self::Successor { generation, token: Print::of("another") }
            }
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tests::token;

    fn asked(method: Method, headers: &[(&'static str, &str)], body: &str) -> Asked {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let body = Bytes::from(body.to_owned());
        Asked { method, target: "/v1/refresh".into(), headers: headers.collect(), body }
    }

    #[test]
    fn a_token_comes_in_the_body_or_in_its_cookie() {
        let (token, other) = (token(1, 4, 1), token(1, 5, 1));
        let cookie = format!("theme=dark; __Host-Http-daypass-at=x; __Host-Http-daypass={token}");
        let of_browser = asked(Method::POST, &[("cookie", &cookie), ("daypass-attempt", "4:abc")], "{}");
        let renewal = presented(&of_browser, Party::Owner).unwrap();
        assert_eq!((renewal.generation, renewal.ids), (4, vec![(4, Print::of("abc"))]));
        assert!(renewal.by_cookie);
        let body = format!(r#"{{"refresh_token":"{other}"}}"#);
        let both = asked(Method::POST, &[("cookie", &cookie)], &body);
        let renewal = presented(&both, Party::Owner).unwrap();
        assert_eq!((renewal.generation, renewal.by_cookie), (5, false));
        assert!(presented(&asked(Method::OPTIONS, &[("cookie", &cookie)], "{}"), Party::Owner).is_none());
        assert!(presented(&asked(Method::POST, &[("cookie", "theme=dark")], "{}"), Party::Owner).is_none());

        let answer = Response::builder()
            .header("set-cookie", "theme=dark; Path=/")
            .header("set-cookie", format!("__Host-Http-daypass={token}; Path=/; Secure; HttpOnly"));
        let answer = answer.body(Bytes::from_static(br#"{"generation":4}"#)).unwrap();
        assert_eq!(outcome(&answer), Outcome::Successor { generation: 4, token: Print::of(&token) });
        let mut asked = asked(Method::POST, &[], "{}");
        asked.target = "/v1/login".into();
        assert_eq!(signed_in(&asked, &answer), Some(token));
        let cleared = Response::builder().header("set-cookie", "__Host-Http-daypass=; Max-Age=0");
        let cleared = cleared.body(Bytes::from_static(br#"{"generation":4}"#)).unwrap();
        assert_eq!(outcome(&cleared), Outcome::Odd(200));
    }

    fn answered(status: u16, body: &str) -> Outcome {
        let answer = Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap();
        outcome(&answer)
    }

    #[test]
    fn answers_are_told_apart() {
        let successor = format!(r#"{{"refresh_token":"{}","generation":4}}"#, token(1, 4, 1));
        let given = Outcome::Successor { generation: 4, token: Print::of(&token(1, 4, 1)) };
        assert_eq!(answered(200, &successor), given);
        let refused = r#"{"error":"invalid_grant","reason":"reused"}"#;
        assert_eq!(answered(400, refused), Outcome::Refused(Some("reused".into())));
        assert_eq!(answered(400, r#"{"error":"invalid_grant"}"#), Outcome::Refused(None));
        assert_eq!(answered(400, r#"{"error":"invalid_request"}"#), Outcome::Odd(400));
        assert_eq!(answered(409, r#"{"error":"mismatch","generation":3}"#), Outcome::Mismatch);
        assert_eq!(answered(503, ""), Outcome::Busy);
        assert_eq!(answered(200, "<html>"), Outcome::Odd(200));
    }
}
