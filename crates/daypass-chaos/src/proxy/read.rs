//! What requests and answers say.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::upstream::Asked;
use crate::ledger::{Outcome, Party, Presented};
use crate::token::Print;

const ATTEMPT: &str = "daypass-attempt";

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
    let body: Body = serde_json::from_slice(&asked.body).ok()?;
    let header = asked.headers.get(ATTEMPT).and_then(|ids| ids.to_str().ok());
    Presented::read(&body.refresh_token?, header.or(body.attempt.as_deref()), party)
}

/// What an answer to a renewal says.
pub(super) fn outcome(answer: &Response<Bytes>) -> Outcome {
    let status = answer.status();
    let body: Option<Body> = serde_json::from_slice(answer.body()).ok();
    match (status, body) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => Outcome::Busy,
        (StatusCode::OK, Some(Body { generation: Some(generation), refresh_token: Some(token), .. })) => {
            Outcome::Successor { generation, token: Print::of(&token) }
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
    body?.refresh_token
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
