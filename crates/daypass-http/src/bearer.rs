//! Access tokens in the `Authorization` header (RFC 6750), and what is answered to bad ones. Tokens
//! elsewhere, such as in the query, are not looked at.

use daypass_service::{AccessError, Caller, LiveCaller, Service};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::problem::{self, Problem};

/// The token of a request; `None` if it has no `Authorization: Bearer`.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed("the Authorization header came more than once"));
    }
    let value = value.to_str().map_err(|_| malformed("the Authorization header is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let token68 = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if body.is_empty() || !body.bytes().all(token68) {
        return Err(malformed("the Authorization header does not hold one access token"));
    }
    Ok(Some(token))
}

/// The caller, looked up: the session lives.
pub(crate) async fn live(service: &Service, headers: &HeaderMap) -> Result<LiveCaller, Problem> {
    let token = token(headers)?.ok_or_else(absent)?;
    service.authenticate(token).await.map_err(refused)
}

/// The caller, verified in memory.
pub(crate) fn verified(service: &Service, token: &str) -> Result<Caller, Problem> {
    service.verify(token).map_err(refused)
}

/// No access token came (RFC 6750 section 3: then without `error`).
pub(crate) fn absent() -> Problem {
    Problem::new(problem::UNAUTHENTICATED, "send an access token as Authorization: Bearer")
        .challenge(HeaderValue::from_static("Bearer realm=\"daypass\""))
}

/// An access token that is no good.
pub(crate) fn refused(error: AccessError) -> Problem {
    let (detail, challenge) = match error {
        AccessError::Expired => (
            "the access token has expired",
            "Bearer realm=\"daypass\", error=\"invalid_token\", error_description=\"the access token has expired\"",
        ),
        AccessError::Invalid(_) => (
            "the access token is not valid",
            "Bearer realm=\"daypass\", error=\"invalid_token\", error_description=\"the access token is not valid\"",
        ),
        AccessError::Ended => (
            "the session of the access token is over",
            "Bearer realm=\"daypass\", error=\"invalid_token\", error_description=\"the session of the access token is over\"",
        ),
        AccessError::Service(error) => return error.into(),
    };
    Problem::new(problem::INVALID_TOKEN, detail).challenge(HeaderValue::from_static(challenge))
}

/// A token that lacks `scope`, one of the service's own.
pub(crate) fn lacks(scope: &'static str) -> Problem {
    let challenge = format!(
        "Bearer realm=\"daypass\", error=\"insufficient_scope\", error_description=\"the access token lacks a scope\", scope=\"{scope}\""
    );
    let problem =
        Problem::new(problem::INSUFFICIENT_SCOPE, format!("the access token lacks the scope {scope}"));
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.challenge(challenge),
        Err(_) => problem,
    }
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(problem::INVALID_REQUEST, detail)
        .challenge(HeaderValue::from_static("Bearer realm=\"daypass\", error=\"invalid_request\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lines: &[&'static str]) -> Result<Option<String>, ()> {
        let headers: HeaderMap =
            lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_static(line))).collect();
        token(&headers).map(|token| token.map(str::to_owned)).map_err(|_| ())
    }

    #[test]
    fn the_scheme_ignores_case_and_the_token_is_one_token68() {
        for good in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="] {
            assert_eq!(reading(&[good]), Ok(Some("a.b-c_d~e+f/g==".to_owned())), "{good}");
        }
        for none in [&[][..], &["Basic YTpi"], &["DPoP abc"], &["Bearerx abc"]] {
            assert_eq!(reading(none), Ok(None), "{none:?}");
        }
        for bad in
            ["Bearer", "Bearer ", "Bearer Bearer a", "Bearer a,b", "Bearer a b", "Bearer =", "Bearer \"a\""]
        {
            assert_eq!(reading(&[bad]), Err(()), "{bad}");
        }
        assert_eq!(reading(&["Bearer a", "Bearer a"]), Err(()));
    }
}
