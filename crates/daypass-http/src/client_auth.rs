//! OAuth clients authenticating: by Basic, in the body, or by name alone (RFC 6749 section 2.3).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daypass_service::{ClientAuth, RegisteredClient, Secret};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::call::Call;
use crate::form;
use crate::oauth_error::OAuthError;

/// What of the form says who the client is. It has no `Debug`: it holds a secret.
pub(crate) struct InForm<'f> {
    pub(crate) id: Option<Cow<'f, str>>,
    pub(crate) secret: Option<Cow<'f, str>>,
    /// A signed assertion (RFC 7523), which is not served yet.
    pub(crate) assertion: bool,
}

/// The client of a request, if it is who it says. Failures with a secret are counted by address.
pub(crate) fn authenticate(call: &Call, in_form: InForm<'_>) -> Result<RegisteredClient, OAuthError> {
    let auth = presented(call.headers(), in_form)?;
    let service = call.service();
    service.authenticate_client(&auth).map_err(|_| match (&auth, call.address()) {
        (ClientAuth::Secret { .. }, Some(address)) => match service.client_failed(address) {
            Ok(()) => OAuthError::invalid_client(),
            Err(wait) => OAuthError::limited(wait),
        },
        _ => OAuthError::invalid_client(),
    })
}

fn presented(headers: &HeaderMap, in_form: InForm<'_>) -> Result<ClientAuth, OAuthError> {
    let InForm { id, secret, assertion } = in_form;
    let in_header = headers.contains_key(AUTHORIZATION);
    if usize::from(in_header) + usize::from(secret.is_some()) + usize::from(assertion) > 1 {
        return Err(OAuthError::bad("invalid_request", "the client authenticates in more than one way"));
    }
    if assertion {
        return Err(OAuthError::invalid_client());
    }
    if in_header {
        let (basic, secret) = basic(headers)?;
        if id.is_some_and(|id| id != basic) {
            let what = "'client_id' differs from the client that authenticates";
            return Err(OAuthError::bad("invalid_request", what));
        }
        return Ok(ClientAuth::Secret { id: basic, secret });
    }
    let id = id.ok_or_else(OAuthError::invalid_client)?.into_owned();
    Ok(match secret {
        Some(secret) => ClientAuth::Secret { id, secret: Secret::new(secret.into_owned()) },
        None => ClientAuth::Named(id),
    })
}

/// Id and secret of `Authorization: Basic`: form-encoded, joined by the first colon, in base64
/// (RFC 6749 section 2.3.1 and appendix B).
fn basic(headers: &HeaderMap) -> Result<(String, Secret), OAuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() {
        return Err(OAuthError::bad("invalid_request", "the Authorization header came more than once"));
    }
    let (scheme, credentials) =
        value.and_then(|value| value.split_once(' ')).ok_or_else(OAuthError::invalid_client)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(OAuthError::invalid_client());
    }
    let decoded = STANDARD.decode(credentials.trim()).map_err(|_| OAuthError::invalid_client())?;
    let colon = decoded.iter().position(|b| *b == b':').ok_or_else(OAuthError::invalid_client)?;
    let (id, secret) = decoded.split_at(colon);
    let secret = secret.get(1..).unwrap_or_default();
    let plain = |text| form::decode(text).map_err(|_| OAuthError::invalid_client());
    Ok((plain(id)?.into_owned(), Secret::new(plain(secret)?.into_owned())))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(header: Option<&str>, id: Option<&'static str>, secret: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        let in_form = InForm { id: id.map(Cow::from), secret: secret.map(Cow::from), assertion: false };
        match presented(&headers, in_form) {
            Ok(ClientAuth::Named(id)) => format!("named {id}"),
            Ok(ClientAuth::Secret { id, secret }) => format!("{id} with {}", secret.expose()),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn basic_credentials_are_form_encoded_before_they_are_joined() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let read = |text: &str| of(Some(&basic(text)), None, None);
        assert_eq!(read("a:b"), "a with b");
        assert_eq!(read("a:b:c"), "a with b:c");
        assert_eq!(read("a%3Ab:c%25%2B+d"), "a:b with c%+ d");
        assert_eq!(read("caf%C3%A9:p"), "café with p");
        assert_eq!(read("a:"), "a with ");
        for bad in ["a", "a%zz:b", ""] {
            assert_eq!(read(bad), "refused", "{bad}");
        }
        for bad in ["Basic", "Basic !!!", "Bearer abc", "Basic YTpi=", "basic"] {
            assert_eq!(of(Some(bad), Some("a"), None), "refused", "{bad}");
        }
        assert_eq!(of(Some("bAsIc YTpi"), Some("a"), None), "a with b");
    }

    #[test]
    fn there_is_one_way_at_a_time() {
        assert_eq!(of(None, Some("a"), Some("b")), "a with b");
        assert_eq!(of(None, Some("a"), None), "named a");
        assert_eq!(of(None, None, None), "refused");
        assert_eq!(of(None, None, Some("b")), "refused");
        assert_eq!(of(Some("Basic YTpi"), None, Some("b")), "refused");
        assert_eq!(of(Some("Basic YTpi"), Some("c"), None), "refused");
    }
}
