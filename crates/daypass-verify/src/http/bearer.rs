//! The token of a request.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::AuthError;

/// The access token in the `Authorization` header (RFC 6750 section 2.1); `None` if there is no such header, or it
/// is of another scheme. Tokens elsewhere, such as in the query or a form, are not looked at.
///
/// - [`AuthError::Request`] if the header comes more than once, is not ASCII, or holds anything but one token.
/// - [`AuthError::Missing`] for the scheme `DPoP` (RFC 9449): a token that has to be proved is not taken as one that
///   has not, and its request is not let through as one without token.
///
/// ```
/// use daypass_verify::http::bearer_token;
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(bearer_token(&headers), Ok(None));
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
/// assert_eq!(bearer_token(&headers), Ok(Some("a.b.c")));
/// ```
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::Request);
    }
    let value = value.to_str().map_err(|_| AuthError::Request)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("dpop") {
        return Err(AuthError::Missing);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_start_matches(' ');
    if is_token68(token) { Ok(Some(token)) } else { Err(AuthError::Request) }
}

/// RFC 9110 section 11.2.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn reading(lines: &[&[u8]]) -> Result<Option<String>, AuthError> {
        let value = |line: &&[u8]| (AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        let headers: HeaderMap = lines.iter().map(value).collect();
        bearer_token(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn one_token_after_the_scheme_in_any_case() {
        for good in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="] {
            assert_eq!(reading(&[good.as_bytes()]), Ok(Some("a.b-c_d~e+f/g==".to_owned())), "{good}");
        }
    }

    #[test]
    fn no_token_is_not_a_bad_token() {
        let table: [&[&[u8]]; 5] = [&[], &[b"Basic YTpi"], &[b"Bearerx abc"], &[b""], &[b" Bearer abc"]];
        for none in table {
            assert_eq!(reading(none), Ok(None), "{none:?}");
        }
    }

    #[test]
    fn a_token_that_needs_a_proof_is_neither_taken_nor_passed_over() {
        for line in ["DPoP abc", "dpop abc"] {
            assert_eq!(reading(&[line.as_bytes()]), Err(AuthError::Missing));
        }
    }

    #[test]
    fn what_is_not_one_token_is_malformed() {
        let bad: [&[u8]; 12] = [
            b"Bearer",
            b"Bearer ",
            b"Bearer  ",
            b"Bearer Bearer a",
            b"Bearer a,b",
            b"Bearer a b",
            b"Bearer a ",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer a\tb",
            b"Bearer \xff",
        ];
        for line in bad {
            assert_eq!(reading(&[line]), Err(AuthError::Request), "{}", line.escape_ascii());
        }
        assert_eq!(reading(&[b"Bearer a", b"Bearer a"]), Err(AuthError::Request));
        assert_eq!(reading(&[b"Basic YTpi", b"Bearer a"]), Err(AuthError::Request));
    }
}
