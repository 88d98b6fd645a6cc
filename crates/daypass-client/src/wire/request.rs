//! The requests that a client makes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use reqwest::RequestBuilder;
use zeroize::Zeroizing;

use super::service::Service;
use super::transport::Transport;
use crate::builder::Client;
use crate::{Credentials, RefreshToken};

const ATTEMPT: HeaderName = HeaderName::from_static("daypass-attempt");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// As whom to speak, and for what.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) scope: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) transport: Transport,
}

impl Speaker {
    /// Renews a person's session, under the attempt ids of `attempts`.
    pub(crate) fn refresh(&self, token: &RefreshToken, attempts: &str) -> RequestBuilder {
        let request = match &self.client {
            Client::Confidential { id, secret } => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                self.token_request(id, secret, &form)
            }
            _ => self.json(&self.service.refresh, &[("refresh_token", token.expose())]),
        };
        let Ok(mut ids) = HeaderValue::from_str(attempts) else {
            // It cannot be sent, and without ids it must not be.
            return request.header(ATTEMPT, attempts);
        };
        ids.set_sensitive(true);
        request.header(ATTEMPT, ids)
    }

    /// Asks for an access token for the client itself (RFC 6749 section 4.4). None for a client that cannot.
    pub(crate) fn client_credentials(&self) -> Option<RequestBuilder> {
        let Client::ItsOwn { id, secret } = &self.client else { return None };
        Some(self.token_request(id, secret, &[("grant_type", "client_credentials")]))
    }

    /// Signs somebody in.
    pub(crate) fn login(&self, credentials: &Credentials) -> RequestBuilder {
        let mut members = vec![
            ("username", credentials.username.as_str()),
            ("password", credentials.password.as_str()),
            ("transport", "body"),
        ];
        let optional = [
            ("label", credentials.label.as_deref()),
            ("scope", credentials.scope.as_deref()),
            ("client_id", self.client.id()),
        ];
        members.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        self.json(&self.service.login, &members)
    }

    /// Ends the session of a refresh token, of whichever generation.
    pub(crate) fn logout(&self, token: &RefreshToken) -> RequestBuilder {
        self.json(&self.service.logout, &[("refresh_token", token.expose())])
    }

    fn json(&self, url: &reqwest::Url, members: &[(&str, &str)]) -> RequestBuilder {
        let object: serde_json::Map<_, _> =
            members.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let body = serde_json::Value::Object(object).to_string();
        self.transport.post(url).header(CONTENT_TYPE, JSON).body(body)
    }

    fn token_request(&self, id: &str, secret: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let optional = [("scope", &self.scope), ("resource", &self.resource)];
        body.extend_pairs(optional.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        let request = self.transport.post(&self.service.token).header(CONTENT_TYPE, FORM).body(body.finish());
        request.header(AUTHORIZATION, basic(id, secret))
    }
}

/// Id and secret, form-encoded before they are joined (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret)));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())));
    // Base64 is fit for a header.
    let mut value = HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(client: Client) -> Speaker {
        Speaker {
            service: Service::parse("https://id.example/auth", false).unwrap(),
            client,
            scope: Some("orders all".to_owned()),
            resource: Some("https://api.example/?a=b".to_owned()),
            transport: Transport::new(reqwest::Client::builder()).unwrap(),
        }
    }

    /// Address, authorization, attempt ids and body.
    fn seen(request: RequestBuilder) -> [String; 4] {
        let request = request.build().unwrap();
        let header =
            |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = request.body().unwrap().as_bytes().unwrap().to_vec();
        [
            request.url().path().to_owned(),
            header(AUTHORIZATION),
            header(ATTEMPT),
            String::from_utf8(body).unwrap(),
        ]
    }

    #[test]
    fn a_public_client_renews_at_v1() {
        let token = RefreshToken::from("dpr_x".to_owned());
        let request = speaker(Client::BuiltIn).refresh(&token, "7:x, 6:y");
        assert_eq!(seen(request), ["/auth/v1/refresh", "", "7:x, 6:y", r#"{"refresh_token":"dpr_x"}"#]);
    }

    #[test]
    fn a_client_with_a_secret_speaks_oauth() {
        let token = RefreshToken::from("dpr_x".to_owned());
        let (id, secret) = ("a:b".to_owned(), "c% d".to_owned().into());
        let request = speaker(Client::Confidential { id, secret }).refresh(&token, "7:x");
        let asked = "scope=orders+all&resource=https%3A%2F%2Fapi.example%2F%3Fa%3Db";
        let body = format!("grant_type=refresh_token&refresh_token=dpr_x&{asked}");
        let basic = format!("Basic {}", STANDARD.encode("a%3Ab:c%25+d"));
        assert_eq!(seen(request), ["/auth/oauth2/token", &basic, "7:x", &body]);
        let client = Client::ItsOwn { id: "a:b".to_owned(), secret: "c% d".to_owned().into() };
        let request = speaker(client).client_credentials().unwrap();
        let body = format!("grant_type=client_credentials&{asked}");
        assert_eq!(seen(request), ["/auth/oauth2/token", &basic, "", &body]);
        assert!(speaker(Client::BuiltIn).client_credentials().is_none());
    }

    #[test]
    fn sign_in_names_what_was_given() {
        let credentials = Credentials::password("ada", "p\"w").label("laptop");
        let [path, _, _, body] = seen(speaker(Client::Public { id: "cli".to_owned() }).login(&credentials));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let expected = serde_json::json!({
            "username": "ada", "password": "p\"w", "transport": "body", "label": "laptop", "client_id": "cli",
        });
        assert_eq!((path.as_str(), body), ("/auth/v1/login", expected));
    }
}
