//! One request, and as much of its answer as there may be.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use crate::SessionError;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// Sends requests to the service, follows no redirect and keeps no cookie.
#[derive(Clone, Debug)]
pub(crate) struct Transport(reqwest::Client);

/// An answer. It has no `Debug`: its body holds tokens.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// There was no answer, or it was not whole. Whether the service has acted is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

impl Transport {
    pub(crate) fn new(builder: reqwest::ClientBuilder) -> Result<Self, SessionError> {
        // A redirect would carry the refresh token to wherever it points (RFC 9110 section 15.4.8), and a retry
        // that nobody knows of would not be counted.
        let builder = builder.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never());
        let client = builder.build();
        client
            .map(Self)
            .map_err(|error| SessionError::config(format!("the HTTP client cannot be built: {error}")))
    }

    pub(crate) fn post(&self, url: &reqwest::Url) -> reqwest::RequestBuilder {
        self.0.post(url.clone())
    }

    /// Sends a request. The error says nothing of why: reqwest's own may repeat the URL, and nothing is decided by
    /// it.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Lost> {
        let mut response = request.send().await.map_err(|error| lost(&error))?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len().saturating_add(chunk.len()) > LARGEST {
                tracing::debug!("an answer of the token service is too large");
                return Err(Lost);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

fn lost(error: &reqwest::Error) -> Lost {
    tracing::debug!(
        connect = error.is_connect(),
        body = error.is_body() || error.is_decode(),
        "no answer from the token service"
    );
    Lost
}

impl Reply {
    /// Whether the answer says, once, that it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_of_type("application/json")
    }

    pub(crate) fn is_of_type(&self, expected: &str) -> bool {
        let mut values = self.headers.get_all(CONTENT_TYPE).iter();
        let (Some(Ok(value)), None) = (values.next().map(http::HeaderValue::to_str), values.next()) else {
            return false;
        };
        let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
        essence.trim().eq_ignore_ascii_case(expected)
    }
}
